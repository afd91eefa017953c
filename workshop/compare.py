"""compare: show what is good about our solution, and where the learner's differs from it."""

import re
from difflib import SequenceMatcher, unified_diff

import click
from rich.table import Table
from rich.text import Text

from workshop import COMMAND, progress
from workshop.arguments import begun_step_argument
from workshop.hints import folded
from workshop.screen import console, status, what_follows
from workshop.steps import shown

CONTEXT = 3  # lines before and after a difference
ALIKE = 0.5  # with less likeness than this, a diff is harder to read than our solution
STYLES = {"-": "red", "+": "green", "@": "cyan"}  # of a diff's lines, by their first character


@click.command()
@begun_step_argument
@click.option("--spoil", is_flag=True, help="Show our solution even if yours is not green.")
def compare(step, spoil):
    """Compare your solution of step N with ours, once it is green.

    N defaults to the last step that you began.
    """
    with console.capture() as captured:
        exit_status = show_comparison(step, spoil)
    if console.is_terminal and captured.get().count("\n") >= console.height:
        click.echo_via_pager(captured.get())
    else:
        click.echo(captured.get(), nl=False, color=True)
    return exit_status


def show_comparison(step, spoil=False):
    """Show what is good about our solution, and where the learner's code differs from it.

    Return the exit status: 1 if the learner's code is not green.
    """
    with status("Checking …"):
        if not spoil and not progress.is_green(step):
            console.print(f"Step {step.number} is not green yet, and this would show the solution.")
            console.print(f"To see it anyway: {COMMAND} compare {step.number} --spoil")
            return 1
    texts = [
        path.read_text(encoding="utf-8", errors="replace") for path in (step.app, step.solution)
    ]
    titles = [f"yours: {shown(step.app)}", f"ours: {shown(step.solution)}"]
    for text in (text for title, text in folded(step) if title == "Our solution"):
        from rich.markdown import Markdown  # slow to import

        console.print("Our solution\n", style="bold")
        console.print(Markdown(text), soft_wrap=False)
        console.print()
    table = side_by_side(*texts, titles)
    if not table:
        console.print(f"{shown(step.app)} is the same as our solution.")
    elif likeness(*texts) < ALIKE:
        console.print("Most of your code differs from ours, so here is all of ours:\n")
        console.print(Text(texts[1].rstrip()))
    elif console.measure(table, options=console.options.update(width=1000)).maximum > console.width:
        console.print(as_diff(*texts, titles))
    else:
        console.print(table, soft_wrap=False)
    if not spoil:
        console.print(f"\n{what_follows(step)}")
    return 0


def likeness(left, right):
    """How much of two programs is the same, line by line, without comments: from 0 to 1."""
    code = re.compile(r"^ *[^\s#].*", re.MULTILINE)
    return SequenceMatcher(None, code.findall(left), code.findall(right), autojunk=False).ratio()


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
    """The same comparison as a diff, for a terminal that is too narrow for two columns."""
    lines = unified_diff(left.splitlines(), right.splitlines(), *titles, n=CONTEXT, lineterm="")
    return Text("\n").join(Text(line, STYLES.get(line[:1], "")) for line in lines)
