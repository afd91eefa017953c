"""Compare a suite's outcomes: blocking, and in tasks. What differs must be excused."""

import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

EXCUSED = Path(__file__).with_name("excused.toml")


@dataclass(frozen=True)
class Comparison:
    """What one suite shows of one step's solution.

    blocking: the number of tests that pass blocking. The others say nothing, so they don't count.
    views: how many of these start a task; passing: how many of the views' pass that way
    excused: the number of tests that fail in a task, by reason; unexplained: all others, and why
    outdated: tests that are excused although they pass, or that do not pass blocking either
    """

    blocking: int
    views: int
    passing: int
    excused: Counter
    unexplained: dict = field(default_factory=dict)
    outdated: list = field(default_factory=list)

    @property
    def as_expected(self):
        return not self.unexplained and not self.outdated


def compare(blocking, in_tasks, reasons):
    """Compare two runs. reasons: {test id: the reason why it may fail in a task}"""
    passing = {test for test, entry in blocking.items() if entry["outcome"] == "passed"}
    still = {test for test in passing if in_tasks.get(test, {}).get("outcome") == "passed"}
    failing = passing - still
    views = {test for test in passing if in_tasks.get(test, {}).get("tasks")}
    return Comparison(
        len(passing),
        len(views),
        len(views & still),
        Counter(reasons[test] for test in failing if test in reasons),
        {
            test: in_tasks.get(test, {}).get("why", "It was not run.")
            for test in sorted(failing)
            if test not in reasons
        },
        sorted(reasons.keys() - failing),
    )


def excused(path=EXCUSED):
    """The reasons, and a function that returns what is excused: of(suite's name, step's number)."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))

    def of(suite, step):
        return {
            test: entry["reason"]
            for entry in table.get("excused", [])
            if entry["suite"] == suite and step in entry.get("steps", [step])
            for test in entry["tests"]
        }

    return table["reasons"], of
