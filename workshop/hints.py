"""hint: the hints of a step's lesson, one at a time."""

import contextlib
import hashlib
import re

import click
from rich.text import Text

from workshop import COMMAND, progress
from workshop.arguments import step_argument
from workshop.screen import console, status
from workshop.steps import CACHE, shown

SHOWN = CACHE / "hints"  # a line for each hint that was shown: a fingerprint of its text


@click.command()
@step_argument
@click.option("--again", is_flag=True, help="Start again with the first hint.")
def hint(step, again):
    """Show the next hint for step N.

    The hints start with a nudge and end close to the solution. They are also in the step's lesson.
    If the checks recognize the mistake in your code, their advice about it comes first, as a hint
    of its own.
    """
    console.print(f"Step {step.number}, {step.title}\n", style="bold")
    with status("Checking …"):
        verdict = progress.remembered(step) or progress.checked(step)
    if verdict.green and not again:
        console.print("This step is green, so you don't need a hint.")
        return
    if again:
        forget(step)
    show_hint(step, verdict.explanation)


def show_hint(step, explanation):
    """Show the next hint. explanation: what the checks said about the learner's code, or None."""
    if not (found := next_hint(step, explanation)):
        console.print(
            f"That was the last hint. To start over: {COMMAND} hint {step.number} --again"
        )
        console.print(f"Our solution: {shown(step.solution)}")
        return
    title, text, left = found
    from rich.markdown import Markdown  # slow to import

    console.print(f"{title}\n", style="bold")
    parts = re.split(r"^(```.*?^```)$", text, flags=re.DOTALL | re.MULTILINE)
    for number, part in enumerate(part for part in parts if part.strip()):
        if number:
            console.print()
        if part.startswith("```"):  # for the learner to copy, so no line is wrapped
            console.print(Text(part.partition("\n")[2].removesuffix("\n```"), "cyan"))
        else:
            console.print(Markdown(part), soft_wrap=False)
    more = f"{left} more, also in {shown(step.lesson)}" if left else "the last one"
    console.print(f"\n({more})")


def next_hint(step, explanation):
    """The first hint that has not been shown, as (title, text, how many are left), or None."""
    hints = hints_for(step, explanation)
    seen = _seen()
    for number, (title, text) in enumerate(hints, 1):
        if _fingerprint(step, title, text) not in seen:
            _remember(_fingerprint(step, title, text))
            return title, text, len(hints) - number
    return None


def hints_for(step, explanation):
    """The hint about a known mistake, if the explanation names one, and the lesson's hints."""
    mistake = explanation and explanation.get("Mistake")
    if not mistake:
        return lesson_hints(step)
    text = f"{escaped(explanation['Means'])}\n\n{escaped(explanation['Look at'])}"
    return [(f"Your mistake: {mistake}", text), *lesson_hints(step)]


def lesson_hints(step):
    """The hints of the step's lesson, as pairs of a title and a text in Markdown."""
    found = re.findall(
        r"<details><summary>(.*?)</summary>\n(.*?)</details>",
        step.lesson.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    return [(title, text.strip("\n")) for title, text in found]


def escaped(text):
    """Markdown that shows this text as it is, with its <path> and *args."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def forget(step):
    """Make the step's first hint the next one again."""
    gone = {_fingerprint(step, title, text) for title, text in lesson_hints(step)}
    with contextlib.suppress(OSError):
        SHOWN.write_text("".join(f"{line}\n" for line in _seen() if line not in gone))


def _fingerprint(step, title, text):
    return hashlib.sha256(f"{step.folder}\n{title}\n{text}".encode()).hexdigest()


def _seen():
    try:
        return SHOWN.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return []


def _remember(fingerprint):
    with contextlib.suppress(OSError):
        CACHE.mkdir(exist_ok=True)
        with SHOWN.open("a", encoding="ascii") as lines:
            lines.write(f"{fingerprint}\n")
