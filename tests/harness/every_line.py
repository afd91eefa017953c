"""Poll at every line of the app that a task runs after its view has ended."""

import threading

from tests.harness.lockstep import PATIENCE
from tests.harness.sent import sent


def polled_at_every_line(site, work):
    """Let a task of this work end; return a Sent for each poll.

    The first poll comes while the view is held back, the others at the lines after the view.
    """
    polls, pollers = [], []

    def poll():
        polls.append(sent(site.get(location)))
        site.changes.notify()

    def trace(frame, event, argument):  # see sys.settrace
        if frame.f_code.co_filename != str(site.path):
            return None
        if event == "line" and has_ended_here(work.calls):
            pollers.append(threading.Thread(target=poll, daemon=True))
            pollers[-1].start()
            # If the task holds a lock, the response comes only after the task has gone on.
            site.changes.wait_until(
                lambda: not pollers[-1].is_alive() or site.threads.waits_for_lock(), PATIENCE
            )
        return trace

    threading.settrace(trace)  # for the threads that start from here on
    try:
        location = site.location(site.accepted(work))
        call = site.call(work)
    finally:
        threading.settrace(None)
    poll()
    work.release()
    site.done(call)
    for poller in pollers:
        poller.join()
    return polls


def has_ended_here(calls):
    """Whether the first of these calls has ended, and was made in this thread."""
    return calls and calls[0].ended and calls[0].thread is threading.current_thread()
