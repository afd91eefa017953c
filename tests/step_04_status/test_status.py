"""Step 4: the client can ask, and gets what the blocking endpoint would have sent."""

import datetime
import math
import random
import threading

import flask
import flask_restful
import pytest
from flask import abort, request
from werkzeug.exceptions import Conflict, NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from tests.expect import expect
from tests.learner import described_value
from tests.site import METHODS
from tests.step_01_blocking import test_blocking
from tests.step_03_request_context.test_request_context import *  # noqa: F403


def test_the_202_says_where_to_ask(site):
    """The 202 has a Location, and whoever asks there at once is not told 404."""
    work = site.work()
    location = site.location(site.accepted(work))
    answer = site.send("GET", location)
    expect(
        answer.status_code == 202,
        f"While the task runs, GET {location} was answered {answer.status}.",
        "The client was told to ask there. 202 says: not yet.",
        "Is there a resource at this URL? Is the record there before the 202 is sent?"
        + site.last_words(),
    )
    expect(
        site.location(answer) == location,
        f"While the task runs, GET {location} says Location: {answer.headers['Location']}.",
        "The client is sent to another address than the one it was given.",
        "The status resource repeats the task's own address.",
    )


def test_the_location_holds_under_a_prefix(site):
    """An app that is served under a prefix gives a Location under that prefix."""
    work = site.work()
    site.wsgi_app = DispatcherMiddleware(NotFound(), {"/shop": site.app})
    location = site.location(site.accepted(work, url="/shop" + work.url))
    answer = site.send("GET", location)
    expect(
        answer.status_code == 202,
        f"Served under /shop, the 202 says Location: {location}, and GET there {answer.status}.",
        "Behind a proxy or next to another app, nobody can ask for the answer.",
        "Do not put the address together by hand: url_for knows the prefix.",
    )


def test_ids_cannot_be_guessed(site):
    """Nobody can guess another client's address: there are 64 random bits in it, or more."""
    work = site.work()
    work.release()
    locations = []
    for _ in range(64):
        random.seed(0)  # whoever knows some numbers of the random module can work out the others
        locations.append(site.location(site.send("GET", work.url)))
    bits = sum(math.log2(len(set(column))) for column in zip(*locations, strict=False))
    expect(
        len(set(locations)) == len(locations) and bits >= 64,
        f"Two tasks, one after the other, had the addresses {locations[0]} and {locations[1]}.",
        "Who has one address can guess somebody else's, and read the answer there.",
        "uuid.uuid4() and the secrets module are made for this. Counters, times, random are not.",
    )


def test_a_task_may_end_before_its_request(site, monkeypatch):
    """A task that is over before its request goes on is finished all the same."""
    start = threading.Thread.start

    def start_and_wait(thread):
        start(thread)
        if site.in_request_thread():
            site.quiet()

    monkeypatch.setattr(threading.Thread, "start", start_and_wait)
    work = site.work(lambda: "quick", resource=True)
    work.release()
    answer = site.outcome("GET", work.url)
    expect(
        answer.status_code == 200 and answer.json == "quick",
        f"The task was over before its 202 was sent. Asked later: {answer.status}.",
        "A quick task's answer is lost, and its client asks in vain.",
        "The record has to be there before the thread is started." + site.last_words(),
    )


# It ended in step 2, where nobody could ask. Here it comes back.
test_answers_with_the_path = test_blocking.test_answers_with_the_path


@pytest.mark.parametrize("task_id", ["0" * 32, "nobody"])
def test_an_unknown_task_is_404(site, task_id):
    """Whoever asks for a task that does not exist is answered 404."""
    location = site.location(site.accepted(site.work()))
    url = f"{location.rpartition('/')[0]}/{task_id}"
    answer = site.send("GET", url)
    expect(
        answer.status_code == 404,
        f"No task has the address {url}, and GET there was answered {answer.status}.",
        "A client with a wrong or forgotten address has to be told so.",
        "abort(404) where there is no record of that id." + site.last_words(),
    )


