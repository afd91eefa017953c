"""Step 4: the client can ask, and gets what the blocking endpoint would have sent."""

import datetime
import math
import random
import re
import threading
from collections import Counter
from itertools import pairwise
from os.path import commonprefix

import flask
import flask_restful
import pytest
from flask import abort, request
from werkzeug.exceptions import Conflict, HTTPException, InternalServerError, NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from tests.harness.app import METHODS
from tests.harness.expect import Broken, expect
from tests.harness.load import described, described_value
from tests.harness.lockstep import PATIENCE
from tests.step_03_request_context.test_request_context import *  # noqa: F403


def finished(site, work):
    """Ask work for an answer, let its task come to its end; return what its address says then.

    The work goes on once its 202 has come, and the address is asked once the task's thread is done.
    That makes the outcome of a race the same each time. Where a race has to be lost, a check
    forces it.
    """
    number = len(work.calls) + 1
    location = site.location(site.accepted(work))
    work.release()
    site.done(site.call(work, number))
    return site.settled(location)


def finishes(site, function):
    """Whether a task that does what function does is finished, whatever its answer."""
    return finished(site, one_more_work(site, function)).status_code != 202


def one_more_work(site, function):
    """site.work(function), late: Flask lets nobody add a view once there was a request."""
    site.app._got_first_request = False
    return site.work(function)


def fail():
    raise ArithmeticError("seven is not a number today")


def test_the_202_says_where_to_ask(site):
    """The 202 has a Location, and whoever asks there at once is not told 404."""
    work = site.work()
    location = site.location(site.accepted(work))
    answer = site.get(location)
    if "Location" in answer.headers and site.location(answer) != location:
        raise answered_by_another(site, location, answer)
    if answer.status_code != 202:
        work.release()
        site.done(site.call(work))
        raise not_told_to_wait(answer, site.get(location), site.last_words())
    expect(
        "Location" in answer.headers,
        "While the task runs, its address answers 202, without a Location.",
        "Each 202 is to say where to ask next. Many clients follow the last one that they got.",
        "The record can hold the 202 as it was sent first, Location included.",
        "running-without-location",
    )


def answered_by_another(site, location, answer):
    """The Broken for a task's address that leads elsewhere: to CatchAll, or to another task."""
    site.changes.wait_until(lambda: site.clock.sleeps, 1)
    if site.clock.sleeps:
        return Broken(
            f"While the task runs, GET {without_id(location)} began new work: that of CatchAll.",
            "CatchAll takes every address that nobody else has, and asking starts one more task.",
            'Flask has to be told who has this one: api.add_resource(GetTaskStatus, "/status/…").',
            "status-not-added",
        )
    return Broken(
        f"While the task runs, GET {location} says Location: {answer.headers['Location']}.",
        "The client is sent to another address than the one it was given.",
        "The status resource repeats the task's own address.",
    )


def test_the_record_is_there_before_the_task_begins(site):
    """Whoever asks before the task's thread has done anything is not told 404 either."""
    work = site.work()
    with site.threads.held_back():
        location = site.location(site.accepted(work))
        early = site.get(location)
    site.call(work)
    later = site.get(location)
    expect(
        early.status_code == 202,
        f"Before the thread had run its first line, the task's address answered {early.status}; "
        f"when the view was at work, {later.status}.",
        "A thread begins when the computer comes to it. On a busy one, the client is quicker.",
        "Make the record in the request, before start().",
        "record-made-in-thread" if (early.status_code, later.status_code) == (404, 202) else None,
    )


def not_told_to_wait(running, over, last_words):
    """The Broken for a running task's answer that is no 202, by what came once it was over."""
    seen = f"While the task runs, its address answers {running.status}"
    if running.status_code == 404 and over.status_code == 200:
        return Broken(
            f"{seen}, and once it was over, {over.status}.",
            "A client that asks early is told that there is no such task, and gives up.",
            "The record has to be in tasks before the thread starts, not only when the task ends.",
            "no-record-before-the-end",
        )
    if running.status_code == over.status_code == 200 and over.data != b"done":
        report = over.get_data(as_text=True).strip()
        return Broken(
            f"{seen}, and once it was over, 200 with: {described_value(report)}",
            'The view returned "done". Its client is to get that, as without the decorator.',
            "Send no report about the task: a 202 while it runs, and then the view's own answer.",
            "report-on-the-task",
        )
    if running.status_code == over.status_code == 200:
        return Broken(
            f"{seen}.",
            "The client asks until the status is no longer 202. It takes this for the answer.",
            "202 is the second part of what the running task's address returns.",
            "running-is-200",
        )
    return Broken(
        f"{seen}.",
        "The client was told to ask there. 202 says: not yet.",
        "Is there a resource at this URL? Is the record there before the 202 is sent?" + last_words,
    )


