"""Serve an app as `flask run` does, and show requests and tasks as they happen.

    python -m workshop.timeline --app steps/02_thread/app.py run ...

The app does not notice. This module observes when Werkzeug's request handler begins and ends, and
when a thread that a request has started does. It prints to stderr, and time runs down: an open line
is a request that waits for its response, or a task at work.

       0.0 s  ┬    GET /hello
       0.0 s  │ ┬  thread: task
       0.0 s  ┴ │  202 ACCEPTED
      10.0 s    ┴  task has ended
"""

import signal

if __name__ == "__main__":  # during the imports, a KeyboardInterrupt could get lost
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import os
import select
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from http import HTTPStatus

import flask.cli
from werkzeug.serving import WSGIRequestHandler, run_simple

from tests.harness import thread_starts

TICK = 1.0  # seconds between lines that show that time passes
CURL = "curl.exe" if sys.platform == "win32" else "curl"
MAX_TICKS = 15  # such lines in a row; after them, none until something happens


class Timeline:
    """Lines of text, with a column for each request or task that is in progress."""

    def __init__(self, write):
        self._write, self._changed = write, threading.Condition()
        self._columns = []  # what is in progress, by column; None: a free column
        self._started = None
        self._ticks = 0

    def begin(self, what, text):
        with self._changed:
            if not any(self._columns):
                self._started = time.monotonic()  # after a pause, the clock starts again
            if None not in self._columns:
                self._columns.append(None)
            column = self._columns.index(None)
            self._columns[column] = what
            self._line(column, "┬", text)

    def end(self, what, text):
        with self._changed:
            column = self._columns.index(what)
            self._line(column, "┴", text)
            self._columns[column] = None
            while self._columns and self._columns[-1] is None:
                self._columns.pop()

    def tick(self):
        """While something is in progress, show that time passes. This never returns."""
        with self._changed:
            while True:
                if self._changed.wait(TICK) or not any(self._columns):
                    continue
                self._ticks += 1
                if self._ticks <= MAX_TICKS:
                    self._line(None, "", "", ticks=self._ticks)

    def _line(self, column, mark, text, ticks=0):
        marks = ["│" if what else " " for what in self._columns]
        if column is not None:
            marks[column] = mark
        seconds = time.monotonic() - self._started
        self._write(f"{seconds:8.1f} s  {' '.join(marks)}  {text}".rstrip() + "\n")
        self._ticks = ticks
        if not ticks:
            self._changed.notify_all()


def observe(timeline):
    """Show every request on the timeline, and every task that a request starts."""
    run_wsgi, send_response = WSGIRequestHandler.run_wsgi, WSGIRequestHandler.send_response
    send_header = WSGIRequestHandler.send_header
    serving = set()  # the threads that serve a request

    def observed_request(handler):
        serving.add(threading.current_thread())
        handler.response, handler.location = "no response", ""
        timeline.begin(handler, f"{handler.command} {handler.path}")
        try:
            run_wsgi(handler)
        finally:
            timeline.end(handler, f"{handler.response}{handler.location}")
            serving.discard(threading.current_thread())

    def observed_response(handler, code, message=None):
        gone = "" if is_connected(handler.connection) else ", but the client has gone"
        send_response(handler, code, message)
        handler.response = f"{int(code)} {HTTPStatus(int(code)).phrase.upper()}{gone}"

    def observed_header(handler, name, value):
        send_header(handler, name, value)
        if name.lower() == "location" and handler.response.startswith("202"):
            host, port = handler.server.server_address[:2]
            url = value if "://" in value else f"http://{host}:{port}{value}"
            handler.location = f"    poll: {CURL} {url}"

    def as_task(function, name):
        key = object()

        def observed_task(*args, **kwargs):
            timeline.begin(key, f"thread: {name}")
            end = "has ended"
            try:
                return function(*args, **kwargs)
            except BaseException as error:
                end = f"failed with {type(error).__name__}"
                error.__traceback__ = error.__traceback__.tb_next  # without the line of this file
                raise
            finally:
                timeline.end(key, f"{name} {end}")

        return observed_task

    def starting(thread, starter):
        if starter in serving and not thread_starts.is_pooled(thread):
            name = getattr(thread._target, "__name__", thread.name)
            thread.run = as_task(thread.run, name)

    def submitting(pool, function):
        if threading.current_thread() not in serving:
            return function
        return as_task(function, getattr(function, "__name__", "task"))

    thread_starts.observe(starting, submitting=submitting)
    WSGIRequestHandler.run_wsgi = observed_request
    WSGIRequestHandler.send_response = observed_response
    WSGIRequestHandler.send_header = observed_header
    WSGIRequestHandler.log_request = lambda *_: None  # the timeline has its own line
    threading.Thread(target=timeline.tick, daemon=True).start()


def is_connected(connection):
    """Whether the client has kept its end of the connection open."""
    try:
        read, _, _ = select.select([connection], [], [], 0)
        return not read or bool(connection.recv(1, socket.MSG_PEEK))
    except ConnectionError:
        return False


def serve(*args, **kwargs):
    """Serve as Flask does, until a KeyboardInterrupt."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run_simple(*args, **kwargs)


def write(line):
    sys.stderr.write(line)
    sys.stderr.flush()


if __name__ == "__main__":
    if os.environ.get("CELERY_BROKER_URL") == "files://":
        import workshop.file_broker  # noqa: F401
    if (
        os.environ.get("WERKZEUG_RUN_MAIN") != "true"
    ):  # this process only starts the one that serves
        from workshop.serve import call

        subprocess.call = partial(call, interrupted=0)  # so that Ctrl-C leaves no process behind
    flask.cli.run_simple = serve
    observe(Timeline(write))
    flask.cli.main()
