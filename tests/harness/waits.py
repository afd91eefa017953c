"""Note which thread is waiting for what.

The functions that wait are wrapped, and the wrappers keep the notes. To walk through another
thread's frames while it runs would not be safe: Python 3.11 was seen to return frames that were
gone, and other objects in their place.
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
    """What a thread is waiting for (a Thread, an Event, …).

    seconds: for how long at most, or None if there is no limit.
    """

    what: object
    seconds: float | None


class Waits:
    """Wraps the functions that wait, until close() is called.

    by_thread: the Wait that each waiting thread is in. for_locks: the Lock that a thread is waiting
    for. Such a thread does not count as resting, because the thread that has the lock is working.
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
        """The stand-in for the threading module. Its locks note which threads wait for them."""
        module = types.ModuleType("threading")
        vars(module).update(vars(threading))
        for name in "Lock", "RLock":
            members = {"make": staticmethod(getattr(threading, name)), "waits": self}
            setattr(module, name, type(name, (Lock,), members))
        return module


class Lock:
    """A threading.Lock or RLock. owner: the thread that has acquired it, or None."""

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
