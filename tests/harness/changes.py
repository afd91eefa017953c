"""What changes in an app's many threads, for a check to wait for."""

import threading
import time

from tests.harness.expect import LIMIT


class Changes:
    """Every change that a check may wait for calls notify(). condition: the one it notifies."""

    def __init__(self):
        self.condition = threading.Condition()

    def notify(self):
        with self.condition:
            self.condition.notify_all()

    def wait_until(self, predicate, limit=LIMIT):
        """Wait until predicate() is true; return its value, which is false after limit seconds.

        Some changes notify nobody, such as the line that a thread is at. So it also looks again
        every 0.05 seconds.
        """
        give_up = time.monotonic() + limit
        with self.condition:
            while not (met := predicate()) and time.monotonic() < give_up:
                self.condition.wait(0.05)
        return met
