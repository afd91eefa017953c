"""Wrong answers fail exactly their checks and get exactly their name; right ones pass."""

import importlib

import pytest

from tests.conftest import promise_of
from tests.house.forked import Forked
from tests.house.test_steps import checks_of, every_step, solution, source
from workshop.steps import STEPS


def catalogue(step):
    return importlib.import_module(f"tests.step_{step.folder}.mistakes").MISTAKES


def wrong_answer(step, name):
    return catalogue(step)[name].answer(source(solution(step)))


WRONG = [(step, name) for step in STEPS for name in catalogue(step)]
RIGHT = [(step, path) for step in STEPS for path in sorted(step.checks.glob("right/*.py"))]


def ids(value):
    return getattr(value, "folder", getattr(value, "stem", value))


def fails(step, name):
    """The checks that a wrong answer has to fail."""
    return {f"test_{check}" for check in catalogue(step)[name].fails.split()}


def held_to(step, name, thorough=False):
    """A wrong answer is held to its step's own checks, and to those that it fails."""
    every = {function.__name__: function for function in checks_of(step)}
    own = {n for n, f in every.items() if f.__module__.endswith(f"test_{step.slug}")}
    return set(every) if thorough else own | fails(step, name)


def verdict_on(step, text, folder, checks=None, maxfail=1):
    """Check a text as the step's app.py, in a folder that has none yet."""
    (folder / step.folder).mkdir()
    (folder / step.folder / "app.py").write_text(text, encoding="utf-8")
    with Forked(step, str(folder), checks, maxfail) as run:
        return run.verdict()


@pytest.mark.parametrize(("step", "name"), WRONG, ids=ids)
def test_a_wrong_answer_fails_its_checks_and_gets_its_name(
    step, name, tmp_path, file_regression, pytestconfig
):
    """With --thorough, it is held to all checks.

    The files told/*.txt show every change of wording; --force-regen writes them anew.
    """
    exactly = held_to(step, name, pytestconfig.getoption("thorough"))

    verdict = verdict_on(step, wrong_answer(step, name), tmp_path, exactly, maxfail=1000)

    assert verdict.explanation.get("Mistake") == name, verdict.explanation
    every = {function.__name__: function for function in checks_of(step)}
    assert set(verdict.broken) == {promise_of(every[check]) for check in fails(step, name)}
    explanation = "".join(f"{what + ':':9} {text}\n" for what, text in verdict.explanation.items())
    explanation = explanation.replace(str(tmp_path), "steps")
    file_regression.check(
        explanation, fullpath=step.checks / "told" / f"{name}.txt", encoding="utf-8"
    )


@pytest.mark.parametrize("name", ["cleaner-at-import", "cleaner-under-testing"])
def test_a_cleaner_that_sleeps_is_named_like_one_that_waits(name, tmp_path):
    """Each of the earlier steps' checks would say something else of it, and that comes first."""
    answer = wrong_answer(STEPS[4], name)
    wait = 'while not stop_cleaner.wait(app.config["SWEEP_SECONDS"]):\n'
    assert wait in answer
    sleep = 'while True:\n        time.sleep(app.config["SWEEP_SECONDS"])\n'
    explanation = verdict_on(STEPS[4], answer.replace(wait, sleep), tmp_path).explanation
    assert explanation.get("Mistake") == name, explanation


@every_step
def test_what_is_told_is_told_of_a_mistake(step):
    """No text is left over from a mistake that is gone."""
    assert {path.stem for path in step.checks.glob("told/*")} == set(catalogue(step))


@pytest.mark.parametrize(("step", "path"), RIGHT, ids=ids)
def test_a_right_answer_passes(step, path, tmp_path):
    assert verdict_on(step, source(path), tmp_path).explanation is None


@every_step
def test_no_two_names_for_one_answer(step):
    answers = [wrong_answer(step, name) for name in catalogue(step)]
    assert len(set(answers)) == len(answers)
