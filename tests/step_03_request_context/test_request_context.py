"""Step 3: the task sees its request, body and all, after the request is over."""

import threading
from io import BytesIO

import flask
import pytest
from flask import current_app, g, request, url_for
from werkzeug.exceptions import HTTPException

from tests.harness.expect import Broken, expect
from tests.harness.load import described, described_value
from tests.step_02_thread.test_thread import *  # noqa: F403


class Task:
    """What a task found, and what the check knows of its request.

    found, error: what the function returned or raised in the task. has_request, has_app: which
    contexts the task had. shared: its request object is that of the request itself. parsed: the
    request had parsed the form. read: the body was read while the request lasted. streams_again:
    the task's body comes from the server's stream. environ: the task's.
    """

    def __init__(self, site, function, method, **request):
        self.found = self.error = None
        self.shared = self.streams_again = False
        self.environ = {}
        of_the_request, streams = [], []

        @site.app.before_request
        def remember():
            of_the_request.append(flask.request._get_current_object())

        def wsgi_app(environ, start_response):
            streams.append(ReadBy(environ["wsgi.input"]))
            return site.app({**environ, "wsgi.input": streams[0]}, start_response)

        def view():
            self.has_request, self.has_app = flask.has_request_context(), flask.has_app_context()
            if self.has_request:
                self.environ = flask.request.environ
                self.shared = flask.request._get_current_object() is of_the_request[0]
                self.streams_again = self.environ.get("wsgi.input") is streams[0]
            self.found = function()

        site.wsgi_app = wsgi_app
        work = site.work(view)
        site.accepted(work, method, **request)
        self.parsed = "form" in vars(of_the_request[0])
        self.read = any(thread in site.server.threads for thread in streams[0].readers)
        work.release()
        call = site.call(work)
        site.over(call)
        self.error = call.error
        self.ended = lambda: site.result(call)  # raises Broken if there was an error


class ReadBy:
    """A server's stream, and the threads that have read from it."""

    def __init__(self, stream):
        self._stream, self.readers = stream, []

    def __getattr__(self, name):
        if name.startswith("read"):
            self.readers.append(threading.current_thread())
        return getattr(self._stream, name)


def test_the_task_sees_the_request(site):
    """In the task, request has the method, path, arguments and headers of its request."""

    def look():
        headers = request.headers
        return request.method, request.path, request.args.get("q"), headers.get("X-Color")

    task = Task(site, look, "PUT", query_string={"q": "2"}, headers={"X-Color": "green"})
    if not task.has_request:
        raise without_request(task)
    task.ended()
    saw = f"In the task, the request's method, path, q and X-Color were {task.found}."
    sent = "The client sent PUT, /work0, 2 and green."
    if task.found == ("GET", "/", None, None):
        raise Broken(
            saw,
            f"It is a made-up request, with nothing of the real one. {sent}",
            "A context that is made without an environ is for tests. Make it of the request's own.",
            "empty-request",
        )
    if task.found == ("PUT", "/work0", None, None):
        raise Broken(
            saw,
            f"The request was made anew, of its method and path alone. {sent}",
            "The environ holds all of it. A copy of the environ forgets nothing.",
            "arguments-and-headers-lost",
        )
    if task.found == ("PUT", "/work0", "2", None):
        raise Broken(
            saw,
            f"The request was made anew, and its headers were forgotten. {sent}",
            "The environ holds the headers too. A copy of the environ forgets nothing.",
            "headers-lost",
        )
    expect(
        task.found == ("PUT", "/work0", "2", "green"),
        saw,
        sent,
        "Is the task's environ a copy of its own request's?",
    )


def without_request(task):
    """The Broken for a view that is called where there is no request."""
    if task.has_app:
        return Broken(
            f"In the task there is the app, but no request: {described(task.error)}",
            "An app context brings current_app and g. It takes a request context to bring request.",
            "app.request_context(environ) makes one, and needs an environ to make it of.",
            "app-context-only",
        )
    return Broken(
        f"In the task there is no request: {described(task.error)}",
        "request looks into the context of the thread that uses it, and a new thread has none.",
        "Keep what the request came with. In the thread, call the view in a context made of it.",
        "no-context",
    )


def in_words(error):
    """An exception in a few words; an HTTPException without what it has for browsers."""
    if isinstance(error, HTTPException):
        kind, status = type(error).__name__, f"a {error.code} {error.name}"
        return status if kind == error.name.replace(" ", "") else f"{kind}, {status}"
    return described(error).removesuffix(".")


PHOTO = b"\x89PNG" * 1000
PHOTO_AS_TEXT = PHOTO.decode(errors="replace").encode()
LARGE = "ab" * 2**20  # 2 MiB


