"""watch, as plain lines and on a terminal."""

import os
import sys

import pytest

from tests.laptop import VERDICT, Watching

posix = pytest.mark.skipif(sys.platform == "win32", reason="It takes a pseudo-terminal.")


@pytest.fixture
def watch(laptop):
    """Start watch N, and end it with the test."""
    started = []

    def watch(number, terminal=False):
        started.append(Watching(laptop, number, terminal))
        return started[-1]

    yield watch
    for watching in started:
        watching.end()


def solution(laptop, number=2):
    return laptop.solution(number).read_text(encoding="utf-8")


def save(laptop, text, number=2):
    laptop.app(number).write_text(text, encoding="utf-8")


def by_rename(laptop, text):
    other = laptop.app(2).with_name("4913~")
    other.write_text(text, encoding="utf-8")
    os.replace(other, laptop.app(2))


def deleted_first(laptop, text):
    laptop.app(2).unlink()
    save(laptop, text)


def empty_first(laptop, text):
    save(laptop, "")
    save(laptop, text)


def test_a_save_gets_its_verdict_however_the_editor_saves(laptop, watch):
    watching = watch(2)
    starter = laptop.app(2).read_text(encoding="utf-8")
    for how in save, by_rename, deleted_first, empty_first:
        watching.until("Checking …")
        watching.until(r"\(a\) ✗ 0 of \d")
        assert "no async_api" in watching.until(r"Seen +(.*)\n")[1]
        watching.until(VERDICT)
        how(laptop, solution(laptop))
        watching.until("Checking …")
        watching.until("✓ 7 promises kept, and 1 of earlier steps")
        watching.until(r"Step 2 is green\.")
        save(laptop, starter)
    assert "\x1b" not in watching.printed, "plain lines where there is no terminal"


def test_the_same_content_is_not_checked_twice(laptop, watch):
    watching = watch(2)
    watching.until(VERDICT)
    save(laptop, laptop.app(2).read_text(encoding="utf-8"))  # an event, but nothing new
    save(laptop, "app = 1", number=3)  # nor is this, in another step
    save(laptop, solution(laptop))
    watching.until(r"Step 2 is green\.")
    assert watching.printed.count("Checking …") == 2


ENDLESS = "\nwhile True:\n    pass\n"


def test_a_save_during_a_run_takes_its_place(laptop, watch):
    save(laptop, solution(laptop) + ENDLESS)
    watching = watch(2)
    watching.until("Checking …")
    save(laptop, solution(laptop))
    watching.until(r"Step 2 is green\.")
    assert "still busy" not in watching.printed


def test_new_checks_are_used(laptop, watch):
    save(laptop, solution(laptop))
    watching = watch(2)
    watching.until(r"Step 2 is green\.")
    checks = next(laptop.top.glob("tests/step_02_*/test_*.py"))
    before = checks.read_text(encoding="utf-8")
    try:
        checks.write_text(before + "\n\ndef test_more():\n    '''More.'''\n    1 / 0\n")
        watching.until("✗ More")
    finally:
        checks.write_text(before, encoding="utf-8")
    watching.until(r"Step 2 is green\.")


def test_two_watches_at_once(laptop, watch):
    pair = watch(2), watch(2)
    for watching in pair:
        watching.until(VERDICT)
    save(laptop, solution(laptop))
    for watching in pair:
        watching.until(r"Step 2 is green\.")
    lines = (laptop.top / ".workshop" / "verdicts").read_text(encoding="utf-8").splitlines()
    assert all(len(line.split(" ", 1)[0]) == 64 for line in lines)


@posix
def test_ctrl_c_ends_it_quietly(laptop, watch):
    watching = watch(2)
    watching.until(VERDICT)
    watching.interrupt()
    assert watching.wait() == 130
    assert "Traceback" not in watching.printed


# On a terminal


@posix
def test_passing_does_not_move_on_by_itself_but_n_does(laptop, watch):
    save(laptop, solution(laptop))
    watching = watch(2, terminal=True)
    watching.until(r"Step 2 is green\.")
    watching.until("n next step")
    save(laptop, solution(laptop) + "# more\n")
    watching.until(r"Step 2 is green\.")
    watching.until("n next step")
    watching.press("n")
    watching.until("Step 3, A request for the task")
    watching.until(VERDICT)


@posix
def test_the_keys_hint_compare_and_quit(laptop, watch):
    watching = watch(1, terminal=True)
    watching.until("q quit")
    watching.press("h")
    watching.until("Hint 1")
    watching.press("c")
    watching.until("--spoil")
    watching.press("n")
    watching.until("Step 1 is not green yet")
    watching.until("-m workshop watch 2")
    watching.press("x")  # means nothing
    watching.press("q")
    assert watching.wait() == 0
    assert "Traceback" not in watching.printed


@posix
def test_the_key_run_serves_until_ctrl_c_and_watching_goes_on(laptop, watch):
    watching = watch(1, terminal=True)
    watching.until("q quit")
    watching.press("r")
    watching.until(r"Serving steps/01_blocking/app\.py at http://127\.0\.0\.1:\d+")
    watching.until("Restarting with")
    save(laptop, solution(laptop, 1), number=1)
    watching.interrupt()
    watching.until("Still watching")
    watching.until(r"Step 1 is green\.")
    watching.press("zq")
    assert watching.wait() == 0
    assert "zq" not in watching.printed, "the terminal echoes keys"
