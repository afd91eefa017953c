"""A fresh import of the learner's app, served, with views that a check holds back."""

import difflib
import inspect
import re
import signal

import flask
import flask_restful

from tests.harness.changes import Changes
from tests.harness.clock import Clock
from tests.harness.expect import Broken
from tests.harness.load import load
from tests.harness.server import Server
from tests.harness.threads import Threads
from tests.harness.words import line_in
from tests.harness.work import Work

SIGNALS = signal.SIGINT, signal.SIGTERM  # those for which an app may have a handler
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class App:
    """The app in the file at path, and everything that can be seen of it.

    module: the learner's module, imported afresh; app: its Flask application; wsgi_app: what the
    server serves, which is app unless a check replaces it; clock: the time it lives by; threads:
    its threads; changes: notified of everything that happens; errors, task_errors: exceptions that
    nothing has handled, in requests and in tasks; shown: the path as the learner knows it.
    """

    def __init__(self, path, shown, printed):
        self.path, self.shown, self._read_printed = path, shown, printed
        self._works, self._server = [], None
        self.errors, self.task_errors = [], []
        self._stderr, self._log, self._log_from = "", "", 0
        self.changes = Changes()
        self.clock = Clock(self.changes)
        self.threads = Threads(path, self.clock, self.changes)
        self._handlers = {each: signal.getsignal(each) for each in SIGNALS}
        try:
            self.module, self.code = self.load()
        except BaseException:
            self.threads.close()
            raise
        self.threads.watch()
        self.app = self.wsgi_app = self.module.app
        # TESTING alone would let a view's exception through to the server.
        self.app.config.update(TESTING=True, PROPAGATE_EXCEPTIONS=False)
        flask.got_request_exception.connect(self._request_failed, self.app)

    def _request_failed(self, app, exception):
        in_request = self.threads.in_request_thread()
        (self.errors if in_request else self.task_errors).append(exception)

    def load(self):
        """Import the file, with this app's clock and locks; return the module and its code."""
        stand_ins = {**self.clock.modules(), "threading": self.threads.waits.threading_module()}
        return load(self.path, self.shown, stand_ins)

    def named(self, name):
        """Return what the learner's module calls by this name."""
        if hasattr(self.module, name):
            return getattr(self.module, name)
        near = difflib.get_close_matches(name, vars(self.module), 1)
        raise Broken(
            f"{self.shown} has no {name}." + (f" It has {near[0]}." if near else ""),
            "The checks use your code only through HTTP and the names in the lesson.",
            f"Define {name} at the top level of the file, under exactly this name.",
        )

    @property
    def server(self):
        if self._server is None:
            self._server = self.threads.server = Server(self.wsgi_app, self.changes)
        return self._server

    def serve(self, function, decorator, *, resource=False, url=None):
        """Serve function as a view that the check holds back; return its Work.

        decorator: what to put it under. resource: serve it as a Flask-RESTful Resource.
        """
        name = f"work{len(self._works)}"
        work = Work(self.path, function, url or f"/{name}", self.threads.held, self.changes)
        self._works.append(work)

        def view(*args, **kwargs):
            return work(*args, **kwargs)

        def method(self, *args, **kwargs):
            return work(*args, **kwargs)

        if inspect.iscoroutinefunction(function):

            async def view(*args, **kwargs):
                return await work(*args, **kwargs)

        view.__name__ = view.__qualname__ = method.__name__ = name
        method.__qualname__ = f"{name}.method"
        served = decorator(method if resource else view)
        if resource:
            methods = {verb.lower(): served for verb in METHODS}
            kind = type(name, (flask_restful.Resource,), methods)
            self.named("api").add_resource(kind, work.url, endpoint=name)
        else:
            self.app.add_url_rule(work.url, name, served, methods=METHODS)
        return work

    def calls(self):
        """Every call of a view so far."""
        return [call for work in self._works for call in list(work.calls)]

    def crashed_before_a_view(self):
        """The exceptions that ended threads which had not called a view."""
        called = {call.thread for call in self.calls()}
        return [error for error, thread in list(self.threads.crashes) if thread not in called]

    def quiet(self):
        """Wait until no thread is busy, the cleaner aside; return those that still are."""
        return self.threads.quiet(getattr(self.module, "stop_cleaner", self))

    # What it has printed, and where something came from: parts of sentences

    def printed(self):
        """All that the app has logged and written to stderr so far, or since forget_printed()."""
        more, self._log = self._read_printed()
        self._stderr += more
        return self._stderr + self._log[self._log_from :]

    def forget_printed(self):
        self.printed()
        self._stderr, self._log_from = "", len(self._log)

    def last_words(self):
        """A sentence with the last error that the app printed, to put after another."""
        errors = re.findall(
            r"^(?:\w+\.)*\w+(?:Error|Exception|Disconnected)\b.*", self.printed(), re.M
        )
        return f" The app printed: {errors[-1]}" if errors else ""

    def place(self, error):
        """Where in the learner's file an error came from, to put after a sentence."""
        line = line_in(error, self.path)
        return f" ({self.shown}, line {line})" if line else ""

    def at(self, thread):
        """Which line of the learner's file a thread is at, to put after a sentence."""
        line = self.threads.line_of(thread)
        return f", at {self.shown}, line {line}" if line else ""

    def close(self):
        """End what the test began; raise Broken if one of the app's threads does not end."""
        for work in self._works:
            work.release()
        self.clock.close()
        if hasattr(stop := getattr(self.module, "stop_cleaner", None), "set"):
            stop.set()
        busy = self.threads.quiet()
        if self._server:
            busy += self._server.stop()
        self.threads.close()
        for each, handler in self._handlers.items():
            signal.signal(each, handler)
        if busy:
            raise Broken(
                f"A thread of the app is still alive after the test{self.at(busy[0])}.",
                "The test has let all work go on"
                + (", and set stop_cleaner." if hasattr(stop, "set") else "."),
                "Is there a loop that never ends, or a wait that nothing ends?",
            )
