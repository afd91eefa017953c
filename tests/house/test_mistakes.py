"""Each step's wrong answers fail exactly their checks and get exactly their name; right ones pass."""

import importlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import promise_of
from tests.house.test_steps import checks_of, solution, source
from workshop.checks import check
from workshop.steps import STEPS, TOP


def catalogue(step):
    return importlib.import_module(f"tests.step_{step.room}.mistakes").MISTAKES


WRONG = [(step, name) for step in STEPS for name in catalogue(step)]
RIGHT = [(step, path) for step in STEPS for path in sorted(step.checks.glob("right/*.py"))]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """The verdicts on all answers, under way, as many at once as there are processors."""

    def verdict(step, text):
        answers = tmp_path_factory.mktemp("answers")
        (answers / step.room).mkdir()
        (answers / step.room / "app.py").write_text(text, encoding="utf-8")
        return check(step, str(answers), "--maxfail=1000")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {
            (step, name): pool.submit(
                verdict, step, catalogue(step)[name].answer(source(solution(step)))
            )
            for step, name in WRONG
        } | {(step, path): pool.submit(verdict, step, source(path)) for step, path in RIGHT}


@pytest.mark.parametrize(("step", "name"), WRONG, ids=lambda v: getattr(v, "room", v))
def test_a_mistake_fails_its_checks_and_gets_its_name(verdicts, step, name):
    verdict = verdicts[step, name].result()
    names = {promise_of(function): function.__name__ for function in checks_of(step)}
    failed = {names[promise].removeprefix("test_") for promise in verdict.broken}
    assert failed == set(catalogue(step)[name].fails.split())
    assert verdict.told.get("Mistake") == name
