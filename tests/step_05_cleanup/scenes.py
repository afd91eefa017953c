"""What the checks of step 5 do again and again: finish a task, sweep, have a cleaner at work.

Where something fails on the way, they raise what failures.py says about it.
"""

import threading
import time
from collections import deque

from tests.harness.cleaner import cleaners, come_to_rest, running_cleaners
from tests.harness.expect import LIMIT
from tests.step_05_cleanup import failures
from tests.step_05_cleanup.failures import id_of

KEEP = 5 * 60  # seconds: the KEEP_SECONDS of the lesson


def finish(site, work):
    """Have a task do the work, from its request to its end; return its status URL."""
    work.release()
    location = site.location(accepted(site, site.get(work.url), f"GET {work.url}"))
    site.poll(location)
    for call in work.calls:
        site.done(call)
    return location


def accepted(site, response, what):
    """Return the response, which must be a 202. what: what returned it, for a sentence."""
    failed = response.status_code == 500 and site.errors
    if failed and (broken := failures.failed_request(site, what)):
        raise broken
    return site.expect_202(response, what)


def found(site, location):
    """Whether a status URL still returns the response of its task."""
    return site.get(location).status_code == 200


# Sweeps


def sweep(site):
    """Call clean_old_tasks(), in a thread of its own because it may never return."""
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
    if thread.is_alive():
        raise failures.sweep_never_returns(site, thread)
    for error in errors:
        raise failures.failed_sweep(site, error)


def expect_sweeps_to_forget(site, work):
    """Raise Broken unless sweeps forget an old task: that is no fault of a cleaner or a race."""
    location = finish(site, work)
    site.clock.advance(KEEP + 1)
    sweep(site)
    response = site.get(location)
    if response.status_code != 404:
        story = "A task ended more than five minutes ago, and there was a sweep."
        raise failures.not_gone(site, response, story)
    sweep(site)  # with nothing to do


def expect_sweeps_to_keep(site, work):
    """Raise Broken unless a sweep keeps a task that has just ended: that is no fault of a race."""
    location = finish(site, work)
    sweep(site)
    response = site.get(location)
    if response.status_code != 200:
        raise failures.gone_too_early(
            site, response, "A task has just ended, and there was a sweep."
        )


def still_holding(site, locations):
    """The names of the learner's global variables that hold the ids of all these tasks."""
    ids = list(map(id_of, locations))
    names = vars(site.module).items()
    return [name for name, value in names if all(holds(value, each) for each in ids)]


def holds(value, text, depth=4):
    """Whether a container holds a text, itself or in a container inside it."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    elif not isinstance(value, (list, tuple, set, deque)):
        return isinstance(value, str) and value == text
    return depth > 0 and any(holds(part, text, depth - 1) for part in list(value))


# Two threads in lockstep, so that whatever can go wrong between them does


def expect_no_errors(site, errors, what):
    """Raise Broken for the first exception in a thread. what: "Two requests came", for example."""
    for error in filter(None, errors):
        raise failures.failed_together(site, what, error)


def expect_kept(site, locations, status_code, what, mistake=None):
    """Raise Broken unless polls return this status code for all these tasks.

    what: what the tasks did, for a sentence. mistake: its id if one of them returns 404.
    """
    for location in locations:
        returned = site.get(location).status_code
        if returned != status_code:
            raise failures.lost(what, returned, mistake)


def expect_forgotten(site, locations):
    for location in locations:
        returned = site.get(location).status_code
        if returned != 404:
            raise failures.overlooked(returned)


def sweep_during_requests(site, slow, quick):
    """Sweep while eight requests come; return the status URLs of slow tasks, and of quick ones."""
    running, ended = [], []

    def requests():
        client = site.app.test_client()
        for work in [slow] * 6 + [quick] * 2:
            responses = running if work is slow else ended
            responses.append(client.get(work.url))

    errors = site.lockstep(site.named("clean_old_tasks"), requests)
    expect_no_errors(site, errors, "A sweep and eight requests ran")
    for responses in running, ended:
        responses[:] = [site.location(site.expect_202(each, "A request")) for each in responses]
    return running, ended


def first_two_requests(site, work):
    """Send the app its first two requests, at the same time."""
    responses = []

    def request():
        responses.append(site.app.test_client().get(work.url))

    with site.threads.started_in_turn():
        errors = site.lockstep(request, request)
    expect_no_errors(site, errors, "The first two requests came")
    if "threads can only be started once" in site.printed():
        raise failures.started_twice()
    for response in responses:
        accepted(site, response, "One of the first two requests")


# The cleaner


def serve(site, sweep_seconds):
    """Have the app serve as it does in real life: not under TESTING, so with a cleaner."""
    site.named("clean_old_tasks")
    site.app.testing = False
    site.app.config["SWEEP_SECONDS"] = sweep_seconds


def count_cleaners(site, work, requests):
    """How many cleaners are running once the tasks of so many requests have ended."""
    for number in range(1, requests + 1):
        site.done(site.call(work, number))
    come_to_rest(site)  # a thread may have been started for a task that another thread has done
    return len(running_cleaners(site))


def expect_the_cleaner_to_forget(site, work, location, story):
    """Let the task become old, and wait until it is forgotten; if it will not be, raise Broken.

    No request comes before the cleaner has changed something in tasks, because an app may sweep at
    requests. story: what to say if it does not.
    """
    if broken := failures.rests_too_long(site):  # as time passes, it may end a time.sleep()
        raise broken
    before = dict(site.named("tasks"))

    def changed():
        return dict(site.named("tasks")) != before

    def forgotten():
        return changed() and site.get(location).status_code == 404

    site.clock.advance(KEEP + 1)
    give_up = time.monotonic() + LIMIT
    while not forgotten():
        site.clock.advance(0.01)
        site.changes.wait_until(changed, 0.01)
        if not (changed() or cleaners(site) or site.threads.serving() or site.threads.busy()):
            raise failures.no_cleaner(site, work)
        broken = failures.will_not_sweep(site, story)
        if broken and not forgotten():
            raise broken
        if time.monotonic() > give_up:
            raise failures.not_forgotten_in_time(site, story)


def expect_the_cleaner_to_end(site, stop):
    """Wait until no thread of the app is busy; raise Broken if the cleaner goes on.

    stop: the event that has been set to end it.
    """
    readings, give_up = len(site.clock.readings), time.monotonic() + LIMIT
    while busy := site.threads.busy():
        wait = site.threads.resting(busy[0])
        if wait and wait.what is None:
            raise failures.sleeps_on(site, busy[0], wait.seconds)
        if len(site.clock.readings) >= readings + 1000:
            raise failures.sweeps_on()
        if time.monotonic() > give_up:
            raise failures.does_not_stop(site, busy[0], wait and wait.what is not stop)
        busy[0].join(0.01)