def test_no_method_on_a_status_address_starts_a_task(site):
    """POST, PUT, PATCH, DELETE on a status address start no task; the task there is unharmed."""
    work = site.work(lambda: "done", resource=True)
    location = site.location(site.accepted(work))
    for method in METHODS[1:]:
        answer = site.send(method, location, json={})
        expect(
            answer.status_code == 405 and not site.clock.sleeps,
            f"{method} {location} was answered {answer.status}.",
            "CatchAll takes the address for a path, and starts work that nobody asked for.",
            "405 Method Not Allowed says that this address can only be asked.",
        )
    work.release()
    site.ended(site.call(work))
    answer = site.poll(location)
    expect(answer.status_code == 200, f"GET {location}: {answer.status}.", "The task is gone.", "")


# What a view may return or raise. The blocking endpoint is the measure: whatever it sends for one
# of these, the status address has to send, byte for byte.

ENDINGS = {}


def ending(function):
    ENDINGS[function.__name__.replace("_", " ")] = function
    return function


class Teapot(Exception):
    """An exception with an error handler of its own."""


class Busy(Conflict):
    """An HTTPException of the app's own, with data for Flask-RESTful."""

    data = {"message": "busy", "queue": 3}


for value in (
    *("text", "", "ü", {}, {"a": [1, None]}, [], [1, 2], None, 0, 7, True, b"bytes", {1, 2}),
    *(("made", 201), ("", 204), ({"a": 1}, 201, {"X-Color": "green"}), object()),
    *(datetime.date(2026, 1, 2), NotFound("returned, not raised")),
):
    name = repr(value) if "object" not in repr(value) else "object()"
    ENDINGS[f"returns {name}"] = lambda value=value: value


@ending
def returns_a_generator():
    return (part for part in ["one", "two"])


@ending
def returns_a_response():
    return flask.Response("<p>hello", 203, {"X-Color": "green"}, content_type="text/html")


@ending
def returns_a_response_and_a_status():
    return flask.Response("<p>hello"), 201


@ending
def returns_jsonify_and_a_status():
    return flask.jsonify(a=1), 201


@ending
def returns_a_streamed_response():
    return flask.Response((part for part in ["one", request.method]), mimetype="text/plain")


@ending
def returns_a_response_with_cookies():
    response = flask.make_response("hello")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@ending
def returns_a_redirect():
    return flask.redirect("/elsewhere")


@ending
def returns_a_file():
    return flask.send_file(__file__)


@ending
def aborts_404():
    abort(404)


@ending
def aborts_422_with_a_description():
    abort(422, description="no such colour")


@ending
def aborts_401():
    abort(401)


@ending
def aborts_with_a_response():
    abort(flask.Response("closed", 410))


@ending
def aborts_by_flask_restful():
    flask_restful.abort(409, message="taken", by="ada")


@ending
def raises_an_http_exception_of_the_app():
    raise Busy


@ending
def raises_what_an_error_handler_takes():
    raise Teapot("short and stout")


@ending
def raises_what_an_error_handler_fails_on():
    raise LookupError("the handler fails")


@ending
def asks_for_a_form_field_that_is_not_there():
    return request.form["missing"]


@ending
def asks_for_json_that_is_not_there():
    return request.get_json()


@ending
def divides_by_zero():
    return 1 / 0


def add_error_handlers(app):
    app.register_error_handler(Teapot, lambda error: ({"tea": str(error)}, 418))
    app.register_error_handler(LookupError, lambda error: 1 / 0)
    app.register_error_handler(404, lambda error: ("nothing here", 404))
    app.register_error_handler(500, lambda error: (f"sorry: {type(error.original_exception)}", 500))


def sent(answer):
    """Status, headers and body of an answer, without what only concerns its way over the wire."""
    on_the_way = {"Date", "Connection", "Transfer-Encoding"}
    headers = sorted((name, value) for name, value in answer.headers if name not in on_the_way)
    return answer.status, headers, answer.data


KINDS = {"view": "Flask view function", "resource": "Flask-RESTful resource"}


