"""The figures: they can be measured for every kind of subject, and every text quotes them right.

No test here has a limit for a figure. The budgets are there for a person to look at.
"""

import copy
import importlib.util
import json
import re
import shutil
import subprocess
import sys

import pytest

from tests.bench import budgets, command, measure, report, rounds, subjects
from workshop.bench import bench
from workshop.steps import TOP

FIGURES = command.kept()
KINDS = ["plain", "seed", "step 6", "flask-executor", "rq"]  # one of each kind of measurement


@pytest.fixture(scope="module")
def measured():
    """The figures of a few rounds, with one subject of each kind."""
    return rounds.run(rounds.QUICK, lambda what: None, KINDS)


# What is measured


def test_every_subject_that_can_be_measured_here_is(measured):
    assert set(measured["subjects"]) | set(measured["left_out"]) == set(KINDS)
    for name in KINDS:
        needed = all(map(importlib.util.find_spec, subjects.needs(name)))
        redis = name not in subjects.ON_REDIS or shutil.which("redis-server")
        assert (name in measured["subjects"]) == bool(needed and redis)
        assert (name in measured["left_out"]) != (name in measured["subjects"])


@pytest.mark.parametrize("name", [name for name in subjects.PEERS if name not in KINDS])
def test_the_other_peers_accept_work(name):
    if name in rounds.divide([name])[1]:
        pytest.skip("It cannot be measured here.")
    with rounds.processes(name) as (call,):
        assert len(call(measure.accept, 2)) == 2


def test_each_subject_has_all_its_figures(measured):
    for name, of in measured["subjects"].items():
        for entry in of["accept"], of["poll"]:
            assert 0 < entry["median_us"] <= entry["p99_us"]
            assert len(entry["times_plain"]) == rounds.QUICK.rounds
        if name == "plain":
            assert set(of["accept"]["times_plain"] + of["poll"]["times_plain"]) == {1.0}
            continue
        assert of["task_bytes"] > 0
        assert list(of["remembering"]) == [str(size) for size in rounds.QUICK.sizes]
        for entry in of["remembering"].values():
            assert ("sweep" in entry) == (name in ("seed", "step 6"))
            for what in "accept", "poll":
                assert len(entry[what]["times_none"]) == rounds.QUICK.rounds


@pytest.mark.skipif(not importlib.util.find_spec("gunicorn"), reason="gunicorn has no Windows.")
def test_every_request_over_a_socket_is_accepted_or_refused(measured):
    for name, of in measured["subjects"].items():
        assert list(of["load"]) == [str(number) for number in rounds.QUICK.clients]
        for each in sum(of["load"].values(), []):
            assert each["accepted"] > 0
            assert each["refused"] == 0 or name == "step 6"


def test_what_was_measured_can_be_shown(measured):
    both = {"step 5": measured["subjects"]["step 6"]} | measured["subjects"]
    figures = {"costs": measured | {"subjects": both, "run_on": FIGURES["costs"]["run_on"]}}
    for table in report.tables(figures).values():
        assert all(len(row) == len(table.columns) for row in table.rows)


def test_the_subjects_are_the_solutions_and_their_peers():
    solutions = [path.parent.name for path in sorted(TOP.glob("solutions/*/app.py"))][1:]
    assert list(subjects.SOLUTIONS) == [f"step {int(room[:2])}" for room in solutions]
    assert set(subjects.NAMES) <= set(subjects.TITLES)


def test_without_redis_or_a_package_a_subject_is_left_out_and_that_is_said(monkeypatch):
    monkeypatch.setattr(rounds.shutil, "which", lambda name: None)
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "flask_executor" else real(name)
    )
    names, left_out = rounds.divide(["plain", "step 6", "flask-executor", "rq"])
    assert names == ["plain", "step 6"]
    assert left_out == {
        "flask-executor": "flask_executor is not installed",
        "rq": "redis-server is not installed (on Debian: apt install redis-server)",
    }


def test_subjects_take_turns_and_each_as_often_as_the_others():
    turns = []

    def call(name):
        return lambda work, count: turns.append(name) or [name] * count

    plan = rounds.Plan(rounds=3, turns=4, requests=2)
    samples = rounds.by_turns(plan, plan.turns, None, [call("a"), call("b")])
    assert samples == [[["a"] * 8] * 3, [["b"] * 8] * 3]
    for turn in range(0, len(turns), 2):
        assert set(turns[turn : turn + 2]) == {"a", "b"}


