"""Measure, show and save the figures: `python -m tests.bench`."""

import argparse
import json
import re

from rich.console import Console
from rich.table import Table

from tests.bench import loop, report, rounds
from tests.bench.machine import machine
from workshop.steps import TOP, shown

FIGURES = TOP / "tests" / "bench" / "figures.json"
PARITY = TOP / "tests" / "parity" / "totals.json"
console = Console(highlight=False)
aside = Console(highlight=False, stderr=True)


def kept():
    """The figures that are kept in the repository, with the totals of `workshop parity`."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    return figures | {"parity": json.loads(PARITY.read_text(encoding="utf-8"))}


def written(figures):
    """The text of a JSON file: one line for an array of numbers, or an entry of another array.

    The totals of `workshop parity` have a file of their own.
    """

    def one_line(match):
        begin, content, end = match.groups()
        return begin + " ".join(content.split()) + end

    here = {name: entry for name, entry in figures.items() if name != "parity"}
    text = json.dumps(here, indent=1)
    return re.sub(r"(?m)(\[|^ *\{)\n([^][{}]*)([]}])", one_line, text) + "\n"


def show(figures):
    for table in report.tables(figures).values():
        grid = Table(title=table.title, title_justify="left", title_style="bold")
        for number, column in enumerate(table.columns):
            grid.add_column(column, justify="right" if number else "left")
        for row in table.rows:
            grid.add_row(*row, style="red" if row[-1].startswith("no") else None)
        console.print(grid)
    if costs := figures.get("costs"):
        console.print(report.conditions(costs))
        for name, why in costs["left_out"].items():
            console.print(f"Left out: {name}, because {why}.")


def keep(figures):
    """Save the figures, and update everything that is made from them: texts and pictures."""
    from tests.bench import pictures

    FIGURES.write_text(written(figures), encoding="utf-8")
    pictures.keep(pictures.pictures(figures))
    write_texts(figures)


def keep_parity(totals):
    """Write the totals of `workshop parity`, and the figures in texts."""
    PARITY.write_text(written(totals), encoding="utf-8")
    write_texts(kept())


def write_texts(figures):
    for path in report.texts():
        text = path.read_text(encoding="utf-8")
        path.write_text(report.in_place(text, figures), encoding="utf-8")
        console.print(f"updated: {shown(path)}")


def main():
    """Do what `python3 -m workshop bench --help` says, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    for option in "quick", "loop", "kept", "json", "keep":
        parser.add_argument(f"--{option}", action="store_true")
    options = parser.parse_args()
    if options.quick and options.keep:
        parser.error("the figures of a quick run are not saved: leave out --quick or --keep")
    try:
        figures = kept() if options.kept or options.keep else {}
        if not options.kept:
            figures |= measured(options)
    except (OSError, RuntimeError) as error:
        aside.print(f"Measuring failed: {error}", markup=False)
        return 2
    if options.json:
        print(json.dumps(figures, indent=1))
    else:
        show(figures)
    if options.keep:
        keep(figures)
    return 0


def measured(options):
    def say(what):
        aside.print(f"measuring: {what}")

    if options.loop:
        return {"loop": loop.run(say) | {"run_on": machine()}}
    plan = rounds.QUICK if options.quick else rounds.Plan()
    return {"costs": rounds.run(plan, say) | {"run_on": machine()}}
