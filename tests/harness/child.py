"""What serves the learner's app in a process of its own; see tests/harness/process.py.

There, signals reach the main thread, and the process ends as any other one does.
"""

import concurrent.futures.thread
import importlib
import signal
import sys
import threading

from werkzeug.serving import make_server


def imported(folder):
    """The module app in a folder."""
    sys.path.insert(0, str(folder))
    return importlib.import_module("app")


def serve_once(folder):
    """Have the app answer one request."""
    app = imported(folder).app
    app.config["WORK_SECONDS"] = 0
    print(app.test_client().get("/hello").status, flush=True)


def serve_until_stopped(folder, signum, count, config):
    """Serve the app as Flask's server does, have so many tasks accepted, and then send the signal.

    The tasks are held back until the server has ended; with GRACE_SECONDS in config, for ever.
    Printed is a line for each thing that happens.
    """
    module = imported(folder)
    app = module.app
    app.config.update(config)
    released, entered, left = threading.Event(), threading.Event(), threading.Event()
    serving = threading.Event()
    if callable(handler := signal.getsignal(signum)):

        def noting_handler(signum, frame):
            entered.set()
            try:
                handler(signum, frame)
            finally:
                left.set()

        signal.signal(signum, noting_handler)

    @app.get("/held")
    @module.async_api
    def held():
        released.wait()
        tell("done")
        return "done"

    def has_ended():
        """Whether the server has ended. It has not if the app's own handler waits for the tasks."""
        while not concurrent.futures.thread._shutdown:
            if entered.wait(0.005) and not left.wait(0.5):
                return False
        return True

    def client():
        serving.wait()  # a signal that came before would find no server to end
        ask = app.test_client()
        for _ in range(count):
            tell("asked", ask.get("/held").status_code)
        send(signum)
        if has_ended():
            tell("late", ask.get("/held").status_code)
        tell("released")
        if "GRACE_SECONDS" not in config:
            released.set()

    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.service_actions = serving.set  # called in the loop in which it waits for requests
    threading.Thread(target=client, daemon=True).start()
    server.serve_forever(0.01)


def send(signum):
    """Send this process a signal, so that the main thread handles it at once, if that can be."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, signum)
    else:
        signal.raise_signal(signum)


def tell(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()