@pytest.mark.parametrize("name", ENDINGS)
def test_sends_what_the_blocking_endpoint_would(site, name):
    """A finished task's address sends what the blocking endpoint would: status, headers, body."""
    add_error_handlers(site.app)
    pairs = {
        kind: [
            site.work(ENDINGS[name], resource=kind == "resource", decorate=decorate)
            for decorate in (False, True)
        ]
        for kind in KINDS
    }
    for kind, (blocking, work) in pairs.items():
        blocking.release()
        work.release()
        expected = sent(site.send("GET", blocking.url))
        seen = sent(site.outcome("GET", work.url))
        for what, saw, would in zip(("status", "headers", "body"), seen, expected, strict=True):
            expect(
                saw == would,
                f"The view, a {KINDS[kind]}, {name}. Its task's address sent this {what}: "
                f"{described_value(saw)}.",
                f"The blocking endpoint sends {described_value(would)}.",
                "Make a finished Response in the task, as Flask would, and keep its status, "
                "headers and body." + site.last_words(),
            )


@pytest.mark.parametrize("kind", ["view", "resource", "generator"])
@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_a_client_never_sees_a_traceback(site, kind, debug):
    """An unexpected exception in a task is 500 to the client; the traceback is in the log."""
    site.app.debug = debug
    site.app.config["PROPAGATE_EXCEPTIONS"] = None if debug else False

    def fail():
        raise ArithmeticError("seven is not a number today")

    def fail_on_the_way():
        yield "one"
        fail()

    work = site.work(fail_on_the_way if kind == "generator" else fail, resource=kind == "resource")
    work.release()
    answer = site.outcome("GET", work.url)
    expect(
        answer.status_code == 500,
        f"The view raised an ArithmeticError; the task's address answered {answer.status}.",
        "The work failed, and it was not the client's fault: 500 Internal Server Error.",
        "What becomes of an exception that is no HTTPException?" + site.last_words(),
    )
    expect(
        b"Traceback" not in answer.data and b"seven is not" not in answer.data,
        f"The client was sent: {described_value(answer.get_data(as_text=True))}",
        "A traceback tells strangers how your program works inside.",
        "The client gets the plain 500, the log gets the traceback.",
    )
    site.quiet()
    expect(
        "Traceback" in site.printed() and "seven is not" in site.printed(),
        "The view raised an ArithmeticError, and its traceback is nowhere in the log.",
        "Whoever has to mend it will not know where to look.",
        "app.logger.exception(...) inside the except block writes it to the log.",
    )


@pytest.mark.parametrize("death", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_task_that_dies_is_finished(site, death):
    """A task that ends by any exception, SystemExit too, is finished: 500, not running for ever."""

    def die():
        raise death

    work = site.work(die)
    work.release()
    answer = site.outcome("GET", work.url)
    expect(
        answer.status_code == 500,
        f"The view raised {death.__name__}; the task's address answered {answer.status}.",
        "The work was not done: 500 Internal Server Error.",
        f"{death.__name__} is no Exception. BaseException, or finally, takes it in.",
    )


def test_a_task_whose_teardown_fails_is_finished(site):
    """A task is finished even if a teardown function fails after it."""

    @site.app.teardown_request
    def fail(error):
        if not site.in_request_thread():
            raise OSError("the database went away")

    work = site.work(lambda: "done")
    work.release()
    answer = site.outcome("GET", work.url)
    expect(
        answer.status_code in (200, 500),
        f"A teardown function failed; the task's address answered {answer.status}.",
        "The task is over. Whoever asks has to be told so.",
        "Is the with statement inside the try? Leaving a context can raise as well.",
    )


def test_the_answer_can_be_read_again(site):
    """The answer of a finished task is the same each time it is asked for."""
    work = site.work(returns_a_streamed_response)
    work.release()
    location = site.location(site.accepted(work))
    answers = [sent(site.poll(location))] + [sent(site.send("GET", location)) for _ in range(3)]
    expect(
        answers == answers[:1] * 4,
        f"Asked four times, the answers began {[status for status, _, _ in answers]} with "
        f"{[len(body) for _, _, body in answers]} bytes.",
        "Networks lose answers, and people reload. The second reader gets less than the first.",
        "Keep the finished bytes, and do not take the record away when it is read.",
    )
