"""Put another app.py in the place of the learner's. Theirs is kept beside it.

The kept file's name says when it was put aside, and what for: app.2026-11-22_22-06-03.reset-4.py.
So the kept files are the stack that `undo` takes back, newest first. What undo itself puts aside is
kept too, but is no part of that stack.

At every moment, all that the learner wrote is in some file, whole: a file gets its content under
another name, and then its place in one step.
"""

import os
import re
import time

from workshop.checks import Verdict
from workshop.progress import content, fingerprint, is_green, remember
from workshop.steps import STEPS

NAME = re.compile(r"app\.(\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(?:_\d{3})?)\.(.+)\.py")
UNDO = "undo"


def reset(step):
    """Put the starter in place. Returns the files that were kept: none if it was there already."""
    sources = {} if content(step.app) == content(step.starter) else {step: step.starter}
    return replace(sources, f"reset-{step.number}")


def catch_up(step):
    """Put the solution in place of every earlier answer that is not green.

    Returns the steps that it was put in, and the files that were kept.
    """
    earlier = [other for other in STEPS if other.number < step.number and not is_green(other)]
    kept_now = replace({s: s.solution for s in earlier}, f"catch-up-{step.number}")
    for other in earlier:
        remember(other, Verdict(), fingerprint(other))  # a solution is green
    return earlier, kept_now


def last():
    """What the last reset or catch-up that is not taken back yet has put aside, by step."""
    aside = {s: [path for path in kept(s) if reason(path) != UNDO] for s in STEPS}
    newest = max((date(path) for paths in aside.values() for path in paths), default="")
    return {s: path for s, paths in aside.items() for path in paths if date(path) == newest}


def undo(back):
    """Put these kept files, by step, back in place; they are app.py again, and no longer beside it.

    Returns the files that keep what was there instead, unless that was a starter or a solution.
    """
    now, saved = new_date(), []
    for step, path in back.items():
        ours = content(step.starter), content(step.solution), content(path), None
        if content(step.app) not in ours:
            saved.append(keep(step, now, UNDO))
        path.touch()  # a server that runs loads again what is newer than before
        os.replace(path, step.app)
    return saved


def kept(step):
    """The files that hold what the learner wrote in this step before, the oldest first."""
    return [path for path in sorted(step.app.parent.iterdir()) if NAME.fullmatch(path.name)]


def date(path):
    """When a kept file was put aside, as text."""
    return NAME.fullmatch(path.name)[1]


def minute(path):
    """The same for people, without the seconds."""
    day, _, clock = date(path)[:16].partition("_")
    return f"{day} {clock.replace('-', ':')}"


def reason(path):
    """What a kept file was put aside for, such as "catch-up 5"."""
    return " ".join(NAME.fullmatch(path.name)[2].rsplit("-", 1))


def replace(sources, why):
    """Put each source in place as its step's app.py; return the files that keep what was there."""
    now, saved = new_date(), []
    for step, source in sources.items():
        if step.app.exists():
            saved.append(keep(step, now, why))
        copy(source, step.app)
    return saved


def new_date():
    """The time now, or one just after the newest kept file: also if the clock was set back."""
    now = time.strftime("%Y-%m-%d_%H-%M-%S")
    newest = max((date(path) for step in STEPS for path in kept(step)), default="")
    return now if now > newest else f"{newest[:19]}_{int(newest[20:] or 0) + 1:03}"


def keep(step, now, why):
    path = step.app.with_name(f"app.{now}.{why}.py")
    copy(step.app, path)
    return path


def copy(source, target):
    """Copy a file so that the target is, at every moment, the old one or the new one, whole."""
    unfinished = target.with_name(f".{target.name}.unfinished")
    unfinished.write_bytes(source.read_bytes())
    os.replace(unfinished, target)
