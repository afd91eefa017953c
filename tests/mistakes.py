"""Wrong answers that people really give, each as a change to the step's solution."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """A wrong answer.

    change: pairs of texts; the first stands once in the solution, and becomes the second. Comments
    do not count: the wrong answer has none.
    fails: the checks that must fail, by name without test_; all others must pass.
    """

    change: tuple[tuple[str, str], ...]
    fails: str

    def answer(self, solution):
        """Return the wrong answer's app.py. Raises ValueError when the solution has moved on."""
        solution = without_comments(solution)
        for old, new in self.change:
            if solution.count(old) != 1:
                raise ValueError(f"stands {solution.count(old)} times in the solution: {old!r}")
            solution = solution.replace(old, new)
        return solution


def without_comments(code):
    """A solution's code without its comments. No string in a solution has a # in it."""
    return re.sub(r"(?m)  #.*$", "", re.sub(r"(?m)^ *#.*\n", "", code))
