"""Step 5: tasks that ended some time ago are forgotten, and no others.

Each check below is one promise of the lesson. What it does step by step is in scenes.py, and what
it says when the promise is broken is in diagnose.py and failures.py.
"""

import pytest

from tests.harness.child import serve_once
from tests.harness.cleaner import come_to_rest, running_cleaners
from tests.harness.process import PROCESS_LIMIT, Process
from tests.step_04_status.test_status import *  # noqa: F403
from tests.step_05_cleanup import diagnose, failures
from tests.step_05_cleanup.scenes import (
    KEEP,
    count_cleaners,
    expect_forgotten,
    expect_kept,
    expect_no_errors,
    expect_sweeps_to_forget,
    expect_sweeps_to_keep,
    expect_the_cleaner_to_end,
    expect_the_cleaner_to_forget,
    finish,
    first_two_requests,
    serve,
    still_holding,
    sweep,
    sweep_during_requests,
)

# Sweeps


@pytest.mark.part("a")
def test_a_task_is_forgotten_five_minutes_after_its_end(site):
    """After a sweep, the status URL of a task that ended more than five minutes ago returns 404."""
    keep = site.app.config.get("KEEP_SECONDS", KEEP)
    if keep != KEEP:
        raise diagnose.not_the_default("KEEP_SECONDS", keep)
    work = site.work()
    old = [finish(site, work), finish(site, work)]
    site.clock.advance(KEEP + 1)
    sweep(site)
    polls = {location: site.get(location) for location in old}
    if any(response.status_code != 404 for response in polls.values()):
        raise diagnose.not_forgotten(site, work, polls)
    if tasks := site.named("tasks"):
        raise diagnose.records_left(tasks)
    for _ in range(2):
        old.append(finish(site, work))
        site.clock.advance(KEEP + 1)
        sweep(site)
    if names := still_holding(site, old):
        raise diagnose.ids_kept(names[0])


@pytest.mark.part("a")
def test_a_younger_task_is_kept(site):
    """A task that ended less than five minutes ago is kept."""
    work = site.work()
    location = finish(site, work)
    site.clock.advance(KEEP - 1)
    sweep(site)
    response = site.get(location)
    if response.status_code != 200:
        raise diagnose.young_task_forgotten(site, work, response)


@pytest.mark.part("a")
def test_a_running_task_is_kept_however_old(site):
    """A task that is still running is kept, however long ago it started."""
    work = site.work()
    location = site.location(site.accepted(work))
    site.call(work)
    site.clock.advance(100 * KEEP)
    sweep(site)
    response = site.get(location)
    if response.status_code != 202:
        raise diagnose.running_task_forgotten(site, response)


@pytest.mark.part("a")
def test_age_counts_from_the_end(site):
    """A task's age counts from its end, not from its start."""
    work = site.work()
    location = site.location(site.accepted(work))
    site.call(work)
    site.clock.advance(KEEP + 60)
    work.release()
    site.poll(location)
    site.quiet()
    quick = finish(site, work)
    sweep(site)
    response = site.get(location)
    if response.status_code != 200:
        raise diagnose.aged_while_running(site, response, quick)


@pytest.mark.part("a")
@pytest.mark.parametrize("hours", [-1, 1], ids=["back", "forward"])
def test_age_counts_on_a_clock_that_cannot_be_set(site, hours):
    """Setting the system clock back or forward makes no task older or younger."""
    work = site.work()
    old = finish(site, work)
    site.clock.advance(KEEP - 60)
    young = finish(site, work)
    site.clock.set_system_clock(hours * 3600)
    site.clock.advance(120)
    sweep(site)
    if (response := site.get(old)).status_code != 404:
        raise diagnose.follows_the_system_clock(site, response, 200, hours, "six")
    if (response := site.get(young)).status_code != 200:
        raise diagnose.follows_the_system_clock(site, response, 404, hours, "two")


@pytest.mark.part("a")
def test_how_long_to_keep_is_configuration(site):
    """A finished task is kept for app.config["KEEP_SECONDS"] seconds."""
    site.app.config["KEEP_SECONDS"] = 20
    work = site.work()
    old = finish(site, work)
    site.clock.advance(15)
    young = finish(site, work)
    site.clock.advance(10)
    sweep(site)
    if (response := site.get(old)).status_code != 404:
        raise diagnose.kept_too_long(site, response, old)
    if (response := site.get(young)).status_code != 200:
        raise diagnose.not_kept_long_enough(site, response)


