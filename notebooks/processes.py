"""Serve a step's app in processes of their own, and tell them to stop, as a server is told.

    with Processes("solutions/06_limits") as served:
        served.ask("/1")
        served.stop()  # SIGTERM
        served.go_on()
        served.until_ended()
    assert served.statuses == [0]

The app's code stays as it is. What its tasks do is known from what it prints. With workers, Celery
has its broker and its result store in a folder, for as long as the `with` block lasts.
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

from werkzeug.serving import make_server

import watching
from watching import TOP, WORK_SECONDS, Record, Silent, load

sys.path.insert(0, str(TOP))
from workshop.checks import multiprocessing_context as multiprocessing  # noqa: E402

STOP, GO_ON = "stop", "go on"  # what a process is told

# Where there is fork(), a server that has imported this for all of them forks each process.
TAKES_LONG = ["flask_restful", "redis", "celery.apps.worker", "celery.backends.base"]
multiprocessing.set_forkserver_preload(TAKES_LONG)  # those that are installed


class Processes(Record):
    """A step's app, served by so many processes, and the record of all that happens.

    folder: where its app.py is; count: how many processes serve it
    instead: text of app.py to replace before it is loaded
    workers: how many of Celery's workers there are beside; None: it is an app without Celery
    statuses: with which exit status each has ended, None while it runs
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

    def ask(self, url, number=1, process=1, **body):
        """Send a request to one of the processes, as the client of this number."""
        answer = self._send(("127.0.0.1", self._ports[process - 1]), url, number, **body)
        with self._changed:
            begun = {f"/{task.number}" for task in self.tasks}
            if answer.retry_after and url.strip("/").isdigit() and url not in begun:
                self._begin("queue", number_in(url), waits=True)  # accepted, and not begun yet
        return answer

    def until_answered(self, location):
        """Ask process 1 until there is an answer; return it. The record has nothing of this."""
        unread, give_up = Record(), time.monotonic() + watching.LIMIT
        while True:
            answer = unread._send(("127.0.0.1", self._ports[0]), location or "/status/none", 0)
            if answer.status not in (202, 404) or time.monotonic() > give_up:
                return answer
            time.sleep(0.05)

    def pids(self, who):
        """The ids of the processes that are a "process", or a "worker"."""
        return [self._processes[n].pid for n, one in enumerate(self._who) if one == who]

    def stop(self):
        """Send each process SIGTERM, and wait until it takes no more requests."""
        self.mark("SIGTERM")
        self._tell(STOP)
        self.until(lambda: len(self._closed) == len(self._processes))

    def go_on(self):
        """Let the work end, which was held until now."""
        self._held = False
        self._tell(GO_ON)

    def until_ended(self):
        self.until(lambda: None not in self.statuses)

    def kill(self, process):
        """Kill one of the processes, and wait until it is gone."""
        n = process - 1
        self._killed.add(n)
        self._processes[n].kill()
        self.until(lambda: self.statuses[n] is not None)

    def start(self, process):
        """Start a process again that was killed."""
        self.statuses[process - 1] = None
        self._run(process - 1)
        self._greet(process - 1)

    def start_worker(self):
        """Start a worker more than there are."""
        self._who.append("worker")
        self.statuses.append(None)
        self._run(len(self._who) - 1)
        self._greet(len(self._who) - 1)

    def messages(self):
        """The messages that wait for a worker, as the broker has them, but with their body read."""
        messages = []
        for path in sorted(Path(self._broker.name, "celery").glob("[0-9]*")):
            message = json.loads(path.read_bytes())
            messages.append(message | {"body": json.loads(base64.b64decode(message["body"]))})
        return messages

    def _run(self, n):
        ours, theirs = multiprocessing.Pipe()
        given = theirs, self._who[n], self._broker and self._broker.name, *self._app
        process = multiprocessing.Process(target=begin, args=given, daemon=True)
        vars(sys.modules["__main__"]).setdefault("__spec__", None)  # %reset takes it away
        with self._changed:
            process.start()
        theirs.close()
        self._processes[n], self._connections[n] = process, ours
        if not self._held:
            ours.send(GO_ON)

    def _greet(self, n):
        """Wait until a process is ready: the first that it says is its port."""
        process, connection = self._processes[n], self._connections[n]
        self._ports.pop(n, None)  # that of the one that was killed
        with contextlib.suppress(EOFError, OSError):
            self._ports[n] = connection.recv()
        self._begin(self._who[n], n + 1)
        self._readers.append(threading.Thread(target=self._read, args=[n, process, connection]))
        self._readers[-1].start()
        assert n in self._ports, "A process did not start."

    def _tell(self, command):
        with self._changed:
            for connection in self._connections.values():
                with contextlib.suppress(OSError):  # it has ended
                    connection.send(command)

    def _read(self, n, process, connection):
        """Note what a process says, until it ends."""
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
                    self._note()
        wait([process.sentinel])
        with self._changed:  # a start() meanwhile would take the exit status away
            process.join()
            connection.close()
            status = self.statuses[n] = process.exitcode
            note = "killed" if n in self._killed else f"exit status {'not ' if status else ''}0"
            self._end_of(self._who[n], n + 1, note)
            self._closed.add(n)
            self._note()

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
            process.kill()  # if it has not ended yet
        for reader in self._readers:
            reader.join()
        for n, process in self._processes.items():
            process.join()  # also if nobody has read what it said
            self._connections[n].close()
        for span in self.spans:
            if not span.end:
                self._end(span, "lost")
        if self._broker:
            self._broker.cleanup()


def number_in(path):
    """The number of the client that asked for /number."""
    return int(path.strip("/"))


def begin(connection, who, broker, folder, instead):
    """What one of the processes does. It says its port first, and then what happens."""
    with open(os.devnull, "wb") as nowhere:  # what it prints is not for the notebook
        for number in 1, 2:
            os.dup2(nowhere.fileno(), number)
    if broker:
        from workshop import file_broker

        os.environ.update(file_broker.environment(broker))

    go_on, saying = threading.Event(), threading.RLock()  # a signal's handler may say something

    def say(what):
        with saying:
            connection.send(what)

    def held_sleep(seconds):
        go_on.wait()
        time.sleep(seconds)

    def obey():
        with contextlib.suppress(EOFError, OSError):
            while True:
                if connection.recv() == GO_ON:
                    go_on.set()
                else:
                    signal.raise_signal(signal.SIGTERM)  # the same as kill, and on Windows as well
        os._exit(1)  # the notebook is gone

    module = load(TOP / folder / "app.py", instead)
    module.time = types.SimpleNamespace(**{**vars(time), "sleep": held_sleep})
    module.print = say
    module.app.config["WORK_SECONDS"] = WORK_SECONDS
    threading.Thread(target=obey, daemon=True).start()
    (work if who == "worker" else serve)(module, say)


def serve(module, say):
    """Serve the app in the main thread, as Flask does."""
    server = make_server("127.0.0.1", 0, module.app, threaded=True, request_handler=Silent)
    say(server.port)
    server.serve_forever()
    say("closed")


def work(module, say):
    """Be one of Celery's workers, which does one task after the other in its main thread."""
    if not hasattr(module, "celery"):  # a starter: nobody sends anything yet
        say(0)
        threading.Event().wait()
    from celery.signals import worker_ready

    worker_ready.connect(lambda **_: say(0), weak=False)
    without = dict.fromkeys(["without_gossip", "without_mingle", "without_heartbeat"], True)
    module.celery.Worker(pool="solo", quiet=True, loglevel="CRITICAL", **without).start()
