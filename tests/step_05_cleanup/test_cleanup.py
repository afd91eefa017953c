"""Step 5: what is finished is forgotten in time, and nothing else is."""

import subprocess
import sys
import threading
import time

import pytest

from tests.expect import LIMIT, Broken, expect
from tests.learner import described
from tests.step_04_status.test_status import *  # noqa: F403

KEEP = 5 * 60  # seconds


def finish(site, work):
    """Have the work done from beginning to end; return the task's address."""
    work.release()
    location = site.location(site.send("GET", work.url))
    site.poll(location)
    for call in work.calls:
        site.left(call)
    return location


def sweep(site):
    """Call clean_old_tasks(), in a thread so that one that never returns can be told."""
    clean_old_tasks = site.named("clean_old_tasks")
    errors = []

    def call():
        try:
            clean_old_tasks()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(LIMIT)
    expect(
        not thread.is_alive(),
        f"clean_old_tasks() has not returned{site.stands(thread)}.",
        "One call is one sweep: a test, or a person, can ask for it at any time.",
        "The loop that goes on for ever belongs into the cleaner's function, not into this one.",
    )
    for error in errors:
        raise Broken(
            f"clean_old_tasks() raised {described(error)}{site.place(error)}.",
            "Old tasks stay, and memory fills up.",
            "What does it expect to find in a record that is not there?",
        )


def expect_status(site, location, status, saw, means, look):
    answer = site.send("GET", location)
    expect(
        answer.status_code == status, f"{saw} Its address answered {answer.status}.", means, look
    )


def test_a_task_is_forgotten_five_minutes_after_its_end(site):
    """A task that ended more than five minutes ago is gone after a sweep: its address is 404."""
    location = finish(site, site.work())
    site.clock.advance(KEEP + 1)
    sweep(site)
    expect_status(
        site,
        location,
        404,
        "A task ended five minutes and a second ago, and there was a sweep.",
        "Every answer that was ever given stays in memory.",
        "How old is the record? Is it older than KEEP_SECONDS? Is it taken out of tasks?",
    )
    expect(
        not site.named("tasks"),
        f"The task is forgotten, and tasks still holds {len(site.module.tasks)} records.",
        "What nobody can ask for any more still takes up memory.",
        "Is tasks the dict that the sweep takes the records from?",
    )


def test_a_younger_task_is_kept(site):
    """A task that ended less than five minutes ago is kept."""
    location = finish(site, site.work())
    site.clock.advance(KEEP - 1)
    sweep(site)
    expect_status(
        site,
        location,
        200,
        "A task ended four minutes and 59 seconds ago, and there was a sweep.",
        "The client has five minutes to fetch the answer, and it is gone before.",
        "Compare the age in seconds with KEEP_SECONDS. Which way round?",
    )


def test_a_running_task_is_kept_however_old(site):
    """A task that still runs is kept, however long ago it began."""
    work = site.work()
    location = site.location(site.accepted(work))
    site.call(work)
    site.clock.advance(100 * KEEP)
    sweep(site)
    expect_status(
        site,
        location,
        202,
        "A task has been running for hours, and there was a sweep.",
        "Its client is told that there is no such task, while it is being done.",
        "Only what has ended can be old.",
    )


def test_age_counts_from_the_end(site):
    """A task's age counts from its end, not from its beginning."""
    work = site.work()
    location = site.location(site.accepted(work))
    site.call(work)
    site.clock.advance(KEEP + 60)
    work.release()
    site.poll(location)
    site.quiet()
    sweep(site)
    expect_status(
        site,
        location,
        200,
        "A task ran for six minutes, ended this moment, and there was a sweep.",
        "The longer the work, the less time there is to fetch its answer.",
        "Note the time when the task ends, not when it is accepted.",
    )


