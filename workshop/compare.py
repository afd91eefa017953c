"""compare: show where the learner's solution differs from ours."""

from difflib import SequenceMatcher, unified_diff

import click
from rich.table import Table
from rich.text import Text

from workshop import COMMAND, progress
from workshop.arguments import begun_step_argument
from workshop.screen import console, status, what_follows
from workshop.steps import shown

CONTEXT = 3  # lines before and after a difference
STYLES = {"-": "red", "+": "green", "@": "cyan"}  # of a diff's lines, by their first character


@click.command()
@begun_step_argument
@click.option("--spoil", is_flag=True, help="Show our solution even if yours is not green.")
def compare(step, spoil):
    """Compare your solution of step N with ours, once it is green.

    N defaults to the last step that you began.
    """
    return show_comparison(step, spoil)


def show_comparison(step, spoil=False):
    """Show the learner's code beside our solution, if it is green; return the exit status."""
    with status("Checking …"):
        if not spoil and not progress.is_green(step):
            console.print(f"Step {step.number} is not green yet, and this would show the solution.")
            console.print(f"To see it anyway: {COMMAND} compare {step.number} --spoil")
            return 1
    texts = [
        path.read_text(encoding="utf-8", errors="replace") for path in (step.app, step.solution)
    ]
    titles = [f"yours: {shown(step.app)}", f"ours: {shown(step.solution)}"]
    table = side_by_side(*texts, titles)
    if not table:
        console.print(f"{shown(step.app)} is the same as our solution.")
    elif console.measure(table, options=console.options.update(width=1000)).maximum > console.width:
        console.print(as_diff(*texts, titles))
    else:
        console.print(table, soft_wrap=False)
    if not spoil:
        console.print(f"\n{what_follows(step)}")
    return 0


def side_by_side(left, right, titles):
    """A table of two texts' lines, or None if the texts are the same."""
    left, right = left.splitlines(), right.splitlines()
    groups = list(SequenceMatcher(None, left, right, autojunk=False).get_grouped_opcodes(CONTEXT))
    if not groups:
        return None
    table = Table(*titles, pad_edge=False)
    for group in groups:
        for operation, i, i_end, j, j_end in group:
            style = "" if operation == "equal" else "yellow"
            mark = " " if operation == "equal" else "|"
            for k in range(max(i_end - i, j_end - j)):
                a = f"{mark} {left[i + k]}" if i + k < i_end else ""
                b = f"{mark} {right[j + k]}" if j + k < j_end else ""
                table.add_row(Text(a, style), Text(b, style))
        table.add_section()
    return table


def as_diff(left, right, titles):
    """The same as a diff, for a terminal that is too narrow for two columns."""
    lines = unified_diff(left.splitlines(), right.splitlines(), *titles, n=CONTEXT, lineterm="")
    return Text("\n").join(Text(line, STYLES.get(line[:1], "")) for line in lines)
