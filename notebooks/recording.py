"""Serve a step's app, send it requests, and record who did what when.

    with Recording("solutions/02_thread") as recording:
        recording.send_all("/1", "/2", "/3")
    assert overlap(recording.tasks)

The app's file stays unchanged, because everything is recorded from outside. At the end of the
`with` block, the server and all threads have ended. You can still read the recording.
"""

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import threading
import time
import types
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP))
from tests.harness.servers import Server  # noqa: E402
from tests.harness.thread_starts import is_pooled, observe  # noqa: E402

WORK_SECONDS = 0.3  # how long the slow work takes in a notebook
LIMIT = 20  # seconds to wait for something that may never happen: a task may hang, for example


@dataclass(eq=False)
class Span:
    """What one participant did from begin to end. Both are readings of the same clock, in seconds.

    who: "client", "request", "queue", "task", "work", "sweep", "process" or "worker"
    number: the client's number, or that of the process; thread: the thread that it ran in
    waits: whether it only waited; note: how it ended; label: the text on its bar
    """

    who: str
    number: int
    waits: bool = False
    note: str = ""
    label: str = ""
    thread: threading.Thread = field(default_factory=threading.current_thread)
    begin: float = field(default_factory=time.perf_counter)
    end: float | None = None


def overlap(spans):
    """Return whether all of these spans were in progress at the same moment."""
    return max(span.begin for span in spans) < min(span.end for span in spans)


@dataclass
class Response:
    """What a client got: the status code, the body, and two headers if they were sent."""

    status: int
    body: bytes
    location: str | None
    retry_after: str | None

    @property
    def json(self):
        return json.loads(self.body)


class BaseRecording:
    """A recording of what happens while an app is served. It sends the clients' requests itself.

    spans: what each participant did; marks: moments to show in the picture, as (time, text)
    """

    threaded = True  # whether the server has a thread for each request

    def __init__(self):
        self.spans, self.marks = [], []
        self._changed = threading.Condition(threading.RLock())

    def until(self, condition):
        """Wait until condition() is true. Return False if that takes longer than LIMIT."""
        with self._changed:
            return self._changed.wait_for(condition, LIMIT)

    def _notify(self):
        """Wake the threads that wait for a change."""
        self._changed.notify_all()

    def mark(self, what):
        """Add a mark at the present moment."""
        with self._changed:
            self.marks.append((time.perf_counter(), what))
            self._notify()

    def _send_to(self, address, url, number, json_body=None, form=None):
        """Send a request to this host and port; return its Response."""
        body, headers = None, {}
        if json_body is not None:
            body, headers = json.dumps(json_body), {"Content-Type": "application/json"}
        if form is not None:
            body, headers = form, {"Content-Type": "application/x-www-form-urlencoded"}
        connection = http.client.HTTPConnection(*address, timeout=3 * LIMIT)
        span = self._begin("client", number, waits=True)
        note = "no response"
        try:
            with contextlib.closing(connection):
                connection.connect()
                self._connected(connection.sock.getsockname()[1], number)
                connection.request("GET" if body is None else "POST", url, body, headers)
                raw = connection.getresponse()
                headers = raw.getheader("Location"), raw.getheader("Retry-After")
                response = Response(raw.status, raw.read(), *headers)
            note = str(response.status)
        finally:
            self._end(span, note)
        return response

    def _connected(self, port, number):
        """Called when the client with this number has connected from this port."""

    def _of(self, who):
        return sorted([s for s in self.spans if s.who == who], key=lambda span: span.number)

    @property
    def clients(self):
        """A Span for each request. It ends when the client has its response.

        Its note is the status code, or "no response".
        """
        return self._of("client")

    @property
    def tasks(self):
        """A Span for each task that a view started.

        Its note is the exception that ended it, if any, or "lost" if its process ended first.
        """
        return self._of("task")

    @property
    def responded(self):
        """How many requests have received a response."""
        return sum(span.end is not None for span in self.clients)

    def _begin(self, who, number, **more):
        span = Span(who, number, **more)
        with self._changed:
            self.spans.append(span)
            self._notify()
        return span

    def _end(self, span, note=""):
        with self._changed:
            span.end, span.note = time.perf_counter(), note
            self._notify()


