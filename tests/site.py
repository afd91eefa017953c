"""A fresh import of the learner's app, served, with views that the check holds back."""

import concurrent.futures.thread
import difflib
import functools
import queue
import re
import signal
import sys
import threading
import time
import traceback
from contextlib import contextmanager
from urllib.parse import urlsplit

import flask
import flask_restful
import pytest

from tests.clock import Clock
from tests.contexts import without_context
from tests.expect import LIMIT, Broken, Happenings, expect
from tests.learner import described, described_value, line_in, load
from tests.lockstep import Lockstep
from tests.server import Server
from tests.waits import Wait, Waits

SIGNALS = signal.SIGINT, signal.SIGTERM  # those for which an app may have a handler
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Call:
    """One call of a view: its thread, its arguments, and what came of it.

    by_run: whether code of the file at path called it through a Thread.run() of its own.
    """

    def __init__(self, path, args, kwargs):
        self.thread = threading.current_thread()
        self.args, self.kwargs = args, kwargs
        self.result = self.error = None
        self.ended = self.by_run = False
        frame = sys._getframe(1)
        while frame and frame.f_code.co_filename != str(path):
            self.by_run |= frame.f_code is threading.Thread.run.__code__
            frame = frame.f_back
        self.by_run &= frame is not None


class Work:
    """A view whose every call waits until the check releases it.

    url: where it is served; calls: every Call so far, in the order in which they began.
    """

    def __init__(self, site, function, url):
        self.url, self.calls = url, []
        self._site, self._function = site, function
        self._released = threading.Event()

    def release(self):
        self._released.set()

    def __call__(self, *args, **kwargs):
        call = Call(self._site.path, args, kwargs)
        self.calls.append(call)
        if not self._released.is_set():
            self._site.held[call.thread] = self
        self._site.happenings.note()
        self._released.wait()
        self._site.held.pop(call.thread, None)
        try:
            call.result = self._function(*args, **kwargs)
            return call.result
        except BaseException as error:
            call.error = error
            raise
        finally:
            call.ended = True
            self._site.happenings.note()


