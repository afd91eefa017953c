"""What is measured of one subject, in a process of its own. Times are in seconds."""

import gc
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.bench import own, subjects

REST = 0.001  # between two requests, for the task to end: it is not to slow down the next one


def begin(name, redis):
    """Make the subject. What it prints goes nowhere."""
    global subject, client, pool
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    subject = subjects.make(name, redis)
    client = subject.app.test_client()
    pool = ThreadPoolExecutor(1)


def timed(url, status):
    begun = time.perf_counter()
    answer = client.get(url)
    taken = time.perf_counter() - begun
    if answer.status_code != status:
        raise RuntimeError(f"{url} was answered {answer.status}, and not {status}.")
    return taken


def remembers():
    """Whether it remembers finished tasks."""
    return subject.finished is not None


def sweeps():
    """Whether it forgets old tasks by a sweep."""
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
    """What a thread's start takes, until the one who started it goes on."""
    return handed_over(count, lambda: threading.Thread(target=int, daemon=True).start())


def submit_to_pool(count):
    """What it takes to hand work to a pool whose threads are there already."""
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
    """Remember so many finished tasks more."""
    gc.disable()  # or it would go through all of it again and again while it grows
    subject.remember(count)
    gc.enable()
    gc.collect()  # what is remembered for long has been through this


def task_bytes(count):
    """Finish so many tasks; return how many bytes each takes beyond its body."""
    for _ in range(200):  # what is needed once is there
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
    """Sweep away so many tasks, the oldest, and send requests meanwhile; then for as long without.

    Return the longest that a request took in the sweep, and without; then how long the sweep took.
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
    """How long a full garbage collection takes, in which everything else waits."""
    begun = time.perf_counter()
    gc.collect()
    return time.perf_counter() - begun
