"""Run a Celery worker beside what serves the web, and start it again at every save.

A worker that is told to end finishes what it has begun, and says so.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import watchfiles

from workshop.checks import OF_ITS_OWN
from workshop.steps import TOP

PATIENCE = 15  # seconds for what it has begun; the steps' work takes ten
OPTIONS = "--loglevel=INFO --concurrency=2 --without-gossip --without-mingle"
if sys.platform == "win32":
    OPTIONS += " --pool=threads"  # Celery's own pool needs fork(), which Windows has not


@contextmanager
def worker(folder, environment):
    """Have a worker at work for the app.py in folder; afterwards, wait until it has ended."""
    over = threading.Event()

    def keep_at_work():
        process = start(folder, environment)
        saves = {"watch_filter": watchfiles.PythonFilter(), "stop_event": over}
        for _ in watchfiles.watch(folder, rust_timeout=500, **saves):
            finish(process)
            process = start(folder, environment)
        finish(process)

    thread = threading.Thread(target=keep_at_work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def start(folder, environment):
    command = [sys.executable, "-m", __name__, str(folder)]
    return subprocess.Popen(command, cwd=TOP, env=environment, **OF_ITS_OWN)


def finish(process):
    if sys.platform == "win32":
        process.terminate()
    else:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    from celery.__main__ import main

    if "WORKSHOP_FILES" in os.environ:
        import workshop.files  # noqa: F401
    sys.argv[1:] = ["--workdir", sys.argv[1], "--app=app:celery", "-q", "worker", *OPTIONS.split()]
    main()
