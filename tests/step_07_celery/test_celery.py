"""Step 7: the same promises, kept by other processes."""

import base64
import json
import logging
import pickle
import re
import threading

import billiard.common
import flask_restful
import pytest
from billiard.einfo import ExceptionInfo
from billiard.exceptions import WorkerLostError
from celery.local import PromiseProxy
from flask import g

from tests.harness.expect import Broken, expect
from tests.harness.load import described, described_value
from tests.step_06_limits.test_limits import expect_busy, expect_retry_after

KEEP = 5 * 60  # seconds
LONG = 3 * 60 * 60  # seconds
BROKER = "A worker is another process. What it does not get with the message, it does not have."


def celery(site):
    """The learner's Celery app, if it is one."""
    app = site.named("celery")
    expect(
        hasattr(app, "tasks") and hasattr(app, "conf"),
        f"celery is {described_value(app)}.",
        'The checks, and the command "celery", look there for Celery\'s application.',
        "celery = Celery(…), at the top of the file.",
    )
    return app


def message(site, number=1):
    """Return the Delivery of that number."""
    celery(site)
    messages = site.broker.sent
    expect(
        len(messages) >= number,
        f"{number} requests were accepted, and {len(messages)} messages were sent to the broker.",
        "Workers learn from messages what there is to do. Without one, nobody does it.",
        "apply_async() of a Celery task sends a message.",
        "nothing-is-sent",
    )
    return messages[number - 1]


def done(site, work):
    """Have the work done from beginning to end; return the task's address."""
    location = site.location(site.accepted(work))
    work.release()
    site.done(site.call(work, len(site.locations)))
    site.poll(location)
    return location


def hold(site):
    """Have no worker take what is sent from now on."""
    celery(site)
    site.broker.held = True


def status(site, location):
    return site.get(location).status_code


def test_work_is_sent_to_the_broker(site):
    """Each request's work is sent to Celery's broker, as one message."""
    work = site.work()
    site.accepted(work)
    message(site)
    expect(
        len(site.broker.sent) == 1,
        f"One request sent {len(site.broker.sent)} messages.",
        "Each message is work for somebody.",
        "Is apply_async() called once?",
    )


class Dangerous:
    """What runs a function of this file when it is unpickled."""

    ran = False

    def __reduce__(self):
        return run, ()


def run():
    Dangerous.ran = True


def test_all_that_travels_is_json(site):
    """Messages and answers are JSON; a pickle is refused, and nothing in it is run."""
    celery(site)
    work = site.work()
    done(site, work)
    kind = message(site).payload["content-type"]
    expect(
        kind == "application/json",
        f"A message was sent as {kind}.",
        "To read a pickle is to run what is in it. Whoever can write to the broker can then run "
        "anything on your workers.",
        "Leave task_serializer and result_serializer as they are: JSON.",
        "pickle-is-sent",
    )
    for value, _ in site.broker.results.values():
        expect(
            is_json(value),
            f"The result store holds {described_value(value)}.",
            "Whoever can write to the store can then run anything in your web processes.",
            "Leave result_serializer as it is: JSON.",
            "pickle-is-stored",
        )
    hostile = dict(message(site).payload)
    hostile["content-type"] = "application/x-python-serialize"
    hostile["content-encoding"] = "binary"
    hostile["body"] = base64.b64encode(pickle.dumps([Dangerous(), {}, {}])).decode()
    Dangerous.ran = False
    deliver(site, hostile)
    expect(
        not Dangerous.ran and site.broker.sent[-1].refused,
        "Somebody put a pickle into the broker. A worker read it, and so ran what is in it.",
        "A worker that accepts pickles does what anybody says who can reach its broker.",
        'accept_content lists what workers read. Leave it at ["json"].',
        "pickle-is-accepted",
    )


def is_json(value):
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def deliver(site, payload):
    """Have a worker take this message, and wait until it is done with it."""
    channel = site.broker.sent[0]._channel
    site.broker.take(payload, channel)
    site.quiet()


