"""The hints of a step, one at a time: the ones that are folded in its lesson, and no others."""

import contextlib
import hashlib
import re

from workshop.progress import CACHE

SHOWN = CACHE / "hints"  # a line for each hint that was shown: a fingerprint of its text


def hints(step):
    """The hints of the step's lesson, as pairs of a title and a text in Markdown."""
    found = re.findall(
        r"<details><summary>(.*?)</summary>\n(.*?)</details>",
        step.lesson.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    return [(title, text.strip("\n")) for title, text in found]


def hints_for(step, explanation):
    """The hint to a known mistake, if one was told; then those of the lesson."""
    mistake = explanation and explanation.get("Mistake")
    if not mistake:
        return hints(step)
    own = f"{verbatim(explanation['Means'])}\n\n{verbatim(explanation['Look at'])}"
    return [(f"Your answer shows: {mistake}", own), *hints(step)]


def verbatim(text):
    """Markdown that shows this text as it is, <path> and *args included."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def next_hint(step, explanation):
    """The first hint that has not been shown, as (title, text, how many are left), or None."""
    every = hints_for(step, explanation)
    seen = _seen()
    for number, (title, text) in enumerate(every, 1):
        if _fingerprint(step, title, text) not in seen:
            _remember(_fingerprint(step, title, text))
            return title, text, len(every) - number
    return None


def forget(step):
    """Begin again with the first hint of a step."""
    gone = {_fingerprint(step, title, text) for title, text in hints(step)}
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
