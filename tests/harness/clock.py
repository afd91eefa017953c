"""A clock that the test moves, for the learner's module and for nobody else."""

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
    """Stands in for the time and datetime modules. It moves only when told to.

    It has two hands, in seconds: the steady one (monotonic, sleep) and the one on the wall
    (time, datetime), which somebody may set back.
    """

    def __init__(self, changes):
        self.sleeps = []  # every Sleep so far
        self.sleeping = {}  # thread: its Sleep, if it is in one
        self.readings = []  # the thread of every reading so far
        self.asked = set()  # by which names: "time", "monotonic", "now", "utcnow"
        self._changes = changes
        self._steady, self._wall = 1000.0, time.time()
        self._moved = threading.Condition()
        self._closed = False
        self._failures = 0

    @property
    def steady(self):
        """What the steady hand shows; for checks, whose looking is not noted."""
        return self._steady

    def advance(self, seconds):
        """Let time pass; sleeps that are over by then return."""
        with self._moved:
            self._steady += seconds
            self._wall += seconds
            self._moved.notify_all()

    def set_wall(self, seconds):
        """Set the clock on the wall forward, or back, as a person or NTP may do."""
        self._wall += seconds

    def agree(self):
        """Set the clock on the wall to what the steady one shows."""
        self._wall = self._steady

    def fail_once(self):
        """Let the next reading raise an OSError."""
        self._failures = 1

    def close(self):
        """End every thread that sleeps by this clock or asks it for the time from now on."""
        with self._moved:
            self._closed = True
            self._moved.notify_all()

    def read(self, hand, name):
        self.asked.add(name)
        self.readings.append(threading.current_thread())
        self._changes.notify()
        if self._closed:
            raise SystemExit
        if self._failures:
            self._failures = 0
            raise OSError("the clock failed once, to see what becomes of its reader")
        return getattr(self, hand)

    def sleep(self, seconds):
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        with self._moved:
            sleep = Sleep(threading.current_thread(), seconds, self._steady + seconds)
            self.sleeps.append(sleep)
            self.sleeping[sleep.thread] = sleep
            self._changes.notify()
            self._moved.wait_for(lambda: self._closed or self._steady >= sleep.until)
            del self.sleeping[sleep.thread]
        if self._closed:
            raise SystemExit

    def modules(self):
        """What stands in for the modules time and datetime, by their names."""
        return {"time": self._time_module(), "datetime": self._datetime_module()}

    def _time_module(self):
        def steady():
            return self.read("_steady", "monotonic")

        def wall():
            return self.read("_wall", "time")

        module = types.ModuleType("time")
        vars(module).update(vars(time), sleep=self.sleep, time=wall, monotonic=steady)
        module.perf_counter = steady
        module.time_ns = lambda: int(wall() * 1e9)
        module.monotonic_ns = module.perf_counter_ns = lambda: int(steady() * 1e9)
        return module

    def _datetime_module(self):
        clock = self

        class DateTime(datetime.datetime):
            @classmethod
            def now(cls, tz=None):
                return cls.fromtimestamp(clock.read("_wall", "now"), tz)

            @classmethod
            def utcnow(cls):
                utc = cls.fromtimestamp(clock.read("_wall", "utcnow"), datetime.UTC)
                return utc.replace(tzinfo=None)

            today = now

        module = types.ModuleType("datetime")
        vars(module).update(vars(datetime), datetime=DateTime)
        return module
