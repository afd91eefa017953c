"""What the checks of step 3 do again and again."""

import json
from contextlib import contextmanager
from unittest import mock

import flask
from flask import g, request

from tests.harness.expect import Broken
from tests.harness.streams import watch_streams
from tests.harness.words import described, described_value
from tests.step_02_thread.diagnose import not_decorated
from tests.step_03_request_context import post


class Endpoint:
    """A view under async_api that does in its task what a check wants to try. url: its path."""

    def __init__(self, site):
        self.site = site
        self._streams, self._requests, self._task = watch_streams(site), [], None
        site.app.before_request(self._note_request)
        self._work = site.work(lambda: self._task.run())
        self.url = self._work.url

    def _note_request(self):
        self._requests.append(request._get_current_object())

    def task(self, look, method="POST", **sent):
        """Send a request; return its Task once that has called look."""
        task = self._task = Task(self, look)
        number, calls = len(self._requests), len(self._work.calls)
        self.site.accepted(self._work, method, **sent)
        task.came_with(self._requests[number], self._streams[-1])
        self._work.release()
        task.call = self.site.call(self._work, calls + 1)
        self.site.over(task.call)
        return task


class Task:
    """A task that has called look, and what can be seen of its request.

    found: what look returned; error: what it raised; call: the Call of the view. has_request,
    has_app: which contexts the task had. environ: the task's. parsed: the request thread had parsed
    the form. read: the request thread had read the body. own_request: the task's request object is
    another than the request thread's. own_stream: its body does not come from the server's stream.
    """

    def __init__(self, endpoint, look):
        self.endpoint, self._look = endpoint, look
        self.found = self.call = self._request = None
        self.environ = {}

    def run(self):
        """Call look, in the task."""
        self.has_request, self.has_app = flask.has_request_context(), flask.has_app_context()
        if self.has_request:
            self._request, self.environ = request._get_current_object(), request.environ
        self.found = self._look()

    def came_with(self, of_the_request, stream):
        """Note what the request thread has left behind: its request object, and its Stream."""
        self._of_the_request, self._stream = of_the_request, stream
        self.parsed = "form" in vars(of_the_request)
        self.read = any(thread in self.endpoint.site.server.threads for thread in stream.readers)

    @property
    def error(self):
        return self.call.error

    @property
    def came(self):
        """What look returned or raised, in a few words."""
        return described(self.error) if self.error else described_value(self.found)

    @property
    def own_request(self):
        return self._request is not self._of_the_request

    @property
    def own_stream(self):
        return self.environ.get("wsgi.input") is not self._stream


def sign_in():
    """What a before_request function does in many apps: put things on g for the views."""
    g.user, g.language = request.headers.get("X-User", "ada"), "en"


def body():
    """The body of the request as text; where it cannot be read, the reason."""
    try:
        return request.get_data(as_text=True)
    except Exception as error:
        return described(error)


NUMBERS = "012345"


def found_together(site, look):
    """Send a request with each number as n, X-User and body; return what look found in each task.

    No task begins before the last 202. So whatever two of the tasks share is overwritten by the
    time they begin.
    """
    work = site.work(look)
    with site.threads.held_back():
        exchanges = [
            site.start("POST", work.url, query_string={"n": n}, headers={"X-User": n}, data=n)
            for n in NUMBERS
        ]
        for exchange in exchanges:
            site.expect_202(site.response(exchange), f"POST {work.url}")
    site.call(work, 2)  # a pool may have too few threads for all of them
    work.release()
    site.call(work, len(NUMBERS))
    return [site.result(call) for call in work.calls]


def ends_before_its_202(site, work, look):
    """Have a task of work end while its request still lasts; the request thread then calls look."""

    def is_over():
        return any(call.ended for call in work.calls) or site.crashed_before_a_view()

    @site.app.after_request
    def wait_for_the_task(response):
        if request.path == work.url and response.status_code == 202:
            work.release()
            site.changes.wait_until(is_over)
            look()
        return response


def post_hello(site, **sent):
    """Send a POST to CatchAll, and expect its 202; return the Sleep of its work."""
    exchange = site.start("POST", "/hello", **sent)
    try:
        sleep = site.slept(exchange)
    except Broken as broken:
        raise post.without_work(site, exchange) or broken from None
    if site.threads.in_request(sleep):
        raise not_decorated("POST", "post-not-decorated")
    site.expect_202(exchange.wait(), "POST /hello")
    return sleep


@contextmanager
def json_decoded():
    """Note all values that are decoded from JSON meanwhile, in a list."""
    decoded, decode = [], json.JSONDecoder.decode

    def noting(self, *args, **kwargs):
        value = decode(self, *args, **kwargs)
        decoded.append(value)
        return value

    with mock.patch.object(json.JSONDecoder, "decode", noting):
        yield decoded