def photo():
    return request.files["photo"].filename, request.files["photo"].read()


# name: (what the client sends, as a function because files are used up; what the view does; what
# it has to find)
BODIES = {
    "json": (lambda: {"json": {"name": "Ada"}}, lambda: request.get_json(), {"name": "Ada"}),
    "form": (lambda: {"data": {"name": "Ada"}}, lambda: request.form["name"], "Ada"),
    "file": (lambda: {"data": {"photo": (BytesIO(PHOTO), "a.png")}}, photo, ("a.png", PHOTO)),
    "stream": (lambda: {"data": b"abc"}, lambda: request.stream.read(), b"abc"),
    "chunked": (
        lambda: {"json": {"name": "Ada"}, "chunked": True},
        lambda: request.get_json(),
        {"name": "Ada"},
    ),
    "2 MiB": (lambda: {"json": LARGE}, lambda: request.get_json(), LARGE),
    "2 MiB chunked": (
        lambda: {"data": LARGE, "chunked": True},
        lambda: request.get_data(as_text=True),
        LARGE,
    ),
}


@pytest.mark.parametrize("body", BODIES)
def test_the_task_reads_the_body(site, body):
    """In the task, the body is all there: JSON, form, files, chunked, and 2 MiB of it."""
    sent, read, expected = BODIES[body]
    task = Task(site, read, "POST", **sent())
    if task.error or task.found != expected:
        raise without_body(task, body, expected)


def without_body(task, body, expected):
    """The Broken for a view that did not find its body as it was sent."""
    what = "the body" if body not in ("form", "file") else f"the {body}"
    came = in_words(task.error) if task.error else described_value(task.found)
    if not task.has_request:
        return without_request(task)
    if isinstance(task.environ.get("CONTENT_LENGTH"), int) and task.error:
        return Broken(
            f"In the task's environ, CONTENT_LENGTH is an int, and the body unreadable: {came}.",
            "What a server puts into an environ under a name in capitals is text.",
            "Make a string of the number: str(len(body)).",
            "length-not-a-string",
        )
    if isinstance(task.environ.get("wsgi.input"), bytes | str) and task.error:
        return Broken(
            f"In the task's environ, wsgi.input is the body itself, and no stream: {came}.",
            "Flask reads the body from wsgi.input as from an open file. Bytes have no read().",
            "io.BytesIO(body) is a stream over these bytes.",
            "body-not-a-stream",
        )
    if task.streams_again and not task.read:
        if task.shared:
            return Broken(
                f"Nobody read the body in the request, and in the task it was too late: {came}.",
                "copy_current_request_context gives the task the same request, and copies no body.",
                "The server closes the body's stream after the 202. Read it before.",
                "context-without-body",
            )
        return Broken(
            f"Nobody read the body in the request, and in the task it was too late: {came}.",
            "The environ holds no body, only the server's stream, and that is closed by then.",
            "Read the body in the request, and put a new stream over it into a copied environ.",
            "body-not-read",
        )
    if task.streams_again and not task.shared:
        return Broken(
            f"The body was read in the request, and did not get to the task: {came}.",
            "The task's environ still holds the server's stream, which is used up and closed.",
            "In a copy of the environ, set wsgi.input to a new stream: BytesIO(body).",
            "body-not-handed-on",
        )
    if task.shared and body == "file" and "closed file" in str(task.error):
        return Broken(
            f"The request parsed the uploaded file, and then closed it: {came}.",
            "When a request's context ends, Flask closes the files that it has parsed.",
            "Keep the bytes of the body, and let the task parse them for itself.",
            "files-closed",
        )
    if task.shared and body == "stream" and task.found == b"":
        return Broken(
            "In the task, request.stream was empty: the request had read it to its end.",
            "Both threads have the same request, and a stream can be read only once.",
            "Give the task a request of its own: a copied environ with a new stream.",
            "one-request-for-both",
        )
    if task.parsed and body in ("form", "file") and task.read:
        if body == "form":
            return Broken(
                "In the task the form was empty: the request had parsed it already.",
                "To parse a form uses its stream up. What get_data() returns after that is empty.",
                "Call request.get_data() before anything that uses request.form or request.files.",
                "form-parsed-first",
            )
        return Broken(
            "In the task the form was there, and the uploaded file was not.",
            "request.form holds a form's texts. Files come in the same body, and are kept apart.",
            "Keep the bytes of the body, whatever is in them: request.get_data().",
            "files-lost",
        )
    if body == "file" and task.found == ("a.png", PHOTO_AS_TEXT):
        return Broken(
            "In the task, bytes of the file were replaced by the sign for unreadable text.",
            "The body was read as text. A photo is no text, and cannot be got back from one.",
            "request.get_data() returns bytes. as_text=True and decode() spoil them.",
            "body-kept-as-text",
        )
    if body == "chunked" and "HTTP_TRANSFER_ENCODING" in task.environ and task.read and task.error:
        return Broken(
            f"A chunked body was read in the request, and the task found none: {came}.",
            "Flask takes a body without a length for empty, and a chunked one has no length.",
            "The copy is no longer chunked: drop HTTP_TRANSFER_ENCODING, set CONTENT_LENGTH.",
            "still-chunked",
        )
    if not task.read and not task.streams_again and not task.shared:
        if body == "json":
            return Broken(
                f"In the task, the request had no body: {came}.",
                "Nobody read the body in the request, so there was none to give to the task.",
                "request.get_data() reads it. Is it called before the thread starts?",
                "made-without-body",
            )
        return Broken(
            f"In the task the JSON was there, and {what} was not.",
            "Only the JSON was kept. Clients send forms, files and other bytes as well.",
            "Keep the bytes of the body, whatever is in them: request.get_data().",
            "only-json-kept",
        )
    task.ended()
    return Broken(
        f"In the task, the body was {came}.",
        f"The client sent {described_value(expected)}.",
        "The server closes the body's stream once the request is answered. Read it before.",
    )


