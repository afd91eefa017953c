"""Bad input gets one clear sentence, with file and line, and the right exit status."""

import re
import subprocess
import sys

import psutil
import pytest

from workshop.checks import check
from workshop.steps import STEPS, TOP

STEP = STEPS[1]
GOOD = (TOP / "solutions" / STEP.folder / "app.py").read_text(encoding="utf-8")
MAIN = 'if __name__ == "__main__":\n    '


def at_import(code):
    return GOOD.replace("api = Api(app)", f"api = Api(app)\n{code}")


def in_task(code):
    return GOOD.replace('print(f"started', f'{code}; print(f"started')


# name: (app.py in a bad shape, what is said of it)
BAD = {
    "missing": (None, r"There is no \S+app\.py\."),
    "empty": ("", r"\S+app\.py has no app\."),
    "syntax": (
        GOOD.replace("Api(app)", "Api(app"),
        r"Python cannot read \S+app\.py, line 13: '\(' was never closed\.",
    ),
    "indentation": (
        GOOD.replace("    return accept", "  return accept"),
        r"Python cannot read \S+app\.py, line 25: unindent does not match .*\.",
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
        r"\S+app\.py, line 13, raises AttributeError: 'Api' object has no .* imported\.",
    ),
    "exits": (
        at_import("raise SystemExit"),
        r"\S+app\.py, line 14, raises SystemExit while it is being imported\.",
    ),
    "exits in a task": (
        in_task("raise SystemExit"),
        r"The task's thread failed with SystemExit \(\S+app\.py, line 31\)\.",
    ),
    "recursion without end": (
        at_import("def f(): f()\nf()"),
        r"\S+app\.py, line 14, raises RecursionError: .* while it is being imported\.",
    ),
    "loop without end": (
        at_import("sum(range(10**13))"),  # and nobody else gets the interpreter
        r"\S+app\.py was still busy after 2 seconds, at line 14\.",
    ),
    "deadlock": (
        at_import("lock = threading.Lock(); lock.acquire(); lock.acquire()"),
        r"\S+app\.py was still busy after 2 seconds, at line 14\.",
    ),
    "thread without end": (
        at_import(
            "threading.Thread(target=lambda: [1 for _ in iter(int, 1)], daemon=True).start()"
        ),
        r"A thread of the app is still alive after the test, at \S+app\.py, line 14\.",
    ),
    "ends Python": (
        at_import("import os; os._exit(3)"),
        r"Python exited in the middle of the checks, with status 3\. .*",
    ),
    "cannot import": (
        "import flask_restfull",
        r"\S+app\.py, line 1, raises ModuleNotFoundError: No module named 'flask_restfull' .*",
    ),
    "ends Python in a task": (
        in_task("import os; os._exit(0)"),
        r"Python exited in the middle of the checks, with status 0\. .*",
    ),
    "runs": (
        GOOD.replace(MAIN, ""),
        r"\S+app\.py, line 39, starts a server while it is being imported\.",
    ),
}


if sys.platform == "linux":  # where memory can be held to a limit
    BAD["memory without end"] = (
        at_import("bomb = []\nwhile True: bomb.append(bytes(10**8))"),
        r"\S+app\.py, line 15, raises MemoryError while it is being imported\.",
    )


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "workshop", *arguments],
        cwd=TOP,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
    )


@pytest.mark.parametrize(("content", "sentence"), BAD.values(), ids=BAD)
def test_a_bad_app_gets_one_clear_sentence(content, sentence, tmp_path, monkeypatch):
    if "busy after 2 seconds" in sentence:
        monkeypatch.setattr("workshop.checks.CHECK_TIMEOUT", 2)
    folder = tmp_path / STEP.folder
    folder.mkdir()
    if content is not None:
        data = content if isinstance(content, bytes) else content.encode()
        (folder / "app.py").write_bytes(data)
    verdict = check(STEP, str(tmp_path))
    assert re.fullmatch(sentence, verdict.explanation["Seen"]), verdict.explanation["Seen"]
    assert verdict.explanation["Look at"]
    assert "Traceback" not in str(verdict.explanation)
    assert [path.name for path in folder.iterdir()] == ([] if content is None else ["app.py"])


def test_a_file_that_moves_elsewhere_and_prints_a_lot_is_checked_all_the_same(tmp_path):
    (tmp_path / STEP.folder).mkdir()
    text = at_import('import os; os.chdir("/"); print("x" * 10**7)')
    (tmp_path / STEP.folder / "app.py").write_text(text, encoding="utf-8")
    assert check(STEP, str(tmp_path)).green


@pytest.mark.parametrize(
    ("typed", "status"), [("", 0), ("check 1 --solutions", 0), ("check 1", 1), ("check 9", 2)]
)
def test_the_exit_status_says_how_it_went(typed, status):
    assert command(*typed.split()).returncode == status


def test_a_step_that_is_none_is_told_which_there_are():
    said = command("check", "9").stderr
    assert "There is no step 9. The steps are 1 to 7." in said
    assert "Traceback" not in said


CHECKER = """
import time
from tests.harness.process import Process
process = Process(time.sleep, 600)
print(process.pid, flush=True)
time.sleep(600)
"""


def test_no_process_outlives_the_one_that_checks_it():
    checker = subprocess.Popen([sys.executable, "-c", CHECKER], cwd=TOP, stdout=subprocess.PIPE)
    process = psutil.Process(int(checker.stdout.readline()))
    checker.kill()
    checker.communicate()
    process.wait(60)
