"""Step 5: what is finished is forgotten in time, and nothing else is."""

import re
import threading
import time
from collections import deque

import pytest

from tests.harness.child import serve_once
from tests.harness.expect import LIMIT, Broken, expect
from tests.harness.load import described, described_value
from tests.harness.process import PROCESS_LIMIT, Process


def test_no_cleaner_at_import_nor_under_testing(site):
    """Importing the module starts no cleaner, and neither does a request under TESTING."""
    means = (
        "A test that imports the app gets a thread it did not ask for; a server that forks after "
        "importing it loses the thread."
    )
    look = "Start the cleaner with the first request, unless app.testing is set."
    expect(
        not site.threads.own(),
        "After importing the module, a thread goes on.",
        means,
        look,
        "cleaner-at-import" if is_there_a_cleaner(site) else None,
    )
    work = site.work()
    work.release()
    site.get(work.url)
    named = is_there_a_cleaner(site)
    expect(
        not any(thread.is_alive() for thread in cleaners(site)),
        "After a request under TESTING, a thread goes on.",
        means,
        look,
        "cleaner-under-testing" if named else None,
    )


# After that one, those of the steps before: a cleaner that rests between their requests would have
# each of them say something else.
from tests.step_04_status.test_status import *  # noqa: E402, F403

KEEP = 5 * 60  # seconds


def finish(site, work):
    """Have the work done from beginning to end; return the task's address."""
    work.release()
    location = site.location(site.get(work.url))
    site.poll(location)
    for call in work.calls:
        site.done(call)
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
    give_up = time.monotonic() + LIMIT
    while thread.is_alive() and not site.threads.resting(thread) and time.monotonic() < give_up:
        thread.join(0.01)
    expect(
        not thread.is_alive(),
        f"clean_old_tasks() has not returned{site.at(thread)}.",
        "One call is one sweep: a test, or a person, can ask for it at any time.",
        "The loop that goes on for ever belongs into the cleaner's function, not into this one.",
        "sweep-never-returns" if site.threads.resting(thread) else None,
    )
    for error in errors:
        raise failed_sweep(site, error)


def failed_sweep(site, error):
    """The Broken for an error that a sweep raised while no other one was under way."""
    saw = f"clean_old_tasks() raised {described(error)}{site.place(error)}."
    local = re.search(r"local variable '(\w+)'", str(error))
    forgotten = {id_of(location) for location in site.locations} - set(site.module.tasks)
    if isinstance(error, UnboundLocalError) and local and local[1] in vars(site.module):
        return Broken(
            saw,
            f"A function that says {local[1]} = … has a {local[1]} of its own, and that one has "
            "no value yet.",
            f"Do not give {local[1]} a new value: change the one that is there, with del or pop().",
            "global-forgotten",
        )
    if isinstance(error, RuntimeError) and "during iteration" in str(error):
        return Broken(
            saw,
            "The sweep deletes from what it is looping over, and Python ends the loop.",
            "Loop over a copy, list(tasks), or take the oldest ends from a queue.",
            "deletes-while-looping",
        )
    if isinstance(error, KeyError) and error.args[0] in forgotten:
        return Broken(
            f"clean_old_tasks() raised KeyError: the id of a task that is forgotten already"
            f"{site.place(error)}.",
            "The sweep came to the same task again, and its record was not there any more.",
            "When a task is taken out of tasks, its end has to be taken out of the queue as well.",
            "end-left-in-queue",
        )
    if isinstance(error, (KeyError, TypeError)) and not all(c.ended for c in site.calls()):
        return Broken(
            f"While a task was running, {saw}",
            "A running task has no end yet. As long as there is one, nothing is forgotten.",
            "Only what has ended can be old. Pass over running tasks before you compare.",
            "running-task-compared",
        )
    if isinstance(error, KeyError) and error.args[0] in map(id_of, site.locations):
        return Broken(
            f"clean_old_tasks() raised KeyError: the id of a finished task{site.place(error)}.",
            "It is in tasks, and not where the sweep looks it up. So it is never forgotten.",
            "Where is the end of a task noted? On every way out of it, and under the same id?",
        )
    return Broken(
        saw,
        "Old tasks stay, and memory fills up.",
        "What does it expect to find that is not there?",
    )


def id_of(location):
    return location.rpartition("/")[2]