def test_what_waits_is_202(site):
    """A task that no worker has begun is 202, however long it waits."""
    hold(site)
    work = site.work()
    location = site.location(site.expect_202(site.get(work.url), f"GET {work.url}"))
    for seconds, ago, *advice, name in (
        (
            0,
            "a moment",
            "To Celery, what it has not begun and what it has never heard of are one: PENDING.",
            "Note in the result store that there is such a task, before it is sent, and in a state "
            "that has a name of your own.",
            "pending-is-404",
        ),
        (
            LONG,
            "three hours",
            "The note that it was accepted was forgotten before a worker came to it.",
            "result_expires counts from the moment of writing, and is one number for a Celery app. "
            "Two apps can have two.",
            "note-expires",
        ),
    ):
        site.clock.advance(seconds)
        expect(
            status(site, location) == 202,
            f"A task was accepted {ago} ago, and no worker has had time for it. Its address "
            f"answered {status(site, location)}.",
            *advice,
            name if status(site, location) == 404 else None,
        )
    site.broker.deliver(message(site))
    site.call(work)
    expect(
        status(site, location) == 202,
        f"A worker has begun the task, and its address answered {status(site, location)}.",
        "What is neither finished nor unknown is under way, whatever Celery calls it.",
        "Which states does the status resource answer with 202?",
    )


def test_a_busy_worker_leaves_the_rest(site):
    """A worker takes no more messages than it does tasks: the rest is for others."""
    settings = celery(site).conf
    each = settings.worker_prefetch_multiplier
    expect(
        each == 1 or settings.get("worker_disable_prefetch"),
        f"A worker that does two tasks at a time takes {f'{2 * each}' if each else 'all'} messages "
        "at once.",
        "What it has taken and not begun waits for it, though another worker may have time. If it "
        "is stopped or killed, that comes late, or not at all.",
        "So many messages for each task at a time is worker_prefetch_multiplier. One is enough.",
        "takes-more-than-it-does",
    )


# This one before the next: who answers 202 to everybody has not forgotten FAILURE alone.
from tests.step_04_status.test_status import test_an_unknown_task_is_404  # noqa: E402, F401


def test_what_celery_gives_up_is_500(site):
    """A message that no request has made starts no work; its address is 500, or 404."""
    celery(site)
    work = site.work()
    location = done(site, work)
    whole = message(site).payload
    calls = len(work.calls)
    broken = [dict(whole, body=encoded([[], {}, {}]))]
    broken.append(dict(whole, body=encoded([[None] * 5, {}, {}])))
    broken.append(dict(whole, headers={**whole["headers"], "task": "os.system"}))
    for number, payload in enumerate(broken):
        task_id = f"{number:032x}"
        payload["headers"] = {**payload["headers"], "id": task_id}
        deliver(site, payload)
        answer = site.get(f"{location.rpartition('/')[0]}/{task_id}")
        expect(
            len(work.calls) == calls and not site.clock.sleeps,
            "A message with other fields than a request's was put into the broker, and a view was "
            "called for it.",
            "Whoever can write to the broker can have your views do what no request could.",
            "What does the task do with arguments that are not as they should be?",
        )
        expect(
            answer.status_code in (404, 500),
            "A task failed before it came to its view: its message was broken. Its address "
            f"answered {answer.status}.{site.last_words()}",
            "It is over, and there is no answer. A client that waits has to be told.",
            "Celery says FAILURE of it, and has an exception where the answer would be.",
            "failure-is-running" if answer.status_code == 202 else None,
        )


def encoded(body):
    return base64.b64encode(json.dumps(body).encode()).decode()


# The earlier promises. They come after these, which say what Celery lacks to keep them.
from tests.step_04_status.test_status import *  # noqa: E402, F403
from tests.step_06_limits.test_limits import (  # noqa: E402
    test_a_view_may_allow_a_cache,  # noqa: F401
    test_every_202_says_when_to_ask,  # noqa: F401
)