def test_a_ratio_is_taken_within_a_round():
    quiet, noisy = [1.0, 1.0, 1.0], [10.0, 10.0, 10.0]
    assert rounds.ratios([[2.0] * 3, [20.0] * 3], [quiet, noisy]) == [2.0, 2.0]


# Budgets


def test_a_budget_that_is_not_met_is_shown_as_such():
    figures = copy.deepcopy(FIGURES)
    of = figures["costs"]["subjects"]
    of["step 6"]["accept"]["times_plain"] = [1.6] * 10
    of["flask-executor"]["accept"]["times_plain"] = [1.7] * 9 + [1.5]
    of["step 6"]["task_bytes"] = 1024
    found = {each.what: each for each in budgets.budgets(figures)}
    assert not found["time to 202, step 6"].met
    assert found["time to 202, step 6"].seen == "1.6 × plain"
    assert "handing work to a pool alone takes" in found["time to 202, step 6"].verdict
    assert not found["time to 202, step 6 faster than Flask-Executor"].met
    assert found["time to 202, step 6 faster than Flask-Executor"].seen == "9 of 10 rounds"
    assert found["memory of a finished task, step 6"].met


# What quotes them


@pytest.mark.parametrize("path", report.texts(), ids=lambda path: path.relative_to(TOP).as_posix())
def test_texts_quote_the_figures_that_are_kept(path):
    text = path.read_text(encoding="utf-8")
    again = "update it with: python3 -m workshop bench --kept --keep"
    assert text == report.in_place(text, FIGURES), again


def test_readme_lesson_and_guide_quote_figures():
    quoting = {path.relative_to(TOP).as_posix() for path in report.texts()}
    assert quoting >= {"README.md", "steps/06_limits/README.md", "slides/INSTRUCTOR.md"}


def test_the_kept_figures_have_no_line_for_each_number():
    text = command.FIGURES.read_text(encoding="utf-8")
    assert text == command.written(FIGURES)
    assert not re.search(r"^[ \d.,]+$", text, re.MULTILINE)


def test_a_figure_that_is_wrong_or_unknown_is_caught():
    right = report.in_place("took 0<!-- figure: step 6 accept --> times as long", FIGURES)
    wrong = re.sub(r"[\d.]+<", "99<", right, count=1)
    assert report.in_place(wrong, FIGURES) == right != wrong
    table = report.in_place("<!-- figures: to 202 -->\n| old |\n<!-- /figures -->\n", FIGURES)
    assert "Flask-Executor" in table
    assert "old" not in table
    with pytest.raises(KeyError):
        report.in_place("0<!-- figure: nobody -->", FIGURES)


def test_pictures_show_the_figures_that_are_kept():
    from tests.bench import pictures  # and with it Matplotlib, for this test alone

    def words(svg):
        return re.findall(r"<text[^>]*>([^<]*)<", svg)

    drawn = pictures.pictures(FIGURES)
    alt = json.loads((pictures.FOLDER / "alt.json").read_text(encoding="utf-8"))
    assert alt == {picture.name: picture.alt for picture in drawn}
    for picture in drawn:
        there = (pictures.FOLDER / f"{picture.name}.svg").read_text(encoding="utf-8")
        assert words(there) == words(picture.svg)


# The command


def run(*options):
    return subprocess.run(
        [sys.executable, "-m", "tests.bench", *options], cwd=TOP, capture_output=True, text=True
    )


def test_the_figures_that_are_kept_can_be_shown_without_measuring():
    done = run("--kept")
    assert done.returncode == 0
    assert report.conditions(FIGURES["costs"])[:30] in done.stdout
    assert json.loads(run("--kept", "--json").stdout) == FIGURES


def test_the_workshops_command_has_the_same_options():
    own = run("--help").stdout
    assert all(f"--{option.name}" in own for option in bench.params)


def test_the_figures_of_a_quick_run_are_not_saved():
    done = run("--quick", "--keep")
    assert done.returncode == 2
    assert "not saved" in done.stderr
