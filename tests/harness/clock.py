"""A clock that only the check moves. The learner's module lives by it, and nothing else does."""

import datetime
import threading
import time
import types
from dataclasses import dataclass


@dataclass
class Sleep:
    """One call of time.sleep(): in which thread, for how many seconds, until when."""

    thread: threading.Thread
    seconds: float
    until: float


class Clock:
    """Stands in for the time and datetime modules.

    It shows two times, in seconds: the steady one (time.monotonic, time.sleep), and that of the
    system clock (time.time, datetime), which a check can set back or forward.
    """

    def __init__(self, changes):
        self.sleeps = []  # every Sleep so far
        self.sleeping = {}  # the Sleep that each sleeping thread is in
        self.readings = []  # the thread that took each reading so far
        self.asked = set()  # the functions called: "time", "monotonic", "now", "utcnow"
        self.failing = False  # whether the next reading will fail
        self.failed = False  # whether one has failed
        self._changes = changes
        self._steady, self._system = 1000.0, time.time()
        self._moved = threading.Condition()
        self._skipping = self._closed = False

    @property
    def steady(self):
        """The steady time. Reading it here, as checks do, does not count as one of readings."""
        return self._steady

    def advance(self, seconds):
        """Let this many seconds pass. Sleeps that end by then return."""
        with self._moved:
            self._steady += seconds
            self._system += seconds
            self._moved.notify_all()

    def set_system_clock(self, seconds):
        """Set the system clock forward or, with a negative number, back, as a person or NTP can."""
        self._system += seconds

    def agree(self):
        """Set the system clock to the steady time."""
        self._system = self._steady

    def skip_sleeps(self):
        """From now on, each sleep returns immediately, and its time has passed."""
        self._skipping = True

    def fail_once(self):
        """Make the next reading raise an OSError."""
        self.failing = True

    def close(self):
        """End every thread that is sleeping, and from now on every thread that reads the clock."""
        with self._moved:
            self._closed = True
            self._moved.notify_all()

    def read(self, shown, name):
        """Return the time of one of the two, "_steady" or "_system"; name: the function called."""
        self.asked.add(name)
        self.readings.append(threading.current_thread())
        self._changes.notify()
        if self._closed:
            raise SystemExit
        if self.failing:
            self.failing, self.failed = False, True
            raise OSError("the clock failed once, as part of a check")
        return getattr(self, shown)

    def sleep(self, seconds):
        if not isinstance(seconds, int | float):
            time.sleep(seconds)  # raises what it always raises
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        with self._moved:
            sleep = Sleep(threading.current_thread(), seconds, self._steady + seconds)
            self.sleeps.append(sleep)
            self.sleeping[sleep.thread] = sleep
            self._changes.notify()
            if self._skipping:
                self.advance(seconds)
            self._moved.wait_for(lambda: self._closed or self._steady >= sleep.until)
            del self.sleeping[sleep.thread]
        if self._closed:
            raise SystemExit

    def modules(self):
        """The stand-ins for the modules time and datetime, by name."""
        return {"time": self._time_module(), "datetime": self._datetime_module()}

    def _time_module(self):
        def steady():
            return self.read("_steady", "monotonic")

        def system():
            return self.read("_system", "time")

        module = types.ModuleType("time")
        vars(module).update(vars(time), sleep=self.sleep, time=system, monotonic=steady)
        module.perf_counter = steady
        module.time_ns = lambda: int(system() * 1e9)
        module.monotonic_ns = module.perf_counter_ns = lambda: int(steady() * 1e9)
        return module

    def _datetime_module(self):
        clock = self

        class DateTime(datetime.datetime):
            @classmethod
            def now(cls, tz=None):
                return cls.fromtimestamp(clock.read("_system", "now"), tz)

            @classmethod
            def utcnow(cls):
                utc = cls.fromtimestamp(clock.read("_system", "utcnow"), datetime.UTC)
                return utc.replace(tzinfo=None)

            today = now

        module = types.ModuleType("datetime")
        vars(module).update(vars(datetime), datetime=DateTime)
        return module
