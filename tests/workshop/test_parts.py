"""The parts of a step: each is small, adds something, and needs nothing of a later one."""

import ast
import importlib
import re
from collections import Counter
from itertools import groupby, pairwise

import pytest

from tests.catalogue import judge
from tests.catalogue.mistake import Mistake, without_comments
from tests.workshop.test_steps import every_step, source, task_parts
from workshop.hints import folded, lesson_hints, part_of
from workshop.steps import STEPS

NEW_LINES = 10  # in one part, in steps 1 to 5


def parts(step):
    """The parts of a step, in the order in which their checks run."""
    marked = [judge.parts_of(step)[check] for check in judge.own_checks(step)]
    return [part for part, _ in groupby(marked)]


def states(step):
    """What a learner has before a part and after it, by part."""
    after = importlib.import_module(f"tests.catalogue.{step.folder}.parts").AFTER
    solution = source(step.solution)
    codes = [Mistake(change, fails="").applied_to(solution) for change in after.values()]
    before_and_after = pairwise([source(step.starter), *codes, without_comments(solution)])
    return dict(zip(parts(step), before_and_after, strict=True))


PARTS = [(step, part) for step in STEPS for part in parts(step)]
every_part = pytest.mark.parametrize(
    ("step", "part"), PARTS, ids=[f"{step.folder}-{part}" for step, part in PARTS]
)


def checks_up_to(step, part):
    """The names of the checks of the earlier steps, and of the parts up to this one."""
    module = importlib.import_module(f"tests.catalogue.{step.folder}.parts")
    since = getattr(module, "EARLIER_STEPS_FROM", "a")
    return {check for check, its in judge.parts_of(step).items() if (its or since) <= part}


@every_step
def test_the_parts_are_the_same_everywhere(step):
    """In the order of the checks, in the lesson, in its hints and in the starter."""
    letters = parts(step)
    assert letters == [*"abcdefgh"[: len(letters)]], "a mark at each check, and (a) first"
    assert list(task_parts(step)) == letters
    hints = [part_of(hint) for hint in lesson_hints(step)]
    assert [part for part, _ in groupby(hints) if part] == letters
    todos = re.findall(r"# TODO(.*?):", source(step.starter))
    assert sorted(todos) == [f" ({part})" for part in letters]
    assert "TODO" not in source(step.solution)
    for text in (text for title, text in folded(step) if title == "Our solution"):
        assert re.findall(r"^\*\*\((\w)\)\*\*", text, re.MULTILINE) == letters


@every_step
def test_what_is_folded_away_is_a_hint_or_about_our_solution(step):
    for title, _ in folded(step):
        assert re.match(r"Hint \d+( \(\w\))?: |Our solution$", title)


@every_part
def test_a_part_needs_nothing_of_a_later_one(step, part):
    verdict = judge.verdict(step, states(step)[part][1], checks_up_to(step, part))
    assert verdict.green, verdict.explanation


@every_part
def test_without_a_part_one_of_its_checks_is_red_by_assertion(step, part):
    its = {check for check, other in judge.parts_of(step).items() if other == part}
    explanation = judge.verdict(step, states(step)[part][0], its).explanation
    assert explanation, f"all checks of part ({part}) pass before it is done"
    assert list(explanation)[:4] == ["Promised", "Seen", "Means", "Look at"], explanation


@every_part
def test_a_part_is_small(step, part):
    before, after = map(code_lines, states(step)[part])
    new = list((after - before).elements())
    if not step.after_class:
        assert len(new) <= NEW_LINES, "\n".join([f"{len(new)} lines:", *new])


def code_lines(code):
    """How often each line is there, without imports, docstrings, comments and indentation.

    Functions that are given are in the starter already, so they are new in no part.
    """
    lines = without_comments(code).splitlines()
    for node in ast.walk(ast.parse("\n".join(lines))):
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_docstring or isinstance(node, ast.Import | ast.ImportFrom):
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    return Counter(line.strip() for line in lines if re.search(r"\w", line))
