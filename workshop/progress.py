"""Where the learner is, by what is in the files.

Nothing is ticked off. A verdict is remembered for exactly the content that it was found with: the
answer, its checks, the packages and the Python. What is not remembered is checked again, so that
the folder may be moved, and .workshop deleted, and nothing is lost.
"""

import contextlib
import hashlib
import json
import sys

from workshop.checks import Verdict, check
from workshop.steps import STEPS, TOP

CACHE = TOP / ".workshop"
VERDICTS = CACHE / "verdicts"  # a line for each: a fingerprint, and the explanation as JSON


def content(path):
    """A file's content, whatever its line ends are; None if there is no such file."""
    try:
        return path.read_bytes().replace(b"\r\n", b"\n")
    except OSError:
        return None


def fingerprint(step):
    """What a verdict on the learner's answer rests on, as a short text."""
    tests = TOP / "tests"
    files = [step.app, TOP / "requirements.lock", *sorted(tests.glob("*.py"))]
    files += sorted(path for s in STEPS[: step.number] for path in s.checks.glob("*.py"))
    whole = hashlib.sha256(repr((step.folder, sys.version_info[:3])).encode())
    for path in files:
        whole.update(hashlib.sha256(content(path) or b"").digest())
    return whole.hexdigest()


def remembered(step):
    """The Verdict on the answer as it is now, or None if it is not known. It knows no promises."""
    wanted = fingerprint(step)
    with contextlib.suppress(OSError, ValueError):
        for line in VERDICTS.read_text(encoding="utf-8").splitlines():
            found, _, explanation = line.partition(" ")
            if found == wanted:
                return Verdict(explanation=json.loads(explanation))
    return None


def remember(step, verdict, known_by):
    """Remember a Verdict, unless the answer is no longer what its fingerprint was made of."""
    if fingerprint(step) != known_by or remembered(step):
        return
    with contextlib.suppress(OSError):  # a folder that cannot be written to, or a full disk
        CACHE.mkdir(exist_ok=True)
        with VERDICTS.open("a", encoding="utf-8") as lines:
            lines.write(f"{known_by} {json.dumps(verdict.explanation)}\n")


def checked(step, processes=1):
    """Check the learner's answer, remember the Verdict and return it."""
    known_by = fingerprint(step)
    verdict = check(step, processes=processes)
    remember(step, verdict, known_by)
    return verdict


def begun(step):
    """Whether the learner has changed the step's app.py."""
    return content(step.app) != content(step.starter)


def is_green(step):
    """Whether the answer keeps all promises. A starter does not; what is not known is checked."""
    return begun(step) and (remembered(step) or checked(step)).green


def is_known_green(step):
    """Whether that is known without a check."""
    return begun(step) and (verdict := remembered(step)) is not None and verdict.green


def current(is_done=is_known_green):
    """The step to work on: the last one that was begun, or the one after it. None: all are done."""
    last = max((step.number for step in STEPS if begun(step)), default=1)
    return next((step for step in STEPS[last - 1 :] if not is_done(step)), None)
