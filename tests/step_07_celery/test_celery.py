"""Step 7: the same promises, kept by other processes."""

import json
import logging

import pytest
from flask import g, request

from tests.harness.celery_broker import told_to_stop
from tests.harness.celery_messages import Trap, broken, pickled
from tests.harness.celery_site import tasks_made_twice
from tests.harness.leaks import leaked
from tests.step_03_request_context.diagnose import hooks_ran_again

KEPT = 5 * 60  # seconds
LONG = 3 * 60 * 60  # seconds


# (a) A worker


@pytest.mark.part("a")
def test_work_is_sent_to_the_broker(site):
    """Each accepted request sends one message to Celery's broker."""
    work = site.work()
    site.accepted(work)
    site.message()
    if len(site.broker.sent) != 1:
        raise diagnose.sent_again(len(site.broker.sent))


@pytest.mark.part("a")
def test_first_requests_may_come_at_once(site):
    """If the first two requests to a process arrive at the same time, both are accepted."""
    site.expect_celery()
    module = site.another(made=False)

    @module.app.get("/first")
    @module.async_api
    def first():
        return "done"

    with tasks_made_twice() as made:
        response = module.app.test_client().get("/first")
    if response.status_code != 202:
        raise diagnose.made_twice(site, response, made)


@pytest.mark.part("a")
def test_two_views_of_one_name(site):
    """If two resources both have a get() method, a worker calls the right one."""
    site.expect_celery()
    calls, called = [], {}
    scenes.add_two_resources(site, calls)
    for name in "report", "invoice":
        calls.clear()
        site.expect_202(site.get(f"/{name}"), f"GET /{name}")
        site.quiet()
        called[name] = list(calls)
    if called != {"report": ["report"], "invoice": ["invoice"]}:
        raise diagnose.one_view_for_two(site, called)


# (b) The request


@pytest.mark.part("b")
def test_the_worker_has_only_the_message(site):
    """A worker needs nothing but app.py and the message to do the work."""
    site.expect_celery()
    site.broker.worker = site.another()
    found = []

    def read():
        found.append((request.path, request.args.get("q"), request.get_json()))
        return "done"

    for module in site.module, site.broker.worker:
        module.app.add_url_rule("/read", "read", module.async_api(read), methods=["POST"])
    sent = {"query_string": {"q": "1"}, "json": {"name": "Ada"}}
    site.expect_202(site.send("POST", "/read", **sent), "POST /read")
    delivery = site.message()
    site.changes.wait_until(lambda: found or site.threads.at_rest())
    if not found:
        raise diagnose.not_reached_in_worker(site, delivery, "never got the request's JSON")
    site.quiet()
    if found != [("/read", "1", {"name": "Ada"})]:
        raise diagnose.other_request_in_worker(found)


@pytest.mark.part("b")
def test_what_is_not_json_stays_behind(site):
    """The task gets the values on g that JSON can hold; the others cause no error."""
    site.expect_celery()
    runs = []
    site.app.before_request(lambda: runs.append(scenes.sign_in()))
    work = site.work(lambda: [g.get("user"), g.get("roles"), "lock" in g, "loop" in g])
    work.release()
    response = site.get(work.url)
    site.expect_not_busy(response, f"GET {work.url}")
    if response.status_code != 202:
        raise diagnose.not_sent_with_g(site, response, scenes.SPECIAL)
    site.changes.wait_until(lambda: work.calls or site.threads.at_rest())
    delivery = site.message()
    if not work.calls:
        raise diagnose.not_read_with_g(site, delivery, scenes.SPECIAL)
    found = site.result(site.call(work))
    if len(runs) != 1:
        raise hooks_ran_again(len(runs))
    if found != ["ada", {"editor": [None, 2.5]}, False, False]:
        raise diagnose.other_values_on_g(*found)


# (c) A note


