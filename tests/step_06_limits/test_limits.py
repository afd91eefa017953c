"""Step 6: the server accepts no more than it can finish, and finishes what it accepted."""

import signal
import sys

import pytest
from flask import g

from tests.harness.shutdown import stop_server
from tests.step_05_cleanup.test_cleanup import *  # noqa: F403
from tests.step_06_limits import diagnose, scenes
from tests.step_06_limits.scenes import expect_busy, expect_retry_after

# (a) A pool


@pytest.mark.part("a")
def test_a_limited_number_of_tasks_run(site):
    """At most app.config["WORKERS"] tasks run at the same time; the others wait."""
    work = site.work()
    accepted = scenes.crowd(site, work)
    if scenes.running(site, work, accepted) > scenes.workers(site):
        raise diagnose.too_many_run(work.calls, scenes.workers(site))
    scenes.finish(site, work, accepted)
    if len(work.calls) != accepted:
        raise diagnose.done_again(work.calls, accepted)


@pytest.mark.part("a")
def test_a_late_failure_is_logged(site):
    """If a task fails after its view has returned, the error is in the log."""
    site.app.teardown_request(scenes.failing_teardown(site))
    work = site.work()
    site.accepted(work)
    scenes.finish(site, work, 1)
    site.quiet()
    if "the database went away" not in site.printed():
        raise diagnose.failure_not_logged()


# (b) Slots


@pytest.mark.part("b")
def test_a_full_server_refuses_the_next_request(site):
    """When all slots are taken, the next request gets a 503 with Retry-After."""
    work = site.work()
    scenes.fill(site, work)
    response = scenes.refused(site, work)
    expect_busy(site, response, "All slots were taken. The next request")


@pytest.mark.part("b")
def test_a_refused_request_leaves_nothing_behind(site):
    """A refused request starts no work and leaves nothing in memory."""
    work = site.work()
    scenes.fill(site, work)
    tasks = site.named("tasks")
    before = len(tasks)
    for _ in range(3):
        scenes.refused(site, work)
    after = len(tasks)
    scenes.finish(site, work, scenes.slots(site))
    site.quiet()
    if len(work.calls) > scenes.slots(site):
        raise diagnose.refused_but_done(work.calls, scenes.slots(site), 3)
    if after != before:
        raise diagnose.records_left(before, after, 3)


ENDS = {
    "one that returned": lambda: "done",
    "one that raised ZeroDivisionError": lambda: 1 / 0,
    "one that raised SystemExit": lambda: sys.exit(),
    "one whose teardown function failed": lambda: setattr(g, "unfinished", True) or "done",
}


@pytest.mark.part("b")
def test_a_task_that_ends_frees_its_slot(site):
    """When a task ends, for whatever reason, its slot is free again."""
    site.app.teardown_request(scenes.failing_teardown(site, lambda: g.get("unfinished")))
    works, other = [site.work(view) for view in ENDS.values()], site.work()
    for work in works:
        work.release()
        site.expect_202(site.get(work.url), f"GET {work.url}")
        site.done(site.call(work))
    free = 0
    while free < scenes.slots(site) and site.get(other.url).status_code == 202:
        free += 1
    if free != scenes.slots(site):
        raise diagnose.slots_lost(ENDS, free, scenes.slots(site))


@pytest.mark.part("b")
def test_one_request_gets_the_last_slot(site):
    """If two requests compete for the last slot, one gets it, and the other gets a 503."""
    other, work = site.work(), site.work()
    scenes.fill(site, other)
    scenes.one_more(site, other)  # a request that waits for a slot is caught here
    scenes.finish(site, other, scenes.slots(site))
    scenes.fill(site, work, free=1)
    statuses = scenes.send_in_lockstep(site, work)
    if statuses == [202, 202] and scenes.one_more(site, work).status_code != 202:
        raise diagnose.last_slot_taken_twice()
    if statuses != [202, 503]:
        raise diagnose.last_slot(site, statuses)


# (c) A shutdown that finishes, in a process of its own


SIGNALS = pytest.mark.parametrize(
    "signum", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"]
)


@SIGNALS
@pytest.mark.part("c")
def test_a_stopped_server_finishes_what_it_accepted(site, signum):
    """On SIGTERM or Ctrl-C, the server finishes what it accepted, then ends with exit status 0."""
    count = scenes.workers(site) + 2  # some of them wait
    stopped = stop_server(site.path.parent, signum, count)
    if stopped.accepted != count:
        raise diagnose.not_accepted(stopped)
    if stopped.exit_status is None:
        raise diagnose.still_there(stopped)
    if stopped.was_killed:
        raise diagnose.killed(stopped)
    if stopped.late not in (None, 503):
        raise diagnose.late_request(stopped)
    if stopped.done < count:
        raise diagnose.unfinished(stopped, scenes.workers(site))
    if stopped.exit_status != 0:
        raise diagnose.failed_exit(stopped)


@pytest.mark.part("c")
def test_a_server_keeps_its_own_handlers(site):
    """A server that has its own SIGTERM handler, as gunicorn does, keeps it."""

    def own(signum, frame):
        """What a server does when it is told to stop."""

    signal.signal(signal.SIGTERM, own)  # the site puts back what was there
    site.load()
    if signal.getsignal(signal.SIGTERM) is not own:
        raise diagnose.handler_replaced()


# (d) A time limit


@pytest.mark.part("d")
def test_a_task_that_never_ends_is_given_up(site):
    """A task that never ends delays the shutdown by app.config["GRACE_SECONDS"] at most."""
    scenes.configured(site, "GRACE_SECONDS")
    stopped = stop_server(site.path.parent, signal.SIGTERM, 1, GRACE_SECONDS=0.05)
    if stopped.accepted != 1:
        raise diagnose.not_accepted(stopped)
    if stopped.exit_status is None:
        raise diagnose.never_given_up(0.05)


# (e) Headers


@pytest.mark.part("e")
def test_every_202_says_when_to_ask(site):
    """Every 202 has Retry-After: the first one, and those from the status URL."""
    work = site.work()
    accepted = site.accepted(work)
    expect_retry_after(accepted, "The request returned 202")
    running = site.get(site.location(accepted))
    what = f"The status URL of the running task returned {running.status_code}"
    expect_retry_after(running, what)


@pytest.mark.part("e")
def test_no_cache_stores_what_may_change(site):
    """By default, every 202, every 503 and every response from a status URL has
    Cache-Control: no-store.
    """
    work = site.work()
    accepted = scenes.fill(site, work)[0]
    location = site.location(accepted)
    unknown = f"{location.rpartition('/')[0]}/{'0' * 32}"
    responses = {
        "The request": accepted,
        "The status URL of an unfinished task": site.get(location),
        "The status URL of an unknown task": site.get(unknown),
        "A request that came when all slots were taken": scenes.one_more(site, work),
    }
    scenes.finish(site, work, scenes.slots(site))
    responses["The status URL of a finished task"] = site.settled(location)
    if not all(response.cache_control.no_store for response in responses.values()):
        raise diagnose.may_be_stored(responses)


@pytest.mark.part("e")
def test_a_view_may_allow_a_cache(site):
    """If a view sets Cache-Control itself, that value stays."""
    work = site.work(lambda: ("done", 200, {"Cache-Control": "max-age=60"}))
    work.release()
    values = site.outcome("GET", work.url).headers.get_all("Cache-Control")
    if values != ["max-age=60"]:
        raise diagnose.view_overruled(values)
