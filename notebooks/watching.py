"""Serve a step's app, send it requests, and record who did what when.

    with Watch("solutions/02_thread") as watch:
        watch.at_once("/1", "/2", "/3")
    assert overlap(watch.tasks)

The app's code stays as it is: it is watched from outside. At the end of the `with` block, the
server and every thread are gone, and the record is left.
"""

import concurrent.futures.thread
import contextlib
import http.client
import json
import signal
import subprocess
import sys
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

TOP = Path(__file__).resolve().parent.parent
WORK_SECONDS = 0.3  # how long the slow work takes in a notebook
LIMIT = 20  # seconds: a safety net for what never happens, such as the end of a task that hangs


@dataclass(eq=False)
class Span:
    """What somebody did from begin to end, in seconds of one clock.

    who: "client", "request", "queue", "task", "work" or "sweep"; number: the client it was for
    thread: in which thread; waits: whether it only waited; note: how it ended; label: where it ran
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
    """Tell whether there was a moment at which all of these went on."""
    return max(span.begin for span in spans) < min(span.end for span in spans)


@dataclass
class Answer:
    """What a client got: status, body, where it may ask, and in how many seconds."""

    status: int
    body: bytes
    location: str | None
    retry_after: str | None

    @property
    def json(self):
        return json.loads(self.body)


class Record:
    """What happens while an app is served, and clients to make it happen.

    spans: what everybody did; marks: moments to be seen in the picture, as (when, what)
    """

    threaded = True  # whether the server has a thread for each request

    def __init__(self):
        self.spans, self.marks = [], []
        self._changed = threading.Condition(threading.RLock())

    def until(self, condition):
        """Wait until condition() is true of the record; return False if it never comes true."""
        with self._changed:
            return self._changed.wait_for(condition, LIMIT)

    def _note(self):
        """Tell whoever waits for something that the record has changed."""
        self._changed.notify_all()

    def mark(self, what):
        """Remember this moment."""
        with self._changed:
            self.marks.append((time.perf_counter(), what))
            self._note()

    def _send(self, address, url, number, json_body=None, form=None):
        """Send a request to that address, and return its Answer."""
        body, headers = None, {}
        if json_body is not None:
            body, headers = json.dumps(json_body), {"Content-Type": "application/json"}
        if form is not None:
            body, headers = form, {"Content-Type": "application/x-www-form-urlencoded"}
        connection = http.client.HTTPConnection(*address, timeout=3 * LIMIT)
        span = self._begin("client", number, waits=True)
        note = "no answer"
        try:
            with contextlib.closing(connection):
                connection.connect()
                self._connected(connection.sock.getsockname()[1], number)
                connection.request("GET" if body is None else "POST", url, body, headers)
                raw = connection.getresponse()
                headers = raw.getheader("Location"), raw.getheader("Retry-After")
                answer = Answer(raw.status, raw.read(), *headers)
            note = str(answer.status)
        finally:
            self._end(span, note)
        return answer

    def _connected(self, port, number):
        """Called when the client of this number has a connection, from that port."""

    def _of(self, who):
        return sorted([s for s in self.spans if s.who == who], key=lambda span: span.number)

    @property
    def clients(self):
        """A Span for each request, from sending it to having its answer; note is the status."""
        return self._of("client")

    @property
    def tasks(self):
        """A Span for each task that a view started; note is the exception it died of."""
        return self._of("task")

    @property
    def answered(self):
        """How many requests have had their answer."""
        return sum(span.end is not None for span in self.clients)

    def _begin(self, who, number, **more):
        span = Span(who, number, **more)
        with self._changed:
            self.spans.append(span)
            self._note()
        return span

    def _end(self, span, note=""):
        with self._changed:
            span.end, span.note = time.perf_counter(), note
            self._note()


class Watch(Record):
    """A step's app on a socket of this computer, and the record of all that happens.

    folder: where its app.py is, such as "steps/02_thread"
    instead: text of app.py to replace before it is loaded, to break something on purpose
    threaded: whether the server has a thread for each request
    """

    def __init__(self, folder, instead=None, threaded=True):
        super().__init__()
        self.printed = []
        self.blocked = False  # whether a request was seen to wait for its work
        self.task_first = False  # whether a task is over before its request goes on
        self._may_end, self._let_go = lambda: True, threading.Event()
        self._let_go.set()
        self.over = threading.Event()  # set when the `with` block is
        self._numbers = {}  # a client's port: its number
        self.connected = 0  # how many requests have reached the server's queue
        self._serving = {}  # a thread that serves a request: the Span of that request
        self._in_view = set()  # those that have come as far as the view
        self._threads, self._pools = [], set()  # what is to be over in the end
        with own_signals():
            self.module = load(TOP / folder / "app.py", instead or {})
        self.app, self.threaded = self.module.app, threaded
        self._stand_in()

    # What an experiment does

    def hold(self, until):
        """Let no work end before until() is true; or before it is clear that it never will be."""
        with self._changed:
            self._may_end = until
            self._let_go.clear()
            self._note()

    def _note(self):
        super()._note()
        if self._may_end():  # asked here once, and not by each of the threads that wait
            self._let_go.set()

    def ask(self, url, number=1, **body):
        """Send a request and return its Answer, as the client of this number."""
        return self._send(self._server.server_address, url, number, **body)

    def _connected(self, port, number):
        with self._changed:
            self._numbers[port] = number
            self.connected += 1
            self._note()

    def at_once(self, *urls, **body):
        """Send a request to each URL, in this order, each from a client of its own.

        None of them waits for another's answer. Return their Answers.
        """
        answers = {}

        def client(number, url):
            answers[number] = self.ask(url, number, **body)

        clients = [threading.Thread(target=client, args=pair) for pair in enumerate(urls, 1)]
        before = self.connected
        for number, thread in enumerate(clients, 1):
            thread.start()
            self.until(lambda all_so_far=before + number: self.connected >= all_so_far)
        for thread in clients:
            thread.join()
        return [answers[number] for number in sorted(answers)]

    def poll(self, answer, every, number=1):
        """Ask every so many seconds until the answer is no 202 any more; return all the Answers.

        If the task is over and it is 202 all the same, give up at the third time.
        """
        answers, in_vain = [answer], 0
        while answer.status == 202 and answer.location and in_vain < 3:
            in_vain += not self.running
            time.sleep(every)
            answer = self.ask(answer.location, number)
            answers.append(answer)
        return answers

    def named(self, name, default=None):
        """Return what the app's module calls by this name."""
        return getattr(self.module, name, default)

    # The record

    @property
    def requests(self):
        """A Span for each request, in the thread that served it."""
        return self._of("request")

    @property
    def work(self):
        """A Span for each time.sleep() of the app, which stands for the slow work."""
        return self._of("work")

    @property
    def sweeps(self):
        """A Span for each call of clean_old_tasks()."""
        return self._of("sweep")

    @property
    def running(self):
        """How many tasks go on."""
        return sum(span.end is None for span in self.tasks or self.work)

    # Watching from outside

    def _stand_in(self):
        """Take the place of what the app uses of the outer world: sleep, print, the sweep."""
        names = vars(self.module)
        clock = types.SimpleNamespace(**{**vars(time), "sleep": self.sleep})
        for name, value in list(names.items()):
            if value is time or value is time.sleep:
                names[name] = clock if value is time else self.sleep
        names["print"] = lambda *words: self.printed.append(" ".join(map(str, words)))
        if "clean_old_tasks" in names:
            names["clean_old_tasks"] = self._watched_sweep(names["clean_old_tasks"])
        if "SWEEP_SECONDS" in self.app.config:
            self.app.config["SWEEP_SECONDS"] = 0.05
        self.app.config["WORK_SECONDS"] = WORK_SECONDS
        self.app.before_request(lambda: self._in_view.add(threading.current_thread()))

    def sleep(self, seconds=None):
        """Do slow work, as the app's time.sleep() does: so long, and as long as hold() wants it."""
        thread = threading.current_thread()
        here = self._serving.get(thread) or self._task_of(thread)
        span = self._begin("work", here.number if here else len(self.work) + 1)
        if thread in self._serving:
            self._is_blocked()
        if not self._let_go.wait(LIMIT):
            self.hold(lambda: True)  # it never will: let go of the others, too
        time.sleep(WORK_SECONDS if seconds is None else seconds)
        self._end(span)

    def _task_of(self, thread):
        return next((t for t in self.tasks if t.thread is thread and not t.end), None)

    def _is_blocked(self):
        with self._changed:
            self.blocked = True
            self._note()

    def _watched_sweep(self, sweep):
        def watched():
            span = self._begin("sweep", 1)
            try:
                sweep()
            finally:
                self._end(span)

        return watched

    def _wsgi(self, environ, start_response):
        span = self._begin("request", self._numbers[int(environ["REMOTE_PORT"])])
        self._serving[span.thread] = span
        self._in_view.discard(span.thread)
        return self._app_wsgi(environ, start_response)

    def _closing(self, close):
        """The server's shutdown_request(): with it, the request is over and its body closed."""

        def watched_close(connection):
            close(connection)
            if span := self._serving.pop(threading.current_thread(), None):
                self._end(span)

        return watched_close

    def _starting(self, start):
        """Thread.start, watching: which thread is a request's, and which one is a task?"""

        def watched_start(thread):
            starter = threading.current_thread()
            if starter is self._acceptor:
                self._threads.append(thread)
            elif request := None if is_a_pools(thread) else self._serving.get(starter):
                if starter in self._in_view:
                    self._watch_task(thread, request.number)
                else:
                    self._threads.append(thread)  # a hook's: the cleaner
            start(thread)
            if self.task_first and starter in self._serving and starter in self._in_view:
                threading.Thread.join(thread, LIMIT)

        return watched_start

    def _submitting(self, submit):
        """ThreadPoolExecutor.submit, watching: a pool's thread does one task after the other."""

        def watched_submit(pool, function, *args, **kwargs):
            self._pools.add(pool)
            request = self._serving.get(threading.current_thread())
            if request is None:
                return submit(pool, function, *args, **kwargs)
            turn = self._begin("queue", request.number, waits=True)

            def watched():
                self._end(turn)
                span = self._begin("task", request.number)
                try:
                    return function(*args, **kwargs)
                finally:
                    self._end(span)

            return submit(pool, watched)

        return watched_submit

    def _watch_task(self, thread, number):
        run, join = thread.run, thread.join
        self._threads.append(thread)
        span = self._begin("task", number, thread=thread)

        def watched_run():
            note = ""
            span.begin = time.perf_counter()
            try:
                run()
            except BaseException as error:  # told in the picture, not on stderr
                note = type(error).__name__
            self._end(span, note)

        def watched_join(timeout=None):
            here = threading.current_thread()
            if here not in self._serving:
                return join(timeout)
            self._is_blocked()
            self._end(self._serving[here])
            wait = self._begin("request", number, waits=True)
            join(timeout)
            self._end(wait)
            self._serving[here] = self._begin("request", number)

        thread.run, thread.join = watched_run, watched_join

    # Serving

    def __enter__(self):
        self._app_wsgi, self.app.wsgi_app = self.app.wsgi_app, self._wsgi
        self._server = make_server(
            "127.0.0.1", 0, self.app, threaded=self.threaded, request_handler=Silent
        )
        self._server.shutdown_request = self._closing(self._server.shutdown_request)
        self._start = threading.Thread.start
        self._acceptor = threading.Thread(target=self._server.serve_forever, args=[0.02])
        self._acceptor.start()
        threading.Thread.start = self._starting(self._start)
        self._submit = ThreadPoolExecutor.submit
        ThreadPoolExecutor.submit = self._submitting(self._submit)
        return self

    def __exit__(self, *exception):
        try:
            self.over.set()
            self.hold(lambda: True)
            self._server.shutdown()
            self._acceptor.join()
            self._server.server_close()
            if stop := getattr(self.module, "stop_cleaner", None):
                stop.set()
            for thread in self._threads:
                threading.Thread.join(thread, LIMIT)
            for pool in self._pools:
                pool.shutdown()
        finally:
            threading.Thread.start = self._start
            ThreadPoolExecutor.submit = self._submit
        late = [thread for thread in self._threads if thread.is_alive()]
        assert not late, f"Still at work: {late}"


