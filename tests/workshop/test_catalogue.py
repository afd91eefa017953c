"""Wrong solutions fail exactly their checks and get exactly their id; right ones pass."""

import re

import pytest

from tests.catalogue import judge, mutate
from tests.catalogue.judge import RIGHT, WRONG, wrong_solution
from tests.catalogue.mistake import without_comments
from workshop.steps import STEPS, TOP

REGENERATE = "pytest tests/workshop/test_catalogue.py --force-regen"


def ids(value):
    return getattr(value, "folder", getattr(value, "stem", value))


every_step = pytest.mark.parametrize("step", STEPS, ids=ids)


@pytest.mark.parametrize(("step", "mistake"), WRONG, ids=ids)
def test_a_wrong_solution_fails_its_checks_and_gets_its_name(step, mistake, pytestconfig):
    """With --thorough, it is held to the earlier steps' checks as well."""
    verdict = judge.verdict_on(step, mistake, pytestconfig.getoption("thorough"))
    assert not verdict.green, f"{mistake} in wrong.py passes. Which check should see it?"
    assert verdict.explanation.get("Mistake") == judge.id_of(step, mistake), verdict.explanation
    assert set(verdict.broken) == judge.promises_broken(step, mistake), (
        f"List in {mistake}'s fails, in wrong.py, the checks that break these promises."
    )


@every_step
def test_the_explanations_are_the_ones_that_were_read(step, file_regression):
    """A reviewer reads every change of wording, in one file a step."""
    kept = judge.HERE / step.folder / "explanations.txt"
    try:
        file_regression.check(judge.explanations(step), fullpath=kept, encoding="utf-8")
    except AssertionError as difference:
        pytest.fail(
            f"{difference}\n\nIf a learner should read that, write the file anew: {REGENERATE}",
            pytrace=False,
        )


@pytest.mark.parametrize(("step", "path"), RIGHT, ids=ids)
def test_a_right_solution_passes(step, path):
    assert judge.verdict(step, judge.source(path)).explanation is None


@pytest.mark.parametrize("mistake", ["cleaner-at-import", "cleaner-under-testing"])
def test_a_cleaner_that_sleeps_is_named_like_one_that_waits(mistake):
    """Each of the earlier steps' checks would say something else of it, and that comes first."""
    code = wrong_solution(STEPS[4], mistake)
    wait = 'while not stop_cleaner.wait(app.config["SWEEP_SECONDS"]):\n'
    assert wait in code
    sleep = 'while True:\n        time.sleep(app.config["SWEEP_SECONDS"])\n'
    explanation = judge.verdict(STEPS[4], code.replace(wait, sleep)).explanation
    assert explanation.get("Mistake") == mistake, explanation


@every_step
def test_no_two_names_for_one_wrong_solution(step):
    codes = [wrong_solution(step, mistake) for mistake in judge.wrong(step)]
    assert len(set(codes)) == len(codes)


@every_step
def test_every_check_catches_a_mistake(step):
    """A check that nothing fails may be one that cannot fail."""
    caught = set().union(*(judge.fails(step, mistake) for mistake in judge.wrong(step)))
    missing = set(judge.own_checks(step)) - caught
    assert not missing, f"Add mistakes that fail these checks to {step.folder}/wrong.py: {missing}"


def test_the_tests_that_mutants_are_also_held_to_exist():
    for node in " ".join(mutate.MORE.values()).split():
        path, _, name = node.partition("[")[0].partition("::")
        assert f"def {name}(" in judge.source(TOP / path), f"mutate.py names {node}"


@every_step
def test_a_comment_in_a_solution_may_be_reworded(step):
    """The wrong solutions are changes to the code, whatever its comments say."""
    solution = judge.source(step.solution)
    assert without_comments(re.sub(r"# .*", "# other words", solution)) == without_comments(
        solution
    )