def test_the_worker_has_only_the_message(site):
    """A worker that has nothing but this file and the message does the work."""
    celery(site)
    site.broker.worker = site.another()
    exchange = site.start("POST", "/hello?q=1", json={"name": "Ada"})
    answer = site.expect_202(exchange.wait(), "POST /hello")
    location = site.location(answer)
    delivery = message(site)
    site.changes.wait_until(lambda: site.clock.sleeps or site.threads.at_rest())
    if not site.clock.sleeps:
        raise Broken(
            "The message was sent to a worker, which has imported the same file, and has not come "
            f"to time.sleep().{why(site, delivery)}",
            BROKER,
            "Whatever the task uses of the request has to be among the message's arguments.",
            "kept-in-the-web-process",
        )
    site.clock.advance(site.clock.sleeps[0].seconds)
    site.quiet()
    answer = site.settled(location)
    expect(
        answer.status_code == 200 and answer.json == {"path": "hello", "received": {"name": "Ada"}},
        f"Done by another process, POST /hello was in the end answered {answer.status}, with "
        f"{described_value(answer.get_data(as_text=True))}.{site.last_words()}",
        BROKER,
        "Whatever the task uses of the request has to be among the message's arguments.",
    )


def why(site, delivery):
    """A sentence with what went wrong in the worker, to put behind another."""
    if delivery.refused:
        return f" It refused: {described(delivery.refused)}."
    return re.sub("[0-9a-f]{32}", "…", site.last_words())


def test_any_web_process_can_say(site):
    """Any web process can say how a task went, also one that was started later."""
    celery(site)
    work = site.work(lambda: "done")
    location = site.location(site.accepted(work))
    later = site.another().app.test_client()
    statuses = [later.get(location).status_code]
    work.release()
    site.done(site.call(work))
    site.poll(location)
    statuses.append(later.get(location).status_code)
    expect(
        statuses == [202, 200],
        f"Another web process, started after the request, was asked: {statuses[0]} while the task "
        f"ran, and {statuses[1]} when it was done.",
        "Servers run several processes, and start them anew. Each client gets any of them.",
        "What a process remembers in a dict, no other process has. Ask the result store.",
        "remembered-in-one-process" if 404 in statuses else None,
    )


def test_first_requests_may_come_at_once(site, monkeypatch):
    """The first two requests to a process may come at once: both are accepted."""
    celery(site)
    module = site.another(made=False)

    @module.app.get("/first")
    @module.async_api
    def first():
        return "done"

    make = PromiseProxy.__evaluate__

    def make_twice(task):  # both have seen that there is none yet
        make(task)
        return make(task)

    monkeypatch.setattr(PromiseProxy, "__evaluate__", make_twice)
    answer = module.app.test_client().get("/first")
    expect(
        answer.status_code == 202,
        "The first two requests to a new process came at once, and both had Celery make the task "
        f"that they send. The second was answered {answer.status}.{site.last_words()}",
        "Celery makes a task when it is first used, and is not prepared for two threads there.",
        "celery.finalize(), below the last task, makes all of them before a request comes.",
        "made-at-first-use" if answer.status_code == 500 else None,
    )


def test_two_views_of_one_name(site):
    """Two resources that both have a get() each do their own work."""
    celery(site)

    class Report(flask_restful.Resource):
        @site.decorated
        def get(self):
            return "report"

    class Invoice(flask_restful.Resource):
        @site.decorated
        def get(self):
            return "invoice"

    api = site.named("api")
    api.add_resource(Report, "/report")
    api.add_resource(Invoice, "/invoice")
    answers = [site.outcome("GET", url).get_json() for url in ("/report", "/invoice")]
    expect(
        answers == ["report", "invoice"],
        f"GET /report and GET /invoice were in the end answered {answers}.",
        "Workers know work by its name. Both views go by the name get, and so it is the same work.",
        "view.__qualname__ is CatchAll.get where view.__name__ is get.",
        "one-name-for-two" if len(set(answers)) == 1 else None,
    )