def test_the_location_holds_under_a_prefix(site):
    """An app that is served under a prefix gives a Location under that prefix."""
    work = site.work()
    site.wsgi_app = DispatcherMiddleware(NotFound(), {"/shop": site.app})
    location = site.location(site.accepted(work, url="/shop" + work.url))
    answer = site.get(location)
    expect(
        answer.status_code == 202,
        f"Served under /shop, the 202 says Location: {without_id(location)}. "
        f"GET there was answered {answer.status}.",
        "Behind a proxy or next to another app, nobody can ask for the answer.",
        "Do not put the address together by hand: url_for knows the prefix.",
        None if location.startswith("/shop/") else "location-by-hand",
    )


def without_id(location):
    """A task's address with its last part left out: it is different each time."""
    return location.rpartition("/")[0] + "/…"


def test_ids_cannot_be_guessed(site):
    """Nobody can guess another client's address: there are 64 random bits in it, or more."""
    work = site.work()
    work.release()

    def ask():
        location = site.location(site.get(work.url))
        site.over(site.call(work, len(site.locations)))
        return location

    locations = []
    for _ in range(64):
        random.seed(0)  # whoever knows some numbers of the random module can work out the others
        locations.append(ask())
    if len(set(locations)) == 1:
        raise the_same_each_time(site, ask)
    bits = sum(random_bits(column) for column in zip(*locations, strict=False))
    if len(set(locations)) < len(locations) or bits < 60:  # 64 bits look like 60.7 to 67.3
        raise guessed(locations)


def random_bits(characters):
    """Estimate how random a character is from how many pairs of such characters are equal.

    Of two random characters out of 16 the share 1/16 is equal, and each is worth 4 bits.
    """
    equal = sum(math.comb(count, 2) for count in Counter(characters).values())
    return math.log2(math.comb(len(characters), 2) / max(equal, 1))


def the_same_each_time(site, ask):
    """The Broken for tasks of one address: what makes it change?"""
    location = ask()
    if ask() != location:  # without seed()
        return Broken(
            "With random.seed(0) before each request, all tasks had the same address.",
            "The random module only looks random: who knows some of its numbers can work out the "
            "others.",
            "uuid.uuid4() and the secrets module are made for what nobody is to guess.",
            "id-by-random",
        )
    site.clock.advance(3600)
    if ask() != location:
        return Broken(
            "Tasks that began at the same moment all had the same address.",
            "The id is the time. Two clients at once share an address, and a time can be guessed.",
            "uuid.uuid4() makes an id that is different each time, and that nobody can guess.",
            "id-by-the-clock",
        )
    return Broken(
        "All requests to one view were given the same address.",
        "There is one record for all of them. Each client reads the answer of the last one.",
        "Is the id made in the inner function, anew for each request?",
        "one-id-for-all",
    )


def guessed(locations):
    """The Broken for addresses that differ too little."""
    seen = f"Two tasks, one after the other, had the addresses {locations[0]} and {locations[1]}."
    means = "Who has one address can guess somebody else's, and read the answer there."
    ids = [location.rpartition("/")[2] for location in locations]
    if all(map(str.isdecimal, ids)) and len({int(b) - int(a) for a, b in pairwise(ids)}) == 1:
        return Broken(
            seen,
            "They are counted. Who has one can ask for all the others, and read what is there.",
            "uuid.uuid4() makes an id that nobody can guess.",
            "ids-are-counted",
        )
    if all(re.fullmatch(r"[0-9a-f]{8}-?[0-9a-f]{4}-?1[0-9a-f]{3}.*", each) for each in ids):
        return Broken(
            "The ids are made by uuid1(): the digit that tells how a UUID was made is a 1.",
            "Such an id is made of the time and of the computer's own number. Both can be guessed.",
            "uuid.uuid4() is random.",
            "id-by-uuid1",
        )
    look = "uuid.uuid4() and the secrets module are made for this. Counters, times, random are not."
    return Broken(seen, means, look)


