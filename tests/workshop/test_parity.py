"""`workshop parity` finds what a background task does differently, and excuses only what is listed.

The tests here need no network: they run a made-up suite, with the packages that are installed.
"""

import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bench.command import PARITY
from tests.parity import command, suites
from tests.parity.compare import EXCUSED, compare, excused
from workshop.steps import TOP

MADE_UP = """
import threading

from flask import Flask, session
from flask.views import MethodView
from flask_restful import Api, Resource


def app_with(view):
    app = Flask(__name__)
    app.secret_key = "secret"
    app.add_url_rule("/<name>", view_func=view)
    return app


def test_the_same_in_a_task():
    def view(name):
        return {"name": name}, 201, {"X-Name": name}

    response = app_with(view).test_client().get("/ada")
    assert (response.status_code, response.json) == (201, {"name": "ada"})
    assert response.headers["X-Name"] == "ada"


def test_a_resource():
    class Named(Resource):
        def get(self, name):
            return name, 201

    app = Flask(__name__)
    Api(app).add_resource(Named, "/<name>")
    response = app.test_client().get("/ada")
    assert (response.status_code, response.json) == (201, "ada")


def test_a_method_view():
    class Named(MethodView):
        def post(self, name):
            return name

    client = app_with(Named.as_view("named")).test_client()
    assert client.post("/ada").text == "ada"
    assert client.get("/ada").status_code == 405


def test_the_session():
    def view(name):
        session["name"] = name
        return "stored"

    client = app_with(view).test_client()
    client.get("/ada")
    with client.session_transaction() as stored:
        assert stored["name"] == "ada"


def test_the_thread():
    def view(name):
        return threading.current_thread().name

    assert app_with(view).test_client().get("/ada").text == threading.current_thread().name


def test_no_view():
    assert app_with(print).url_map


def test_broken():
    assert app_with(print).test_client().get("/ada").status_code == 418
"""


@dataclass(frozen=True)
class MadeUp(suites.Suite):
    """A suite that a test has written, so that nothing is downloaded."""

    folder: Path = None


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made up")
    Path(folder, "test_made_up.py").write_text(MADE_UP, encoding="utf-8")
    return MadeUp("made-up", "1.0", ("test_made_up.py",), folder)


@pytest.fixture(scope="module")
def blocking(made_up):
    return suites.run(made_up, python=sys.executable)


@pytest.mark.parametrize("step", command.STEPS_WITH_A_STATUS_URL, ids=lambda step: step.number)
def test_a_made_up_suite_shows_what_differs(made_up, blocking, step):
    in_tasks = suites.run(made_up, step.solution, sys.executable)
    found = compare(blocking, in_tasks, {"test_made_up.py::test_the_session": "session"})
    assert (found.blocking, found.views, found.passing) == (6, 5, 3)
    assert found.excused == Counter(session=1)
    assert list(found.unexplained) == ["test_made_up.py::test_the_thread"]
    assert "AssertionError" in found.unexplained["test_made_up.py::test_the_thread"]
    assert found.outdated == []
    assert not found.as_expected


def test_a_suite_that_cannot_be_run_is_an_error(made_up):
    suite = MadeUp("made-up", "1.0", ("there_is_no_such_test.py",), made_up.folder)
    with pytest.raises(RuntimeError, match="there_is_no_such_test"):
        suites.run(suite, python=sys.executable)


PASSED, FAILED = {"outcome": "passed", "tasks": 1}, {"outcome": "failed", "tasks": 1, "why": "no"}


def test_a_test_that_did_not_run_in_a_task_is_unexplained():
    found = compare({"a": PASSED, "b": PASSED}, {"a": PASSED}, {})
    assert list(found.unexplained) == ["b"]


@pytest.mark.parametrize(
    ("blocking", "in_tasks"), [(PASSED, PASSED), (FAILED, FAILED), (FAILED, PASSED)]
)
def test_only_a_test_that_fails_in_a_task_alone_may_be_excused(blocking, in_tasks):
    found = compare({"a": blocking}, {"a": in_tasks}, {"a": "session"})
    assert found.outdated == ["a"]
    assert not found.as_expected
    assert compare({"a": PASSED}, {"a": FAILED}, {"a": "session"}).as_expected


def test_each_reason_is_used_and_says_where_it_is_explained():
    reasons, of = excused()
    numbers = [step.number for step in command.STEPS_WITH_A_STATUS_URL]
    used = {
        reason
        for suite in suites.suites()
        for number in numbers
        for reason in of(suite.name, number).values()
    }
    assert used == reasons.keys()
    for sentence in reasons.values():
        assert re.match(r"Lessons? [1-7]|The adapter's own doing", sentence)
    named = re.findall(r'suite = "(.+)"', EXCUSED.read_text(encoding="utf-8"))
    assert set(named) <= {suite.name for suite in suites.suites()}


def test_the_totals_that_are_kept_are_of_these_suites_and_steps():
    kept = json.loads(PARITY.read_text(encoding="utf-8"))
    assert {name: of["version"] for name, of in kept.items()} == {
        suite.name: suite.version for suite in suites.suites()
    }
    for of in kept.values():
        assert list(of["steps"]) == [str(step.number) for step in command.STEPS_WITH_A_STATUS_URL]


def test_nothing_of_theirs_is_committed():
    ignored = Path(TOP, ".gitignore").read_text(encoding="utf-8").splitlines()
    assert f"/{suites.FOLDER.relative_to(TOP).parts[0]}/" in ignored