def test_what_is_not_json_stays_behind(site):
    """What hooks put on g goes along if JSON can hold it; the rest stays, and harms nobody."""
    celery(site)
    round_and_round = []
    round_and_round.append(round_and_round)
    looks_special = {"__type__": "nonsense", "__value__": 1}  # to kombu's JSON

    @site.app.before_request
    def sign_in():
        g.user, g.roles = "ada", {"editor": [None, 2.5]}
        g.lock, g.odd, g.loop = threading.Lock(), looks_special, round_and_round

    work = site.work(lambda: [g.get("user"), g.get("roles"), "lock" in g, "loop" in g])
    work.release()
    answer = site.get(work.url)
    site.expect_not_busy(answer, f"GET {work.url}")
    expect(
        answer.status_code == 202,
        "A before_request function put a lock on g, a list that has itself in it, and "
        f"{looks_special}. The request was answered {answer.status}.{site.last_words()}",
        "Hooks put all kinds of things there, database connections above all.",
        "Take along what JSON can hold, and leave the rest.",
        "not-json-is-500" if answer.status_code == 500 else None,
    )
    site.changes.wait_until(lambda: work.calls or site.threads.at_rest())
    delivery = message(site)
    expect(
        work.calls,
        f"A value on g kept the message from being read.{why(site, delivery)}",
        "The client has a 202, and nobody can do the work.",
        "kombu.utils.json is what Celery writes and reads messages with. Try a value on it.",
        "plain-json-is-asked" if delivery.refused else None,
    )
    found = site.result(site.call(work))
    expect(
        found == ["ada", {"editor": [None, 2.5]}, False, False],
        f"In the task, g.user, g.roles, and whether there is a lock and a loop: {found}.",
        "What JSON can hold goes along. The rest belongs to the process that it is in.",
        "Which values does JSON give back as they were?",
    )


def test_a_task_may_end_before_it_is_noted(site):
    """A task that ends at once is finished: the note that it was accepted comes first."""
    celery(site)
    work = site.work(lambda: "quick")

    def end_first():  # if the task was sent before, it ends between a look at the store and a note
        work.release()
        site.quiet()

    site.broker.before_noting = end_first
    location = site.location(site.get(work.url))
    site.done(site.call(work))
    expect(
        site.settled(location).status_code == 200,
        "The task was over when its request noted that it was accepted. Its address answers "
        f"{status(site, location)}, for ever.",
        "The note took the place of the answer.",
        "First the note, then the message.",
        "noted-after-sending",
    )


def test_a_task_is_forgotten_five_minutes_after_its_end(site):
    """A task that ended more than five minutes ago is gone: its address is 404."""
    celery(site)
    location = done(site, site.work())
    site.clock.advance(KEEP + 1)
    expect(
        status(site, location) == 404,
        "A task ended five minutes and a second ago. Its address answered "
        f"{status(site, location)}.",
        "Every answer stays in Redis' memory, for a day if nobody says otherwise.",
        "result_expires is how many seconds Celery keeps a result.",
        "kept-for-a-day",
    )


def test_a_younger_task_is_kept(site):
    """A task that ended less than five minutes ago is kept, however often it is asked for."""
    celery(site)
    location = done(site, site.work())
    for _ in range(2):
        site.clock.advance(KEEP / 2 - 1)
        expect(
            status(site, location) == 200,
            "A task ended less than five minutes ago. Its address answered "
            f"{status(site, location)}.",
            "Networks lose answers, and people reload.",
            "Does asking forget it? What is result_expires?",
            "gone-once-read",
        )


def test_age_counts_from_the_end(site):
    """A task is 202 as long as it runs, and its five minutes count from its end."""
    celery(site)
    work = site.work()
    location = site.location(site.accepted(work))
    site.call(work)
    site.clock.advance(LONG)
    expect(
        status(site, location) == 202,
        f"A task has been running for three hours. Its address answered {status(site, location)}.",
        "Its client is told that there is no such task, while it is being done.",
        "What is written at the beginning has to be kept until the end, however late that is.",
        "note-expires",
    )
    work.release()
    site.done(site.call(work))
    site.poll(location)
    site.clock.advance(KEEP - 1)
    expect(
        status(site, location) == 200,
        "A task ran for three hours and ended less than five minutes ago. Its address answered "
        f"{status(site, location)}.",
        "The longer the work, the less time there is to fetch its answer.",
        "Does the answer take the place of the note, and is it kept for five minutes from then?",
    )


def test_the_broker_keeps_a_message_until_the_task_is_done(site):
    """The broker keeps a message until its task is done, and not until it begins."""
    celery(site)
    work = site.work()
    site.accepted(work)
    site.call(work)
    delivery = message(site)
    expect(
        not delivery.acknowledged,
        "While the task was at work, its message was already acknowledged.",
        "A worker that dies now takes the task with it. The broker has forgotten it.",
        "task_acks_late has a worker acknowledge a message when its task is done.",
        "acknowledged-at-the-start",
    )
    work.release()
    site.done(site.call(work))
    site.quiet()
    expect(
        delivery.acknowledged,
        "The task is done, and its message was not acknowledged.",
        "It will be delivered, and done, again and again.",
        "What does the task raise at its end?" + site.last_words(),
    )


