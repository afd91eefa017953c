"""Run, compare and show: `python -m tests.parity`, as `python3 -m workshop parity` runs it."""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import command as bench
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
        bench.keep_parity(totals(found))
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
    grid = Table(title="Other people's tests", title_justify="left", title_style="bold")
    grid.add_column("suite", no_wrap=True)
    for column in "step", "pass", "view", "task":
        grid.add_column(column, justify="right", no_wrap=True)
    grid.add_column("excused")
    grid.add_column("un-\nexplained", justify="right", no_wrap=True)
    for suite, by_step in found.items():
        for number, each in by_step.items():
            why = ", ".join(f"{many} {reason}" for reason, many in each.excused.most_common())
            numbers = [number, each.blocking, each.views, each.passing]
            cells = [*map(str, numbers), why, str(len(each.unexplained))]
            style = None if each.as_expected else "red"
            grid.add_row(f"{suite.name} {suite.version}", *cells, style=style)
        grid.add_section()
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
        for number, each in by_step.items():
            for test, why in each.unexplained.items():
                first = (why.strip().splitlines() or [""])[0]
                tell(f"Unexplained: {suite.name}, step {number}: {test}\n    {first[:200]}")
            for test in each.outdated:
                tell(f"No longer to be excused: {suite.name}, step {number}: {test}")


def tell(what):
    console.print(what, markup=False, soft_wrap=True)
