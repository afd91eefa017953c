"""reset, catch-up and undo: replace app.py, and save the learner's version next to it.

The name of a saved file says when it was saved, and by which command:
app.2026-11-22_22-06-03.reset-4.py. `undo` treats the saved files as a stack: it restores the newest
first. It also saves the files that it replaces, but those are not part of the stack.

At every moment, some file has everything that the learner wrote, because each file is written under
another name first, and then renamed.
"""

import os
import re
import time
from pathlib import Path

import click

from workshop import COMMAND, hints
from workshop.arguments import exact_step_argument
from workshop.checks import Verdict
from workshop.progress import content, fingerprint, is_green, remember
from workshop.screen import console, status
from workshop.steps import STEPS, shown

NAME = re.compile(r"app\.(\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(?:_\d{3})?)\.(.+)\.py")
UNDO = "undo"


@click.command()
@exact_step_argument
def reset(step):
    """Restore the starter of step N.

    Your file is saved in the same folder, with the date in its name. `undo` brings it back.
    """
    is_starter = content(step.app) == content(step.starter)
    saved = put_starter(step)
    hints.forget(step)
    if is_starter:
        console.print(f"{shown(step.app)} is already the starter.")
        return
    console.print(f"{shown(step.app)} is the starter again.")
    show_saved(saved)
    if saved:  # not if app.py was lost
        console.print(f"To undo this: {COMMAND} undo")
    console.print(f"Next: {COMMAND} check {step.number}")


@click.command("catch-up")
@exact_step_argument
def catch_up(step):
    """Replace each unfinished step before N with our solution.

    This lets you begin step N together with everybody else. Your files are saved, and `undo` brings
    them back. Step N itself stays as it is.
    """
    with status("Checking …"):
        replaced, saved = put_solutions(step)
    for other in replaced:
        console.print(f"Step {other.number} has our solution now: {shown(other.app)}")
    console.print(f"All steps before step {step.number} are green.")
    show_saved(saved)
    if saved:
        console.print(f"To undo this: {COMMAND} undo")
    console.print(f"Next: {shown(step.lesson)}")


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
def undo(file):
    """Undo the last reset or catch-up. Run it again to undo the one before.

    With FILE, restore that saved file as app.py. If the app.py that it replaces has code of yours,
    that code is saved, too.
    """
    steps = {path: step for step in STEPS for path in saved_files(step)}
    if file and file.resolve() not in steps:
        raise click.UsageError(f"{file} is not a file that reset, catch-up or undo has saved.")
    files = {steps[file.resolve()]: file.resolve()} if file else last_saved()
    if not files:
        left = "".join(f"\n  {shown(path)}" for path in steps)
        offer = f"\nTo restore one of these files: {COMMAND} undo FILE{left}" if left else ""
        raise click.ClickException(f"There is nothing to undo.{offer}")
    path = next(iter(files.values()))
    what = f"Restoring {shown(path)}" if file else f"Undoing {reason(path)} of {shown_date(path)}"
    console.print(f"{what}:")
    saved = put_back(files)
    for step in files:
        console.print(f"{shown(step.app)} is as it was before.")
    show_saved(saved)
    if saved:
        console.print(f"To restore a saved file: {COMMAND} undo FILE")
    console.print(f"Next: {COMMAND} check {max(step.number for step in files)}")


def show_saved(paths):
    for path in paths:
        console.print(f"Your code is saved as\n  {shown(path)}")


def put_starter(step):
    """Make app.py the starter. Returns the files that were saved: none if it was the starter."""
    sources = {} if content(step.app) == content(step.starter) else {step: step.starter}
    return replace(sources, f"reset-{step.number}")


def put_solutions(step):
    """Make app.py the solution in every earlier step that is not green.

    Returns those steps, and the files that were saved.
    """
    earlier = [other for other in STEPS if other.number < step.number and not is_green(other)]
    saved = replace({other: other.solution for other in earlier}, f"catch-up-{step.number}")
    for other in earlier:
        remember(other, Verdict(), fingerprint(other))  # a solution is green
    return earlier, saved


def put_back(files):
    """Rename these saved files, by step, back to app.py.

    Returns the files that hold what they replaced, unless that was a starter or a solution.
    """
    now, saved = new_date(), []
    for step, path in files.items():
        known = content(step.starter), content(step.solution), content(path), None
        if content(step.app) not in known:
            saved.append(save(step, now, UNDO))
        path.touch()  # a running server reloads a file only if it is newer than before
        os.replace(path, step.app)
    return saved


def saved_files(step):
    """The files that hold earlier code of the learner's for this step, oldest first."""
    return [path for path in sorted(step.app.parent.iterdir()) if NAME.fullmatch(path.name)]


def last_saved():
    """What the last reset or catch-up that is not undone yet has saved, by step."""
    saved = {s: [path for path in saved_files(s) if reason(path) != UNDO] for s in STEPS}
    newest = max((date(path) for paths in saved.values() for path in paths), default="")
    return {s: path for s, paths in saved.items() for path in paths if date(path) == newest}


def date(path):
    """When a file was saved, as text."""
    return NAME.fullmatch(path.name)[1]


def shown_date(path):
    """When a file was saved, for people and without the seconds."""
    day, _, clock = date(path)[:16].partition("_")
    return f"{day} {clock.replace('-', ':')}"


def reason(path):
    """The command that saved a file, for example "catch-up 5"."""
    return " ".join(NAME.fullmatch(path.name)[2].rsplit("-", 1))


def replace(sources, why):
    """Copy each source to its step's app.py; return the files that hold what was there before."""
    now, saved = new_date(), []
    for step, source in sources.items():
        if step.app.exists():
            saved.append(save(step, now, why))
        copy(source, step.app)
    return saved


def new_date():
    """The current time or, if the clock was set back, a time just after the newest saved file."""
    now = time.strftime("%Y-%m-%d_%H-%M-%S")
    newest = max((date(path) for step in STEPS for path in saved_files(step)), default="")
    return now if now > newest else f"{newest[:19]}_{int(newest[20:] or 0) + 1:03}"


def save(step, now, why):
    path = step.app.with_name(f"app.{now}.{why}.py")
    copy(step.app, path)
    return path


def copy(source, target):
    """Copy a file in such a way that the target is always either the old file or the new one."""
    unfinished = target.with_name(f".{target.name}.unfinished")
    unfinished.write_bytes(source.read_bytes())
    os.replace(unfinished, target)
