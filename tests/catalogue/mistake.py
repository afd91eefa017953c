"""A wrong solution that people really write, as a change to ours."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """A wrong solution.

    change: pairs of texts; the first is once in our solution, and becomes the second. Comments do
    not count in either, and the wrong solution has none.
    fails: the checks that must fail, by name without test_; all others must pass.
    named: the id that the checks have to give it, if that is not its key in MISTAKES; None: they
    must not claim to recognize it.
    """

    change: tuple[tuple[str, str], ...]
    fails: str
    named: str | None = ""

    def applied_to(self, solution):
        """Return the wrong solution's code. Raises ValueError when our solution has moved on."""
        code = without_comments(solution)
        for old, new in [map(without_comments, pair) for pair in self.change]:
            if code.count(old) != 1:
                raise ValueError(
                    "wrong.py or parts.py looks for this text in our solution, where it is "
                    f"{code.count(old)} times and not once:\n{old}"
                )
            code = code.replace(old, new)
        return code


def without_comments(code):
    """A solution's code without its comments. No string in a solution has a # in it."""
    return re.sub(r"(?m)  #.*$", "", re.sub(r"(?m)^ *#.*\n", "", code))
