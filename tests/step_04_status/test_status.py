"""Step 4: the client can poll, and gets what the blocking endpoint would have sent.

A mark says which part of the step's task a check belongs to. It needs nothing of a later part.
"""

import random

import pytest
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from tests.harness import endings, randomness
from tests.harness.app import METHODS
from tests.harness.every_line import polled_at_every_line
from tests.harness.sent import sent
from tests.step_03_request_context.test_request_context import *  # noqa: F403
from tests.step_04_status import diagnose, failed_tasks, flask_rules, parity, scenes


@pytest.mark.part("a")
@pytest.mark.parametrize("task_id", ["0" * 32, "nobody"])
def test_an_unknown_task_is_404(site, task_id):
    """The status URL of a task that does not exist returns 404."""
    url = f"{scenes.a_status_url(site).rpartition('/')[0]}/{task_id}"
    response = site.get(url)
    if response.status_code != 404:
        raise diagnose.unknown_is_not_404(site, url, response)


@pytest.mark.part("a")
def test_no_method_on_a_status_url_starts_a_task(site):
    """POST, PUT, PATCH and DELETE to a status URL return 405 and start nothing."""
    location = scenes.a_status_url(site)
    for method in METHODS[1:]:
        response = site.send(method, location, json={})
        if response.status_code != 405 or site.clock.sleeps:
            raise diagnose.status_url_takes(site, method, location, response)


@pytest.mark.part("b")
def test_the_202_says_where_to_poll(site):
    """The 202 has a Location: a URL that returns 202, again with Location, while the task runs."""
    work = site.work()
    location = site.location(site.accepted(work))
    running = site.get(location)
    if "Location" in running.headers and site.location(running) != location:
        raise diagnose.leads_elsewhere(site, location, running)
    if running.status_code != 202:
        raise diagnose.running_is_not_202(site, work, location, running)
    if "Location" not in running.headers:
        raise diagnose.running_without_location()


@pytest.mark.part("b")
def test_the_record_is_there_before_the_task_begins(site):
    """The status URL returns 202 even before the task's thread has run its first line."""
    work = site.work()
    with site.threads.held_back():
        location = site.location(site.accepted(work))
        early = site.get(location)
    site.call(work)
    later = site.get(location)
    if early.status_code != 202:
        raise diagnose.not_202_before_the_task_begins(early, later)


@pytest.mark.part("b")
def test_the_location_holds_under_a_prefix(site):
    """An app that is served under a prefix sends a Location under that prefix."""
    work = site.work()
    site.wsgi_app = DispatcherMiddleware(NotFound(), {"/shop": site.app})
    location = site.location(site.accepted(work, url="/shop" + work.url))
    response = site.get(location)
    if response.status_code != 202:
        raise diagnose.lost_under_a_prefix(location, response)


@pytest.mark.part("b")
def test_ids_cannot_be_guessed(site):
    """Nobody can guess another client's status URL: it has at least 64 random bits."""
    work = site.work()
    work.release()
    locations = []
    for _ in range(64):
        random.seed(0)  # now ids from the random module repeat themselves
        locations.append(scenes.next_location(site, work))
    if len(set(locations)) == 1:
        raise diagnose.same_url_each_time(site, work)
    bits = randomness.random_bits(locations)
    if len(set(locations)) < 64 or bits < randomness.LOOKS_LIKE_64:
        raise diagnose.can_be_guessed(locations)


# Ten endings share an app: one app for each would take twice as long.
GROUPS = [list(endings.ENDINGS)[first : first + 10] for first in range(0, len(endings.ENDINGS), 10)]


@pytest.mark.part("c")
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: f"{names[0]} and {len(names) - 1} more")
def test_sends_what_the_blocking_endpoint_would(site, names):
    """A finished task's status URL sends what a blocking endpoint would: status, headers, body."""
    for task in parity.tasks(site, names, lambda blocking: not parity.is_500(blocking)):
        if task.seen != task.expected:
            raise parity.another_response(task)