def holds(value, text, depth=4):
    """Whether a container holds a text, in itself or in the containers in it."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    elif not isinstance(value, (list, tuple, set, deque)):
        return value == text if isinstance(value, str) else False
    return depth > 0 and any(holds(part, text, depth - 1) for part in list(value))


def found(site, location):
    """Whether an address still has an answer."""
    return site.get(location).status_code == 200


def found_by_one_clock(site, work, seconds):
    """What found() says of a task that ended so long ago, once all clocks show the same."""
    site.clock.agree()
    location = finish(site, work)
    site.clock.advance(seconds)
    sweep(site)
    return found(site, location)


def two_clocks(saw):
    return Broken(
        f"{saw} It is right as soon as time.time() and time.monotonic() show the same.",
        "The end is noted by one clock, and its age is taken by another. Each counts from a time "
        "of its own.",
        "Read time.monotonic() in both places.",
        "two-clocks",
    )


def expect_status(site, location, status, saw, means, look, name=None):
    """name: that of the mistake if the answer is the wrong one of 200, or 202, and 404."""
    answer = site.get(location)
    expect(
        answer.status_code == status,
        f"{saw} Its address answered {answer.status}.",
        means,
        look,
        name if answer.status_code in (200, 202, 404) else None,
    )


def test_a_task_is_forgotten_five_minutes_after_its_end(site):
    """A task that ended more than five minutes ago is gone after a sweep: its address is 404."""
    configured = site.app.config.get("KEEP_SECONDS", KEEP)
    expect(
        configured == KEEP,
        f'app.config["KEEP_SECONDS"] is {described_value(configured)}.',
        "Who runs the app may set it to anything. Until then, an answer is kept for five minutes.",
        "It is 300 in the lesson. Did you change it to try something?",
    )
    work = site.work()
    old = [finish(site, work), finish(site, work)]
    site.clock.advance(KEEP + 1)
    sweep(site)
    if any(found(site, location) for location in old):
        raise not_forgotten(site, work, old)
    for location in old:
        expect_status(
            site, location, 404, "A task ended five minutes and a second ago.", *NOT_FORGOTTEN
        )
    tasks = site.named("tasks")
    expect(
        not tasks,
        f"Two tasks are forgotten, and tasks still holds {len(tasks)} records. The first one is "
        f"{described_value(next(iter(tasks.values()), None))}.",
        "What nobody can ask for any more still takes up memory.",
        "A key that is set to None is still there. del tasks[task_id] takes it out."
        if not any(tasks.values())
        else "Is tasks the dict that the sweep takes the records from?",
        "record-emptied-not-removed" if not any(tasks.values()) else None,
    )
    for _ in range(2):
        old.append(finish(site, work))
        site.clock.advance(KEEP + 1)
        sweep(site)
    names = [
        name
        for name, value in vars(site.module).items()
        if all(holds(value, id_of(location)) for location in old)
    ]
    expect(
        not names,
        f"Four tasks are forgotten, after three sweeps. {names and names[0]} still holds all "
        "their ids.",
        "It grows with every task and never shrinks, so memory still fills up.",
        "What a sweep has dealt with has to leave it too: popleft() takes it out of a queue, and "
        "del out of a dict.",
        "ends-kept-for-ever",
    )


NOT_FORGOTTEN = (
    "Every answer that was ever given stays in memory.",
    "How old is the record? Is it older than KEEP_SECONDS? Is it taken out of tasks?",
)


def not_forgotten(site, work, old):
    """The Broken for tasks that a sweep should have forgotten: what does it forget instead?"""
    left = [location for location in old if found(site, location)]
    saw = "A task ended five minutes and a second ago, and after a sweep it is still there."
    sweep(site)
    if len(left) < len(old) and not found(site, left[0]):
        return Broken(
            "Two tasks ended more than five minutes ago. One sweep forgot one of them, and the "
            "next one the other.",
            "When tasks come faster than sweeps, memory fills up all the same.",
            "if looks once; while goes on as long as there is one that is old enough. And a loop "
            "over a list from which you take skips what comes next.",
            "one-for-each-sweep",
        )
    site.clock.advance(-KEEP)
    sweep(site)
    if not any(found(site, location) for location in old):
        return Broken(
            f"{saw} When the same task had ended a second ago, a sweep forgot it.",
            "The sweep forgets what is young, and keeps what is old.",
            "Which way round do you compare? The longer ago something ended, the smaller is the "
            "time that was noted.",
            "compared-the-wrong-way",
        )
    if not found_by_one_clock(site, work, KEEP + 1):
        return two_clocks(saw)
    return Broken(saw, *NOT_FORGOTTEN)


def test_a_younger_task_is_kept(site):
    """A task that ended less than five minutes ago is kept."""
    work = site.work()
    location = finish(site, work)
    site.clock.advance(KEEP - 1)
    sweep(site)
    saw = "A task ended four minutes and 59 seconds ago, and there was a sweep."
    if not found(site, location) and found_by_one_clock(site, work, KEEP - 1):
        raise two_clocks(f"{saw} It is gone.")
    expect_status(
        site,
        location,
        200,
        saw,
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
        "Only what has ended can be old. Note the time when a task ends, not when it begins.",
        "running-task-swept",
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
    quick = finish(site, work)
    sweep(site)
    expect_status(
        site,
        location,
        200,
        "A task ran for six minutes, ended this moment, and there was a sweep.",
        "The longer the work, the less time there is to fetch its answer.",
        "Note the time when the task ends, not when it is accepted.",
        "age-from-the-beginning" if found(site, quick) else None,
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
    name = None
    if "utcnow" in site.clock.asked:
        look = (
            "utcnow() says how late it is in Greenwich, and timestamp() takes that for the time "
            "here. And both follow the clock on the wall. time.monotonic() only goes on."
        )
        name = "utcnow-for-age"
    elif "monotonic" not in site.clock.asked:
        name = "wall-clock-for-age"
    expect_status(
        site,
        old,
        404,
        f"A task ended six minutes ago, {story}, and there was a sweep.",
        "Computers set their clocks by themselves. For an hour, nothing is forgotten.",
        look,
        name,
    )
    expect_status(
        site,
        young,
        200,
        f"A task ended two minutes ago, {story}, and there was a sweep.",
        "Computers set their clocks by themselves. All answers are gone at that moment.",
        look,
        name,
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
    if found(site, old):
        site.clock.advance(KEEP)
        sweep(site)
        expect(
            found(site, old),
            f"{story.format(25)} It is still there. At 325 seconds it was forgotten.",
            "Another number decides: one in the code, or one that was read before it was changed.",
            look,
            "keep-not-from-config",
        )
    expect_status(site, old, 404, story.format(25), means, look)
    expect_status(site, young, 200, story.format(10), means, look)


# Races. The threads go in lockstep, so that what can go wrong between two of them does.


@pytest.mark.parametrize("count", [8, 9])
def test_two_sweeps_at_once_forget_only_what_is_old(site, count):
    """Two sweeps at the same time forget what one would, and neither fails."""
    work = site.work()
    sweep(site)  # one that never returns is told here
    old = [finish(site, work) for _ in range(count)]
    site.clock.advance(KEEP + 1)
    young = [finish(site, work) for _ in range(3)]
    clean_old_tasks = site.named("clean_old_tasks")
    errors = site.lockstep(clean_old_tasks, clean_old_tasks)
    for error in errors:
        if isinstance(error, (IndexError, KeyError)):
            raise Broken(
                f"Two sweeps went on at the same time: {described(error)}{site.place(error)}.",
                "Both looked at the same task, and then both took one out.",
                "Looking and taking out have to be one action. A lock makes them one.",
                "sweeps-without-lock",
            )
    expect_no_errors(site, errors, "Two sweeps went on")
    expect_all(site, young, 200, "had ended less than five minutes ago", "sweeps-without-lock")
    sweep(site)
    expect_all(site, old, 404, "had ended more than five minutes ago")


def test_nothing_is_lost_during_a_sweep(site):
    """A task that is accepted, or that ends, while a sweep goes on is not lost."""
    quick, slow = site.work(), site.work()
    sweep(site)  # one that never returns is told here
    old = [finish(site, quick) for _ in range(16)]
    site.clock.advance(KEEP + 1)
    young, running = [finish(site, quick) for _ in range(8)], []

    def ask():
        client = site.app.test_client()
        for work in [slow] * 6 + [quick] * 2:
            accepted = running if work is slow else young
            accepted.append(client.get(work.url).headers["Location"])

    tasks = site.named("tasks")
    errors = site.lockstep(site.named("clean_old_tasks"), ask)
    expect_no_errors(site, errors, "A sweep and eight requests went on")
    name = "rebind-loses-tasks" if site.module.tasks is not tasks else None
    expect_all(site, running, 202, "were accepted during a sweep, and still run", name)
    slow.release()
    for number in range(len(running)):
        site.done(site.call(slow, number + 1))
    for call in quick.calls:
        site.done(call)
    expect_all(site, young + running, 200, "had ended less than five minutes ago", name)
    sweep(site)
    expect_all(site, old, 404, "had ended more than five minutes ago")


def expect_no_errors(site, errors, what):
    for error in filter(None, errors):
        raise Broken(
            f"{what} at the same time: {described(error)}{site.place(error)}.",
            "One thread changes what the other one is looking at.",
            "Do not loop over a dict that others change. A lock lets one thread at a time go on.",
            "loops-over-what-others-change" if "during iteration" in str(error) else None,
        )


def expect_all(site, locations, status, what, name=None):
    """name: that of the mistake if an answer is the wrong one of 200, 202 and 404."""
    answers = [site.get(location).status_code for location in locations]
    wrong = [answer for answer in answers if answer != status]
    rebound = name == "rebind-loses-tasks"
    expect(
        not wrong,
        f"Some tasks {what}. After the sweep, the address of one of them answered "
        f"{wrong and wrong[0]}.",
        "They were put into the old dict while the sweep was making a new one."
        if rebound
        else "What one thread did, another one undid without having seen it.",
        "Do not say tasks = …: take what is old out of the one dict that is there."
        if rebound
        else "Change the one dict in place. Let nobody come between looking and taking out.",
        name if set(wrong) <= {200, 202, 404} else None,
    )


# The cleaner


def sweep_by_hand(site, work):
    """Raise Broken if sweeps do not forget, before a cleaner is blamed for that."""
    location = finish(site, work)
    site.clock.advance(KEEP + 1)
    sweep(site)
    expect_status(site, location, 404, "A task was old, and there was a sweep.", *NOT_FORGOTTEN)
    sweep(site)  # with nothing to do


def serve(site, sweep_seconds):
    """Have the app serve as in real life, not under TESTING, where it has a cleaner."""
    site.named("clean_old_tasks")
    site.app.testing = False
    site.app.config["SWEEP_SECONDS"] = sweep_seconds


def cleaners(site):
    """The threads that the app has started, but not for a task. Some may have ended."""
    at_work = {call.thread for call in site.calls()}
    return [
        t
        for t in {*site.threads.started, *site.threads.own()}
        if t not in at_work and not site.threads.is_idle(t)
    ]


def test_the_cleaner_starts_once(site, monkeypatch):
    """One process has one cleaner, also if its first two requests come at the same time."""
    serve(site, sweep_seconds=3600)
    work = site.work()
    work.release()
    answers = []
    start, turn = threading.Thread.start, threading.Lock()

    def start_in_turn(thread):  # or one thread that is started twice at once would be two
        with turn:
            start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_in_turn)

    def ask():
        answers.append(site.app.test_client().get(work.url))

    expect_no_errors(site, site.lockstep(ask, ask), "The first two requests went on")
    expect(
        "threads can only be started once" not in site.printed(),
        "Two first requests came at the same time, and one was answered 500: RuntimeError: "
        "threads can only be started once.",
        "Both looked whether the cleaner was started, and it was not. Then both started it.",
        "Looking and starting have to be one action. A lock makes them one.",
        "start-without-lock",
    )
    answers.append(site.get(work.url))
    for answer in answers:
        site.expect_202(answer, "One of two first requests at the same time")
    for number in 1, 2, 3:
        site.done(site.call(work, number))
    come_to_rest(site)  # a thread may have been started for a task that another one has done
    at_work = [thread for thread in cleaners(site) if thread.is_alive()]
    if len(at_work) != 1:
        raise not_one_cleaner(site, work, len(at_work))


def not_one_cleaner(site, work, count):
    saw = f"After two requests at once and one more, {count} cleaners are at work."
    if count == 2:
        return Broken(
            saw,
            "Both first requests looked for a cleaner, and there was none. Then both started one.",
            "Looking and starting have to be one action. A lock makes them one.",
            "start-without-lock",
        )
    if count == 3:
        return Broken(
            saw,
            "Each request starts one, and none of them ends. Soon there are thousands.",
            "A before_request function runs at each request. Look whether the cleaner is started.",
            "cleaner-at-each-request",
        )
    if count == 0:
        old = finish(site, work)
        site.clock.advance(KEEP + 1)
        site.get(work.url)
        if site.get(old).status_code == 404:
            return Broken(
                "No cleaner is at work. But a request swept: an old task was gone after it.",
                "When no requests come, nothing is forgotten. When many come, each pays for a "
                "sweep.",
                "Start a thread that sweeps, and leave the requests alone.",
                "sweeps-at-requests",
            )
        if not cleaners(site):
            return never_started()
    return Broken(
        saw,
        "Without one, memory fills up. With one for each request, threads do.",
        "Looking whether it runs and starting it have to be one action. A lock makes them one.",
    )


def test_the_cleaner_sweeps_by_itself(site):
    """The cleaner sweeps every app.config["SWEEP_SECONDS"] seconds without being asked."""
    work = site.work()
    sweep_by_hand(site, work)
    seconds = site.app.config.get("SWEEP_SECONDS")
    expect(
        seconds == 60,
        f'app.config["SWEEP_SECONDS"] is {described_value(seconds)}.',
        "The lesson says that the cleaner rests for a minute, unless configured otherwise.",
        'app.config["SWEEP_SECONDS"] = 60, at the top of the file.',
    )
    serve(site, sweep_seconds=0.01)
    for _ in range(2):  # a cleaner that sweeps once may sweep in time for the first task
        location = finish(site, work)
        site.clock.advance(KEEP + 1)
        expect_forgotten(site, location, "A task ended more than five minutes ago")


def test_the_cleaner_survives_an_error(site):
    """A sweep that fails is logged, and the next one takes place all the same."""
    work = site.work()
    sweep_by_hand(site, work)
    serve(site, sweep_seconds=0.01)
    location = finish(site, work)
    site.clock.fail_once()
    site.clock.advance(KEEP + 1)
    expect_forgotten(site, location, "A sweep failed, once")
    come_to_rest(site)  # it may be about to say so
    expect(
        "the clock failed once" in site.printed(),
        "A sweep failed, and nothing was logged about it.",
        "Whoever runs the app does not learn that something is wrong.",
        "app.logger.exception(...) where the error is caught.",
        "sweep-error-not-logged",
    )


def never_started():
    return Broken(
        "Requests were served, and no thread was started except for their tasks.",
        "Nobody calls clean_old_tasks(), and memory fills up.",
        "Who calls cleaner.start()? A function runs before each request only if it is under "
        "@app.before_request.",
        "cleaner-never-started",
    )


def expect_forgotten(site, location, story):
    """Ask until the cleaner has swept."""
    give_up = time.monotonic() + LIMIT
    while site.get(location).status_code != 404:
        site.clock.advance(0.01)
        told = why_no_sweep(site, story)
        if told and site.get(location).status_code != 404:
            raise told
        expect(
            time.monotonic() < give_up,
            f"{story}. SWEEP_SECONDS is 0.01, and the task is still not forgotten.",
            "Nobody calls clean_old_tasks() any more, and memory fills up.",
            'Does the cleaner rest for app.config["SWEEP_SECONDS"]? What ends its loop?'
            + site.last_words(),
        )


def why_no_sweep(site, story):
    """The Broken for a cleaner that will not sweep any more, where that can be seen."""
    for error, _ in site.threads.crashes:
        once = "the clock failed once" in str(error)
        return Broken(
            f"The cleaner's thread died of {described(error)}{site.place(error)}.",
            "One error, and nothing is forgotten any more. Nobody notices until memory is full.",
            "Where is the error caught? It has to be inside the loop, around clean_old_tasks().",
            "dies-of-first-error" if once else None,
        )
    known = cleaners(site)
    if not known:
        return never_started() if site.threads.at_rest() else None
    for wait in map(site.threads.resting, known):
        if wait and wait.seconds and wait.seconds >= 1:
            how = "time.sleep()" if wait.what is None else "wait()"
            return Broken(
                f"SWEEP_SECONDS is 0.01, and the cleaner rests for {wait.seconds:g} seconds in "
                f"{how}.",
                "Another number decides: one in the code, or one that was read before it was "
                "changed.",
                'Read app.config["SWEEP_SECONDS"] where the cleaner rests, each time.',
                "rest-not-from-config",
            )
    if not any(thread.is_alive() for thread in known) and len(cleaners(site)) == len(known):
        return Broken(
            f"{story}, and it is still there. The cleaner was started, and has ended.",
            "It swept once, or not at all, and nobody will sweep any more.",
            "It needs a loop. wait(seconds) returns False when the time is over, and True when "
            "the event is set: while not …",
            "cleaner-without-loop",
        )


def test_the_cleaner_stops_at_once(site):
    """stop_cleaner.set() ends the cleaner at once, in the middle of its rest."""
    serve(site, sweep_seconds=3600)
    finish(site, site.work())
    come_to_rest(site)
    stop = site.named("stop_cleaner")
    stop.set()
    readings, give_up = len(site.clock.readings), time.monotonic() + LIMIT
    while busy := [thread for thread in site.threads.own() if not site.threads.is_idle(thread)]:
        wait = site.threads.resting(busy[0])
        expect(
            wait is None or wait.what is not None,
            f"stop_cleaner is set, and the cleaner goes on in a time.sleep({wait and wait.seconds})"
            f"{site.at(busy[0])}.",
            "A test or a shutdown would have to wait for it, up to a minute each time.",
            "Nobody can end a time.sleep(seconds). stop_cleaner.wait(seconds) ends when it is set.",
            "sleep-cannot-be-ended",
        )
        expect(
            len(site.clock.readings) < readings + 1000,
            "stop_cleaner is set, and the cleaner sweeps a thousand times without a rest.",
            "Now wait() returns at once, each time. The loop goes on, and keeps a processor busy.",
            "wait() returns True when the event is set. That has to end the loop: while not …",
            "stop-not-looked-at",
        )
        other = wait is not None and wait.what is not stop
        expect(
            time.monotonic() < give_up,
            f"stop_cleaner is set, and the cleaner goes on{site.at(busy[0])}.",
            "A test or a shutdown would have to wait for it, up to a minute each time.",
            "It waits for another event than stop_cleaner."
            if other
            else "An Event's wait(seconds) ends as soon as it is set. time.sleep(seconds) does "
            "not.",
        )
        busy[0].join(0.01)


def is_there_a_cleaner(site):
    """Whether a thread that does no task's work has come to a rest of so many seconds."""
    come_to_rest(site)
    return any(
        wait and wait.seconds is not None for wait in map(site.threads.resting, cleaners(site))
    )


