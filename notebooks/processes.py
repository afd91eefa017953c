"""Serve a step's app in processes of their own, and tell them to stop, as a server is told.

    with Processes("solutions/06_limits") as served:
        served.ask("/1")
        served.stop()  # SIGTERM
        served.go_on()
        served.until_ended()
    assert served.statuses == [0]

The app's code stays as it is. What its tasks do is known from what it prints.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import types

from werkzeug.serving import make_server

from watching import TOP, WORK_SECONDS, Record, Silent, load

STOP, GO_ON = b"s", b"g"  # what a process reads on its stdin


class Processes(Record):
    """A step's app, served by so many processes, and the record of all that happens.

    folder: where its app.py is; count: how many processes
    instead: text of app.py to replace before it is loaded
    statuses: with which exit status each has ended, None while it runs
    """

    def __init__(self, folder, count=1, instead=None):
        super().__init__()
        command = [sys.executable, __file__, folder, json.dumps(instead or {})]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._processes = [
            subprocess.Popen(command, **pipes, stderr=subprocess.DEVNULL, bufsize=0)
            for _ in range(count)
        ]
        self._ports, self._closed, self.statuses = [], set(), [None] * count
        self._readers = [threading.Thread(target=self._read, args=[n]) for n in range(count)]

    def ask(self, url, number=1, process=1):
        """Send a request to one of the processes, as the client of this number."""
        answer = self._send(("127.0.0.1", self._ports[process - 1]), url, number)
        with self._changed:
            if answer.retry_after and number not in {task.number for task in self.tasks}:
                self._begin("queue", number, waits=True)  # accepted, and not begun yet
        return answer

    def stop(self):
        """Send each process SIGTERM, and wait until it takes no more requests."""
        self.mark("SIGTERM")
        self._tell(STOP)
        self.until(lambda: len(self._closed) == len(self._processes))

    def go_on(self):
        """Let the work end, which was held until now."""
        self._tell(GO_ON)

    def until_ended(self):
        self.until(lambda: None not in self.statuses)

    def _tell(self, command):
        for process in self._processes:
            with contextlib.suppress(OSError):  # it has ended
                process.stdin.write(command)

    def _read(self, n):
        """Note what a process prints, until it ends."""
        for line in self._processes[n].stdout:
            what, _, rest = line.decode().strip().partition(" ")
            with self._changed:
                if what == "closed":
                    self._closed.add(n)
                elif what == "started":
                    self._begin("task", number_in(rest))
                    self._end_of("queue", number_in(rest))
                elif what == "finished":
                    self._end_of("task", number_in(rest))
                self._note()
        status = self._processes[n].wait()
        self._end_of("process", n + 1, f"exit status {'not ' if status else ''}0")
        with self._changed:
            self._closed.add(n)
            self.statuses[n] = status
            self._note()

    def _end_of(self, who, number, note=""):
        for span in self._of(who):
            if span.number == number and not span.end:
                self._end(span, note)

    def __enter__(self):
        for process in self._processes:
            self._ports.append(int(process.stdout.readline() or 0))
            self._begin("process", len(self._ports))
        for reader in self._readers:
            reader.start()
        if not all(self._ports):
            self.__exit__()
            raise AssertionError("A process did not start.")
        return self

    def __exit__(self, *exception):
        for process in self._processes:
            process.kill()  # if it has not ended yet
        for reader, process in zip(self._readers, self._processes, strict=True):
            reader.join()
            process.stdin.close()
            process.stdout.close()
        for span in self.spans:
            if not span.end:
                self._end(span, "lost")


def number_in(path):
    """The number of the client that asked for /number."""
    return int(path.strip("/"))


def serve(folder, instead):
    """What one of the processes does: it serves the app in its main thread, as Flask does."""
    go_on = threading.Event()

    def held_sleep(seconds):
        go_on.wait()
        time.sleep(seconds)

    def obey():
        while command := os.read(0, 1):
            if command == GO_ON:
                go_on.set()
            else:
                signal.raise_signal(signal.SIGTERM)  # the same as kill, and on Windows as well
        os._exit(1)  # the notebook is gone

    module = load(TOP / folder / "app.py", instead)
    module.time = types.SimpleNamespace(**{**vars(time), "sleep": held_sleep})
    module.print = tell
    module.app.config["WORK_SECONDS"] = WORK_SECONDS
    server = make_server("127.0.0.1", 0, module.app, threaded=True, request_handler=Silent)
    threading.Thread(target=obey, daemon=True).start()
    tell(server.port)
    server.serve_forever()
    tell("closed")


def tell(line):
    os.write(1, f"{line}\n".encode())  # print() may let another thread's line into its own


if __name__ == "__main__":
    serve(sys.argv[1], json.loads(sys.argv[2]))
