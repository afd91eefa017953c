"""Step 3: the task sees its request, body and all, after the request is over."""

import threading
from io import BytesIO

import pytest
from flask import current_app, g, request, url_for

from tests.expect import expect
from tests.learner import described_value
from tests.step_02_thread.test_thread import *  # noqa: F403


def test_the_task_sees_the_request(site):
    """In the task, request has the method, path, arguments and headers of its request."""

    def look():
        return request.method, request.path, request.args["q"], request.headers["X-Color"]

    seen = site.in_task(look, "PUT", query_string={"q": "2"}, headers={"X-Color": "green"})
    expect(
        seen == ("PUT", "/work0", "2", "green"),
        f"In the task, the request's method, path, q and X-Color were {seen}.",
        "The client sent PUT, /work0, 2 and green.",
        "Is the task's environ a copy of its own request's?",
    )


PHOTO = b"\x89PNG" * 1000
LARGE = "ab" * 2**20  # 2 MiB

# name: (what the client sends, as a function because files are used up; what the view does; what
# it has to find)
BODIES = {
    "json": (lambda: {"json": {"name": "Ada"}}, lambda: request.get_json(), {"name": "Ada"}),
    "form": (lambda: {"data": {"name": "Ada"}}, lambda: request.form["name"], "Ada"),
    "file": (
        lambda: {"data": {"photo": (BytesIO(PHOTO), "a.png")}},
        lambda: (request.files["photo"].filename, request.files["photo"].read()),
        ("a.png", PHOTO),
    ),
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


@pytest.mark.parametrize(("sent", "read", "expected"), BODIES.values(), ids=BODIES)
def test_the_task_reads_the_body(site, sent, read, expected):
    """In the task, the body is all there: JSON, form, files, chunked, and 2 MiB of it."""
    seen = site.in_task(read, "POST", **sent())
    expect(
        seen == expected,
        f"In the task, the body was {described_value(seen)}.",
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
    )
    expect(
        len(ran_in) == 1,
        f"A before_request function ran {len(ran_in)} times for one request.",
        "What it does, say counting a visit, is done again for the task.",
        "Call the view alone in the task, not the whole of Flask's request handling.",
    )


def test_each_task_sees_its_own_request(site):
    """Of many tasks at once, each sees its own request, g and body."""

    @site.app.before_request
    def sign_in():
        g.user = request.headers["X-User"]

    work = site.work(lambda: (request.args["n"], g.user, request.get_data(as_text=True)))
    numbers = [str(n) for n in range(16)]
    exchanges = [
        site.start("POST", work.url, query_string={"n": n}, headers={"X-User": n}, data=n)
        for n in numbers
    ]
    for exchange in exchanges:
        site.expect_202(exchange.wait(), f"POST {work.url}")
    site.call(work, len(numbers))
    work.release()
    seen = sorted((site.ended(call) for call in work.calls), key=lambda found: int(found[0]))
    mixed = [found for n, found in zip(numbers, seen, strict=True) if found != (n, n, n)]
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
        if request.path == first.url:  # its task writes while it is still being answered
            first.release()
            site.over(site.call(first))
            seen.append(g.user)
        return response

    def write():
        g.user = "eve"

    first, second = site.work(write), site.work(lambda: g.user)
    second.release()
    site.expect_202(site.send("GET", first.url), f"GET {first.url}")
    site.ended(site.call(first))
    site.expect_202(site.send("GET", second.url), f"GET {second.url}")
    seen.append(site.ended(site.call(second)))
    expect(
        seen == ["ada", "ada"],
        f"A task set g.user to 'eve'. Its request then saw {seen[0]!r}, another task {seen[1]!r}.",
        "One thread changes what another one is reading.",
        "Copy what is on g. Do not give the same g, or the same context, to two threads.",
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

    work = site.work(lambda: order.append(("the view", threading.current_thread())))
    site.accepted(work)
    call = site.call(work)
    work.release()
    site.ended(call)
    site.quiet()
    in_task = [what for what, thread in order if thread is call.thread]
    expect(
        in_task == ["the view", "teardown_request", "teardown_appcontext"],
        f"In the task's thread there ran, in this order: {', '.join(in_task)}.",
        "What the view opens, say a database session, is closed by teardown functions.",
        "Leave the context when the view is done: with app.request_context(...) does it.",
    )


def test_catch_all_takes_a_post(site):
    """POST /<path> is answered 202; its work sleeps as long as GET's, then reads the JSON body."""
    exchange = site.start("POST", "/hello", json={"name": "Ada"})
    sleep = site.slept(exchange)
    site.expect_202(exchange.wait(), "POST /hello")
    site.clock.advance(sleep.seconds)
    site.quiet()
    error = site.last_words()
    expect(
        not error,
        f"The work of POST /hello failed.{error}",
        "The client sent JSON with it.",
        "post() returns the path and request.get_json().",
    )
