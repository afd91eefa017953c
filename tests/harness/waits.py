"""Which thread waits for what. A thread that waits is known by its call, not by its frames.

To walk through the frames of another thread while it runs is not safe: Python 3.11 was seen to hand
out frames that were gone, and other objects in their place.
"""

import inspect
import queue
import threading
import types
from typing import NamedTuple

import pytest

WAITING = [
    (kind, name, list(inspect.signature(getattr(kind, name)).parameters)[1:])
    for kind, name in (
        (threading.Thread, "join"),
        (threading.Event, "wait"),
        (threading.Semaphore, "acquire"),
        (queue.Queue, "get"),
    )
]


class Wait(NamedTuple):
    """What is waited for (a Thread, an Event …) and for how many seconds; None: without limit."""

    what: object
    seconds: float | None


class Waits:
    """Notes every wait until it is closed. by_thread: those under way.

    for_locks: the Lock that a thread waits for. That is no rest: who has the lock is at work.
    """

    def __init__(self, changes):
        self.by_thread, self.for_locks = {}, {}
        self.changes = changes
        patches = pytest.MonkeyPatch()
        for kind, name, parameters in WAITING:
            patches.setattr(kind, name, self._noting(getattr(kind, name), parameters))
        self.close = patches.undo

    def _noting(self, wait, parameters):
        def noting_wait(what, *args, **kwargs):
            asked = {**dict(zip(parameters, args, strict=False)), **kwargs}
            if False in (asked.get("block"), asked.get("blocking")):
                return wait(what, *args, **kwargs)
            me = threading.current_thread()
            self.by_thread[me] = Wait(what, asked.get("timeout"))
            self.changes.notify()
            try:
                return wait(what, *args, **kwargs)
            finally:
                del self.by_thread[me]

        return noting_wait

    def threading_module(self):
        """Stands in for the threading module. Its locks say who waits for them."""
        module = types.ModuleType("threading")
        vars(module).update(vars(threading))
        for name in "Lock", "RLock":
            members = {"make": staticmethod(getattr(threading, name)), "waits": self}
            setattr(module, name, type(name, (Lock,), members))
        return module


class Lock:
    """A threading.Lock or RLock. owner: the thread that has it."""

    def __init__(self):
        self._lock, self.owner = self.make(), None

    def acquire(self, blocking=True, timeout=-1):
        got = self._lock.acquire(blocking=False) or (blocking and self._wait(timeout))
        if got:
            self.owner = threading.current_thread()
        return got

    def _wait(self, timeout):
        me = threading.current_thread()
        self.waits.for_locks[me] = self
        self.waits.changes.notify()
        try:
            return self._lock.acquire(timeout=timeout)
        finally:
            del self.waits.for_locks[me]

    def release(self):
        owner, self.owner = self.owner, None
        self._lock.release()
        if self.make is threading.RLock and self._lock._is_owned():
            self.owner = owner

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *error):
        self.release()

    def __getattr__(self, name):
        return getattr(self._lock, name)