def test_a_task_whose_worker_dies_is_done_by_another(site):
    """If the process that does a task is killed, another one does it."""
    celery(site)
    work = site.work()
    location = site.location(site.accepted(work))
    site.call(work)
    delivery = message(site)
    try:
        raise WorkerLostError("Worker exited prematurely: signal 9 (SIGKILL).")
    except WorkerLostError:  # Celery's worker calls this when a process of its pool is gone
        delivery.request.on_failure(ExceptionInfo())
    expect(
        delivery.returned,
        "The process that did the task was killed, and its message was not given back.",
        "Celery takes it for the task's own fault: it fails, and nobody does the work.",
        "task_reject_on_worker_lost gives it back, for another process to do.",
        "lost-with-its-worker",
    )
    expect(
        status(site, location) == 202,
        f"The message was given back. Meanwhile its address answered {status(site, location)}.",
        "The task is not over. Another worker is going to do it.",
        "What is written to the result store?",
    )


def test_a_worker_that_is_told_to_end_leaves_its_task(site, monkeypatch):
    """A task whose process is told to end is not finished: its message stays, for another."""
    celery(site)

    def told_to_end():  # what billiard does on SIGTERM
        monkeypatch.setattr(billiard.common, "_should_have_exited", [True])
        raise SystemExit(-241)

    work = site.work(told_to_end)
    location = site.location(site.accepted(work))
    work.release()
    site.done(site.call(work))
    site.quiet()
    answered, delivery = status(site, location), message(site)
    expect(
        answered == 202 and not delivery.acknowledged,
        "A worker was told to end, by SIGTERM, in the middle of a task. The task's address then "
        f"answered {answered}.",
        "Celery ends a process by SystemExit. Here it was taken for the view's own, and the task "
        "for finished. Nobody does it.",
        "billiard.common.terminate_handler_fired() says whether the process was told to end. If "
        "so, raise it again.",
        "taken-for-the-views-own" if answered == 500 else None,
    )


def test_a_body_that_is_too_long_is_refused(site):
    """A body longer than app.config["MAX_CONTENT_LENGTH"] is 413, and in a message refused."""
    celery(site)
    most = site.app.config.get("MAX_CONTENT_LENGTH")
    expect(
        isinstance(most, int),
        f'app.config["MAX_CONTENT_LENGTH"] is {most}.',
        "A message is in memory several times on its way: here, in Redis, in the worker.",
        'Flask looks at that key: app.config["MAX_CONTENT_LENGTH"] = …',
        "any-length",
    )
    site.app.config["MAX_CONTENT_LENGTH"] = 1000
    work = site.work()
    work.release()
    answer = site.send("POST", work.url, data=b"x" * 1001)
    expect(
        answer.status_code == 413 and not site.broker.sent,
        f"MAX_CONTENT_LENGTH was 1000. A body of 1001 bytes was answered {answer.status}.",
        "413 Content Too Large tells the client. Nothing is sent to the broker.",
        "request.get_data() looks at it.",
    )
    site.app.config["MAX_CONTENT_LENGTH"] = 2000
    site.expect_202(site.send("POST", work.url, data=b"x" * 1001), f"POST {work.url}")
    site.done(site.call(work))
    site.app.config["MAX_CONTENT_LENGTH"] = 1000
    deliver(site, message(site).payload)
    expect(
        len(work.calls) == 1,
        "A message with a longer body than any request may have was put into the broker, and the "
        "view was called for it.",
        "Whoever can write to the broker can fill your workers' memory.",
        "Compare len(body) with it in the worker, too, before the view is called.",
        "worker-takes-any-length",
    )
    site.app.config["MAX_CONTENT_LENGTH"] = 1001
    deliver(site, message(site).payload)
    expect(
        len(work.calls) == 2,
        "A message with a body of 1001 bytes was refused, though MAX_CONTENT_LENGTH is 1001.",
        "Flask takes a body of that length. Its client has a 202, and nobody does the work.",
        "Refuse what is longer than that, and nothing else.",
    )


