"""What the commands show, and how: results on stdout, and what only explains a wait on stderr."""

import re
import sys
import textwrap

from rich.console import Console
from rich.text import Text

from workshop import compare, hints, progress
from workshop.steps import STEPS, shown

WINDOWS = sys.platform == "win32"
COMMAND = f"{'py' if WINDOWS else 'python3'} -m workshop"

# rich leaves colour out when NO_COLOR is set, or where nobody sees it.
console = Console(highlight=False, soft_wrap=True)
aside = Console(highlight=False, soft_wrap=True, stderr=True)


def show_verdict(step, verdict):
    """Show what the checks found, and what to do next."""
    if verdict.kept:
        kept = f"the first {len(verdict.kept)} of " if not verdict.green else ""
        console.print(Text(f"✓ {kept}{verdict.promises} promises kept", "green"))
    if verdict.green:
        console.print()
        console.print(f"Step {step.number} is green.", style="bold green")
        console.print(what_follows(step))
        console.print(f"Your answer beside ours: {COMMAND} compare {step.number}")
        return
    show_broken(verdict.explanation)


def show_broken(explanation):
    """Show the promise that is broken, what was seen, what it means and where to look."""
    if promise := explanation.get("Promised"):
        promise = textwrap.fill(f"✗ {promise}", console.width, subsequent_indent="  ")
        console.print(Text(f"{promise}\n", "bold red"))
        explanation = {"Mistake": "none that the checks know by name", **explanation}
    for what in "Mistake", "Seen", "Means", "Look at":
        if what in explanation:
            row = f"  {what:9}{explanation[what]}"
            row = textwrap.fill(row, console.width, subsequent_indent=" " * 11)
            console.print(Text(row))


def show_hint(step, explanation):
    """Show the next hint; explanation: what the checks said of the answer, or None."""
    if not (found := hints.next_hint(step, explanation)):
        console.print(f"That was the last hint. From the first one on: {COMMAND} hint --again")
        console.print(f"The answer that we would give: {shown(step.solution)}")
        return
    title, text, left = found
    from rich.markdown import Markdown  # takes as long to import as half of all else

    console.print(f"{title}\n", style="bold")
    parts = re.split(r"^(```.*?^```)$", text, flags=re.DOTALL | re.MULTILINE)
    for number, part in enumerate(part for part in parts if part.strip()):
        if number:
            console.print()
        if part.startswith("```"):  # to be pasted as it stands in the lesson: no line is broken
            console.print(Text(part.partition("\n")[2].removesuffix("\n```"), "cyan"))
        else:
            console.print(Markdown(part), soft_wrap=False)
    more = f"{left} more" if left else "the last one"
    console.print(f"\n({more}; the hints are also in {shown(step.lesson)})")


def show_comparison(step, spoil=False):
    """Show the answer beside the solution, once it is green; return the exit status."""
    with aside.status("Checking …"):
        if not spoil and not progress.is_green(step):
            console.print(f"Step {step.number} is not green yet, and this would show the solution.")
            console.print(f"To see it all the same: {COMMAND} compare {step.number} --spoil")
            return 1
    texts = [
        path.read_text(encoding="utf-8", errors="replace") for path in (step.app, step.solution)
    ]
    titles = [f"yours: {shown(step.app)}", f"ours: {shown(step.solution)}"]
    table = compare.side_by_side(*texts, titles)
    if not table:
        console.print(f"{shown(step.app)} is the solution, word for word.")
    elif console.measure(table, options=console.options.update(width=1000)).maximum > console.width:
        console.print(compare.one_below_the_other(*texts, titles))
    else:
        console.print(table, soft_wrap=False)
    if not spoil:
        console.print(f"\n{what_follows(step)}")
    return 0


def after(step):
    """The step that follows, or None."""
    return next((later for later in STEPS if later.number > step.number), None)


def what_follows(step):
    """What there is to do when this step is green, as a line."""
    following = after(step)
    if not following:
        return "That was the last step."
    if following.after_class and not step.after_class:
        return f"That was the class. For afterwards: {shown(following.lesson)}"
    return f"Next: {shown(following.lesson)}"
