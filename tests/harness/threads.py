"""A census of an app's threads: which there are, what each is doing, and what ended it."""

import concurrent.futures.thread
import queue
import sys
import threading
import time
import traceback
from contextlib import contextmanager

from tests.harness.expect import LIMIT
from tests.harness.thread_starts import observe
from tests.harness.waits import Wait, Waits


class Threads:
    """The threads of the app in the file at path, from its import on, until close().

    held: by thread, the Work that holds it back. started: every thread that code of the file has
    started. targets: what each thread that was started in a request has to call. crashes: uncaught
    exceptions, each with its thread. from_import: threads that the import has left running.
    """

    def __init__(self, path, clock, changes):
        self._path, self._clock, self._changes = str(path), clock, changes
        self._before = set(threading.enumerate())
        self.held, self.started, self.targets, self.crashes = {}, [], [], []
        self.from_import = set()
        self.waits = Waits(changes)
        self.server = None  # once there is one

    def watch(self):
        """From here on, note every thread that is started, and every one that crashes."""
        self.from_import = set(threading.enumerate())
        self._excepthook, threading.excepthook = threading.excepthook, self._crashed
        self._stop_observing = observe(self._starting)

    def close(self):
        if self.from_import:
            threading.excepthook = self._excepthook
            self._stop_observing()
        self.waits.close()

    def _starting(self, thread, starter):
        if any(frame.f_code.co_filename == self._path for frame in frames(sys._getframe())):
            self.started.append(thread)
        if self.in_request_thread():
            plain = type(thread).run is threading.Thread.run
            self.targets.append(thread._target if plain else thread.run)

    def _crashed(self, args):
        self.crashes.append((args.exc_value, args.thread))
        self._excepthook(args)
        self._changes.notify()

    # Which there are

    def own(self):
        """The app's own threads that are alive: tasks, an executor's, the cleaner."""
        servers = self.server.own_threads() if self.server else set()
        return [t for t in threading.enumerate() if t not in self._before | servers]

    def serving(self):
        """The threads that are serving a request."""
        return [t for t in self._served() if t.is_alive()]

    def _served(self):
        """The threads that are serving requests or have done so."""
        return self.server.threads if self.server else []

    def in_request_thread(self):
        """Whether the caller is in a thread that serves requests."""
        return threading.current_thread() in self._served()

    def in_request(self, call):
        """Whether a Call or a Sleep took place in a thread that serves requests."""
        return call.thread in self._served()

    def held_in_request(self):
        """The Work that holds a request back, because the request's thread called it; or None."""
        served = (work for thread, work in list(self.held.items()) if thread in self._served())
        return next(served, None)

    # What each is doing

    def at_rest(self):
        """Whether no request is under way, and no thread could still begin anything."""
        return not self.serving() and not self.own()

    def resting(self, thread):
        """The Wait in which a thread rests, or None. For time.sleep(), the Wait.what is None."""
        if (sleep := self._clock.sleeping.get(thread)) and sleep.seconds:
            return Wait(None, sleep.seconds)
        return self.waits.by_thread.get(thread)

    def is_idle(self, thread):
        """Whether this is a pool's thread that waits for work: those stay, and do no harm."""
        frame, wait = sys._current_frames().get(thread.ident), self.resting(thread)
        if frame and frame.f_code.co_filename == concurrent.futures.thread.__file__:
            return True
        return wait is not None and isinstance(wait.what, queue.Queue) and wait.seconds is None

    def busy(self):
        """The app's own threads that are not idle."""
        return [thread for thread in self.own() if not self.is_idle(thread)]

    def joins(self, thread, calls):
        """Whether a thread waits, with no limit, until the thread of one of the calls has ended."""
        wait = self.waits.by_thread.get(thread)
        return wait and wait.seconds is None and wait.what in [each.thread for each in calls]

    def waits_in_vain(self):
        """Whether a request waits, with no limit, for a semaphore that nobody will release."""
        waits = filter(None, map(self.resting, self.serving()))
        nobody = all(thread in self.held or self.is_idle(thread) for thread in self.own())
        endless = [wait.what for wait in waits if wait.seconds is None]
        return nobody and any(isinstance(what, threading.Semaphore) for what in endless)

    def waits_for_lock(self):
        """Whether a request waits for an app's lock, or a task for one that a held thread has."""
        waiting = list(self.waits.for_locks.items())
        serving = self.serving()
        return any(thread in serving or lock.owner in self.held for thread, lock in waiting)

    def line_of(self, thread):
        """The number of the line in the app's file that a thread is at, or None."""
        stack = traceback.extract_stack(sys._current_frames().get(thread.ident))
        lines = [frame.lineno for frame in stack if frame.filename == self._path]
        return lines[-1] if lines else None

    # Waiting for them

    def done(self, thread):
        """Wait until a thread has ended, or an executor has it back."""
        give_up = time.monotonic() + LIMIT
        while thread.is_alive() and not self.is_idle(thread) and time.monotonic() < give_up:
            thread.join(0.002)

    def quiet(self, stop=None):
        """Wait until no thread of the app is busy; return those that still are after LIMIT.

        stop: the Event that ends the cleaner. A thread that rests does not count as busy if it
        waits for stop, or if it was there before any request. Without stop, it does count as busy.
        """

        def is_busy(thread):
            wait = self.resting(thread)
            rests = wait and stop and (wait.what is stop or thread in self.from_import)
            return not (self.is_idle(thread) or rests)

        give_up = time.monotonic() + LIMIT
        while busy := [thread for thread in self.own() if is_busy(thread)]:
            if time.monotonic() > give_up:
                break
            busy[0].join(0.002)
        return busy

    @contextmanager
    def held_back(self):
        """Until the block ends, no thread that a request starts begins to run."""
        may_begin = threading.Event()

        def hold(thread, starter):
            if self.in_request_thread():
                run = thread.run
                thread.run = lambda: (may_begin.wait(), run())

        stop = observe(hold)
        try:
            yield
        finally:
            stop()
            may_begin.set()

    @contextmanager
    def started_in_turn(self):
        """Until the block ends, threads start one after the other.

        Two threads that call start() of one and the same Thread at the same time could start it
        twice.
        """
        start, turn = threading.Thread.start, threading.Lock()

        def start_in_turn(thread):
            with turn:
                start(thread)

        threading.Thread.start = start_in_turn
        try:
            yield
        finally:
            threading.Thread.start = start


def frames(frame):
    """A frame, and all that it was called by."""
    while frame:
        yield frame
        frame = frame.f_back
