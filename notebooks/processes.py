"""Serve a step's app in separate processes, send them requests, and record who did what when.

    with Processes("solutions/06_limits") as served:
        served.send("/1")
        served.stop()  # SIGTERM
        served.go_on()
        served.until_ended()
    assert served.statuses == [0]

The app's file stays unchanged: the lines that the app prints tell the recording when each task
starts and finishes. If `workers` is given, Celery's broker and result store are files in a
temporary folder, which is deleted at the end of the `with` block.
"""

import base64
import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
import types
from multiprocessing.connection import wait
from pathlib import Path

import recording  # which makes the packages of the workshop importable
from recording import TOP, WORK_SECONDS, BaseRecording, load
from tests.harness.servers import Server
from workshop.checks import multiprocessing_context as multiprocessing

STOP, GO_ON = "stop", "go on"  # commands to a process

# On systems with fork(), a server imports these slow modules once, and then forks each process.
SLOW_IMPORTS = ["flask_restful", "redis", "celery.apps.worker", "celery.backends.base"]
multiprocessing.set_forkserver_preload(SLOW_IMPORTS)  # skips those that are not installed


class Processes(BaseRecording):
    """A recording of a step's app, which is served in other processes.

    folder: the folder of its app.py; count: how many web processes serve it
    instead: {old text: new text}, replaced in app.py as it is loaded
    workers: how many Celery workers to start; None if the app does not use Celery
    statuses: the exit status of each process, None while it runs
    """

    def __init__(self, folder, count=1, instead=None, workers=None):
        super().__init__()
        self._app = folder, instead or {}
        self._who = ["process"] * count + ["worker"] * (workers or 0)
        self._broker = None if workers is None else tempfile.TemporaryDirectory()
        self._processes, self._ports, self._readers = {}, {}, []
        self._connections = {}
        self._closed, self._killed = set(), set()
        self._held = True
        self.statuses = [None] * len(self._who)

    def send(self, url, number=1, process=1, **body):
        """Send a request to one of the web processes, as the client with this number."""
        response = self._send_to(("127.0.0.1", self._ports[process - 1]), url, number, **body)
        with self._changed:
            started = {f"/{task.number}" for task in self.tasks}
            if response.retry_after and url.strip("/").isdigit() and url not in started:
                self._begin("queue", number_in(url), waits=True)  # accepted, but not started yet
        return response

    def until_finished(self, location):
        """Poll process 1 until the task is finished; return the Response. No poll is recorded."""
        unused, give_up = BaseRecording(), time.monotonic() + recording.LIMIT
        while True:
            address = "127.0.0.1", self._ports[0]
            response = unused._send_to(address, location or "/status/none", 0)
            if response.status not in (202, 404) or time.monotonic() > give_up:
                return response
            time.sleep(0.05)

    def pids(self, who):
        """Return the process ids of one kind. who: "process" (a web process) or "worker"."""
        return [self._processes[n].pid for n, one in enumerate(self._who) if one == who]

    def stop(self):
        """Send SIGTERM to every process, and wait until none accepts requests any more."""
        self.mark("SIGTERM")
        self._tell(STOP)
        self.until(lambda: len(self._closed) == len(self._processes))

    def go_on(self):
        """Let the work end. Until then, no work ends."""
        self._held = False
        self._tell(GO_ON)

    def until_ended(self):
        """Wait until every process has ended."""
        self.until(lambda: None not in self.statuses)

    def kill(self, process):
        """Kill one of the processes, and wait until it has ended."""
        n = process - 1
        self._killed.add(n)
        self._processes[n].kill()
        self.until(lambda: self.statuses[n] is not None)

    def start(self, process):
        """Restart a process that was killed."""
        self.statuses[process - 1] = None
        self._run(process - 1)
        self._greet(process - 1)

    def start_worker(self):
        """Start one more worker."""
        self._who.append("worker")
        self.statuses.append(None)
        self._run(len(self._who) - 1)
        self._greet(len(self._who) - 1)

    def messages(self):
        """Return the messages that are waiting for a worker, each with its body decoded."""
        messages = []
        for path in sorted(Path(self._broker.name, "celery").glob("[0-9]*")):
            message = json.loads(path.read_bytes())
            messages.append(message | {"body": json.loads(base64.b64decode(message["body"]))})
        return messages

    def _run(self, n):
        ours, theirs = multiprocessing.Pipe()
        arguments = theirs, self._who[n], self._broker and self._broker.name, *self._app
        process = multiprocessing.Process(target=run_process, args=arguments, daemon=True)
        vars(sys.modules["__main__"]).setdefault("__spec__", None)  # %reset deletes it
        with self._changed:
            process.start()
        theirs.close()
        self._processes[n], self._connections[n] = process, ours
        if not self._held:
            ours.send(GO_ON)

    def _greet(self, n):
        """Wait until a process is ready: its first message is its port."""
        process, connection = self._processes[n], self._connections[n]
        self._ports.pop(n, None)  # the port of the process that was killed
        with contextlib.suppress(EOFError, OSError):
            self._ports[n] = connection.recv()
        self._begin(self._who[n], n + 1)
        self._readers.append(threading.Thread(target=self._read, args=[n, process, connection]))
        self._readers[-1].start()
        assert n in self._ports, "A process did not start."

    def _tell(self, command):
        with self._changed:
            for connection in self._connections.values():
                with contextlib.suppress(OSError):  # the process has ended
                    connection.send(command)

    def _read(self, n, process, connection):
        """Record what a process reports, until it ends."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                what, _, rest = connection.recv().partition(" ")
                with self._changed:
                    if what == "closed":
                        self._closed.add(n)
                    elif what == "started":
                        self._begin("task", number_in(rest))
                        self._end_of("queue", number_in(rest))
                    elif what == "finished":
                        self._end_of("task", number_in(rest))
                    self._notify()
        wait([process.sentinel])
        with self._changed:  # a start() at this moment would lose the exit status
            process.join()
            connection.close()
            status = self.statuses[n] = process.exitcode
            note = "killed" if n in self._killed else f"exit status {'not ' if status else ''}0"
            self._end_of(self._who[n], n + 1, note)
            self._closed.add(n)
            self._notify()

    def _end_of(self, who, number, note=""):
        for span in self._of(who):
            if span.number == number and not span.end:
                self._end(span, note)

    def __enter__(self):
        try:
            for n in range(len(self._who)):
                self._run(n)
            for n in range(len(self._who)):
                self._greet(n)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        with self._changed:
            over = time.perf_counter()
            for span in self._of("process") + self._of("worker"):
                span.end = span.end or over
        for process in self._processes.values():
            process.kill()  # if it is still running
        for reader in self._readers:
            reader.join()
        for n, process in self._processes.items():
            process.join()  # even if no thread reads its messages
            self._connections[n].close()
        for span in self.spans:
            if not span.end:
                self._end(span, "lost")
        if self._broker:
            self._broker.cleanup()


def number_in(path):
    """Return the number of the client that sent a request to /number."""
    return int(path.strip("/"))


def run_process(connection, who, broker, folder, instead):
    """Run one of the processes: report its port first, and then whatever the app prints."""
    with open(os.devnull, "wb") as nowhere:  # keep its output out of the notebook
        for number in 1, 2:
            os.dup2(nowhere.fileno(), number)
    if broker:
        from workshop import file_broker

        os.environ.update(file_broker.environment(broker))

    go_on, reporting = threading.Event(), threading.RLock()  # a signal handler may report, too

    def report(message):
        with reporting:
            connection.send(message)

    def held_sleep(seconds):
        go_on.wait()
        time.sleep(seconds)

    def follow_commands():
        with contextlib.suppress(EOFError, OSError):
            while True:
                if connection.recv() == GO_ON:
                    go_on.set()
                else:
                    signal.raise_signal(signal.SIGTERM)  # like kill, but also on Windows
        os._exit(1)  # the notebook has ended

    module = load(TOP / folder / "app.py", instead)
    module.time = types.SimpleNamespace(**{**vars(time), "sleep": held_sleep})
    module.print = report
    module.app.config["WORK_SECONDS"] = WORK_SECONDS
    threading.Thread(target=follow_commands, daemon=True).start()
    (work if who == "worker" else serve)(module, report)


def serve(module, report):
    """Serve the app in the main thread, as Flask's own server does."""
    server = Server(module.app)
    report(server.port)
    server.serve_forever()
    report("closed")


def work(module, report):
    """Run a Celery worker that does one task after another in its main thread."""
    if not hasattr(module, "celery"):  # the starter sends no messages yet
        report(0)
        threading.Event().wait()
    from celery.signals import worker_ready

    worker_ready.connect(lambda **_: report(0), weak=False)
    without = dict.fromkeys(["without_gossip", "without_mingle", "without_heartbeat"], True)
    module.celery.Worker(pool="solo", quiet=True, loglevel="CRITICAL", **without).start()