@pytest.mark.parametrize("task_id", ["0" * 32, "nobody"])
def test_an_unknown_task_is_404(site, task_id):
    """Whoever asks for a task that does not exist is answered 404."""
    location = site.location(site.accepted(site.work()))
    url = f"{location.rpartition('/')[0]}/{task_id}"
    answer = site.get(url)
    seen = f"No task has the address {url}, and GET there was answered {answer.status}."
    look = "abort(404) where there is no record of that id." + site.last_words()
    if answer.status_code == 202:
        raise Broken(
            seen,
            "A client whose task was never there, or is forgotten, waits for it for ever.",
            "Only a task that was accepted has a record. abort(404) where there is none.",
            "unknown-is-202",
        )
    if answer.status_code == 200:
        raise Broken(
            seen,
            "The client takes that for the answer of its task. Programs look at the status first.",
            "abort(404) where there is no record of that id.",
            "unknown-is-200",
        )
    if answer.status_code == 500 and "KeyError" in site.last_words():
        raise Broken(
            seen,
            "tasks has no such key. Flask takes the KeyError for a fault of the server's.",
            "tasks.get(task_id) returns None where there is no record. Then, abort(404). So let no "
            "running task's record be None.",
            "unknown-is-500",
        )
    expect(
        answer.status_code == 404,
        seen,
        "A client with a wrong or forgotten address has to be told so.",
        look,
    )


def test_a_task_may_end_before_its_request(site, monkeypatch):
    """A task that is over before its request goes on is finished all the same."""
    other, work = site.work(lambda: "quick"), site.work(lambda: "quick")
    later = finished(site, other)
    start = threading.Thread.start

    def start_and_wait(thread):
        start(thread)
        if site.threads.in_request_thread():
            site.quiet()

    monkeypatch.setattr(threading.Thread, "start", start_and_wait)
    work.release()
    answer = site.settled(site.location(site.send("GET", work.url)))
    expect(
        answer.status_code == 200,
        f"The task was over before its 202 was sent. Asked later: {answer.status}.",
        "A quick task's answer is lost, and its client asks in vain.",
        "The record has to be there before the thread is started." + site.last_words(),
        "record-after-start" if later.status_code == 200 else None,
    )


def test_no_method_on_a_status_address_starts_a_task(site):
    """POST, PUT, PATCH, DELETE on a status address start no task; the task there is unharmed."""
    work = site.work(lambda: "done", resource=True)
    location = site.location(site.accepted(work))
    for method in METHODS[1:]:
        answer = site.send(method, location, json={})
        expect(
            answer.status_code != 202 or answer.headers.get("Location") in (None, location),
            f"{method} to a task's address was answered 202, with another task's address.",
            "CatchAll takes the address for a path, and starts work that nobody asked for.",
            "Where GetTaskStatus has no post(), CatchAll's is next. Write one that answers 405.",
            "post-starts-a-task",
        )
        expect(
            answer.status_code == 405 and not site.clock.sleeps,
            f"{method} {location} was answered {answer.status}.",
            "Such a request could start or change something. Here, a client can only ask.",
            "405 Method Not Allowed says that this address can only be asked.",
        )
    work.release()
    site.done(site.call(work))
    answer = site.settled(location)
    expect(
        answer.status_code == 200,
        f"After that, the task's address answered {answer.status}.",
        "The task is gone.",
        "What do these methods change?",
    )


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
    """Status, headers and body of an answer, without what only concerns its way over the wire.

    That no cache is to keep it concerns its way: a status address may say so, see step 6.
    """
    on_the_way = {"Date", "Connection", "Transfer-Encoding"}
    no_store = ("Cache-Control", "no-store")
    headers = [pair for pair in answer.headers if pair[0] not in on_the_way and pair != no_store]
    return answer.status, sorted(headers), answer.data


KINDS = {"view": "Flask view function", "resource": "Flask-RESTful resource"}


# So many share one app: each with its own would take twice as long.
GROUPS = [list(ENDINGS)[first : first + 10] for first in range(0, len(ENDINGS), 10)]


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: f"{names[0]} and {len(names) - 1} more")
def test_sends_what_the_blocking_endpoint_would(site, names):
    """A finished task's address sends what the blocking endpoint would: status, headers, body."""
    add_error_handlers(site.app)
    works = {
        name: {
            kind: [
                site.work(ENDINGS[name], resource=kind == "resource", decorate=decorate)
                for decorate in (False, True)
            ]
            for kind in KINDS
        }
        for name in names
    }
    for name, pairs in works.items():
        site.forget_printed()
        expected = {}
        for kind, (blocking, _) in pairs.items():
            blocking.release()
            expected[kind] = sent(site.get(blocking.url))
        for kind, (_, work) in pairs.items():
            seen = sent(finished(site, work))
            if seen != expected[kind]:
                story = f"The view, a {KINDS[kind]}, {name}."
                general = differently_sent(seen, expected[kind], story, site.last_words())
                raise told_wrongly(site, seen, expected, kind, work.calls[0], story) or general