@pytest.mark.part("c")
def test_what_waits_is_202(site):
    """While a task waits for a worker, its status URL returns 202."""
    site.expect_celery()
    work = site.work()
    location = scenes.wait_for_a_worker(site, work)
    site.broker.deliver(site.message())
    site.call(work)
    if (response := site.get(location)).status_code != 202:
        raise diagnose.unfinished_without_202(
            response, "A worker has begun a task that had been waiting."
        )


# (d) The response


@pytest.mark.part("d")
def test_all_that_travels_is_json(site):
    """Messages and results are JSON; a worker refuses a pickle and runs no code from it."""
    site.expect_celery()
    site.finish(site.work())
    payload = site.message().payload
    if payload["content-type"] != "application/json":
        raise diagnose.sent_as(payload["content-type"])
    for value in site.broker.results():
        if not scenes.is_json(value):
            raise diagnose.stored(value)
    site.put(pickled(payload))
    if Trap.sprung or not site.broker.sent[-1].refused:
        raise diagnose.pickle_accepted(Trap.sprung)


# This comes before the next check: an app that returns a 202 for every unknown task fails both, and
# this one says why.
from tests.step_04_status.test_status import test_an_unknown_task_is_404  # noqa: E402, F401


@pytest.mark.part("d")
def test_what_celery_gives_up_is_500(site):
    """For a message with missing or null arguments, or with an unknown Celery task, a worker calls
    no view; polls get 404 or 500.

    The check puts messages into the broker that no request could have sent.
    """
    site.expect_celery()
    work = site.work()
    location = site.finish(work)
    for message in broken(site.message().payload):
        site.put(message)
        response = site.get(f"{location.rpartition('/')[0]}/{message['headers']['id']}")
        if len(work.calls) != 1 or site.clock.sleeps:
            raise diagnose.called_for_a_broken_message()
        if response.status_code not in (404, 500):
            raise diagnose.failed_before_the_view(site, response)


# The earlier steps' checks come here, because their promises hold again from part (d) on, and the
# checks above say better what Celery needs to keep them. The * brings step 4's diagnose and scenes,
# so step 7's are imported last.
from tests.step_04_status.test_status import *  # noqa: E402, F403
from tests.step_06_limits.test_limits import (  # noqa: E402
    expect_retry_after,
    test_a_view_may_allow_a_cache,  # noqa: F401
    test_every_202_says_when_to_ask,  # noqa: F401
)
from tests.step_07_celery import diagnose, failures, scenes  # noqa: E402


@pytest.mark.part("d")
def test_the_response_comes_from_the_worker(site):
    """The client gets the response of the worker that did the work, whichever that was."""
    site.expect_celery()
    site.broker.worker = site.another()
    exchange = site.start("POST", "/hello", query_string={"q": "1"}, json={"name": "Ada"})
    location = site.location(site.expect_202(exchange.wait(), "POST /hello"))
    delivery = site.message()
    site.changes.wait_until(lambda: site.clock.sleeps or site.threads.at_rest())
    if not site.clock.sleeps:
        raise diagnose.not_reached_in_worker(site, delivery, "never reached time.sleep()")
    site.clock.advance(site.clock.sleeps[0].seconds)
    site.quiet()
    response = site.settled(location)
    expected = {"path": "hello", "received": {"name": "Ada"}}
    if response.status_code != 200 or response.json != expected:
        raise diagnose.other_result_from_worker(site, response)


@pytest.mark.part("d")
def test_any_web_process_can_say(site):
    """Any web process, even one that started later, can say how a task went."""
    site.expect_celery()
    work = site.work()
    location = site.location(site.accepted(work))
    later = site.another().app.test_client()
    running = later.get(location), site.get(location)
    scenes.end(site, work)
    site.poll(location)
    done = later.get(location), site.get(location)
    if (running[0].status_code, done[0].status_code) != (202, 200):
        raise diagnose.unknown_elsewhere(running, done)