@pytest.mark.part("a")
def test_nothing_is_lost_during_a_sweep(site):
    """A task that is accepted or ends during a sweep is not lost."""
    quick, slow = site.work(), site.work()
    expect_sweeps_to_forget(site, quick)
    expect_sweeps_to_keep(site, quick)
    old = [finish(site, quick) for _ in range(16)]
    site.clock.advance(KEEP + 1)
    young = [finish(site, quick) for _ in range(8)]
    tasks = site.named("tasks")
    running, ended = sweep_during_requests(site, slow, quick)
    mistake = "rebind-loses-tasks" if site.module.tasks is not tasks else None
    expect_kept(site, running, 202, "were accepted during a sweep and are still running", mistake)
    slow.release()
    for call in [site.call(slow, number + 1) for number in range(6)] + quick.calls:
        site.done(call)
    finished = young + ended + running
    expect_kept(site, finished, 200, "ended shortly before, during or after a sweep", mistake)
    sweep(site)
    expect_forgotten(site, old)


# The cleaner


# If a cleaner started too early, each of the earlier steps' checks would say something else about
# it. So this check runs before them.
@pytest.mark.part("b")
@pytest.mark.first
def test_no_cleaner_at_import_nor_under_testing(site):
    """Importing the module starts no cleaner, and neither does a request while TESTING is set."""
    if site.threads.own():
        raise diagnose.runs_after_import(site)
    work = site.work()
    work.release()
    site.get(work.url)
    come_to_rest(site)
    if running_cleaners(site):
        raise diagnose.runs_under_testing(site)


@pytest.mark.part("b")
def test_the_cleaner_sweeps_by_itself(site):
    """The cleaner sweeps on its own, every app.config["SWEEP_SECONDS"] seconds."""
    work = site.work()
    expect_sweeps_to_forget(site, work)
    seconds = site.app.config.get("SWEEP_SECONDS")
    if seconds != 60:
        raise diagnose.not_the_default("SWEEP_SECONDS", seconds)
    serve(site, sweep_seconds=0.01)
    for _ in range(2):  # a cleaner that sweeps only once may be in time for the first task
        location = finish(site, work)
        expect_the_cleaner_to_forget(site, work, location, "The app did not forget an old task.")


@pytest.mark.part("b")
def test_the_cleaner_stops_at_once(site):
    """stop_cleaner.set() ends the cleaner immediately, even while it is waiting."""
    serve(site, sweep_seconds=3600)
    finish(site, site.work())
    come_to_rest(site)
    stop = site.named("stop_cleaner")
    stop.set()
    expect_the_cleaner_to_end(site, stop)


@pytest.mark.part("b")
def test_the_cleaner_does_not_hold_the_process(site):
    """When the main thread ends, the cleaner does not keep the process alive."""
    process = Process(serve_once, site.path.parent)
    status = process.ends(PROCESS_LIMIT)
    printed = process.kill()
    served = "202 ACCEPTED" in printed
    if served and status is None:
        raise diagnose.process_goes_on(site)
    if not served or status != 0:
        raise diagnose.process_failed(site, status, printed)


# One at a time. Two threads run in lockstep, so that whatever can go wrong between them does.


@pytest.mark.part("c")
@pytest.mark.parametrize("count", [8, 9])
def test_two_sweeps_at_once_forget_only_what_is_old(site, count):
    """Two sweeps at the same time forget exactly what one would, and neither fails."""
    work = site.work()
    expect_sweeps_to_forget(site, work)
    expect_sweeps_to_keep(site, work)
    old = [finish(site, work) for _ in range(count)]
    site.clock.advance(KEEP + 1)
    young = [finish(site, work) for _ in range(3)]
    clean_old_tasks = site.named("clean_old_tasks")
    errors = site.lockstep(clean_old_tasks, clean_old_tasks)
    for error in errors:
        if isinstance(error, (IndexError, KeyError)):
            raise failures.sweeps_collided(site, error)
    expect_no_errors(site, errors, "Two sweeps ran")
    during = "had ended, and less than five minutes later two sweeps ran at the same time"
    expect_kept(site, young, 200, during, "sweeps-without-lock")
    sweep(site)
    expect_forgotten(site, old)


@pytest.mark.part("c")
def test_the_cleaner_starts_once(site):
    """Each process has one cleaner, even if its first two requests arrive at the same time."""
    serve(site, sweep_seconds=3600)
    work = site.work()
    work.release()
    first_two_requests(site, work)
    after_two = count_cleaners(site, work, 2)
    site.expect_202(site.get(work.url), "The third request")
    count = count_cleaners(site, work, 3)
    if count != 1:
        raise diagnose.not_one_cleaner(site, work, after_two, count)


# A sweep that fails


@pytest.mark.part("d")
def test_the_cleaner_survives_an_error(site):
    """If a sweep fails, the cleaner logs the error and carries on with the next sweep."""
    work = site.work()
    expect_sweeps_to_forget(site, work)
    serve(site, sweep_seconds=0.01)
    location = finish(site, work)
    site.clock.fail_once()
    story = "The check made the clock fail once, and the app did not forget an old task."
    expect_the_cleaner_to_forget(site, work, location, story)
    site.changes.wait_until(lambda: not site.clock.failing)
    come_to_rest(site)  # the cleaner may be about to log the error
    if "the clock failed once" not in site.printed():
        raise diagnose.error_not_logged()