class Silent(WSGIRequestHandler):
    def log(self, *args):
        """Say nothing: the picture tells it."""


def is_a_pools(thread):
    """Tell whether this is a thread of an executor: it waits for more work when its task ends."""
    return getattr(thread, "_target", None) is concurrent.futures.thread._worker


def load(path, instead):
    """Import an app.py afresh, with some of its text replaced."""
    source = path.read_text(encoding="utf-8")
    for old, new in instead.items():
        assert source.count(old) == 1, f"{path} has this {source.count(old)} times:\n{old}"
        source = source.replace(old, new)
    module = types.ModuleType("app")
    module.__file__ = str(path)
    exec(compile(source, str(path), "exec"), vars(module))
    return module


@contextlib.contextmanager
def own_signals():
    """Keep this process's handlers of signals, whatever an app does to them."""
    handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in handlers.items():
            signal.signal(signum, handler)


def check(folder, apps="steps"):
    """Run a step's checks on your code, and print what they say: pytest tests/step_FOLDER."""
    command = [sys.executable, "-m", "pytest", f"tests/step_{folder}", f"--apps={apps}"]
    done = subprocess.run(
        [*command, "-q", "--no-header", "--color=no"], cwd=TOP, capture_output=True, text=True
    )
    print(done.stdout or done.stderr)
