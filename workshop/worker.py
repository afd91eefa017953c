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

from workshop.steps import TOP

PATIENCE = 15  # seconds for what it has begun; the steps' work takes ten
OPTIONS = "--loglevel=INFO --concurrency=2 --without-gossip --without-mingle"
if sys.platform == "win32":
    OPTIONS += " --pool=threads"  # Celery's own pool needs fork(), which Windows has not


# Ctrl-C in the terminal is for the command, which ends this process itself.
OF_ITS_OWN = {"process_group": 0}
if sys.platform == "win32":
    OF_ITS_OWN = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}


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
    return subprocess.Popen(command, cwd=TOP, env=environment, stdin=subprocess.PIPE, **OF_ITS_OWN)


def finish(process):
    process.stdin.close()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_with_the_command():
    """End this worker as SIGTERM does once stdin is closed, by the command or by its death."""
    os.read(0, 1)
    signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    from celery.__main__ import main

    if os.environ.get("CELERY_BROKER_URL") == "files://":
        import workshop.file_broker  # noqa: F401
    threading.Thread(target=end_with_the_command, daemon=True).start()
    sys.argv[1:] = ["--workdir", sys.argv[1], "--app=app:celery", "-q", "worker", *OPTIONS.split()]
    main()
