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

    The hints are for the first part that is red. They start with a nudge and end close to the
    solution. They are also in the step's lesson.
    """
    console.print(f"Step {step.number}, {step.title}\n", style="bold")
    with status("Checking …"):
        verdict = progress.remembered(step) or progress.checked(step)
    if verdict.green and not again:
        console.print("This step is green, so you don't need a hint.")
        return
    if again:
        forget(step)
    show_hint(step, verdict)


def show_hint(step, verdict):
    """Show the next hint for the part that is red. verdict: None if it is not known yet."""
    part, seen = red_part(step, verdict), _seen()
    hints = [hint for hint in lesson_hints(step) if not part or part_of(hint) in ("", part)]
    left = [hint for hint in hints if _fingerprint(step, *hint) not in seen]
    whose = f"Part ({part})" if part else f"Step {step.number}"
    if not left:
        again = f"{COMMAND} hint {step.number} --again"
        console.print(f"{whose} has no more hints. To start over: {again}")
        console.print(f"Our solution: {shown(step.solution)}")
        return
    (title, text), *left = left
    _remember(_fingerprint(step, title, text))
    from rich.markdown import Markdown  # slow to import

    console.print(f"{title}\n", style="bold")
    blocks = re.split(r"^(```.*?^```)$", text, flags=re.DOTALL | re.MULTILINE)
    for number, block in enumerate(block for block in blocks if block.strip()):
        if number:
            console.print()
        if block.startswith("```"):  # for the learner to copy, so no line is wrapped
            console.print(Text(block.partition("\n")[2].removesuffix("\n```"), "cyan"))
        else:
            console.print(Markdown(block), soft_wrap=False)
    console.print(f"\n{whose} has {len(left) or 'no'} more hint{'s' * (len(left) != 1)}.")


def red_part(step, verdict):
    """The part to work on; "" if all are green. A broken promise of an earlier step has no part."""
    if verdict and verdict.green:
        return ""
    return verdict and verdict.part or progress.last_part(step)


def lesson_hints(step):
    """The hints of the step's lesson, as pairs of a title and a text in Markdown."""
    return [(title, text) for title, text in folded(step) if title.startswith("Hint ")]


def folded(step):
    """What is folded away in the step's lesson, as pairs of a title and a text in Markdown."""
    found = re.findall(
        r"<details><summary>(.*?)</summary>\n(.*?)</details>",
        step.lesson.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    return [(title, text.strip("\n")) for title, text in found]


def part_of(hint):
    """The part that a hint is for, as in "Hint 1 (a): the shape"; "": it is for every part."""
    found = re.match(r"Hint \d+ \((\w)\):", hint[0])
    return found[1] if found else ""


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
