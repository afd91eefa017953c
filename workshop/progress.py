"""The learner's progress, worked out from the files.

The learner marks nothing as done. A verdict is remembered together with a fingerprint of everything
that it depends on: the code, its checks, the packages and the Python. If the fingerprint changes,
the code is checked again. So nothing is lost if the folder is moved or .workshop is deleted.
"""

import contextlib
import hashlib
import re
import sys

from workshop import setup
from workshop.checks import Verdict, check
from workshop.steps import CACHE, STEPS, TOP

# A line for each verdict: a fingerprint, the step's folder, "green" or "red", and the red part.
VERDICTS = CACHE / "verdicts"


def content(path):
    """A file's content, whatever its line endings are; None if there is no such file."""
    try:
        return path.read_bytes().replace(b"\r\n", b"\n")
    except OSError:
        return None


def fingerprint(step):
    """Everything that a verdict on the learner's code depends on, as a short text."""
    files = [step.app, *sorted((TOP / "tests").glob("*.py"))]
    files += sorted(path for s in STEPS[: step.number] for path in s.checks.glob("*.py"))
    python = sys.version_info[:3]
    whole = hashlib.sha256(repr((step.folder, setup.lock_checksum(), python)).encode())
    for path in files:
        whole.update(hashlib.sha256(content(path) or b"").digest())
    return whole.hexdigest()


def remembered(step):
    """The Verdict on the code as it is now, with no more than its part; None if it is not known."""
    wanted = fingerprint(step)
    for found, color, part in _lines(step):
        if found == wanted:
            return Verdict(explanation=None if color == "green" else {}, part=part)
    return None


def last_part(step):
    """The part that was most recently red, or the first part if none has been."""
    return next((part for _, _, part in reversed(_lines(step)) if part), "a")


def _lines(step):
    """What is remembered of a step, as triples of a fingerprint, a color and a part."""
    try:
        lines = VERDICTS.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    triples = [re.fullmatch(rf"(\w+) {step.folder} (green|red) (\w?)", line) for line in lines]
    return [triple.groups() for triple in triples if triple]


def remember(step, verdict, before):
    """Remember a Verdict, unless the fingerprint is no longer the one from before the check."""
    if fingerprint(step) != before or remembered(step):
        return
    with contextlib.suppress(OSError):  # a folder that cannot be written to, or a full disk
        CACHE.mkdir(exist_ok=True)
        with VERDICTS.open("a", encoding="utf-8") as lines:
            color = "green" if verdict.green else "red"
            lines.write(f"{before} {step.folder} {color} {verdict.part}\n")


def checked(step):
    """Check the learner's code, remember the Verdict and return it."""
    before = fingerprint(step)
    verdict = check(step)
    remember(step, verdict, before)
    return verdict


def begun(step):
    """Whether the learner has changed the step's app.py."""
    return content(step.app) != content(step.starter)


def is_green(step):
    """Whether the code keeps all promises, after a check if necessary. A starter is not green."""
    return begun(step) and (remembered(step) or checked(step)).green


def is_known_green(step):
    """Whether the code is known to keep all promises, without checking it."""
    return begun(step) and (verdict := remembered(step)) is not None and verdict.green


def current(is_done=is_known_green):
    """The step to work on: the last one begun or, if that is done, the next. None: all are done."""
    last = max((step.number for step in STEPS if begun(step)), default=1)
    return next((step for step in STEPS[last - 1 :] if not is_done(step)), None)
