"""Serve an app as `flask run` does, and show requests and tasks as they happen.

    python -m workshop.timeline --app steps/02_thread/app.py run ...

The app does not notice. This module observes the beginning and the end of each request, and of each
thread that a request starts. It prints to stderr, and time runs from top to bottom: an open line is
a request that waits for its response, or a task at work.

       0.0 s  ┬    GET /hello
       0.0 s  │ ┬  thread: task
       0.0 s  ┴ │  202 ACCEPTED
      10.0 s    ┴  task has ended
"""

from workshop import lifeline

if __name__ == "__main__":  # before the imports, which take a while
    lifeline.hold_for_flask()

import atexit
import os
import select
import signal
import socket
import sys
import threading
import time
from http import HTTPStatus

import flask.cli
from werkzeug import _reloader
from werkzeug.exceptions import NotFound
from werkzeug.serving import WSGIRequestHandler, run_simple

from tests.harness import thread_starts

TICK = 1.0  # seconds between lines that show that time passes
CURL = "curl.exe" if sys.platform == "win32" else "curl"
ICON = "/favicon.ico"  # browsers request it, whatever the app
MAX_TICKS = 15  # such lines in a row; after them, none until something happens


class Timeline:
    """Lines of text, with a column for each request or task that is in progress."""

    def __init__(self, write):
        self._write, self._changed = write, threading.Condition()
        self._columns = []  # what is in progress, by column; None: a free column
        self._texts = {}  # what is in progress: the text that it began with
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
            self._texts[what] = text
            self._line(column, "┬", text)

    def end(self, what, text):
        with self._changed:
            column = self._columns.index(what)
            self._line(column, "┴", text)
            self._columns[column] = None
            del self._texts[what]
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

    def cut_off(self):
        """Show what is in progress when the process ends."""
        with self._changed:
            if self._texts:
                cut_off = ", ".join(self._texts.values())
                self._line(None, "", f"this server process ends, and with it: {cut_off}")

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
        handler.response, handler.location = "no response", ""
        if handler.path == ICON:
            return run_wsgi(handler)
        serving.add(threading.current_thread())
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


def serve(host, port, app, **options):
    """Serve as Flask does, with the signal handler for Ctrl-C that was there before the app's."""

    def without_icon(environ, start_response):
        icon = environ["PATH_INFO"] == ICON
        return (NotFound() if icon else app)(environ, start_response)

    signal.signal(signal.SIGINT, ctrl_c)
    run_simple(host, port, without_icon, **options)


def write(line):
    sys.stderr.write(line)
    sys.stderr.flush()


if __name__ == "__main__":
    if os.environ.get("CELERY_BROKER_URL") == "files://":
        import workshop.file_broker  # noqa: F401
    ctrl_c = signal.getsignal(signal.SIGINT)
    sys.stdout.reconfigure(line_buffering=True)  # what an app prints comes when it is printed
    timeline = Timeline(write)
    if os.environ.get("WERKZEUG_RUN_MAIN") == "true":  # the other process restarts this one
        atexit.register(timeline.cut_off)
    flask.cli.show_server_banner = lambda *_: None
    flask.cli.run_simple = serve
    _reloader.ensure_echo_on = lambda: None  # `watch` has switched it off, and needs it off later
    observe(timeline)
    flask.cli.main()
