"""Run a Celery worker next to the web server, and restart it at every save.

A worker that is asked to stop finishes its current tasks, and says so in its log.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import watchfiles

from workshop.steps import TOP

PATIENCE = 15  # seconds for its current tasks; the work of the steps takes ten
OPTIONS = "--loglevel=INFO --concurrency=2 --without-gossip --without-mingle"
if sys.platform == "win32":
    OPTIONS += " --pool=threads"  # Celery's default pool needs fork(), which Windows does not have


# In the terminal, Ctrl-C then reaches only the command, which stops the worker itself.
OWN_GROUP = {"process_group": 0}
if sys.platform == "win32":
    OWN_GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}


@contextmanager
def worker(folder, environment):
    """Run a worker for the app.py in this folder. At the end, stop it and wait for it to exit."""
    over = threading.Event()

    def keep_running():
        process = start(folder, environment)
        saves = {"watch_filter": watchfiles.PythonFilter(), "stop_event": over}
        for _ in watchfiles.watch(folder, rust_timeout=500, **saves):
            stop(process)
            process = start(folder, environment)
        stop(process)

    thread = threading.Thread(target=keep_running)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def start(folder, environment):
    command = [sys.executable, "-m", __name__, str(folder)]
    return subprocess.Popen(command, cwd=TOP, env=environment, stdin=subprocess.PIPE, **OWN_GROUP)


def stop(process):
    """Have a worker finish its current tasks and exit; after PATIENCE seconds, kill it."""
    process.stdin.close()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def stop_when_stdin_closes():
    """Stop this worker by SIGTERM when the command closes its stdin, or is killed."""
    os.read(0, 1)
    signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    from celery.__main__ import main

    if os.environ.get("CELERY_BROKER_URL") == "files://":
        import workshop.file_broker  # noqa: F401
    threading.Thread(target=stop_when_stdin_closes, daemon=True).start()
    sys.argv[1:] = ["--workdir", sys.argv[1], "--app=app:celery", "-q", "worker", *OPTIONS.split()]
    main()