@pytest.mark.parametrize("hours", [-1, 1], ids=["back", "forward"])
def test_age_counts_on_a_clock_that_cannot_be_set(site, hours):
    """Setting the clock on the wall, back or forward, makes no task older or younger."""
    work = site.work()
    old = finish(site, work)
    site.clock.advance(KEEP - 60)
    young = finish(site, work)
    site.clock.set_wall(hours * 3600)
    site.clock.advance(120)
    sweep(site)
    story = f"then somebody set the clock {'back' if hours < 0 else 'forward'} by an hour"
    look = "time.time() and datetime follow the clock on the wall. time.monotonic() only goes on."
    expect_status(
        site,
        old,
        404,
        f"A task ended six minutes ago, {story}, and there was a sweep.",
        "Computers set their clocks by themselves. For an hour, nothing is forgotten.",
        look,
    )
    expect_status(
        site,
        young,
        200,
        f"A task ended two minutes ago, {story}, and there was a sweep.",
        "Computers set their clocks by themselves. All answers are gone at that moment.",
        look,
    )


def test_how_long_to_keep_is_configuration(site):
    """A finished task is kept for app.config["KEEP_SECONDS"] seconds."""
    site.app.config["KEEP_SECONDS"] = 20
    work = site.work()
    old = finish(site, work)
    site.clock.advance(15)
    young = finish(site, work)
    site.clock.advance(10)
    sweep(site)
    story = "With KEEP_SECONDS at 20, a task ended {} seconds ago, and there was a sweep."
    means = "Who runs the app knows how long its clients need."
    look = 'Read app.config["KEEP_SECONDS"] inside clean_old_tasks().'
    expect_status(site, old, 404, story.format(25), means, look)
    expect_status(site, young, 200, story.format(10), means, look)


# Races. The threads go in lockstep, so that what can go wrong between two of them does.


@pytest.mark.parametrize("count", [8, 9])
def test_two_sweeps_at_once_forget_only_what_is_old(site, count):
    """Two sweeps at the same time forget what one would, and neither fails."""
    work = site.work()
    old = [finish(site, work) for _ in range(count)]
    site.clock.advance(KEEP + 1)
    young = [finish(site, work) for _ in range(3)]
    clean_old_tasks = site.named("clean_old_tasks")
    expect_no_errors(site, site.lockstep(clean_old_tasks, clean_old_tasks), "Two sweeps went on")
    expect_all(site, young, 200, "ended just now")
    sweep(site)
    expect_all(site, old, 404, "ended long ago")


def test_nothing_is_lost_during_a_sweep(site):
    """A task that is accepted, or that ends, while a sweep goes on is not lost."""
    quick, slow = site.work(), site.work()
    old = [finish(site, quick) for _ in range(16)]
    site.clock.advance(KEEP + 1)
    young = [finish(site, quick) for _ in range(8)]

    def ask():
        client = site.app.test_client()
        for work in quick, slow, quick, slow:
            young.append(client.get(work.url).headers["Location"])

    errors = site.lockstep(site.named("clean_old_tasks"), ask)
    expect_no_errors(site, errors, "A sweep and four requests went on")
    slow.release()
    for call in quick.calls + [site.call(slow, 1), site.call(slow, 2)]:
        site.left(call)
    expect_all(site, young, 200, "ended just now")
    sweep(site)
    expect_all(site, old, 404, "ended long ago")


def expect_no_errors(site, errors, what):
    for error in filter(None, errors):
        raise Broken(
            f"{what} at the same time: {described(error)}{site.place(error)}.",
            "One thread changes what the other one is looking at.",
            "Do not loop over a dict that others change. A lock lets one thread at a time go on.",
        )


def expect_all(site, locations, status, what):
    answers = [site.send("GET", location).status_code for location in locations]
    wrong = [answer for answer in answers if answer != status]
    expect(
        not wrong,
        f"Of {len(answers)} tasks that {what}, {len(wrong)} answered {wrong[:1]} after the sweep.",
        "What one thread did, another one undid without having seen it.",
        "Change the one dict in place. Let nobody come between looking and taking out.",
    )


# The cleaner


def serve(site, sweep_seconds):
    """Have the app serve as in real life, not under TESTING, where it has a cleaner."""
    site.named("clean_old_tasks")
    site.app.testing = False
    site.app.config["SWEEP_SECONDS"] = sweep_seconds


