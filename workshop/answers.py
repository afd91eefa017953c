"""Put another app.py in the place of the learner's. Theirs is kept beside it, under a date.

At every moment, all that the learner wrote is in some file, whole: a file gets its content under
another name, and then its place in one step.
"""

import os
import time
from itertools import count

from workshop.progress import content, is_green
from workshop.steps import STEPS


def reset(step):
    """Put the starter in place. Returns the files that were kept: none if it was there already."""
    return replace({} if content(step.app) == content(step.starter) else {step: step.starter})


def catch_up(step):
    """Put the solution in place of every earlier answer that is not green; return what was kept."""
    earlier = [other for other in STEPS if other.number < step.number and not is_green(other)]
    return replace({other: other.solution for other in earlier})


def undo():
    """Take back the last reset, catch-up or undo.

    Returns the answers that are back, and what was kept of those that were there instead.
    """
    dates = [path.suffixes[0] for step in STEPS for path in kept(step)]
    last = {s: path for s in STEPS for path in kept(s) if path.suffixes[0] == max(dates)}
    saved = replace(last)
    for path in last.values():
        path.unlink()  # it is app.py again
    return [step.app for step in last], saved


def kept(step):
    """The files that hold what the learner wrote in this step before."""
    return sorted(step.app.parent.glob("app.????-??-??_*.py"))


def replace(sources):
    """Put each source in place as its step's app.py; return the files that keep what was there."""
    date, saved = free_date(sources), []
    for step, source in sources.items():
        if step.app.exists():
            saved.append(step.app.with_suffix(f".{date}.py"))
            copy(step.app, saved[-1])
        copy(source, step.app)
    return saved


def free_date(steps):
    """The time now, as part of a file's name that no kept file has yet."""
    now = time.strftime("%Y-%m-%d_%H-%M-%S")
    dates = (f"{now}_{number}" if number else now for number in count())
    return next(d for d in dates if not any(s.app.with_suffix(f".{d}.py").exists() for s in steps))


def copy(source, target):
    """Copy a file so that the target is, at every moment, the old one or the new one, whole."""
    unfinished = target.with_name(f".{target.name}.unfinished")
    unfinished.write_bytes(source.read_bytes())
    os.replace(unfinished, target)
