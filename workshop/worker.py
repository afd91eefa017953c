"""Run a Celery worker next to the web server: another one at every save, or if it is killed.

A worker that is asked to finish does its current tasks, and says so in its log.
"""

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
import warnings

from workshop import WINDOWS, lifeline
from workshop.screen import console
from workshop.steps import TOP

PATIENCE = 15  # seconds for its current tasks; the work of the steps takes ten
OPTIONS = "--loglevel=INFO --concurrency=2 --without-gossip --without-mingle"
SETTINGS = "worker.lost_wait=2"  # seconds until a killed process of the pool is given up; else ten
if WINDOWS:
    OPTIONS += " --pool=threads"  # Celery's default pool needs fork(), which Windows does not have
    OWN_GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
else:
    OWN_GROUP = {"process_group": 0}  # Ctrl-C in the terminal reaches the command alone


class Worker:
    """A worker for the app.py in a folder. Call look() again and again."""

    def __init__(self, folder, environment):
        self._folder, self._environment = folder, environment
        self._start()

    def _start(self):
        self._code, self._give_up = self._saved_code(), math.inf
        self._ready = self._told = False
        command = [sys.executable, "-m", __name__, str(self._folder)]
        options = {"cwd": TOP, "env": self._environment, "stdin": subprocess.DEVNULL}
        self._process = lifeline.Process(command, **options, **OWN_GROUP)

    def _saved_code(self):
        """What tells one version of the code from the next: the time of each file's last save."""
        saved = {}
        for path in self._folder.rglob("*.py"):
            with contextlib.suppress(OSError):  # it is just being replaced
                saved[path] = path.stat().st_mtime_ns
        return saved

    def look(self):
        """Start another worker after a save, or if this one has ended without being asked to.

        A worker that cannot start is left alone until the next save.
        """
        saved = self._saved_code() != self._code
        if saved and self._give_up == math.inf:
            self._process.finish()
            self._give_up = time.monotonic() + PATIENCE
        self._ready = self._ready or self._process.has_reported()
        if self.poll() is None and time.monotonic() < self._give_up:
            return
        if not saved and not self._told:
            then = "Starting another one." if self._ready else "The next save restarts it."
            when = "" if self._ready else " before it was ready"
            console.print(f"The worker {ending(self.poll())}{when}. {then}")
            self._told = True
        if saved or self._ready:
            self.end()
            self._start()

    def poll(self):
        return self._process.poll()

    def finish(self):
        self._process.finish()

    def end(self):
        """End the worker now, with the processes of its pool."""
        from workshop import file_broker

        self._process.end(0)
        if not WINDOWS:
            with contextlib.suppress(ProcessLookupError):  # there are none left
                os.killpg(self._process.pid, signal.SIGKILL)
        file_broker.put_back(self._environment, self._process.pid)


def ending(status):
    """How a process with this exit status has ended."""
    if status >= 0:
        return f"exited with status {status}"
    return f"was killed by {signal.Signals(-status).name}"


def exit_when_idle(**_):
    """When this worker shuts down, exit as soon as it has no task. Celery takes 7 seconds more."""
    from celery.worker import state

    def wait():
        while state.reserved_requests:
            time.sleep(0.05)
        time.sleep(0.2)  # for what Celery does after a task
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def end():
    """End this worker when the command has been killed."""
    if broker := sys.modules.get("workshop.file_broker"):
        broker.put_back(os.environ, os.getpid())
    if not WINDOWS:  # with the processes of its pool, which only Linux would end
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    parent = lifeline.hold(finish=lifeline.terminate_this, end=end)
    from celery.__main__ import main
    from celery.signals import worker_ready, worker_shutting_down

    if os.environ.get("CELERY_BROKER_URL") == "files://":
        import workshop.file_broker  # noqa: F401
    warnings.filterwarnings("ignore", "You're running the worker with superuser")
    worker_ready.connect(lambda **_: parent.send(b"."), weak=False)
    worker_shutting_down.connect(exit_when_idle)
    options = [*OPTIONS.split(), SETTINGS]
    sys.argv[1:] = ["--workdir", sys.argv[1], "--app=app:celery", "-q", "worker", *options]
    main()
