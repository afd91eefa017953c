"""The cleaner, as seen from outside: a thread that the app starts, but not for a task."""

import time

from tests.harness.expect import LIMIT


def cleaners(site):
    """The threads that the app has started, but not for a task. Some may have ended."""
    for_tasks = {call.thread for call in site.calls()}
    threads = {*site.threads.started, *site.threads.own()} - for_tasks
    return [thread for thread in threads if not site.threads.is_idle(thread)]


def running_cleaners(site):
    return [thread for thread in cleaners(site) if thread.is_alive()]


def come_to_rest(site):
    """Wait until every cleaner is resting or has ended, but no longer than LIMIT."""
    give_up = time.monotonic() + LIMIT
    while time.monotonic() < give_up:
        running = running_cleaners(site)
        if all(map(site.threads.resting, running)):
            return
        running[0].join(0.005)


def is_there_a_cleaner(site):
    """Whether such a thread rests for some number of seconds, as a cleaner does between sweeps."""
    come_to_rest(site)
    waits = filter(None, map(site.threads.resting, cleaners(site)))
    return any(wait.seconds is not None for wait in waits)


def holds_its_process(site):
    """Whether a cleaner keeps its process from ending, because it is not a daemon thread."""
    come_to_rest(site)
    return any(not thread.daemon for thread in running_cleaners(site))
