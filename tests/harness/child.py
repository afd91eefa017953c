"""What a process of its own does with the learner's app; see tests/harness/process.py.

There, the main thread handles signals, and the process ends like any other Python process.
"""

import concurrent.futures.thread
import importlib
import signal
import sys
import threading

from tests.harness.servers import Server

MARK = "check: "  # begins each line that the check reads; the app prints the other ones


def imported(folder):
    """The module app in a folder."""
    sys.path.insert(0, str(folder))
    return importlib.import_module("app")


def serve_once(folder):
    """Have the app serve one request."""
    app = imported(folder).app
    app.config["WORK_SECONDS"] = 0
    print(app.test_client().get("/hello").status, flush=True)


def serve_until_stopped(folder, signum, count, config):
    """Serve the app as Flask's server does, send it that many requests, and then the signal.

    The tasks are held back until the server has ended. With GRACE_SECONDS in config, they never
    end. tests/harness/shutdown.py reads the lines that this prints.
    """
    module = imported(folder)
    app = module.app
    app.config.update(config)
    handler = noted_handler(signum)
    serving, released = threading.Event(), threading.Event()

    @app.get("/held")
    @module.async_api
    def held():
        released.wait()
        tell("done")
        return "done"

    def client():
        serving.wait()  # an earlier signal would find no server to end
        send = app.test_client().get
        for _ in range(count):
            tell("sent", send("/held").status_code)
        interrupt(signum)
        if server_has_ended(handler):
            tell("late", send("/held").status_code)
        if "GRACE_SECONDS" not in config:
            released.set()

    server = Server(app)
    server.service_actions = serving.set  # called in the loop that waits for requests
    threading.Thread(target=client, daemon=True).start()
    server.serve_forever(0.01)


class NotedHandler:
    """A signal handler that notes when it is called, and when it has come to its end."""

    def __init__(self, handler):
        self.handler = handler
        self.called, self.ended = threading.Event(), threading.Event()

    def __call__(self, signum, frame):
        self.called.set()
        try:
            self.handler(signum, frame)
        finally:
            self.ended.set()


def noted_handler(signum):
    """Put a NotedHandler in place of the app's own handler, if it has set one; return it."""
    noted = NotedHandler(signal.getsignal(signum))
    if callable(noted.handler):
        signal.signal(signum, noted)
    return noted


def server_has_ended(handler):
    """Wait for the server's end; return False if the app's own handler waits for the tasks."""
    while not concurrent.futures.thread._shutdown:
        if handler.called.wait(0.005) and not handler.ended.wait(0.5):
            return False
    return True


def interrupt(signum):
    """Send this process a signal that its main thread handles immediately, where possible."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, signum)
    else:
        signal.raise_signal(signum)


def tell(*words):
    """Print a line for the check, in one piece: several threads print."""
    sys.stdout.write(MARK + " ".join(map(str, words)) + "\n")
    sys.stdout.flush()
