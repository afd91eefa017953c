"""What the commands show, and how: results on stdout, and what only explains a wait on stderr."""

import sys
import textwrap

from rich.console import Console
from rich.text import Text

from workshop.steps import STEPS, shown

WINDOWS = sys.platform == "win32"
COMMAND = f"{'py' if WINDOWS else 'python3'} -m workshop"

# rich leaves colour out when NO_COLOR is set, or where nobody sees it.
console = Console(highlight=False, soft_wrap=True)
aside = Console(highlight=False, soft_wrap=True, stderr=True)


def show_verdict(step, verdict):
    """Show what the checks found, and what to do next."""
    if verdict.kept:
        console.print(Text(f"✓ {promises(len(verdict.kept))} kept", "green"))
    if verdict.green:
        console.print()
        console.print(f"Step {step.number} is green.", style="bold green")
        following = after(step)
        console.print(
            f"Next: {shown(following.lesson)}" if following else "That was the last step."
        )
        return
    show_broken(verdict.told)


def show_broken(told):
    """Show the promise that is broken, what was seen, what it means and where to look."""
    if promise := told.get("Promised"):
        console.print(Text(f"✗ {promise}\n", "bold red"))
    for what in "Mistake", "Seen", "Means", "Look at":
        if what in told:
            row = f"  {what:9}{told[what]}"
            row = textwrap.fill(row, console.width, subsequent_indent=" " * 11)
            console.print(Text(row))


def after(step):
    """The step that follows, or None."""
    return next((later for later in STEPS if later.number > step.number), None)


def promises(number):
    return f"{number} promise" + ("s" if number != 1 else "")
