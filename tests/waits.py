"""Which thread waits for what. A thread that waits is known by its call, not by its frames.

To walk through the frames of another thread while it runs is not safe: Python 3.11 was seen to hand
out frames that were gone, and other objects in their place.
"""

import inspect
import queue
import threading
from contextlib import ExitStack
from typing import NamedTuple
from unittest.mock import patch

WAITING = (
    (threading.Thread, "join"),
    (threading.Event, "wait"),
    (threading.Semaphore, "acquire"),
    (queue.Queue, "get"),
)


class Wait(NamedTuple):
    """What is waited for (a Thread, an Event …) and for how many seconds; None: without limit."""

    what: object
    seconds: float | None


class Waits:
    """Notes every wait until it is closed. by_thread: those under way."""

    def __init__(self, happenings):
        self.by_thread = {}
        self._happenings = happenings
        self._patches = ExitStack()
        for kind, name in WAITING:
            noting = self._noting(getattr(kind, name))
            self._patches.enter_context(patch.object(kind, name, noting))
        self.close = self._patches.close

    def _noting(self, wait):
        signature = inspect.signature(wait)

        def noting_wait(what, *args, **kwargs):
            asked = signature.bind(what, *args, **kwargs).arguments
            if False in (asked.get("block"), asked.get("blocking")):
                return wait(what, *args, **kwargs)
            me = threading.current_thread()
            self.by_thread[me] = Wait(what, asked.get("timeout"))
            self._happenings.note()
            try:
                return wait(what, *args, **kwargs)
            finally:
                del self.by_thread[me]

        return noting_wait