class Site:
    """What a check works with.

    module: the learner's module, imported afresh; app: its Flask application; clock: the time it
    lives by; wsgi_app: what is served, should a check want to serve it otherwise; crashes: what the
    app's threads have died of.
    """

    def __init__(self, path, shown, printed):
        self._threads_before = set(threading.enumerate())
        self._works, self._server, self.crashes = [], None, []
        self.held = {}  # by the thread that calls it and is held back: the Work
        self._crashed_threads = []  # whose crashes these are
        self.locations = []  # every path at which the app has said that one may ask
        self.started = []  # every thread that the app's code has started since it was imported
        self._targets = []  # what the threads that requests have started were to call
        self.path, self._shown, self._read_printed = path, shown, printed
        self._stderr, self._log, self._log_from = "", "", 0
        self.happenings = Happenings()
        self.clock = Clock(self.happenings)
        self._handlers = {each: signal.getsignal(each) for each in SIGNALS}
        self._waits = Waits(self.happenings)
        try:
            self.module, self._code = self.load()
        except BaseException:
            self._waits.close()
            raise
        self._started_by_import = set(threading.enumerate())
        self.app = self.wsgi_app = self.module.app
        # TESTING alone would let a view's exception through to the server.
        self.app.config.update(TESTING=True, PROPAGATE_EXCEPTIONS=False)
        self._errors = []  # that no request has handled
        flask.got_request_exception.connect(self._request_failed, self.app)
        self._excepthook, threading.excepthook = threading.excepthook, self._crashed
        self._start, threading.Thread.start = (
            threading.Thread.start,
            self._starting(threading.Thread.start),
        )

    def load(self):
        """Import the file, with this site's clock and locks; return the module and its code."""
        stand_ins = {**self.clock.modules(), "threading": self._waits.threading_module()}
        return load(self.path, self._shown, stand_ins)

    # What a check puts on the site

    def named(self, name):
        """Return what the learner's module calls by this name."""
        if hasattr(self.module, name):
            return getattr(self.module, name)
        near = difflib.get_close_matches(name, vars(self.module), 1)
        raise Broken(
            f"{self._shown} has no {name}." + (f" It has {near[0]}." if near else ""),
            "The checks know your code by HTTP and by the names in the lesson.",
            f"{name} stands at the top level of the file, under exactly this name.",
        )

    def decorated(self, view):
        """Return async_api(view)."""
        decorator = self.named("async_api")
        try:
            result = decorator(view)
        except Exception as error:
            raise Broken(
                f"async_api(view) raised {described(error)}{self.place(error)}.",
                "A decorator is called once for each view, while the app is put together.",
                "There is no request at that time. What needs one goes into the inner function.",
            ) from None
        expect(
            callable(result),
            f"async_api(view) returned {described_value(result)}.",
            "A decorator returns the function that takes the view's place.",
            "Does async_api end by returning its inner function?",
            "decorator-returns-nothing" if result is None else None,
        )
        expect(
            getattr(result, "func", None) is not functools.update_wrapper,
            "async_api(view) returned what wraps() returns: a decorator, and not your function.",
            "It waits for the function that it is to give another one's name.",
            "wraps wants to know whose name that is: @wraps(view), with the view in parentheses.",
            "wraps-without-view",
        )
        return result

    def work(self, function=lambda **_: "done", *, decorate=True, resource=False, url=None):
        """Serve function as a view that the check holds back; returns its Work.

        decorate: put it under async_api. resource: serve it as a Flask-RESTful Resource.
        """
        name = f"work{len(self._works)}"
        work = Work(self, function, url or f"/{name}")
        self._works.append(work)

        def view(*args, **kwargs):
            return work(*args, **kwargs)

        def method(self, *args, **kwargs):
            return work(*args, **kwargs)

        view.__name__ = view.__qualname__ = method.__name__ = name
        method.__qualname__ = f"{name}.method"
        served = method if resource else view
        if decorate:
            served = self.decorated(served)
        if resource:
            methods = {verb.lower(): served for verb in METHODS}
            kind = type(name, (flask_restful.Resource,), methods)
            self.named("api").add_resource(kind, work.url, endpoint=name)
        else:
            self.app.add_url_rule(work.url, name, served, methods=METHODS)
        return work

    # What a check does as a client

    @property
    def server(self):
        if self._server is None:
            self._server = Server(self.wsgi_app, self.happenings)
        return self._server

    def start(self, method, url, **request):
        """Send a request without waiting for its answer; see Server.start."""
        return self.server.start(method, url, **request)

    def send(self, method, url, **request):
        """Send a request and return its answer once the request is over."""
        return self.answer(self.start(method, url, **request))

    def ask(self, url):
        return self.send("GET", url)

    def answer(self, exchange, work=()):
        """Return the answer to a request; raise Broken if it waits for what is held back here.

        work: the Calls or the Sleeps that it has led to.
        """
        self.happenings.until(
            lambda: (
                exchange.over()
                or self.held_in_request()
                or any(map(self.in_request, work))
                or any(self.joins(thread, work) for thread in self.serving())
            )
        )
        if (held := self.held_in_request()) or any(map(self.in_request, work)):
            raise self.works_in_request(held, exchange)
        if work and not exchange.over() and self.serving():
            raise self.waits_for_its_task()
        return exchange.wait()

    def accepted(self, work, method="GET", url=None, **request):
        """Send a request to work that is held back; return the 202 that has to come."""
        url = url or work.url
        answer = self.answer(self.start(method, url, **request), work.calls)
        return self.expect_202(answer, f"{method} {url}")

    def works_in_request(self, work, exchange):
        """The Broken for work that began in the request's thread: how did it come there?

        work: the Work that is held back there, if it is one.
        """
        by_run = work and any(call.by_run for call in work.calls)
        if work:
            work.release()
            exchange.wait()
        if by_run:
            return Broken(
                "Thread.run() called the view, in the thread that serves the request.",
                "run() is what a new thread does. Called by you, it is a call like any other, and "
                "the client waits for it.",
                "start() makes the new thread, and that one calls run().",
                "run-not-start",
            )
        if any(not callable(target) for target in self._targets):
            return Broken(
                "The view was called in the thread that serves the request, and then a thread was "
                "started that has nothing to call.",
                "view() calls the view at once, and its result is handed over. The client waits.",
                "Thread(target=view) hands over the view itself. The thread will call it.",
                "called-not-passed",
            )
        return Broken(
            "The view's work began in the thread that serves the request.",
            "So the client has to wait until the work is done.",
            "Who calls the view? It has to be the new thread, once it is started.",
            "no-thread",
        )

    def waits_for_its_task(self):
        """The Broken for a request that is not answered while its task is held back."""
        places = [self.stands(thread) for thread in self.serving()]
        return Broken(
            f"The task is at work, and its request waits for it{''.join(places[-1:])}.",
            "The client waits as long as it did without the thread.",
            "join() waits until a thread has ended. Nobody should, in a request.",
            "joined-in-request",
        )

    def expect_202(self, answer, what):
        expect(
            answer.status_code != 415,
            f"{what} was answered {answer.status}.",
            "request.get_json() refuses a request that brings no JSON, and many bring none.",
            "Keep the body as bytes, whatever is in them: request.get_data().",
            "json-demanded",
        )
        if answer.status_code == 500 and self._errors and self.place(self._errors[-1]):
            raise Broken(
                f"In a request, {described(self._errors[-1])}{self.place(self._errors[-1])}.",
                f"{what} was answered {answer.status}.",
                "It came before the work: in what async_api's inner function does.",
            )
        expect(
            answer.status_code == 202,
            f"{what} was answered {answer.status}.",
            "Work that goes on in the background is answered 202 Accepted.",
            "What does async_api's inner function return?" + self.last_words(),
            "answers-200" if answer.status_code == 200 else None,
        )
        return answer

    def slept(self, exchange, number=1):
        """Wait until requests have begun that many time.sleep(); return the last Sleep."""

        def sleeps():
            return [s for s in list(self.clock.sleeps) if s.thread not in self._started_by_import]

        self.happenings.until(
            lambda: (
                len(sleeps()) >= number
                or self.crashes
                or (exchange.over() and (exchange.wait().status_code != 202 or self.at_rest()))
            )
        )
        if len(sleeps()) < number and self.crashes:
            raise self.crash(self.crashes[-1], "Its work ended before its time.")
        if len(sleeps()) < number:
            raise self.no_work(exchange)
        return sleeps()[number - 1]

    def no_work(self, exchange):
        """The Broken for a request to CatchAll that came to no sleep."""
        answer = exchange.wait()
        if busy := [thread for thread in self.threads() if not self.is_idle(thread)]:
            return Broken(
                f"The request was answered {answer.status}, and its work has not come to "
                f"time.sleep(){self.stands(busy[0])}.",
                "The slow work stands for what your users wait for. It has to take place.",
                "What keeps it busy, or what does it wait for?",
            )
        if answer.status_code in (200, 202):
            return Broken(
                f"The request was answered {answer.status}, and no work was done for it.",
                "The slow work stands for what your users wait for. It has to take place.",
                'Is time.sleep(app.config["WORK_SECONDS"]) reached? Is the thread started?'
                + self.last_words(),
                "no-work",
            )
        return Broken(
            f"The request was answered {answer.status}.{self.last_words()}",
            "It did not come as far as the work.",
            "405 and 404 are about methods and URLs, 400 and 415 about the body, 500 is an error "
            "in the code.",
        )

    def call(self, work, number=1):
        """Wait until that many calls of the work have begun; return that one."""
        calls = work.calls
        self.happenings.until(
            lambda: len(calls) >= number or self.died_before_the_view() or self.at_rest()
        )
        if len(calls) >= number:
            return calls[number - 1]
        if died := self.died_before_the_view():
            raise self.crash(died[-1])
        raise Broken(
            f"{number} requests were accepted, and the view was called {len(calls)} times.",
            "Work that was accepted has not begun, though there was time.",
            "Is the thread started? Is the view called in it?" + self.last_words(),
            None if self._targets else "never-started",
        )

    def died_before_the_view(self):
        """What threads have died of that had not called a view."""
        called = {call.thread for work in self._works for call in list(work.calls)}
        crashed = zip(self.crashes, self._crashed_threads, strict=False)
        return [error for error, thread in crashed if thread not in called]

    def crash(self, error, means="It never came to call the view, so nobody does the work."):
        """The Broken for a task's thread that died before it called the view, or in CatchAll."""
        if isinstance(error, TypeError) and "required positional argument" in str(error):
            return Broken(
                f"The view was called without its arguments: {described(error)}.",
                "The work cannot begin, and its client does not hear of it.",
                "Thread takes the arguments for its target as args= and kwargs=.",
                "arguments-dropped",
            )
        if broken := without_context(error, self.place(error)):
            return broken
        return Broken(
            f"The task's thread died of {described(error)}{self.place(error)}.",
            means,
            "A thread has nothing but what it is handed. What does it use that it lacks?",
        )

    def over(self, call):
        """Wait until a released call is over."""
        expect(
            self.happenings.until(lambda: call.ended),
            "The view was let go on, and never came back.",
            "The task hangs.",
            "Does the view wait for something that its own request holds?",
        )

    def left(self, call):
        """Wait until the thread of a released call has ended, or an executor has it back."""
        self.over(call)
        give_up = time.monotonic() + LIMIT
        while (
            call.thread.is_alive() and not self.is_idle(call.thread) and time.monotonic() < give_up
        ):
            call.thread.join(0.002)

    def ended(self, call):
        """Wait until a released call is over; return what the view returned."""
        self.over(call)
        if call.error and tuple(map(type, call.args)) == (tuple, dict):
            raise Broken(
                f"The view was called with two arguments: {call.args[0]} and {call.args[1]}.",
                "The first is the tuple of its arguments, the second is the dict of its keywords.",
                "Thread's args= takes that tuple itself, args, and kwargs= takes the dict.",
                "arguments-in-a-list",
            )
        if call.error:
            raise Broken(
                f"In the task, the view stopped with {described(call.error)}",
                "What a view can do in a request, it has to be able to do in its task.",
                "The task runs in another thread, and the request is over by then.",
            )
        return call.result

    def in_task(self, function, method="GET", **request):
        """Call function in a task, once its request is over; return what it returned."""
        found = []

        def view():
            found.append(function())
            return "done"

        work = self.work(view)
        self.accepted(work, method, **request)
        work.release()
        self.ended(self.call(work))
        return found[0]

    def location(self, answer):
        """Return the path in the Location of a 202."""
        location = answer.headers.get("Location")
        in_body = re.search(r"/status/\w+", answer.get_data(as_text=True))
        expect(
            location is not None or not in_body,
            "The 202 has its address in the body, and no Location header.",
            "Clients that know HTTP look for the address in Location. The body is for people.",
            "A view can return headers as the third part: body, status, headers.",
            "location-only-in-body",
        )
        expect(
            location is not None,
            "The 202 has no Location header.",
            "The client does not know where to ask for the answer.",
            "A view can return headers as the third part: body, status, headers.",
        )
        self.locations.append(urlsplit(location).path)
        return self.locations[-1]

    def poll(self, location):
        """Ask until the answer is no longer a 202 with a Location; return it."""
        answer = self.settled(location)
        expect(
            answer.status_code != 202 or "Location" not in answer.headers,
            f"The task is over, and GET {location} still answers 202.",
            "The client asks for ever.",
            "Is the record finished whatever becomes of the task, and is nothing put in its "
            "place afterwards?" + self.last_words(),
        )
        return answer

    def settled(self, location):
        """Ask until the answer is no longer a 202 that says to ask again, or can be no other."""
        give_up = time.monotonic() + LIMIT
        while True:
            at_work = self.threads()
            answer = self.ask(location)
            again = urlsplit(answer.headers.get("Location", "")).path
            waiting = answer.status_code == 202 and again == location
            if not (waiting and at_work and time.monotonic() < give_up):
                return answer

    def outcome(self, method, url, **request):
        """Send a request; return its answer, or what the task that it starts answers in the end."""
        return self.finally_answered(self.send(method, url, **request))

    def finally_answered(self, answer):
        """Return this answer or, if it is a 202, what its Location answers in the end."""
        return self.poll(self.location(answer)) if answer.status_code == 202 else answer

    # What a check looks at afterwards

    def held_in_request(self):
        """The Work that holds a request back, because it is called in its thread; or None."""
        served = (work for thread, work in list(self.held.items()) if thread in self.server.threads)
        return next(served, None)

    def in_request(self, call):
        """Whether a Call or a Sleep took place in a thread that serves requests."""
        return call.thread in self.server.threads

    def serving(self):
        """The threads that serve a request now."""
        return [t for t in list(self.server.threads) if t.is_alive()]

    def joins(self, thread, calls):
        """Whether a thread waits, with no limit, until the thread of one of the calls has ended."""
        wait = self._waits.by_thread.get(thread)
        return wait and wait.seconds is None and wait.what in [each.thread for each in calls]

    def resting(self, thread):
        """The Wait in which a thread rests, or None. It is for None where time.sleep() rests."""
        if (sleep := self.clock.sleeping.get(thread)) and sleep.seconds:
            return Wait(None, sleep.seconds)
        return self._waits.by_thread.get(thread)

    def waits_in_vain(self):
        """Whether a request waits, with no limit, for a semaphore that nobody will release."""
        waits = filter(None, map(self.resting, self.serving()))
        nobody = all(thread in self.held or self.is_idle(thread) for thread in self.threads())
        endless = [wait.what for wait in waits if wait.seconds is None]
        return nobody and any(isinstance(what, threading.Semaphore) for what in endless)

    def waits_for_lock(self):
        """Whether a request waits for a lock of the app's, or a task for one that is held back."""
        waiting = list(self._waits.for_locks.items())
        serving = self.serving()
        return any(thread in serving or lock.owner in self.held for thread, lock in waiting)

    def is_idle(self, thread):
        """Whether this is a pool's thread that waits for work: those stay, and do no harm."""
        frame, wait = sys._current_frames().get(thread.ident), self.resting(thread)
        if frame and frame.f_code.co_filename == concurrent.futures.thread.__file__:
            return True
        return wait is not None and isinstance(wait.what, queue.Queue) and wait.seconds is None

    def in_request_thread(self):
        """Whether the caller is in a thread that serves requests."""
        return self._server and threading.current_thread() in self._server.threads

    def printed(self):
        """All that the app has logged and written to stderr so far, or since forget_printed()."""
        more, self._log = self._read_printed()
        self._stderr += more
        return self._stderr + self._log[self._log_from :]

    def forget_printed(self):
        self.printed()
        self._stderr, self._log_from = "", len(self._log)

    def last_words(self):
        """A sentence with the last error that the app printed, to put behind another."""
        errors = re.findall(
            r"^(?:\w+\.)*\w+(?:Error|Exception|Disconnected)\b.*", self.printed(), re.M
        )
        return f" The app printed: {errors[-1]}" if errors else ""

    def place(self, error):
        """Where in the learner's file an error came from, to put behind a sentence."""
        line = line_in(error, self.path)
        return f" ({self._shown}, line {line})" if line else ""

    def calls(self):
        """Every call of a view so far."""
        return [call for work in self._works for call in work.calls]

    def threads(self):
        """The app's own threads that are alive: tasks, an executor's, the cleaner."""
        own = self.server.own_threads() if self._server else set()
        return [t for t in threading.enumerate() if t not in self._threads_before | own]

    def at_rest(self):
        """Whether no request is under way, and no thread that could still begin anything."""
        return not self.serving() and not self.threads()

    def quiet(self, *, cleaner=False):
        """Wait until no thread of the app is busy; return those that still are after LIMIT.

        cleaner: count one that rests as busy. That is a thread which waits for stop_cleaner, or
        which was there before any request.
        """
        give_up = time.monotonic() + LIMIT
        stop = getattr(self.module, "stop_cleaner", self)

        def is_busy(thread):
            wait = self.resting(thread)
            rests = wait and (wait.what is stop or thread in self._started_by_import)
            return not (self.is_idle(thread) or (rests and not cleaner))

        while busy := [thread for thread in self.threads() if is_busy(thread)]:
            if time.monotonic() > give_up:
                break
            busy[0].join(0.002)
        return busy

    @contextmanager
    def tasks_held_back(self):
        """Until the block ends, no thread that a request starts begins to run."""
        may_begin, start = threading.Event(), threading.Thread.start

        def start_but_wait(thread):
            if self.in_request_thread():
                run = thread.run
                thread.run = lambda: (may_begin.wait(), run())
            start(thread)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threading.Thread, "start", start_but_wait)
            try:
                yield
            finally:
                may_begin.set()

    def lockstep(self, *functions):
        """Run functions at the same time, in step with each other; see Lockstep.run."""
        return Lockstep(self._code, self.happenings, self._waits.for_locks).run(*functions)

    def close(self):
        """End what the test began; raise Broken if a thread of the app's does not end."""
        for work in self._works:
            work.release()
        self.clock.close()
        if hasattr(stop := getattr(self.module, "stop_cleaner", None), "set"):
            stop.set()
        busy = self.quiet(cleaner=True)
        if self._server:
            busy += self._server.stop()
        threading.excepthook, threading.Thread.start = self._excepthook, self._start
        self._waits.close()
        for each, handler in self._handlers.items():
            signal.signal(each, handler)
        if busy:
            raise Broken(
                f"A thread of the app is still alive after the test{self.stands(busy[0])}.",
                "Nothing that the test did keeps it busy.",
                "Is there a loop that never ends, or a wait that nobody ends?",
            )

    def stands(self, thread):
        """Where in the learner's file a thread stands, to put behind a sentence."""
        stack = traceback.extract_stack(sys._current_frames().get(thread.ident))
        lines = [frame.lineno for frame in stack if frame.filename == str(self.path)]
        return f", at {self._shown}, line {lines[-1]}" if lines else ""

    def _starting(self, start):
        """Thread.start, but it notes what a thread that is started in a request is to call."""

        path = str(self.path)

        def noting_start(thread):
            if any(frame.f_code.co_filename == path for frame in frames(sys._getframe())):
                self.started.append(thread)
            if self.in_request_thread():
                plain = type(thread).run is threading.Thread.run
                self._targets.append(thread._target if plain else thread.run)
            start(thread)

        return noting_start

    def _request_failed(self, app, exception):
        self._errors.append(exception)

    def _crashed(self, args):
        self._crashed_threads.append(args.thread)
        self.crashes.append(args.exc_value)
        self._excepthook(args)
        self.happenings.note()


def frames(frame):
    """A frame, and all that it was called by."""
    while frame:
        yield frame
        frame = frame.f_back