def differently_sent(seen, expected, story, last_words):
    """The Broken for the first difference between two answers."""
    parts = zip(("status", "headers", "body"), seen, expected, strict=True)
    what, saw, would = next(part for part in parts if part[1] != part[2])
    saw, would = in_words(what, saw, would), in_words(what, would, saw)
    return Broken(
        f"{story} Its task's address sent {saw}.",
        f"The blocking endpoint sends {would}.",
        "Make a finished Response in the task, as Flask would, and keep its status, headers and "
        "body." + last_words,
    )


def in_words(what, this, other):
    """A status, headers or a body in words: of headers and of a long body, where they differ."""
    if what == "status":
        return this
    if what == "headers":
        return headers_in_words([pair for pair in this if pair not in other]) or "no such header"
    start = max(0, len(commonprefix([this, other])) - 20)
    part = f"{this[start : start + 60]!r}"
    return f"a body with {part} from byte {start} on" if start else f"the body {part}"


def told_wrongly(site, seen, expected, kind, call, story):
    """The Broken for an answer that a known mistake makes, or None."""
    status, headers, body = seen
    by_kind, other = expected[kind], expected["view" if kind == "resource" else "resource"]
    aborted = isinstance(call.error, HTTPException)
    if status.startswith("202"):
        return never_finished(site, call, by_kind, story)
    if status.startswith("500") and (leak := what_leaked(site, body, by_kind[2], story)):
        return leak
    if aborted and status.startswith("500") and "not JSON serializable" in site.last_words():
        return Broken(
            f"{story} Its task's address answered 500.{site.last_words()}",
            "The record holds the exception itself, and Flask-RESTful cannot make JSON of that.",
            "app.handle_user_exception(error) makes an answer of it, in the task.",
            "exception-kept-as-it-is",
        )
    if aborted and status.startswith("500") and not by_kind[0].startswith("500"):
        return Broken(
            f"{story} Its task's address answered 500, the blocking endpoint {by_kind[0]}.",
            "abort() raises an HTTPException, to be sent as it says. Here it is taken for a crash.",
            "app.handle_user_exception(error) comes first. What it raises again is a crash.",
            "abort-becomes-500",
        )
    page = (call.error if aborted else InternalServerError()).get_response()
    if (status, body) == (by_kind[0], page.data) and status == page.status:
        return Broken(
            f"{story} The app has an error handler for {page.status}, and the task did not ask it.",
            f"The blocking endpoint sends {described_value(by_kind[2])}.",
            "app.handle_user_exception(error) returns what the error handlers make of it.",
            "error-handlers-forgotten",
        )
    if call.error is None and not touched_in_task(site):
        return Broken(
            f"{story} What it returned was made a response only when the client asked.",
            "By then its request is over, and the one for the status has other rules.",
            "Make the response in the task, inside its request context. Keep what is in it.",
            "made-when-asked",
        )
    if seen == other:
        return by_the_other_rules(kind, story, by_kind)
    if (status, body) == (by_kind[0], by_kind[2]) and len(headers) < len(by_kind[1]) + (
        {name for name, _ in headers} == {name for name, _ in by_kind[1]}
        and ("Content-Type", "text/html; charset=utf-8") in headers
    ):
        return Broken(
            f"{story} Its task's address sent the right body with these headers: "
            f"{', '.join(': '.join(pair) for pair in headers if pair[0] != 'Server')}.",
            f"The blocking endpoint sends {headers_in_words(by_kind[1])}.",
            "Keep list(response.headers) as well, and give it to the Response that is sent.",
            "headers-dropped",
        )
    return None


def headers_in_words(headers):
    return ", ".join(": ".join(pair) for pair in headers if pair[0] != "Server")


