"""Run, compare and show: `python -m tests.parity`, as `python3 -m workshop parity` runs it."""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from tests.parity import suites
from tests.parity.compare import compare, excused
from workshop.steps import STEPS, TOP

SOLUTIONS = TOP / "solutions"
STEPS_WITH_A_STATUS_URL = [step for step in STEPS if step.number >= 4]
console = Console(highlight=False)
aside = Console(highlight=False, stderr=True)


def say(what):
    aside.print(f"{what}…")


def main():
    """Do what `python3 -m workshop parity --help` says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.parity")
    parser.add_argument("steps", nargs="*", type=int)
    parser.add_argument("--suite", action="append")
    parser.add_argument("--apps", type=Path, default=SOLUTIONS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    steps = [step for step in STEPS_WITH_A_STATUS_URL if step.number in options.steps]
    if len(steps) < len(set(options.steps)):
        parser.error("only steps 4 to 7 have a status URL")
    known = {suite.name: suite for suite in suites.suites()}
    if unknown := set(options.suite or []) - known.keys():
        parser.error(f"there is no suite {', '.join(unknown)}, only {', '.join(known)}")
    if options.keep and (steps or options.suite or options.apps != SOLUTIONS):
        parser.error("only the figures of all suites, steps and solutions are kept")
    chosen = [known[name] for name in options.suite or known]
    try:
        suites.prepare(say)
        found = compared(chosen, steps or STEPS_WITH_A_STATUS_URL, options.apps.resolve())
    except (OSError, RuntimeError, TimeoutError) as error:
        aside.print(f"It could not be compared: {error}", markup=False)
        return 2
    if options.json:
        print(json.dumps(totals(found), indent=1))
    else:
        show(found)
    if options.keep:
        from tests.bench.command import keep_parity  # it needs more packages

        keep_parity(totals(found))
    return (
        0 if all(each.as_expected for by_step in found.values() for each in by_step.values()) else 1
    )


def compared(chosen, steps, apps):
    """Run the suites, two at a time; return {suite: {step's number: its Comparison}}."""
    _, reasons = excused()

    def of_one(suite):
        say(f"{suite.name}, blocking")
        blocking = suites.run(suite)
        found = {}
        for step in steps:
            say(f"{suite.name}, step {step.number}")
            in_tasks = suites.run(suite, apps / step.folder / "app.py")
            found[step.number] = compare(blocking, in_tasks, reasons(suite.name, step.number))
        return found

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(chosen, pool.map(of_one, chosen), strict=True))


def totals(found):
    """The numbers, as they are kept."""
    return {
        suite.name: {
            "version": suite.version,
            "blocking": max(each.blocking for each in by_step.values()),
            "steps": {
                str(number): {
                    "views": each.views,
                    "passing": each.passing,
                    "excused": dict(sorted(each.excused.items())),
                    "unexplained": len(each.unexplained),
                }
                for number, each in by_step.items()
            },
        }
        for suite, by_step in found.items()
    }


def show(found):
    """Print the table, what its reasons mean, and all that is not as expected."""
    style = {"title_justify": "left", "title_style": "bold", "box": SIMPLE, "padding": (0, 1, 0, 0)}
    grid = Table(title="Other people's tests", **style)
    grid.add_column("suite", no_wrap=True)
    for column in "steps", "pass", "view", "task":
        grid.add_column(column, justify="right", no_wrap=True)
    grid.add_column("excused")
    grid.add_column("unexplained", justify="right", no_wrap=True)
    for suite, by_step in found.items():
        for numbers, cells in same_steps(by_step):
            style = None if by_step[numbers[0]].as_expected else "red"
            steps = named(numbers)
            grid.add_row(f"{suite.name} {suite.version}", steps, *cells, style=style)
    console.print(grid)
    console.print(
        "pass: pass blocking. view: of these, call a view. task: of these, pass in a task."
    )
    every = [each for by_step in found.values() for each in by_step.values()]
    meaning, _ = excused()
    for reason in meaning:
        if any(reason in each.excused for each in every):
            console.print(f"{reason}: {meaning[reason]}", markup=False)
    for suite, by_step in found.items():
        for what in "unexplained", "outdated":
            tests = {test: None for each in by_step.values() for test in getattr(each, what)}
            for test in tests:
                numbers = [n for n, each in by_step.items() if test in getattr(each, what)]
                steps = f"step {named(numbers)}"
                if what == "outdated":
                    tell(f"No longer to be excused: {suite.name}, {steps}: {test}")
                else:
                    why = by_step[numbers[0]].unexplained[test].strip().splitlines() or [""]
                    tell(f"Unexplained: {suite.name}, {steps}: {test}\n    {why[0][:200]}")


def named(steps):
    first, last = steps[0], steps[-1]
    if len(steps) > 2 and last - first == len(steps) - 1:
        return f"{first} to {last}"
    return ", ".join(map(str, steps))


def row(each):
    """A comparison's part of the table."""
    by_number = sorted(each.excused.items(), key=lambda item: (-item[1], item[0]))
    why = ", ".join(f"{many} {reason}" for reason, many in by_number)
    return [str(each.blocking), str(each.views), str(each.passing), why, str(len(each.unexplained))]


def same_steps(by_step):
    """Put steps together whose rows are the same; return (their numbers, the row) of each."""
    together = {}
    for number, each in by_step.items():
        together.setdefault(tuple(row(each)), []).append(number)
    return [(numbers, cells) for cells, numbers in together.items()]


def tell(what):
    console.print(what, markup=False, soft_wrap=True)
