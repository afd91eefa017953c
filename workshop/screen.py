"""What the commands print: results to stdout, and to stderr what they are waiting for."""

import contextlib
import textwrap

from rich.console import Console
from rich.text import Text

from workshop import COMMAND
from workshop.steps import shown, step_after

# rich leaves out colors if NO_COLOR is set or if the output is not a terminal.
console = Console(highlight=False, soft_wrap=True)
stderr_console = Console(highlight=False, soft_wrap=True, stderr=True)


def status(text):
    """Show this text and a spinner during a with block, if stderr is a terminal."""
    return stderr_console.status(text) if stderr_console.is_terminal else contextlib.nullcontext()


def say(text):
    """Print this; on a terminal, break lines only between words."""
    console.print(text, markup=False, soft_wrap=not console.is_terminal)


def show_verdict(step, verdict):
    """Show which promises are kept, and then what to do next or the first broken promise."""
    if verdict.green:
        count = sum(map(bool, verdict.promises.values()))  # those with a part
        kept = f"✓ {count} promises kept"
        if earlier := len(verdict.promises) - count:
            kept += f", and {earlier} of earlier steps"
        console.print(Text(f"{kept}\n", "green"))
        console.print(f"Step {step.number} is green.", style="bold green")
        console.print(what_follows(step))
        console.print(f"Compare your solution with ours: {COMMAND} compare {step.number}")
        return
    if verdict.kept or "Promised" in verdict.explanation:
        console.print(parts_line(step, verdict))
        console.print()
    show_explanation(verdict.explanation)


def parts_line(step, verdict):
    """How far each part of the step is, as in: step 1 ✓   (a) ✓ 4 of 4   (b) ✗ 1 of 6   (c) ·"""
    texts = []
    for part in sorted(set(verdict.promises.values())):
        promises = {promise for promise, its in verdict.promises.items() if its == part}
        mark = "·"  # there are more to look at
        if promises.intersection(verdict.broken):
            mark = "✗"
        elif promises.issubset(verdict.kept):
            mark = "✓"
        if part:
            kept = f" {len(promises.intersection(verdict.kept))} of {len(promises)}"
            texts.append(f"({part}) {mark}{kept if mark != '·' else ''}")
        elif mark != "·":  # earlier steps, which have no counts: the checks end at the first ✗
            texts.append(f"{'step 1' if step.number == 2 else f'steps 1–{step.number - 1}'} {mark}")
    texts = [text.replace(" ", "\xa0") for text in texts]  # so that no line ends inside one
    line = Text(textwrap.fill("   ".join(texts), console.width).replace("\xa0", " "))
    for mark, style in ("✓", "green"), ("✗", "bold red"), ("·", "dim"):
        line.highlight_regex(rf"(\S+ )?\S+ {mark}( \d+ of \d+)?", style)
    return line


def show_explanation(explanation):
    """Show the promise that is broken, what the check saw, what that means and where to look."""
    if promise := explanation.get("Promised"):
        promise = textwrap.fill(f"✗ {promise}", console.width, subsequent_indent="  ")
        console.print(Text(f"{promise}\n", "bold red"))
    for heading in "Mistake", "Seen", "Means", "Look at":
        if heading in explanation:
            row = f"  {heading:9}{explanation[heading]}"
            row = textwrap.fill(row, console.width, subsequent_indent=" " * 11)
            console.print(Text(row))


def what_follows(step):
    """What to do once this step is green, as a line."""
    following = step_after(step)
    if not following:
        return "That was the last step."
    if following.after_class and not step.after_class:
        return f"You have finished the class. To go further: {shown(following.lesson)}"
    return f"Next: {shown(following.lesson)}"
