"""Steps, solutions, checks and lessons belong together: none of them drifts from another."""

import re
import runpy
import subprocess
import sys

import pytest
from flask import Flask

from tests.catalogue.judge import checks_of
from tests.harness.celery_site import tasks_of_its_own
from tests.harness.expect import promise_of
from workshop.checks import check
from workshop.steps import STEPS, TOP

ids = [step.folder for step in STEPS]
every_step = pytest.mark.parametrize("step", STEPS, ids=ids)


def solution(step):
    return TOP / "solutions" / step.folder / "app.py"


def source(path):
    return path.read_text(encoding="utf-8")


def without_todos(text):
    """A starter's text without its TODO blocks: runs of comment lines that begin with a TODO."""
    lines, inside = [], False
    for line in text.splitlines(keepends=True):
        comment = line.lstrip().startswith("#")
        inside = comment and (inside or "TODO" in line)
        if not inside:
            lines.append(line)
    return "".join(lines)


def squeezed(text):
    """The lines that are not blank: a TODO brings blank lines of its own."""
    return [line for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("folder", ["steps", "solutions"])
def test_each_step_has_a_room_in_every_folder(folder):
    assert sorted(path.name for path in (TOP / folder).iterdir() if path.is_dir()) == ids


def test_each_step_has_its_checks():
    assert sorted(path.name for path in (TOP / "tests").glob("step_*")) == [
        f"step_{i}" for i in ids
    ]


def test_the_readme_maps_the_steps():
    rows = re.findall(
        r"^\| (\d+) \| \[(.+)\]\(steps/(\w+)/README\.md\) \|.*\| (\d+) \|$",
        source(TOP / "README.md"),
        re.MULTILINE,
    )
    assert rows == [(str(s.number), s.title, s.folder, str(s.minutes)) for s in STEPS]


@every_step
def test_the_starter_is_the_solution_before_plus_todos(step):
    starter = squeezed(without_todos(source(step.app)))
    if step.number == 1:  # there is none before: what it has stands in its own solution too
        rest = iter(squeezed(source(solution(step))))
        assert all(line in rest for line in starter)
    else:
        assert starter == squeezed(source(solution(STEPS[step.number - 2])))


@every_step
def test_the_starter_has_one_to_three_todos(step):
    todos = re.findall(r"# TODO (\d):", source(step.app))
    assert todos in (["1"], ["1", "2"], ["1", "2", "3"])
    assert "TODO" not in source(solution(step))


CONFIGURED = {  # as the lessons say
    "WORK_SECONDS": 10,
    "KEEP_SECONDS": 5 * 60,
    "SWEEP_SECONDS": 60,
    "WORKERS": 8,
    "WAITING": 8,
    "GRACE_SECONDS": 30,
    "WAIT_SECONDS": 24 * 60 * 60,
    "TAKEOVER_SECONDS": 60 * 60,
    "MAX_CONTENT_LENGTH": 16 * 2**20,
}


@every_step
def test_a_solution_runs_by_itself(step, monkeypatch):
    """`python solutions/NN_slug/app.py` serves at port 8000, configured as the lessons say."""
    runs = []

    def run(app, **options):
        runs.append(options)
        found = {key: app.config[key] for key in CONFIGURED if app.config.get(key) is not None}
        assert found.items() <= CONFIGURED.items()

    monkeypatch.setattr(Flask, "run", run)
    with tasks_of_its_own():
        runpy.run_path(str(solution(step)), run_name="Another")
    assert runs == [], "imported, it serves nothing"
    with tasks_of_its_own():  # Celery would warn that the first run has a task of this name, too
        runpy.run_path(str(solution(step)), run_name="".join(["__main", "__"]))  # equal is enough
    assert runs == [{"port": 8000, "debug": True}]


ENDS = """
import sys
sys.path.insert(0, sys.argv[1])
from app import app
app.config["WORK_SECONDS"] = 3600
assert app.test_client().get("/hello").status_code == 202
"""


@pytest.mark.parametrize("step", STEPS[1:5], ids=ids[1:5])
def test_the_end_of_the_process_waits_for_no_task(step):
    """That is what a daemon thread is for. In step 6, what was accepted is finished."""
    command = [sys.executable, "-c", ENDS, solution(step).parent]
    subprocess.run(command, check=True, timeout=30)


def promises(step):
    """The promises that enter at a step, or come back: the checks that the step before has not."""
    before = checks_of(STEPS[step.number - 2]).values() if step.number > 1 else []
    return [promise_of(check) for check in checks_of(step).values() if check not in before]


@every_step
def test_the_starter_is_red_by_its_own_promises_alone(step):
    verdict = check(step, "steps", "--maxfail=1000")
    assert list(verdict.explanation)[:4] == ["Promised", "Seen", "Means", "Look at"]
    assert verdict.explanation["Promised"] == verdict.broken[0]
    assert set(verdict.broken) <= set(promises(step))
    # Some of a step's promises hold from the start: a blocking server has no cleaner too many.
    assert len(verdict.broken) >= len(promises(step)) / 2


def test_one_pytest_checks_several_steps():
    """What starts processes for step 6 has not loaded step 5's app."""
    folders = [str(step.checks) for step in STEPS[4:6]]
    command = [sys.executable, "-m", "pytest", "-q", "--solutions", *folders]
    command += ["-k", "hold_the_process or stopped_server"]
    done = subprocess.run(command, cwd=TOP, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout


@every_step
def test_the_lesson_lists_the_promises_that_enter(step):
    listed = re.search(r"<!-- promises -->\n(.*)<!-- /promises -->", source(step.lesson), re.DOTALL)
    lines = re.sub(r"\n  +", " ", listed[1]).strip().splitlines()
    wanted = [f"- {promise}" for promise in promises(step)]
    assert [line.replace("`", "") for line in lines] == wanted, (
        f"List these promises in {step.lesson}, with code in backticks:\n" + "\n".join(wanted)
    )
