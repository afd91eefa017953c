"""Step 3: the task sees its request, body and all, after the request is over."""

import json
import threading
from io import BytesIO

import pytest
from flask import current_app, g, request, url_for

from tests.step_01_blocking.diagnose import another_length
from tests.step_02_thread.test_thread import *  # noqa: F403
from tests.step_03_request_context import diagnose, post, scenes


@pytest.mark.part("a")
def test_the_task_sees_the_request(site):
    """In the task, request has the method, path, arguments and headers that the client sent."""

    def look():
        headers = request.headers
        return request.method, request.path, request.args.get("q"), headers.get("X-Color")

    endpoint = scenes.Endpoint(site)
    task = endpoint.task(look, "PUT", query_string={"q": "2"}, headers={"X-Color": "green"})
    if not task.has_request:
        raise diagnose.without_request(task)
    site.result(task.call)
    sent = "PUT", endpoint.url, "2", "green"
    if task.found != sent:
        raise diagnose.another_request(task.found, sent)


@pytest.mark.part("a")
def test_flask_knows_the_app_in_the_task(site):
    """In the task, current_app is the app, and url_for builds the same URLs as in a request."""
    found = site.in_task(
        lambda: (current_app._get_current_object(), url_for("static", filename="a.css"))
    )
    if found != (site.app, "/static/a.css"):
        raise diagnose.another_app(found, (site.app, "/static/a.css"))


@pytest.mark.part("a")
def test_each_task_sees_its_own_request(site):
    """When many tasks run at the same time, each sees its own request."""
    found = scenes.found_together(site, lambda: (request.args.get("n"),))
    if set(found) != {(n,) for n in scenes.NUMBERS}:
        raise diagnose.mixed_up(found)


@pytest.mark.part("a")
def test_teardown_functions_run_when_the_task_ends(site):
    """When a task ends, its thread runs teardown_request and teardown_appcontext functions."""
    order = []

    def note(what):
        order.append((what, threading.current_thread()))

    def fail():
        note("the view")
        raise ArithmeticError("seven is not a number today")

    site.app.teardown_request(lambda error: note("teardown_request"))
    site.app.teardown_appcontext(lambda error: note("teardown_appcontext"))
    for work in site.work(lambda: note("the view")), site.work(fail):
        order.clear()
        site.accepted(work)
        call = site.call(work)
        work.release()
        site.done(call)
        in_task = [what for what, thread in order if thread is call.thread]
        if in_task != ["the view", "teardown_request", "teardown_appcontext"]:
            raise diagnose.not_torn_down(in_task, call)


PHOTO = b"\x89PNG" * 1000
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
@pytest.mark.part("b")
def test_the_task_reads_the_body(site, body):
    """In the task, the whole body is there: JSON, a form, a file or raw bytes, even if it is
    chunked or 2 MiB long.
    """
    sent, look, expected = BODIES[body]
    task = scenes.Endpoint(site).task(look, "POST", **sent())
    if task.error or task.found != expected:
        raise diagnose.without_body(task, body, expected)


@pytest.mark.part("b")
def test_each_task_reads_its_own_body(site):
    """When many tasks run at the same time, each reads its own body."""
    found = scenes.found_together(site, lambda: (request.args.get("n"), scenes.body()))
    if set(found) != {(n, n) for n in scenes.NUMBERS}:
        raise diagnose.mixed_up(found, "body")


@pytest.mark.part("c")
def test_g_comes_along(site):
    """In the task, g has what before_request functions put on it, and those functions run only
    once per request.
    """
    runs = []

    @site.app.before_request
    def sign_in():
        runs.append(request.path)
        g.user = request.headers.get("X-User")

    user = site.in_task(lambda: g.get("user"), headers={"X-User": "ada"})
    if user != "ada":
        raise diagnose.not_on_g("ada", user)
    if len(runs) != 1:
        raise diagnose.hooks_ran_again(len(runs))


@pytest.mark.part("c")
def test_each_task_has_its_own_g(site):
    """When many tasks run at the same time, each finds on g what its own request had there."""
    site.app.before_request(scenes.sign_in)
    found = scenes.found_together(site, lambda: (request.args.get("n"), g.get("user")))
    if set(found) != {(n, n) for n in scenes.NUMBERS}:
        raise diagnose.mixed_up(found, "g.user")


@pytest.mark.part("c")
def test_what_a_task_puts_on_g_stays_in_the_task(site):
    """When a task writes to g, neither its request nor any other task sees the change."""
    seen = []

    def write():
        g.user = "eve"

    site.app.before_request(scenes.sign_in)  # as ada
    first, second = site.work(write), site.work(lambda: g.user)
    scenes.ends_before_its_202(site, first, lambda: seen.append(g.user))
    second.release()
    site.accepted(first)
    site.result(site.call(first))
    site.accepted(second)
    seen.append(site.result(site.call(second)))
    if seen != ["ada", "ada"]:
        raise diagnose.shared_g(*seen)


@pytest.mark.part("c")
def test_g_is_as_the_request_had_it(site):
    """If a teardown function removes something from g when the request ends, the task still has
    it.
    """

    @site.app.teardown_request
    def sign_out(error):
        g.pop("user", None)

    site.app.before_request(scenes.sign_in)
    work = site.work(lambda: (g.get("user"), g.get("language")))
    with site.threads.held_back():
        site.accepted(work)
    work.release()
    user, language = site.result(site.call(work))
    if user != "ada":
        raise diagnose.removed_from_g("ada", user, language)


@pytest.mark.part("d")
def test_catch_all_takes_a_post(site):
    """POST /<path> returns 202; its work sleeps as long as GET's, and then reads the JSON body."""
    site.app.config["WORK_SECONDS"] = 7.25
    with scenes.json_decoded() as decoded:
        sleep = scenes.post_hello(site, json={"name": "Ada"})
        if sleep.seconds != 7.25:
            raise another_length(sleep, configured=7.25)
        site.clock.advance(sleep.seconds)
        site.quiet()
    if "Traceback" in site.printed():
        raise post.failed(site)
    if {"name": "Ada"} not in decoded:
        raise post.json_not_read()


@pytest.mark.part("d")
def test_the_post_prints_how_many_bytes_it_received(site, capsys):
    """The work of POST /<path> prints how many bytes it received."""
    items = ["ü"] * 99
    body = json.dumps(items, ensure_ascii=False).encode()
    sleep = scenes.post_hello(site, data=body, content_type="application/json")
    site.clock.advance(sleep.seconds)
    site.quiet()
    printed = "".join(capsys.readouterr()) + site.printed()
    if "Traceback" in printed:
        raise post.failed(site)
    if not post.has_number(printed, len(body)):
        raise post.bytes_not_printed(body, len(items), printed)


# The steps after this one import all checks but the last. There, the client gets the result, so the
# work need not print anything.
__all__ = [name for name in dir() if name.startswith("test_") and "how_many_bytes" not in name]
