"""The measurements of one subject, in a process of its own. Times are in seconds."""

import gc
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.bench import own, subjects

REST = 0.001  # between two requests, so that the task can end and does not slow down the next one


def begin(name, redis):
    """Make the subject, and discard everything that it prints."""
    global subject, client, pool
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    subject = subjects.make(name, redis)
    client = subject.app.test_client()
    pool = ThreadPoolExecutor(1)


def timed(url, status):
    begun = time.perf_counter()
    response = client.get(url)
    taken = time.perf_counter() - begun
    if response.status_code != status:
        raise RuntimeError(f"{url} returned {response.status}, not {status}.")
    return taken


def remembers():
    """Return whether the subject remembers finished tasks."""
    return subject.finished is not None


def sweeps():
    """Return whether the subject forgets old tasks in a sweep."""
    return subject.sweep is not None


def accept(count):
    times = []
    for _ in range(count):
        times.append(timed("/x", 202))
        time.sleep(REST)
    return times


def poll(count):
    return [timed(subject.finished, 200) for _ in range(count)]


def start_thread(count):
    """Time the start of a thread, until the thread that starts it goes on."""
    return handed_over(count, lambda: threading.Thread(target=int, daemon=True).start())


def submit_to_pool(count):
    """Time the handing of work to a pool whose threads have already started."""
    return handed_over(count, lambda: pool.submit(int))


def handed_over(count, hand_over):
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        hand_over()
        times.append(time.perf_counter() - begun)
        time.sleep(REST)
    return times


def remember(count):
    """Have the subject remember this many more finished tasks."""
    gc.disable()  # or each collection would go through all of them while they grow
    subject.remember(count)
    gc.enable()
    gc.collect()  # as happens to everything that is remembered for long


def task_bytes(count):
    """Finish this many tasks; return the bytes that each of them needs, without its body."""
    for _ in range(200):  # first allocate what is needed only once
        finish_one()
    before = subject.used()
    if hasattr(subject, "redis"):
        subject.remember(count)
    else:
        for _ in range(count):
            finish_one()
    return (subject.used() - before) / count - len(own.DONE)


def finish_one():
    while client.get("/x").status_code == 503 or threading.active_count() > 40:
        time.sleep(REST)


def sweep(count):
    """Send requests while a sweep removes this many tasks, and then for as long without a sweep.

    Return the longest request during the sweep, the longest without it, and the sweep's own time.
    """
    begun, over = time.perf_counter(), threading.Event()

    def run():
        try:
            subject.sweep(count)
        finally:
            over.set()

    threading.Thread(target=run).start()
    longest = longest_until(over.is_set)
    taken = time.perf_counter() - begun
    end = time.perf_counter() + taken
    return longest, longest_until(lambda: time.perf_counter() > end), taken


def longest_until(over):
    longest = timed("/status/nobody", 404)
    while not over():
        time.sleep(REST)
        longest = max(longest, timed("/status/nobody", 404))
    return longest


def collection():
    """Time a full garbage collection, during which everything else waits."""
    begun = time.perf_counter()
    gc.collect()
    return time.perf_counter() - begun