class Recording(BaseRecording):
    """A recording of a step's app, which is served in this process.

    folder: the folder of its app.py, for example "steps/02_thread"
    instead: {old text: new text}, replaced in app.py as it is loaded, to break something on purpose
    threaded: whether the server has a thread for each request
    """

    def __init__(self, folder, instead=None, threaded=True):
        super().__init__()
        self.printed = []
        self.blocked = False  # whether a request has waited for its own work
        self.task_first = False  # whether a request pauses until its task has ended
        self._may_end, self._let_go = lambda: True, threading.Event()
        self._let_go.set()
        self.over = threading.Event()  # set at the end of the `with` block
        self._numbers = {}  # a client's port: the client's number
        self.connected = 0  # how many connections the clients have made
        self._serving = {}  # request thread: the Span of its request
        self._in_view = set()  # request threads that have reached the view
        self._threads, self._pools = [], set()  # must have ended when the recording ends
        with restored_signal_handlers():
            self.module = load(TOP / folder / "app.py", instead or {})
        self.app, self.threaded = self.module.app, threaded
        self._patch()

    # For the notebooks

    def hold(self, until):
        """Let work end only when until() is true. No work waits longer than LIMIT."""
        with self._changed:
            self._may_end = until
            self._let_go.clear()
            self._notify()

    def _notify(self):
        super()._notify()
        if self._may_end():  # evaluated once here, and not in each of the waiting threads
            self._let_go.set()

    def send(self, url, number=1, **body):
        """Send a request as the client with this number; return the Response."""
        return self._send_to(self._server.server_address, url, number, **body)

    def _connected(self, port, number):
        with self._changed:
            self._numbers[port] = number
            self.connected += 1
            self._notify()

    def send_all(self, *urls, **body):
        """Send a request to each URL, in this order, each from its own client.

        No client waits for another's response. Return the Responses in the same order.
        """
        responses = {}

        def client(number, url):
            responses[number] = self.send(url, number, **body)

        clients = [threading.Thread(target=client, args=pair) for pair in enumerate(urls, 1)]
        before = self.connected
        for number, thread in enumerate(clients, 1):
            thread.start()
            self.until(lambda all_so_far=before + number: self.connected >= all_so_far)
        for thread in clients:
            thread.join()
        return [responses[number] for number in sorted(responses)]

    def poll(self, response, every, number=1):
        """Poll until the status code is no longer 202.

        Return a list: first the given `response`, and then the response to each poll.

        every: how many seconds to wait before each poll

        Once the task has ended, give up after three more polls.
        """
        responses, in_vain = [response], 0
        while response.status == 202 and response.location and in_vain < 3:
            in_vain += not self.running
            time.sleep(every)
            response = self.send(response.location, number)
            responses.append(response)
        return responses

    def named(self, name, default=None):
        """Return the value that this name has in the app's module."""
        return getattr(self.module, name, default)

    # What was recorded

    @property
    def requests(self):
        """A Span for each request, in its request thread."""
        return self._of("request")

    @property
    def work(self):
        """A Span for each time.sleep() in the app, which stands in for slow work."""
        return self._of("work")

    @property
    def sweeps(self):
        """A Span for each call of clean_old_tasks()."""
        return self._of("sweep")

    @property
    def running(self):
        """How many tasks are running."""
        return sum(span.end is None for span in self.tasks or self.work)

    # Recording from outside

    def _patch(self):
        """Replace sleep, print and the sweep in the app's module, and make its times short."""
        names = vars(self.module)
        clock = types.SimpleNamespace(**{**vars(time), "sleep": self.sleep})
        for name, value in list(names.items()):
            if value is time or value is time.sleep:
                names[name] = clock if value is time else self.sleep
        names["print"] = lambda *words: self.printed.append(" ".join(map(str, words)))
        if "clean_old_tasks" in names:
            names["clean_old_tasks"] = self._recorded_sweep(names["clean_old_tasks"])
        if "SWEEP_SECONDS" in self.app.config:
            self.app.config["SWEEP_SECONDS"] = 0.05
        self.app.config["WORK_SECONDS"] = WORK_SECONDS
        self.app.before_request(lambda: self._in_view.add(threading.current_thread()))

    def sleep(self, seconds=None):
        """Stand in for the app's time.sleep(): wait as long as hold() demands, and then sleep."""
        thread = threading.current_thread()
        here = self._serving.get(thread) or self._task_of(thread)
        span = self._begin("work", here.number if here else len(self.work) + 1)
        if thread in self._serving:
            self._set_blocked()
        if not self._let_go.wait(LIMIT):
            self.hold(lambda: True)  # release the other threads, too
        time.sleep(WORK_SECONDS if seconds is None else seconds)
        self._end(span)

    def _task_of(self, thread):
        return next((t for t in self.tasks if t.thread is thread and not t.end), None)

    def _set_blocked(self):
        with self._changed:
            self.blocked = True
            self._notify()

    def _recorded_sweep(self, sweep):
        def recorded():
            span = self._begin("sweep", 1)
            try:
                sweep()
            finally:
                self._end(span)

        return recorded

    def _wsgi(self, environ, start_response):
        span = self._begin("request", self._numbers[int(environ["REMOTE_PORT"])])
        self._serving[span.thread] = span
        self._in_view.discard(span.thread)
        return self._app_wsgi(environ, start_response)

    def _recorded_close(self, close):
        """Wrap the server's shutdown_request(), which ends a request and closes its body."""

        def recorded_close(connection):
            close(connection)
            if span := self._serving.pop(threading.current_thread(), None):
                self._end(span)

        return recorded_close

    def _starting(self, thread, starter):
        """Called before a thread is started: if a view starts it, it runs a task."""
        if is_pooled(thread) or not (request := self._serving.get(starter)):
            return
        if starter in self._in_view:
            self._record_task(thread, request.number)
        else:
            self._threads.append(thread)  # started by a hook: the cleaner

    def _started(self, thread, starter):
        if self.task_first and starter in self._serving and starter in self._in_view:
            threading.Thread.join(thread, LIMIT)

    def _submitting(self, pool, function):
        """Called before work is submitted to a pool, whose threads run one task after another."""
        self._pools.add(pool)
        request = self._serving.get(threading.current_thread())
        if request is None:
            return function
        turn = self._begin("queue", request.number, waits=True)

        def recorded(*args, **kwargs):
            self._end(turn)
            span = self._begin("task", request.number)
            try:
                return function(*args, **kwargs)
            finally:
                self._end(span)

        return recorded

    def _record_task(self, thread, number):
        run, join = thread.run, thread.join
        self._threads.append(thread)
        span = self._begin("task", number, thread=thread)

        def recorded_run():
            note = ""
            span.begin = time.perf_counter()
            try:
                run()
            except BaseException as error:  # shown in the picture, not on stderr
                note = type(error).__name__
            self._end(span, note)

        def recorded_join(timeout=None):
            here = threading.current_thread()
            if here not in self._serving:
                return join(timeout)
            self._set_blocked()
            self._end(self._serving[here])
            wait = self._begin("request", number, waits=True)
            join(timeout)
            self._end(wait)
            self._serving[here] = self._begin("request", number)

        thread.run, thread.join = recorded_run, recorded_join

    # Serving

    def __enter__(self):
        self._app_wsgi, self.app.wsgi_app = self.app.wsgi_app, self._wsgi
        self._server = Server(self.app, self.threaded)
        self._server.shutdown_request = self._recorded_close(self._server.shutdown_request)
        self._server.start()
        self._stop_observing = observe(self._starting, self._started, self._submitting)
        return self

    def __exit__(self, *exception):
        try:
            self.over.set()
            self.hold(lambda: True)
            self._server.stop()
            if stop := getattr(self.module, "stop_cleaner", None):
                stop.set()
            threads = [*self._server.by_client.values(), *self._threads]
            for thread in threads:
                threading.Thread.join(thread, LIMIT)
            for pool in self._pools:
                pool.shutdown()
        finally:
            self._stop_observing()
        late = [thread for thread in threads if thread.is_alive()]
        assert not late, f"Still running: {late}"


def load(path, instead):
    """Load a new copy of an app.py, with some of its text replaced."""
    source = path.read_text(encoding="utf-8")
    for old, new in instead.items():
        assert source.count(old) == 1, f"{path} has this {source.count(old)} times:\n{old}"
        source = source.replace(old, new)
    module = types.ModuleType("app")
    module.__file__ = str(path)
    exec(compile(source, str(path), "exec"), vars(module))
    return module


@contextlib.contextmanager
def restored_signal_handlers():
    """At the end of the `with` block, restore the signal handlers that the process had before."""
    handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in handlers.items():
            signal.signal(signum, handler)


def check(folder, apps="steps"):
    """Run a step's checks on your code, and print their output: pytest tests/step_FOLDER."""
    command = [sys.executable, "-m", "pytest", f"tests/step_{folder}", f"--apps={apps}"]
    done = subprocess.run(
        [*command, "-q", "--no-header", "--color=no"], cwd=TOP, capture_output=True, text=True
    )
    print(done.stdout or done.stderr)