def come_to_rest(site):
    """Wait until the cleaner rests, or has ended, or LIMIT is over."""
    give_up = time.monotonic() + LIMIT
    while time.monotonic() < give_up:
        alive = [thread for thread in cleaners(site) if thread.is_alive()]
        if all(map(site.threads.resting, alive)):
            return
        alive[0].join(0.005)


def test_the_cleaner_does_not_hold_the_process(site):
    """A process whose main thread ends is not held open by the cleaner."""
    process = Process(serve_once, site.path.parent)
    status = process.ends(PROCESS_LIMIT)
    printed = process.kill()
    if status is None:
        raise Broken(
            f"A process served one request. After {PROCESS_LIMIT} seconds it was still there.",
            "Ctrl-C does not stop the server; whoever restarts it has to kill it.",
            "A process ends when only daemon threads are left: Thread(..., daemon=True).",
            "cleaner-not-daemon" if "202 ACCEPTED" in printed and holds_on(site) else None,
        )
    expect(
        "202 ACCEPTED" in printed and status == 0,
        f"A process that served one request printed: {printed.strip()[-300:]}",
        "It should have answered 202, and ended.",
        "Try it: python3 -m workshop run 5",
    )


def holds_on(site):
    """Whether the cleaner, seen here, is a thread that holds its process.

    A thread is a daemon if the one that starts it is, unless it says otherwise: some servers'
    threads are, and this one is not.
    """
    serve(site, sweep_seconds=3600)
    work = site.work()
    work.release()
    site.app.test_client().get(work.url)
    come_to_rest(site)
    return any(thread.is_alive() and not thread.daemon for thread in cleaners(site))
