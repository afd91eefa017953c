"""Steps, solutions, checks and lessons belong together: none of them drifts from another."""

import ast
import re
import runpy
import subprocess
import sys
from itertools import groupby

import pytest
from flask import Flask

from tests.catalogue.judge import checks_of, own_checks, parts_of
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


def functions(text):
    """The functions at the top of a module, by name."""
    return {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}


def import_statements(text):
    return [node for node in ast.parse(text).body if isinstance(node, ast.Import | ast.ImportFrom)]


def imported(text):
    """The names that a module imports, each with the module that it is from."""
    nodes = import_statements(text)
    return {(getattr(node, "module", ""), name.name) for node in nodes for name in node.names}


def text_of(node, text):
    """A statement's text, with its decorators and the comments right above it."""
    lines = text.splitlines()
    first = min(each.lineno for each in [node, *getattr(node, "decorator_list", [])]) - 1
    while lines[first - 1].startswith("#"):
        first -= 1
    return "\n".join(lines[first : node.end_lineno])


def without(nodes, text):
    """A text without these statements of it."""
    for part in [text_of(node, text) for node in nodes]:
        text = text.replace(f"\n{part}\n", "\n", 1)
    return text


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
    """And plus functions that are given, with a docstring, and the imports that they need."""
    starter, own = without_todos(source(step.app)), source(solution(step))
    if step.number == 1:  # there is none before: what it has stands in its own solution too
        rest = iter(squeezed(own))
        assert all(line in rest for line in squeezed(starter))
        return
    before = source(solution(STEPS[step.number - 2]))
    given = [node for name, node in functions(starter).items() if name not in functions(before)]
    for node in given:
        assert ast.get_docstring(node), f"{node.name} is given, but has no docstring"
        assert f"\n{text_of(node, starter)}\n" in own, f"{node.name} is not as in our solution"
    assert imported(before) <= imported(starter) <= imported(before) | imported(own)
    starter = without([*import_statements(starter), *given], starter)
    assert squeezed(starter) == squeezed(without(import_statements(before), before))


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
    """The promises that enter at a step."""
    return [promise_of(checks_of(step)[check]) for check in own_checks(step)]


def task_parts(step):
    """The titles of the parts of a step's task, by letter, as the lesson gives them."""
    task = re.search(r"^## Your task\n(.*?)^## ", source(step.lesson), re.DOTALL | re.MULTILINE)
    found = re.findall(r"^\*\*\((\w)\) (.+?)\.?\*\*", task[1], re.MULTILINE)
    return {part: title.replace("`", "") for part, title in found}


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
    """In groups, each below the title of its part. The titles are those in "Your task"."""
    listed = re.search(r"<!-- promises -->\n(.*)<!-- /promises -->", source(step.lesson), re.DOTALL)
    lines = squeezed(re.sub(r"\n  +", " ", listed[1]))
    titles, parts = task_parts(step), parts_of(step)
    wanted = []
    for part, checks in groupby(own_checks(step), lambda check: parts[check]):
        wanted.append(f"**({part}) {titles.get(part)}**")
        wanted += [f"- {promise_of(checks_of(step)[check])}" for check in checks]
    assert [line.replace("`", "") for line in lines] == wanted, (
        f"List these promises in {step.lesson}, with code in backticks:\n" + "\n".join(wanted)
    )