def test_flask_knows_the_app_in_the_task(site):
    """In the task, current_app is the app, and url_for makes the URLs it makes in a request."""
    seen = site.in_task(
        lambda: (current_app._get_current_object(), url_for("static", filename="a.css"))
    )
    expect(
        seen == (site.app, "/static/a.css"),
        f"In the task, current_app and url_for('static', filename='a.css') were {seen}.",
        f"In the request they are {(site.app, '/static/a.css')}.",
        "Does the task run in a request context of the same app?",
    )


def test_g_comes_along(site):
    """In the task, g has what before_request functions put on it, and they run only once."""
    ran_in = []

    @site.app.before_request
    def sign_in():
        ran_in.append(threading.current_thread())
        g.user = request.headers.get("X-User")

    user = site.in_task(lambda: g.get("user"), headers={"X-User": "ada"})
    expect(
        user == "ada",
        f"A before_request function put 'ada' on g.user; in the task, g.user was {user!r}.",
        "Who is signed in, a request id, a language: hooks leave such things on g.",
        "A new context has a new, empty g. Copy what was on it while the request is still there.",
        "g-not-copied" if user is None else None,
    )
    expect(
        len(ran_in) == 1,
        f"A before_request function ran {len(ran_in)} times for one request.",
        "What it does, say counting a visit, is done again for the task.",
        "Call the view alone in the task, not the whole of Flask's request handling.",
        "hooks-run-twice",
    )


def test_each_task_sees_its_own_request(site):
    """Of many tasks at once, each sees its own request, g and body."""

    @site.app.before_request
    def sign_in():
        g.user = request.headers["X-User"]

    def look():
        try:
            body = request.get_data(as_text=True)
        except Exception as error:
            body = in_words(error)
        return request.args.get("n"), g.get("user"), body

    work = site.work(look)
    numbers = [str(n) for n in range(6)]
    with site.threads.held_back():  # so that whatever two of them share is overwritten by then
        exchanges = [
            site.start("POST", work.url, query_string={"n": n}, headers={"X-User": n}, data=n)
            for n in numbers
        ]
        for exchange in exchanges:
            site.expect_202(site.response(exchange), f"POST {work.url}")
    site.call(work, 2)  # a pool may be too small for all at once
    work.release()
    site.call(work, len(numbers))
    found = [site.result(call) for call in work.calls]
    requests, users, _ = (set(seen) for seen in zip(*found, strict=True))
    if len(requests) == 1:
        raise Broken(
            f"Of {len(numbers)} tasks of {len(numbers)} requests, all saw the same request.",
            "One client's work is done with another client's request.",
            "What you keep for the task belongs in a variable of the inner function, not in a "
            "global one.",
            "one-copy-for-all",
        )
    if len(users) == 1 and users != {None}:
        raise Broken(
            f"{len(numbers)} requests had a number each on g.user. All their tasks saw the same.",
            "One client's work is done in the name of another client.",
            "The copy of what is on g belongs in a variable of the inner function, not in a "
            "global one.",
            "one-g-for-all",
        )
    mixed = [seen for seen in found if seen != seen[:1] * 3]
    expect(
        not mixed,
        f"Of {len(numbers)} tasks at once, {len(mixed)} saw another's request, such as "
        f"n, g.user and body {mixed[:1]}.",
        "One client's work is done with another client's data.",
        "Each task needs a context, an environ and a copy of g of its own.",
    )