def never_finished(site, call, expected, story):
    """The Broken for a task that is over and whose address still says 202, or None."""
    seen = f"{story} The task is over, and its address still answers 202."
    died = site.threads.crashes[-1][0] if call.error and site.threads.crashes else None
    if died is not None and died is not call.error and site.place(died):
        return Broken(
            f"{seen} Its thread died of {described(died)}{site.place(died)}.",
            "The view had failed, and then so did what the task does about it.",
            "Begin with that line. What it says of the view's own error comes after it.",
        )
    if (call.error or expected[0].startswith("500")) and not finishes(site, fail):
        return Broken(
            seen,
            "An exception ended the task before anything was put into its record. The client asks "
            "for ever.",
            "Catch it in the task, and keep what app.handle_user_exception(error) makes of it. "
            "What it raises again becomes a 500.",
            "exception-not-caught",
        )
    empty = not call.result or expected[2] in (b"", b"null\n")
    if call.error is None and empty and finishes(site, lambda: "done"):
        return Broken(
            seen,
            "A task that returned a text was finished. This one's answer is empty, and empty "
            "counts as false: it is taken for no answer yet.",
            "Ask whether the task has ended, not whether its answer is true.",
            "empty-is-never-finished",
        )
    return None


def what_leaked(site, body, expected, story):
    """The Broken for an answer of 500 that tells the client about the program's inside, or None."""
    text = body.decode(errors="replace")
    means = "It tells strangers how your program works inside."
    look = "The client gets the plain 500, the log gets the traceback."
    if "Traceback (most recent call last)" in text:
        return Broken(
            f"{story} The client was sent a traceback.", means, look, "traceback-to-client"
        )
    for message in re.findall(r"^\w*(?:Error|Exception): (.{9,}?)\.?$", site.printed(), re.M):
        if message in text and message.encode() not in expected:
            return Broken(
                f"{story} The client was sent the exception's own text: {described_value(message)}",
                "It was written for you. It can name files, tables and other people's data.",
                look,
                "error-text-to-client",
            )
    return None


def touched_in_task(site):
    """Whether what a view returns is looked at in its task, to make a response of it.

    isinstance() asks the value for its class; this value notes who asks.
    """
    threads = set()

    class Watched:
        @property
        def __class__(self):
            threads.add(threading.current_thread())
            return Watched

    work = one_more_work(site, Watched)
    finished(site, work)
    return bool(threads & {call.thread for call in work.calls})


def by_the_other_rules(kind, story, expected):
    """The Broken for an answer that the other kind of view would have sent."""
    if kind == "resource":
        return Broken(
            f"{story} It was made a response by Flask's rules for plain views.",
            f"Flask-RESTful has rules of its own, and sends {described_value(expected[2])}.",
            "api.output(view) is the view with these rules around it. "
            "api.owns_endpoint(request.endpoint) tells a resource from a plain view.",
            "resource-taken-for-a-view",
        )
    return Broken(
        f"{story} It was made a response by Flask-RESTful's rules.",
        f"They are for resources. Flask makes of it {described_value(expected[2])}.",
        "api.owns_endpoint(request.endpoint) tells a resource from a plain view, for which it is "
        "app.make_response(value).",
        "view-taken-for-a-resource",
    )


def test_the_answer_can_be_read_again(site):
    """The answer of a finished task is the same each time it is asked for."""
    work, other = site.work(returns_a_streamed_response), site.work(returns_a_streamed_response)
    location = site.location(site.accepted(work))
    work.release()
    site.done(site.call(work))
    answers = [sent(site.settled(location))] + [sent(site.get(location)) for _ in range(3)]
    if answers[0][0].startswith("200") and answers[1][0].startswith("404"):
        raise Broken(
            "The first who asked was answered 200, the second 404.",
            "Networks lose answers, and people reload. Then the answer is gone for good.",
            "Do not take the record out when it is read. Step 5 is about its end.",
            "gone-once-read",
        )
    if answers[0][0] == answers[1][0] and answers[0][2] and not answers[1][2]:
        raise Broken(
            f"The first who asked got {len(answers[0][2])} bytes, the second got none.",
            "A generator can be read once. Kept in a record, it is empty for the second reader.",
            "Keep the bytes, response.get_data(), and not the response.",
            "response-used-up",
        )
    expect(
        answers == answers[:1] * 4,
        f"Asked four times, the answers began {[status for status, _, _ in answers]} with "
        f"{[len(body) for _, _, body in answers]} bytes.",
        "Networks lose answers, and people reload. The second reader gets less than the first.",
        "Keep the finished bytes, and do not take the record away when it is read.",
    )
    running, *asked = asked_at_every_line(site, other)
    for early in asked:
        expect(
            early[0].startswith("202") or early in (running, answers[0]),
            f"Who asked while the task was about to end got {early[0]}, and a moment later "
            f"{answers[0][0]}.",
            "The task says that it is done before its answer is there. Few clients will meet that "
            "moment, and nobody will find out why.",
            "Put the answer into the record first, or both at once.",
            "done-before-the-answer",
        )


