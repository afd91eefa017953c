"""The catalogue's wrong and right solutions, and what the checks say of each."""

import importlib
import inspect
import re
import tempfile
from functools import cache
from pathlib import Path

from tests.catalogue.forked import Forked
from tests.harness.expect import part_of, promise_of
from workshop.steps import STEPS

HERE = Path(__file__).parent


def source(path):
    return path.read_text(encoding="utf-8")


def wrong(step):
    """The step's Mistakes, by their ids."""
    return importlib.import_module(f"{__package__}.{step.folder}.wrong").MISTAKES


def right(step):
    """The paths of the step's right solutions, other than ours."""
    return sorted((HERE / step.folder / "right").glob("*.py"))


WRONG = [(step, mistake) for step in STEPS for mistake in wrong(step)]
RIGHT = [(step, path) for step in STEPS for path in right(step)]


def wrong_solution(step, mistake):
    """The code of a wrong solution."""
    return wrong(step)[mistake].applied_to(source(step.solution))


def checks_of(step):
    """The checks that a step's app has to pass, by name: its own, and earlier ones that hold."""
    module = importlib.import_module(f"tests.step_{step.folder}.test_{step.slug}")
    return {
        name: check
        for name, check in vars(module).items()
        if inspect.isfunction(check) and name.startswith("test_")
    }


def parts_of(step):
    """The part that each check of a step belongs to, by the check's name, in the order they run."""
    module = f"tests.step_{step.folder}.test_{step.slug}"
    return {name: part_of(check, module) for name, check in checks_of(step).items()}


def id_of(step, mistake):
    """The id that the checks have to give a wrong solution, or None."""
    named = wrong(step)[mistake].named
    return mistake if named == "" else named


def fails(step, mistake):
    """The names of the checks that a wrong solution has to fail."""
    return {f"test_{check}" for check in wrong(step)[mistake].fails.split()}


def promises_broken(step, mistake):
    """The promises that it has to break."""
    checks = checks_of(step)
    return {promise_of(checks[name]) for name in fails(step, mistake)}


def own_checks(step):
    """The names of the checks that enter at a step, in the order they run."""
    own = f"tests.step_{step.folder}."
    return [name for name, check in checks_of(step).items() if check.__module__.startswith(own)]


def held_to(step, mistake):
    """A wrong solution is held to its step's own checks, and to those that it fails."""
    return fails(step, mistake).union(own_checks(step))


def verdict(step, code, checks=None, maxfail=1):
    """What the checks, or those of these names, say of code as the step's app.py: a Verdict."""
    with tempfile.TemporaryDirectory() as folder:
        app = Path(folder, step.folder, "app.py")
        app.parent.mkdir()
        app.write_text(code, encoding="utf-8")
        with Forked(step, folder, checks, maxfail) as run:
            found = run.verdict()
    if found.explanation:  # the learner's folder is steps/
        found.explanation = {
            key: text.replace(folder, "steps") for key, text in found.explanation.items()
        }
    return found


@cache
def verdict_on(step, mistake, thorough):
    """The Verdict on a wrong solution; thorough: by all checks."""
    checks = set(checks_of(step)) if thorough else held_to(step, mistake)
    return verdict(step, wrong_solution(step, mistake), checks, maxfail=1000)


def explanations(step):
    """The text of explanations.txt: what the checks say of each wrong solution of a step.

    The promise is left out, because the lesson has it. So is everything that differs from run to
    run, and line numbers.
    """
    parts = []
    for mistake in sorted(wrong(step)):
        explanation = verdict_on(step, mistake, False).explanation
        lines = [f"{what + ':':8} {explanation[what]}" for what in ("Seen", "Means", "Look at")]
        parts.append(f"[{mistake}]\n" + "\n".join(lines) + "\n")
    return masked("\n".join(parts))


def masked(text):
    uuid = r"\b[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\b"
    return re.sub(r"\bline \d+", "line N", re.sub(uuid, "<id>", text))