def test_no_cleaner_at_import_nor_under_testing(site):
    """Importing the module starts no cleaner, and neither does a request under TESTING."""
    means = (
        "A test that imports the app gets a thread it did not ask for; a server that forks after"
    )
    means += " importing it loses the thread."
    look = "Start the cleaner with the first request, unless app.testing is set."
    expect(not site.threads(), "After importing the module, a thread goes on.", means, look)
    finish(site, site.work())
    expect(not site.quiet(), "After a request under TESTING, a thread goes on.", means, look)


def test_the_cleaner_starts_once(site):
    """One process has one cleaner, also if its first two requests come at the same time."""
    serve(site, sweep_seconds=3600)
    work = site.work()
    work.release()
    answers = []

    def ask():
        answers.append(site.app.test_client().get(work.url))

    expect_no_errors(site, site.lockstep(ask, ask), "The first two requests went on")
    answers.append(site.send("GET", work.url))
    for answer in answers:
        site.expect_202(answer, "One of two first requests at the same time")
    for number in 1, 2, 3:
        site.left(site.call(work, number))
    cleaners = [thread for thread in site.threads() if thread not in {c.thread for c in work.calls}]
    expect(
        len(cleaners) == 1,
        f"After two requests at once and one more, {len(cleaners)} cleaners are at work.",
        "Without one, memory fills up. With one for each request, threads do.",
        "Looking whether it runs and starting it have to be one action. A lock makes them one.",
    )


def test_the_cleaner_sweeps_by_itself(site):
    """The cleaner sweeps every app.config["SWEEP_SECONDS"] seconds without being asked."""
    serve(site, sweep_seconds=0.01)
    location = finish(site, site.work())
    site.clock.advance(KEEP + 1)
    expect_forgotten(site, location, "A task ended more than five minutes ago")


def test_the_cleaner_survives_an_error(site):
    """A sweep that fails is logged, and the next one takes place all the same."""
    serve(site, sweep_seconds=0.01)
    location = finish(site, site.work())
    site.clock.fail_once()
    site.clock.advance(KEEP + 1)
    expect_forgotten(site, location, "A sweep failed, once")
    expect(
        "the clock failed once" in site.printed(),
        "A sweep failed, and nothing was logged about it.",
        "Whoever runs the app does not learn that something is wrong.",
        "app.logger.exception(...) where the error is caught.",
    )


def expect_forgotten(site, location, story):
    """Ask until the cleaner has swept."""
    give_up = time.monotonic() + LIMIT
    while site.send("GET", location).status_code != 404:
        site.clock.advance(0.01)
        expect(
            time.monotonic() < give_up,
            f"{story}. SWEEP_SECONDS is 0.01, and the task is still not forgotten.",
            "Nobody calls clean_old_tasks() any more, and memory fills up.",
            'Does the cleaner rest for app.config["SWEEP_SECONDS"]? What ends its loop?'
            + site.last_words(),
        )


def test_the_cleaner_stops_at_once(site):
    """stop_cleaner.set() ends the cleaner at once, in the middle of its rest."""
    serve(site, sweep_seconds=3600)
    finish(site, site.work())
    site.named("stop_cleaner").set()
    expect(
        not site.quiet(),
        "stop_cleaner is set, and the cleaner goes on resting.",
        "A test or a shutdown would have to wait for it, up to a minute each time.",
        "An Event's wait(seconds) ends as soon as it is set. time.sleep(seconds) does not.",
    )


SERVE_ONCE = """
import sys
sys.path.insert(0, sys.argv[1])
from app import app
app.config["WORK_SECONDS"] = 0
print(app.test_client().get("/hello").status)
"""


def test_the_cleaner_does_not_hold_the_process(site):
    """A process whose main thread ends is not held open by the cleaner."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE_ONCE, site.path.parent],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        printed = process.communicate(timeout=LIMIT)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Broken(
            f"{LIMIT:.0f} seconds after its main thread had ended, the process was still there.",
            "Ctrl-C does not stop the server; whoever restarts it has to kill it.",
            "A process ends when only daemon threads are left: Thread(..., daemon=True).",
        ) from None
    expect(
        "202 ACCEPTED" in printed and process.returncode == 0,
        f"A process that served one request printed: {printed.strip()[-300:]}",
        "It should have answered 202, and ended.",
        "Try it: python3 -m workshop run 5",
    )