@pytest.mark.part("d")
def test_a_task_may_end_before_it_is_noted(site):
    """A task is noted before it is sent, so the note never overwrites a quick task's response."""
    site.expect_celery()
    work = site.work()
    calls = []  # how many there were at each note

    def end_first():  # if the task was sent before, it ends now, and then the note is written
        work.release()
        site.quiet()
        calls.append(len(work.calls))

    site.broker.before_noting = end_first
    location = site.location(site.get(work.url))
    scenes.end(site, work)
    if not calls:
        raise diagnose.never_noted()
    if (response := site.settled(location)).status_code != 200:
        raise diagnose.ended_unfinished(response, sent_first=any(calls))


# (e) Two lifetimes


@pytest.mark.part("e")
def test_what_waits_for_hours_is_202(site):
    """A task that waits for hours is not forgotten: its status URL returns 202."""
    site.expect_celery()
    work = site.work()
    location = scenes.wait_for_a_worker(site, work)
    site.clock.advance(LONG)
    if (response := site.get(location)).status_code != 202:
        story = "A task was accepted three hours ago, and no worker has begun it yet."
        raise diagnose.forgotten_unfinished(response, story)


@pytest.mark.part("e")
def test_a_task_is_forgotten_five_minutes_after_its_end(site):
    """A task that ended more than five minutes ago is forgotten: its status URL returns 404."""
    site.expect_celery()
    location = site.finish(site.work())
    site.clock.advance(KEPT + 1)
    if (response := site.get(location)).status_code != 404:
        raise diagnose.not_forgotten(response)


@pytest.mark.part("e")
def test_a_younger_task_is_kept(site):
    """A task that ended less than five minutes ago is kept, however often it is polled."""
    site.expect_celery()
    location = site.finish(site.work())
    for seconds in 0, KEPT / 2 - 1, KEPT / 2 - 1:
        site.clock.advance(seconds)
        if (response := site.get(location)).status_code != 200:
            raise diagnose.forgotten_early(response, seconds)


@pytest.mark.part("e")
def test_age_counts_from_the_end(site):
    """While a task runs, its status URL returns 202; its five minutes begin when the task ends."""
    site.expect_celery()
    work = site.work()
    location = site.location(site.accepted(work))
    site.call(work)
    if (response := site.get(location)).status_code != 202:
        raise diagnose.unfinished_without_202(response, "A task is running.", noted=False)
    site.clock.advance(LONG)
    if (response := site.get(location)).status_code != 202:
        story = "A task has been running for three hours."
        raise diagnose.forgotten_unfinished(response, story)
    scenes.end(site, work)
    site.poll(location)
    site.clock.advance(KEPT - 1)
    if (response := site.get(location)).status_code != 200:
        raise diagnose.aged_while_running(response)


# (f) Killed workers


@pytest.mark.part("f")
def test_a_busy_worker_leaves_the_rest(site):
    """A worker takes only the messages that it works on, and leaves the rest to other workers."""
    settings = site.expect_celery().conf
    each = settings.worker_prefetch_multiplier
    if each != 1 and not settings.get("worker_disable_prefetch"):
        raise failures.takes_more_than_it_does(each)


@pytest.mark.part("f")
def test_the_broker_keeps_a_message_until_the_task_is_done(site):
    """The broker keeps a message until its task is done, not only until the task begins."""
    site.expect_celery()
    work = site.work()
    site.accepted(work)
    delivery = scenes.begun(site, work)
    scenes.end(site, work)
    site.quiet()
    if not delivery.acknowledged:
        raise failures.never_acknowledged(site)


@pytest.mark.part("f")
def test_a_task_whose_worker_dies_is_done_by_another(site):
    """If the process that does a task is killed, another one does the task."""
    site.expect_celery()
    work = site.work()
    location = site.location(site.accepted(work))
    delivery = scenes.begun(site, work)
    delivery.lose_process()
    if not delivery.returned:
        raise failures.lost_with_its_process()
    if (response := site.get(location)).status_code != 202:
        raise failures.over_though_returned(response)


@pytest.mark.part("f")
def test_a_worker_that_is_told_to_end_leaves_its_task(site, monkeypatch):
    """If a worker is told to stop during a task, the message stays for another worker."""
    site.expect_celery()
    work = site.work(lambda: told_to_stop(monkeypatch))
    location = site.location(site.accepted(work))
    delivery = scenes.begun(site, work)
    scenes.end(site, work)
    site.quiet()
    response = site.get(location)
    if response.status_code != 202 or delivery.acknowledged:
        raise failures.stopped_worker_finished(response, delivery.acknowledged)


