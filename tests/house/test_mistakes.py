"""Wrong answers fail exactly their checks and get exactly their name; right ones pass."""

import importlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import promise_of
from tests.house.test_steps import checks_of, every_step, solution, source
from workshop.checks import check
from workshop.steps import STEPS


def catalogue(step):
    return importlib.import_module(f"tests.step_{step.room}.mistakes").MISTAKES


def wrong_answer(step, name):
    return catalogue(step)[name].answer(source(solution(step)))


WRONG = [(step, name) for step in STEPS for name in catalogue(step)]
RIGHT = [(step, path) for step in STEPS for path in sorted(step.checks.glob("right/*.py"))]


@pytest.fixture(scope="module")
def verdicts(request, tmp_path_factory):
    """The verdicts on the answers that are asked for, as many under way as there are processors.

    A wrong answer is held to its step's own checks and to those that have to fail; with --thorough,
    to the earlier steps' checks as well.
    """
    tmp_path_factory.getbasetemp()  # made once, not by two threads at the same time
    asked = {item.callspec.params["step"] for item in request.session.items if is_ours(item)}

    def verdict(step, text, options=()):
        answers = tmp_path_factory.mktemp("answers")
        (answers / step.room).mkdir()
        (answers / step.room / "app.py").write_text(text, encoding="utf-8")
        verdict = check(step, str(answers), "--maxfail=1000", *options)
        verdict.told = verdict.told and {
            what: text.replace(str(answers), "steps") for what, text in verdict.told.items()
        }
        return verdict

    def options(step, name):
        own = [f.__name__ for f in checks_of(step) if f.__module__.endswith(f"test_{step.slug}")]
        fails = [f"test_{name}" for name in catalogue(step)[name].fails.split()]
        every = request.config.getoption("thorough")
        return () if every else ("-k", " or ".join(sorted({*own, *fails})))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong = {
            pair: pool.submit(verdict, pair[0], wrong_answer(*pair), options(*pair))
            for pair in WRONG
            if pair[0] in asked
        }
        right = {
            pair: pool.submit(verdict, pair[0], source(pair[1]))
            for pair in RIGHT
            if pair[0] in asked
        }
        yield wrong | right
        pool.shutdown(cancel_futures=True)


def is_ours(item):
    return "verdicts" in getattr(item, "fixturenames", ())


def ids(value):
    return getattr(value, "room", getattr(value, "stem", value))


@pytest.mark.parametrize(("step", "name"), WRONG, ids=ids)
def test_a_wrong_answer_fails_its_checks_and_gets_its_name(verdicts, step, name):
    verdict = verdicts[step, name].result()
    names = {promise_of(function): function.__name__ for function in checks_of(step)}
    failed = {names[promise].removeprefix("test_") for promise in verdict.broken}
    assert verdict.told.get("Mistake") == name
    assert failed == set(catalogue(step)[name].fails.split())


@pytest.mark.parametrize(("step", "path"), RIGHT, ids=ids)
def test_a_right_answer_passes(verdicts, step, path):
    assert verdicts[step, path].result().told is None


@every_step
def test_no_two_names_for_one_answer(step):
    answers = [wrong_answer(step, name) for name in catalogue(step)]
    assert len(set(answers)) == len(answers)


@every_step
def test_what_is_told_of_a_mistake_is_what_was_reviewed(verdicts, step, file_regression):
    """The file mistakes.txt shows every change of wording; --force-regen writes it anew."""
    told = [verdicts[step, name].result().told for name in catalogue(step)]
    text = "\n".join("".join(f"{k + ':':9} {v}\n" for k, v in each.items()) for each in told)
    file_regression.check(text, fullpath=step.checks / "mistakes.txt", encoding="utf-8")
