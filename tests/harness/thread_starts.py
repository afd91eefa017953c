"""Observe, in this whole process, which threads are started and what pools are given to do."""

import concurrent.futures.thread
import threading
from concurrent.futures import ThreadPoolExecutor


def ignore(*args):
    """Do nothing: what is called for an event that does not matter."""


def observe(starting, started=ignore, submitting=None):
    """Call these functions at each event, in the thread that causes it. Return how to stop that.

    starting(thread, starter): the thread starter is about to start the thread
    started(thread, starter): it has started it
    submitting(pool, function): function is submitted to a ThreadPoolExecutor, which will call the
    function that this returns instead
    """
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit

    def observed_start(thread):
        starter = threading.current_thread()
        starting(thread, starter)
        start(thread)
        started(thread, starter)

    def observed_submit(pool, function, /, *args, **kwargs):
        return submit(pool, submitting(pool, function), *args, **kwargs)

    def stop():
        threading.Thread.start, ThreadPoolExecutor.submit = start, submit

    threading.Thread.start = observed_start
    if submitting:
        ThreadPoolExecutor.submit = observed_submit
    return stop


def is_pooled(thread):
    """Whether a thread that is about to start is an executor's, which outlives its task."""
    return getattr(thread, "_target", None) is concurrent.futures.thread._worker