@pytest.mark.parametrize("what", ["POST", "poll"])
def test_an_unreachable_broker_is_503(site, what):
    """While the broker cannot be reached, requests and polls are answered 503, at once."""
    celery(site)
    work = site.work()
    location = site.location(site.accepted(work))
    work.release()
    site.done(site.call(work))
    site.poll(location)
    site.broker.down = True
    url = work.url if what == "POST" else location
    answer = site.send("POST" if what == "POST" else "GET", url)
    name = "unreachable-is-500" if answer.status_code == 500 else None
    site.broker.down = False
    expect(
        answer.status_code == 503,
        f"Redis could not be reached. {'A request' if what == 'POST' else 'A poll'} was answered "
        f"{answer.status}.{site.last_words()}",
        "It will be there again soon, and nothing is wrong with the request. 503 says so.",
        "redis.exceptions.RedisError and kombu.exceptions.OperationalError say that it is away.",
        name,
    )
    expect_busy(site, answer, "A request while Redis could not be reached")
    expect(
        status(site, location) == 200,
        f"Redis is back, and a task that was finished before is answered {status(site, location)}.",
        "Nothing was lost.",
        "What was done about the task while the store could not be reached?",
    )


SECRETS = "open sesame", "what the client wrote", "what the view answered"


def test_the_log_has_no_secrets(site, caplog, capsys):
    """No header, body or answer of a request is in the log, nor in what monitors are sent."""
    celery(site)
    caplog.set_level(logging.INFO)
    secret, body, answer = SECRETS
    work = site.work(lambda: {"said": answer})
    site.accepted(work, "POST", headers={"Authorization": secret}, data=body)
    work.release()
    site.done(site.call(work))
    site.quiet()
    headers = json.dumps(message(site).headers)
    text = "".join(capsys.readouterr()) + caplog.text
    found = [each for each in SECRETS if is_in(each, text)]
    returned = [line for line in text.splitlines() if "succeeded in" in line]
    if any(is_in(each, line) for each in found for line in returned):
        raise Broken(
            f"The worker's log has {described_value(found[0])} in it.",
            "Celery logs the beginning of what a task returns. Logs are read by many, and kept for "
            "long.",
            "resultrepr_maxsize is how many characters of it: @celery.task(resultrepr_maxsize=10). "
            "Let the status come first.",
            "answer-in-the-log",
        )
    expect(
        not found,
        f"The worker's log has {described_value(found and found[0])} in it.",
        "Logs are read by many, and kept for long.",
        "What a task prints goes there as well. Does it print or log what it was given?",
    )
    found = [each for each in SECRETS if is_in(each, headers)]
    expect(
        not found,
        f"The message's headers have {described_value(found and found[0])} in them.",
        "Celery puts the arguments there once more, as text, for logs and monitors.",
        'apply_async(…, argsrepr="…") puts what you say there instead; kwargsrepr="…" does so for '
        "kwargs.",
        "arguments-in-the-headers",
    )


def is_in(secret, text):
    """Whether a text stands there, as it is or in base64: three ways, by where it begins."""
    coded = [base64.b64encode(b" " * n + secret.encode())[4:-4].decode() for n in range(3)]
    return any(each in text for each in (secret, *coded))


def test_no_cache_keeps_what_is_true_for_now(site):
    """Every 202, 503 and answer of a task's address says Cache-Control: no-store."""
    celery(site)
    work = site.work()
    accepted = site.accepted(work)
    location = site.location(accepted)
    expect_retry_after(accepted, "The request was accepted")
    answers = {"An accepted request": accepted, "A running task": site.get(location)}
    answers["An unknown task"] = site.get(f"{location.rpartition('/')[0]}/{'0' * 32}")
    work.release()
    site.done(site.call(work))
    answers["A finished task"] = site.settled(location)
    site.broker.down = True
    answers["An unreachable store"] = site.get(location)
    site.broker.down = False
    lacking = [what for what, answer in answers.items() if not answer.cache_control.no_store]
    expect(
        not lacking,
        f"{lacking and lacking[0]} was answered without Cache-Control: no-store.",
        "A cache on the way may keep that, and tell clients what was true a minute ago.",
        "A function under @app.after_request gets every response, and returns it.",
        "no-store-forgotten" if len(lacking) == len(answers) else None,
    )
