"""Which thread waits for what. A thread that waits is known by its call, not by its frames.

To walk through the frames of another thread while it runs is not safe: Python 3.11 was seen to hand
out frames that were gone, and other objects in their place.
"""

import threading
from contextlib import ExitStack
from typing import NamedTuple
from unittest.mock import patch


class Wait(NamedTuple):
    """What is waited for (a Thread's end, an Event, a Semaphore), and how long; None: no limit."""

    what: object
    seconds: float | None


class Waits:
    """Notes every join(), wait() and acquire() of these until it is closed.

    by_thread: those under way.
    """

    def __init__(self, happenings):
        self.by_thread = {}
        self._happenings = happenings
        self._patches = ExitStack()
        for owner, name in (threading.Thread, "join"), (threading.Event, "wait"):
            self._patches.enter_context(
                patch.object(owner, name, self._noting(getattr(owner, name)))
            )
        self._patches.enter_context(
            patch.object(
                threading.Semaphore, "acquire", self._noting_acquire(threading.Semaphore.acquire)
            )
        )
        self.close = self._patches.close

    def _noting_acquire(self, acquire):
        noting = self._noting(lambda what, timeout: acquire(what, True, timeout))

        def noting_acquire(what, blocking=True, timeout=None):
            return noting(what, timeout) if blocking else acquire(what, False, timeout)

        return noting_acquire

    def _noting(self, wait):
        def noting_wait(what, timeout=None):
            me = threading.current_thread()
            self.by_thread[me] = Wait(what, timeout)
            self._happenings.note()
            try:
                return wait(what, timeout)
            finally:
                del self.by_thread[me]

        return noting_wait
