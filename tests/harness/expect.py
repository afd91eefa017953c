"""A promise, and what a check says when it is broken."""

import inspect

from tests.harness.words import ended_once

LIMIT = 5.0  # seconds; a safety limit that no right solution comes near, never a measurement


class Broken(Exception):
    """A promise is broken. Three short texts: what was seen, what it means, where to look.

    mistake: its id in the catalogue, if what was seen fits that mistake alone.
    """

    def __init__(self, saw, means, look, mistake=None):
        saw, means, look = map(ended_once, (saw, means, look))
        super().__init__(saw, means, look, mistake)
        self.saw, self.means, self.look, self.mistake = saw, means, look, mistake


def expect(kept, saw, means, look, mistake=None):
    """Raise Broken unless the promise is kept."""
    if not kept:
        raise Broken(saw, means, look, mistake)


def part_of(check, module):
    """The part of the step's task that a check belongs to; "" if it is an earlier step's check.

    module: the name of the step's test module, which may have imported the check
    """
    marks = [mark for mark in getattr(check, "pytestmark", []) if mark.name == "part"]
    return marks[0].args[0] if marks and check.__module__ == module else ""


def promise_of(check):
    """The promise that a check holds the app to: the first paragraph of its docstring."""
    return (inspect.getdoc(check) or check.__name__).partition("\n\n")[0].replace("\n", " ")