# (g) When Redis is down


@pytest.mark.parametrize("what", ["request", "poll"])
@pytest.mark.part("g")
def test_an_unreachable_broker_is_503(site, what):
    """While Redis is unreachable, requests and polls get a 503."""
    site.expect_celery()
    work = site.work()
    location = site.finish(work)
    site.broker.down = True
    response = site.send("POST", work.url) if what == "request" else site.get(location)
    site.broker.down = False
    if response.status_code != 503:
        raise failures.unreachable_not_told(site, what, response)
    expect_retry_after(response, f"While Redis was unreachable, a {what} returned 503")
    if (response := site.get(location)).status_code != 200:
        raise failures.forgotten_while_unreachable(what, response)


@pytest.mark.part("g")
def test_no_cache_keeps_what_is_true_for_now(site):
    """By default, every 202, every 503 and every response from a status URL has
    Cache-Control: no-store.
    """
    site.expect_celery()
    work = site.work()
    accepted = site.accepted(work)
    location = site.location(accepted)
    expect_retry_after(accepted, "The request was accepted")
    responses = {"an accepted request": accepted, "a poll of a running task": site.get(location)}
    unknown = f"{location.rpartition('/')[0]}/{'0' * 32}"
    responses["a poll of an unknown task"] = site.get(unknown)
    scenes.end(site, work)
    responses["a poll of a finished task"] = site.settled(location)
    site.broker.down = True
    responses["a poll while Redis was unreachable"] = site.get(location)
    site.broker.down = False
    lacking = [what for what, each in responses.items() if not each.cache_control.no_store]
    if lacking:
        raise failures.may_be_cached(responses, lacking)


# (h) Long bodies and secrets


@pytest.mark.part("h")
def test_a_body_that_is_too_long_is_refused(site):
    """A body longer than app.config["MAX_CONTENT_LENGTH"] gets a 413; a worker refuses it, too."""
    site.expect_celery()
    config, work = site.app.config, site.work()
    if not isinstance(most := config.get("MAX_CONTENT_LENGTH"), int):
        raise failures.no_maximum(most)
    work.release()
    config["MAX_CONTENT_LENGTH"] = 1000
    response = site.send("POST", work.url, data=b"x" * 1001)
    if response.status_code != 413 or site.broker.sent:
        raise failures.too_long_not_refused(response, len(site.broker.sent))
    config["MAX_CONTENT_LENGTH"] = 2000
    site.expect_202(site.send("POST", work.url, data=b"x" * 1001), f"POST {work.url}")
    site.done(site.call(work))
    config["MAX_CONTENT_LENGTH"] = 1000
    site.put(site.message().payload)
    if len(work.calls) != 1:
        raise failures.too_long_in_worker()
    config["MAX_CONTENT_LENGTH"] = 1001
    site.put(site.message().payload)
    if len(work.calls) != 2:
        raise failures.longest_refused_in_worker(site)


SECRETS = "open sesame", "what the client wrote", "what the view returned"


@pytest.mark.part("h")
def test_the_log_has_no_secrets(site, caplog, capsys):
    """Neither the log nor the text for monitors contains a header, a body or a response."""
    site.expect_celery()
    caplog.set_level(logging.INFO)
    header, body, result = SECRETS
    work = site.work(lambda: {"said": result})
    site.accepted(work, "POST", headers={"Authorization": header}, data=body)
    scenes.end(site, work)
    site.quiet()
    for_monitors = json.dumps(site.message().payload["headers"])
    log = "".join(capsys.readouterr()) + caplog.text
    if secrets := leaked(SECRETS, log):
        raise failures.secret_in_the_log(log, secrets)
    if secrets := leaked(SECRETS, for_monitors):
        raise failures.secret_for_monitors(secrets[0])