def test_what_a_task_puts_on_g_stays_in_the_task(site):
    """What a task writes to g is seen neither by its own request nor by another task."""
    seen = []

    @site.app.before_request
    def sign_in():
        g.user = "ada"

    @site.app.after_request
    def look(response):
        if request.path == first.url and response.status_code == 202:
            # Its task writes while it is still being answered.
            first.release()
            site.over(site.call(first))
            seen.append(g.user)
        return response

    def write():
        g.user = "eve"

    first, second = site.work(write), site.work(lambda: g.user)
    second.release()
    site.expect_202(site.send("GET", first.url), f"GET {first.url}")
    site.result(site.call(first))
    site.expect_202(site.send("GET", second.url), f"GET {second.url}")
    seen.append(site.result(site.call(second)))
    expect(
        seen == ["ada", "ada"],
        f"A task set g.user to 'eve'. Its request then saw {seen[0]!r}, another task {seen[1]!r}.",
        "One thread changes what another one is reading.",
        "Copy what is on g. Do not give the same g, or the same context, to two threads.",
        "g-shared" if seen == ["eve", "ada"] else None,
    )


def test_g_is_as_the_request_had_it(site):
    """What a teardown function takes off g at the request's end is still there for the task."""

    @site.app.before_request
    def sign_in():
        g.user = "ada"

    @site.app.teardown_request
    def sign_out(error):
        g.pop("user", None)

    work = site.work(lambda: g.get("user"))
    with site.threads.held_back():
        site.accepted(work)
    work.release()
    user = site.result(site.call(work))
    expect(
        user == "ada",
        f"A hook put 'ada' on g.user, a teardown function took it off after the request, and in "
        f"the task, g.user was {user!r}.",
        "vars(g) is the dict behind g itself. It goes on changing until its request is over.",
        "dict(vars(g)), made in the request, is a copy that nobody else changes.",
        "g-kept-and-not-copied" if user is None else None,
    )


def test_teardown_functions_run_when_the_task_ends(site):
    """teardown_request and teardown_appcontext functions run in the task's thread, at its end."""
    order = []

    @site.app.teardown_request
    def close_request(error):
        order.append(("teardown_request", threading.current_thread()))

    @site.app.teardown_appcontext
    def close_app(error):
        order.append(("teardown_appcontext", threading.current_thread()))

    def view():
        order.append(("the view", threading.current_thread()))

    def failing_view():
        view()
        raise ArithmeticError("seven is not a number today")

    good, failing = site.work(view), site.work(failing_view)
    for work in good, failing:
        del order[:]
        site.accepted(work)
        call = site.call(work)
        work.release()
        site.over(call)
        site.quiet()
        in_task = [what for what, thread in order if thread is call.thread]
        ran = f"In the task's thread there ran, in this order: {', '.join(in_task)}."
        means = "What the view opens, say a database session, is closed by teardown functions."
        if in_task == ["the view"] and work is failing:
            raise Broken(
                "The view raised an exception, and in the task no teardown function ran after it.",
                means,
                "An exception jumps over the lines below. A with block, or finally, does not mind.",
                "popped-only-on-success",
            )
        expect(
            in_task == ["the view", "teardown_request", "teardown_appcontext"],
            ran,
            means,
            "Leave the context when the view is done: with app.request_context(...) does it.",
            "never-popped" if in_task == ["the view"] else None,
        )


def test_catch_all_takes_a_post(site):
    """POST /<path> is answered 202; its work sleeps as long as GET's, then reads the JSON body."""
    exchange = site.start("POST", "/hello", json={"name": "Ada"})
    site.changes.wait_until(lambda: exchange.over() or site.clock.sleeps)
    if exchange.over() and exchange.wait().status_code == 405:
        raise Broken(
            "POST /hello was answered 405 METHOD NOT ALLOWED.",
            "CatchAll takes no POST: of a resource, post() is what answers it.",
            "Write post() into CatchAll, beside get().",
            "post-forgotten",
        )
    sleep = site.slept(exchange)
    if site.threads.in_request(sleep):
        raise Broken(
            "POST /hello does its work in the thread that serves the request.",
            "So the client has to wait until the work is done.",
            "async_api is there. Is it on CatchAll.post too?",
            "post-not-decorated",
        )
    site.expect_202(exchange.wait(), "POST /hello")
    site.clock.advance(sleep.seconds)
    site.quiet()
    expect(
        "Traceback" not in site.printed(),
        f"The work of POST /hello failed.{site.last_words()}",
        "The client sent JSON with it.",
        "post() returns the path and request.get_json().",
    )
