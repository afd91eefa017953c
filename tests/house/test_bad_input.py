"""Bad input gets one clear sentence, with file and line, and the right exit status."""

import re
import subprocess
import sys

import pytest

from workshop.checks import check
from workshop.steps import STEPS, TOP

STEP = STEPS[1]
GOOD = (TOP / "solutions" / STEP.room / "app.py").read_text(encoding="utf-8")
MAIN = 'if __name__ == "__main__":\n    '

# name: (app.py in a bad shape, what is said of it)
BAD = {
    "missing": (None, r"There is no \S+app\.py\."),
    "empty": ("", r"\S+app\.py has no app\."),
    "syntax": (
        GOOD.replace("Api(app)", "Api(app"),
        r"Python cannot read \S+app\.py, line 12: '\(' was never closed\.",
    ),
    "indentation": (
        GOOD.replace("    return accept", "  return accept"),
        r"Python cannot read \S+app\.py, line 24: unindent does not match .*\.",
    ),
    "null byte": ("app = 1\0", r"Python cannot read \S+app\.py.*: .*null byte.*"),
    "not UTF-8": (b"app = 'caf\xe9'", r"Python cannot read \S+app\.py.*: .*utf-8.*"),
    "no app": (GOOD.replace("app", "site"), r"\S+app\.py has no app\."),
    "app is no app": (GOOD + "\napp = 7\n", r"In \S+app\.py, app is 7, not a Flask application\."),
    "no async_api": (
        GOOD.replace("async_api", "asinc_api"),
        r"\S+app\.py has no async_api\. It has asinc_api\.",
    ),
    "raises": (
        GOOD.replace("api = Api(app)", "api = Api(app).nothing"),
        r"\S+app\.py, line 12, stops with AttributeError: 'Api' object has no .* imported\.",
    ),
    "exits": (
        GOOD.replace("api = Api(app)", "api = Api(app); raise SystemExit"),
        r"\S+app\.py, line 12, stops with SystemExit while it is being imported\.",
    ),
    "cannot import": (
        "import flask_restfull",
        r"\S+app\.py, line 1, stops with ModuleNotFoundError: No module named 'flask_restfull' .*",
    ),
    "ends Python in a task": (
        GOOD.replace('print(f"started', 'import os; os._exit(0); print(f"started'),
        r"Python ended in the middle of the checks, with status 0\. .*",
    ),
    "runs": (
        GOOD.replace(MAIN, ""),
        r"\S+app\.py, line 38, starts a server while it is being imported\.",
    ),
}


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "workshop", *arguments],
        cwd=TOP,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
    )


@pytest.mark.parametrize(("content", "sentence"), BAD.values(), ids=BAD)
def test_a_bad_app_gets_one_clear_sentence(content, sentence, tmp_path):
    room = tmp_path / STEP.room
    room.mkdir()
    if content is not None:
        data = content if isinstance(content, bytes) else content.encode()
        (room / "app.py").write_bytes(data)
    verdict = check(STEP, str(tmp_path))
    assert re.fullmatch(sentence, verdict.told["Seen"]), verdict.told["Seen"]
    assert verdict.told["Look at"]
    assert "Traceback" not in str(verdict.told)
    assert [path.name for path in room.iterdir()] == ([] if content is None else ["app.py"])


@pytest.mark.parametrize(
    ("typed", "status"), [("", 0), ("check 1 --solutions", 0), ("check 1", 1), ("check 9", 2)]
)
def test_the_exit_status_says_how_it_went(typed, status):
    assert command(*typed.split()).returncode == status


def test_a_step_that_is_none_is_told_which_there_are():
    said = command("check", "9").stderr
    assert "There is no step 9. The steps are 1 to 5." in said
    assert "Traceback" not in said