def asked_at_every_line(site, work):
    """Let work's task end; return what its address says before, and at each line after the view."""
    answers, asking = [], []

    def ask():
        answers.append(sent(site.get(location)))
        site.changes.notify()

    def trace(frame, event, argument):  # see sys.settrace
        if frame.f_code.co_filename != str(site.path):
            return None
        calls = work.calls
        if event == "line" and calls and calls[0].ended and is_current(calls[0].thread):
            asking.append(threading.Thread(target=ask, daemon=True))
            asking[-1].start()
            site.changes.wait_until(  # if the task holds a lock, the answer comes later
                lambda: not asking[-1].is_alive() or site.threads.waits_for_lock(), PATIENCE
            )
        return trace

    threading.settrace(trace)
    try:
        location = site.location(site.accepted(work))
        call = site.call(work)
    finally:
        threading.settrace(None)
    ask()
    work.release()
    site.done(call)
    for thread in asking:
        thread.join()
    return answers


def is_current(thread):
    return thread is threading.current_thread()


@pytest.mark.parametrize("kind", ["view", "resource", "generator"])
@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_a_client_never_sees_a_traceback(site, kind, debug):
    """An unexpected exception in a task is 500 to the client; the traceback is in the log."""
    site.app.debug = debug
    site.app.config["PROPAGATE_EXCEPTIONS"] = None if debug else False

    def fail_on_the_way():
        yield "one"
        fail()

    work = site.work(fail_on_the_way if kind == "generator" else fail, resource=kind == "resource")
    answer = finished(site, work)
    expect(
        answer.status_code == 500,
        f"The view raised an ArithmeticError; the task's address answered {answer.status}.",
        "The work failed, and it was not the client's fault: 500 Internal Server Error.",
        "What becomes of an exception that is no HTTPException?" + site.last_words(),
    )
    if leak := what_leaked(site, answer.data, b"", "The view raised an error."):
        raise leak
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

    answer = finished(site, site.work(die))
    if answer.status_code == 202 and finishes(site, fail):
        raise Broken(
            f"The view raised {death.__name__}; the task is over, and still answers 202.",
            f"An ArithmeticError was caught, and {death.__name__} was not: it is no Exception. "
            "The client asks for ever.",
            "except BaseException takes everything in.",
            "only-exception-caught",
        )
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
        if not site.threads.in_request_thread():
            raise OSError("the database went away")

    answer = finished(site, site.work(lambda: "done"))
    expect(
        answer.status_code in (200, 500),
        f"A teardown function failed; the task's address answered {answer.status}.",
        "The task is over. Whoever asks has to be told so.",
        "Is the with statement inside the try? Leaving a context can raise as well.",
        "with-outside-the-try"
        if answer.status_code == 202
        and any(isinstance(error, OSError) for error, _ in site.threads.crashes)
        else None,
    )


def test_a_task_whose_error_handler_fails_is_finished(site):
    """A task is finished, with 500, even if the app's own handler for 500 fails."""
    site.app.register_error_handler(500, lambda error: fail())
    answer = finished(site, site.work(lambda: 1 / 0))
    expect(
        answer.status_code == 500,
        "The view divided by zero, the app's handler for 500 failed as well, and the task's "
        f"address answered {answer.status}.",
        "There is no answer left to keep, but the task is over: 500 Internal Server Error.",
        "What is kept if an except block raises too? Have a plain 500 there to begin with.",
    )


# It ended in step 2, where nobody could ask. Here it comes back.
@pytest.mark.parametrize("path", ["hello", "a/b", "été", ""])
def test_answers_with_the_path(site, path):
    """GET / and GET /<path> lead to 200 in the end, and the JSON string "The answer is: <path>"."""
    exchange = site.start("GET", f"/{path}")
    sleep = site.slept(exchange)
    location = site.location(site.expect_202(site.response(exchange, [sleep]), f"GET /{path}"))
    site.clock.advance(sleep.seconds)
    site.quiet()
    answer = site.poll(location)
    expect(
        answer.status_code == 200 and answer.is_json and answer.json == f"The answer is: {path}",
        f"GET /{path} was in the end answered {answer.status}, with "
        f"{described_value(answer.get_data(as_text=True))} as {answer.mimetype}.",
        f'The client was promised the JSON string "The answer is: {path}".',
        "What does CatchAll.get return? Does its record hold what Flask-RESTful makes of that?"
        + site.last_words(),
    )