@pytest.mark.part("c")
def test_the_response_can_be_read_again(site):
    """A finished task's status URL returns the same response, however often the client polls."""
    work, other = site.work(endings.returns_a_stream), site.work(endings.returns_a_stream)
    location = site.location(site.accepted(work))
    work.release()
    site.done(site.call(work))
    first = sent(site.settled(location))
    others = [sent(site.get(location)) for _ in range(3)]
    if others != [first] * 3:
        raise diagnose.not_the_same_again(first, *others)
    running, *polls = polled_at_every_line(site, other)
    for early in polls:
        if not early.status.startswith("202") and early not in (running, first):
            raise diagnose.half_finished(early, first)


@pytest.mark.part("c")
def test_a_task_may_end_before_its_request(site):
    """If a task ends before the server has sent its 202, the client can still get the response."""
    other, work = site.work(lambda: "quick"), site.work(lambda: "quick")
    usual = scenes.finished(site, other)
    work.release()
    with scenes.tasks_end_first(site):
        accepted = site.send("GET", work.url)
    if accepted.status_code != 202:
        raise diagnose.not_its_202(accepted)
    response = site.settled(site.location(accepted))
    if response.status_code != 200:
        raise diagnose.lost_before_its_202(site, response, usual)


@pytest.mark.part("c")
def test_other_methods_do_not_harm_a_task(site):
    """A POST, PUT, PATCH or DELETE to a running task's status URL does not change its response."""
    work = site.work(lambda: "done", resource=True)
    location = site.location(site.accepted(work))
    for method in METHODS[1:]:
        site.send(method, location, json={})
    work.release()
    site.done(site.call(work))
    response = site.settled(location)
    if response.status_code != 200:
        raise diagnose.harmed_by_other_methods(response)


@pytest.mark.part("c")
def test_an_async_view_is_run_to_its_end(site):
    """An async def view leads to the response that Flask would send without the decorator."""
    site.app.async_to_sync = scenes.run_coroutine  # as Flask's extra async would

    async def view():
        return site.app.make_response("done")

    work = site.work(view)
    work.release()
    with site.threads.held_back():  # the 202 comes first, whatever the task does
        location = site.location(site.accepted(work))
    site.quiet()
    response = site.settled(location)
    if (response.status_code, response.data) != (200, b"done"):
        raise flask_rules.async_view_not_run(site, response)


@pytest.mark.part("c")
def test_the_response_is_closed(site):
    """A task closes its response, as a server does once it has sent one."""
    closed = []

    def view():
        response = site.app.make_response("done")
        response.call_on_close(lambda: closed.append("done"))
        return response

    scenes.finished(site, site.work(view))
    after_a_poll = len(closed)
    site.get(site.locations[-1])
    if closed != ["done"]:
        raise flask_rules.not_closed_once(after_a_poll, len(closed))


# This promise ended in step 2, where the client could not poll. It holds again from here on.
@pytest.mark.part("c")
@pytest.mark.parametrize("path", ["hello", "a/b", "été", ""])
def test_answers_with_the_path(site, path):
    """In the end, GET / and GET /<path> lead to 200 and the JSON string "The answer is: <path>"."""
    response = scenes.from_catch_all(site, "GET", f"/{path}")
    as_json = response.json if response.is_json else None
    if response.status_code != 200 or as_json != f"The answer is: {path}":
        raise diagnose.path_not_sent_back(site, path, response)


@pytest.mark.part("c")
def test_sends_back_what_it_received(site):
    """In the end, POST /<path> leads to 200 and the JSON {"path": "<path>", "received": <JSON>}."""
    sent = {"name": "Ada"}
    expected = {"path": "hello", "received": sent}
    response = scenes.from_catch_all(site, "POST", "/hello", json=sent)
    as_json = response.json if response.is_json else None
    if response.status_code != 200 or as_json != expected:
        raise diagnose.post_not_sent_back(site, sent, expected, response)


