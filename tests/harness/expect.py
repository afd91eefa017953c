"""What a check says when a promise is broken, and how long it waits before it says so."""

import inspect
import threading
import time

LIMIT = 5.0  # seconds; a safety limit that no right answer comes near, never a measurement


class Broken(Exception):
    """A promise is broken. Three short texts: what was seen, what it means, where to look.

    name: the mistake's id in the step's catalogue, where what was seen fits that one alone.
    """

    def __init__(self, saw, means, look, name=None):
        super().__init__(saw, means, look, name)
        self.saw, self.means, self.look, self.name = saw, means, look, name


def expect(kept, saw, means, look, name=None):
    """Raise Broken unless the promise is kept."""
    if not kept:
        raise Broken(saw, means, look, name)


def promise_of(check):
    """The promise that a check holds the app to: the first paragraph of its docstring."""
    return (inspect.getdoc(check) or check.__name__).partition("\n\n")[0].replace("\n", " ")


class Happenings:
    """What happens in a site's many threads, for a check to wait for.

    Whoever changes something that a check may wait for says so with note(). changed: the Condition
    that this notifies.
    """

    def __init__(self):
        self.changed = threading.Condition()

    def note(self):
        with self.changed:
            self.changed.notify_all()

    def until(self, condition, limit=LIMIT):
        """Wait until condition() is true; return its value, which is false after limit seconds.

        What nobody notes, such as where a thread stands, is looked at again every 0.05 seconds.
        """
        give_up = time.monotonic() + limit
        with self.changed:
            while not (met := condition()) and time.monotonic() < give_up:
                self.changed.wait(0.05)
        return met
