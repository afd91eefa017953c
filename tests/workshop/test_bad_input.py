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
    "a question of Python's": (
        at_import("if app = 3: pass"),
        r"Python cannot read \S+app\.py, line 14: invalid syntax\. .* instead of '='\?",
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


TWO_VIEWS = """
@app.get("/report")
@async_api
def report():
    return ""


@app.get("/invoice")
@async_api
def invoice():
    return ""
"""
CALL = "threading.Thread(target=view, args=args, kwargs=kwargs, daemon=True)"
START = r"Start at that line\. "
# name: (what in app.py becomes what, what is said of where to look)
HINTS = {
    "too many arguments": (
        (CALL, f"work = lambda: view(*args)\n        {CALL.replace('view', 'work')}"),
        r"Thread calls its target with args= and kwargs=\. Does the target take .*",
    ),
    "too few arguments": (
        (CALL, "work = lambda path: view(path)\n        threading.Thread(target=work)"),
        r"A new thread gets no arguments but those that you pass to it, as args= and kwargs=\.",
    ),
    "no such name": (("target=view", "target=viev"), START + r"Is viev spelled right\? .*"),
    "no global": (
        (CALL, f"seen += 1\n        {CALL}"),
        START + r"A function that assigns .* needs the line: global seen",
    ),
    "no such setting": (
        (CALL, f'app.config["KEEP"]\n        {CALL}'),
        START + r"app\.config has no key 'KEEP'\. .*",
    ),
    "no such key": ((CALL, f'{{}}["KEEP"]\n        {CALL}'), START + r"A KeyError means .*"),
    "not called": (
        (CALL, f"view.nothing\n        {CALL}"),
        START + r".*without the parentheses .*",
    ),
    "nothing returned": ((CALL, f"None.nothing\n        {CALL}"), START + r"Which value is None.*"),
    "something else": ((CALL, f"1 / 0\n        {CALL}"), r"Start at that line\."),
    "wraps without its view": (("@wraps(view)", "@wraps"), r"wraps needs to know the view: .*"),
    "two views of one name": (("    @wraps(view)\n", ""), r"Flask tells views apart by name\. .*"),
}


@pytest.mark.parametrize(("change", "sentence"), HINTS.values(), ids=HINTS)
def test_an_exception_gets_its_line_and_a_hint_only_where_it_fits(change, sentence, tmp_path):
    folder = tmp_path / STEP.folder
    folder.mkdir()
    code = GOOD.replace(*change).replace("api = Api(app)", "api = Api(app)\nseen = 0")
    if "wraps" in change[0]:
        code = code.replace(MAIN, TWO_VIEWS + MAIN)
    (folder / "app.py").write_text(code, encoding="utf-8")
    explanation = check(STEP, str(tmp_path)).explanation
    assert re.fullmatch(sentence, explanation["Look at"]), explanation


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