@pytest.mark.part("d")
@pytest.mark.parametrize("kind", ["view", "resource", "generator"])
@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_a_client_never_sees_a_traceback(site, kind, debug):
    """After an unexpected exception, the client gets a 500, and only the log has the traceback."""
    site.app.debug = debug
    site.app.config["PROPAGATE_EXCEPTIONS"] = None if debug else False
    view = scenes.fail_on_the_way if kind == "generator" else scenes.fail
    response = scenes.finished(site, site.work(view, resource=kind == "resource"))
    if response.status_code != 500:
        raise failed_tasks.failed_but_not_500(site, response)
    if leak := failed_tasks.leaked(site, response.data, "A task failed."):
        raise leak
    if b"Traceback" in response.data or scenes.FAILURE.encode() in response.data:
        raise failed_tasks.says_too_much(response.data)
    site.quiet()
    if "Traceback" not in site.printed() or scenes.FAILURE not in site.printed():
        raise failed_tasks.traceback_not_logged(site)


@pytest.mark.part("d")
@pytest.mark.parametrize("exception", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_task_that_fails_is_finished(site, exception):
    """A task that fails with any exception, even SystemExit, is finished: the client gets a 500."""

    def fail():
        raise exception

    response = scenes.finished(site, site.work(fail))
    if response.status_code != 500:
        raise failed_tasks.not_500_after(site, exception, response)


@pytest.mark.part("d")
def test_sends_the_500_of_the_blocking_endpoint(site):
    """If nothing handles an exception, the client gets the 500 that a blocking endpoint sends."""
    for task in parity.tasks(site, endings.ENDINGS, parity.is_500):
        if task.seen != task.expected:
            raise parity.another_response(task)


@pytest.mark.part("d")
def test_a_task_whose_teardown_fails_is_finished(site):
    """A task is finished even if a teardown function fails after the view."""

    @site.app.teardown_request
    def fail(error):
        if not site.threads.in_request_thread():
            raise OSError("the database went away")

    response = scenes.finished(site, site.work(lambda: "done"))
    if response.status_code not in (200, 500):
        raise failed_tasks.teardown_failed(site, response)


@pytest.mark.part("d")
def test_a_task_whose_error_handler_fails_is_finished(site):
    """A task is finished, with a 500, even if the app's own error handler for 500 fails."""
    site.app.register_error_handler(500, lambda error: scenes.fail())
    response = scenes.finished(site, site.work(lambda: 1 / 0))
    if response.status_code != 500:
        raise failed_tasks.error_handler_failed(site, response)


@pytest.mark.part("d")
def test_a_response_that_cannot_be_closed_is_kept(site):
    """If closing its response fails, the task is finished, and the client gets the response."""
    closed = []

    def view():
        response = site.app.make_response("done")
        response.call_on_close(lambda: closed.append("done") or scenes.fail())
        return response

    response = scenes.finished(site, site.work(view))
    if closed != ["done"]:
        raise flask_rules.not_closed(closed)
    if response.data != b"done":
        raise flask_rules.lost_on_closing(site, response)


@pytest.mark.part("d")
@pytest.mark.parametrize("function", ["teardown_request", "teardown_appcontext"])
def test_teardown_functions_are_told_of_a_failure(site, function):
    """If nothing handles a task's exception, teardown functions get it, as in a request."""
    given, works = [], [site.work(lambda: "done"), site.work(scenes.fail)]
    getattr(site.app, function)(
        lambda error: site.threads.in_request_thread() or given.append(error)
    )
    for work in works:
        scenes.finished(site, work)
    if [type(error) for error in given] != [type(None), ArithmeticError]:
        raise flask_rules.teardown_not_told(function, given)


@pytest.mark.part("d")
def test_error_trackers_are_told_of_a_failure(site):
    """If nothing handles an exception, the task sends got_request_exception, as Flask would."""
    scenes.finished(site, site.work(scenes.fail))
    if [type(error) for error in site.task_errors] != [ArithmeticError]:
        raise flask_rules.signal_not_sent(site.task_errors)
