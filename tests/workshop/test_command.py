"""check, hint, compare, reset, catch-up, undo, and where the command says that the learner is."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from itertools import product

import pytest
from click.testing import CliRunner

from tests.catalogue.judge import parts_of, right
from tests.harness.running import Child
from tests.workshop.test_parts import states
from workshop import cli, compare, hints, opening, screen
from workshop.checks import Verdict
from workshop.steps import STEPS, TOP

OWN = "\n# what I wrote: ü 漢\n"


def write(path, text):
    path.write_text(text, encoding="utf-8")


def text(path):
    return path.read_text(encoding="utf-8")


def words(markdown):
    """The words of a text, without what Markdown or a code block adds around them."""
    return re.findall(r"\w+", re.sub(r"```\w*", "", markdown))


def hints_for(part):
    """The hints of step 2 for a part."""
    return [hint for hint in hints.lesson_hints(STEPS[1]) if hints.part_of(hint) == part]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.folder)
def test_the_starter_that_reset_brings_is_the_one_that_came(step):
    assert text(step.starter) == text(step.app), f"cp {step.app} {step.starter}"


# check


def test_check_shows_how_far_each_part_is(laptop):
    sizes = Counter(part for part in parts_of(STEPS[1]).values() if part)
    for red, (before, _) in states(STEPS[1]).items():
        write(laptop.app(2), before)
        said = laptop.run("check 2").stdout.splitlines()
        parts = []
        for part, size in sizes.items():
            kept = rf"✓ {size} of {size}" if part < red else rf"✗ \d of {size}"
            parts.append(rf"\({part}\) " + ("·" if part > red else kept))
        assert re.fullmatch("(step 1 ✓   )?" + "   ".join(parts), said[2]), said
        assert (said[3], said[4][0]) == ("", "✗")


@pytest.mark.parametrize(
    ("kept", "broken", "line"),
    [
        ("abcd", "", "steps 1–3 ✓   (a) ✓ 2 of 2   (b) ·   (c) ·"),
        ("abcde", "f", "steps 1–3 ✓   (a) ✓ 2 of 2   (b) ✗ 1 of 2   (c) ·"),
        ("a", "b", "steps 1–3 ✗   (a) ·   (b) ·   (c) ·"),
        ("abc", "", "steps 1–3 ✓   (a) ·   (b) ·   (c) ·"),
    ],
)
@pytest.mark.parametrize("width", [80, 30])
def test_the_line_of_parts_breaks_only_between_two_parts(kept, broken, line, width, monkeypatch):
    monkeypatch.setattr(screen.console, "width", width)
    promises = dict(zip("abcdefg", ["", "", *"aabbc"], strict=True))
    verdict = Verdict(promises, [*kept], [*broken], {"Promised": "…"})
    lines = screen.parts_line(STEPS[3], verdict).plain.splitlines()
    assert re.split("   |\n", "\n".join(lines)) == line.split("   ")
    assert max(map(len, lines)) <= width
    assert width < 80 or lines == [line]


def test_a_file_that_cannot_be_loaded_says_nothing_about_parts(laptop):
    write(laptop.app(2), "def (")
    assert "✗" not in laptop.says("check 2", 1)


# hint


def test_hints_for_the_part_that_is_red_come_one_at_a_time(laptop):
    for part, (before, _) in states(STEPS[1]).items():
        write(laptop.app(2), before)
        for title, hint in hints_for(part):
            said = laptop.run("hint 2").stdout
            head, _, said = said.partition("\n\n")
            assert head == "Step 2, Answer now, work later"
            assert said.startswith(f"{title}\n")
            said, _, left = said.removeprefix(title).rstrip("\n").rpartition("\n")
            assert words(hint) == words(said.replace("…", ""))
            assert left.startswith(f"Part ({part}) has ")
        assert left == f"Part ({part}) has no more hints."
        assert f"Part ({part}) has no more hints. To start over" in laptop.says("hint 2")
        first = hints_for(part)[0][0]
        assert first in laptop.says("hint 2 --again")


def test_what_is_no_promise_of_a_part_leaves_the_hints_where_they_are(laptop):
    """Whoever breaks an earlier step's promise, or makes a typo, works on the same part as before.

    There is no such part before the first check.
    """
    write(laptop.app(2), "def (")
    assert "Part (a) has" in laptop.says("hint 2")
    write(laptop.app(2), states(STEPS[1])["b"][0])
    assert "Part (b) has" in laptop.says("hint 2")
    write(laptop.app(2), "def (")
    assert "Part (b) has" in laptop.says("hint 2")


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.folder)
def test_code_in_a_hint_comes_out_as_it_stands_in_the_lesson(step, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(hints, "SHOWN", tmp_path / "hints")
    monkeypatch.setattr(screen.console, "width", 80)
    for _, hint in hints.lesson_hints(step):
        hints.show_hint(step, Verdict())  # no part is red, so there are all hints
        said = capsys.readouterr().out
        for code in re.findall(r"```\w+\n(.*?)```", hint, re.DOTALL):
            assert f"\n\n{code}\n" in said
            said = said.replace(code, "")
        assert max(map(len, said.splitlines())) <= 80, "text is wrapped"


def test_a_green_step_needs_no_hint(laptop):
    laptop.solve(2)
    assert "don't need a hint" in laptop.says("hint 2")


# compare


def test_compare_shows_the_solution_only_once_green(laptop):
    refused = laptop.says("compare 2", 1)
    assert "--spoil" in refused
    assert "@wraps" not in refused
    assert "@wraps(view)" in laptop.says("compare 2 --spoil")

    write(laptop.app(2), text(laptop.solution(2)).replace("accept", "inner"))
    beside = laptop.run("compare 2", COLUMNS="200").stdout
    assert re.search(r"def inner\(.*def accept\(", beside)
    laptop.solve(2)
    assert "is the same as our solution" in laptop.says("compare 2")


def test_compare_breaks_no_line_where_two_columns_have_no_room(laptop):
    write(laptop.app(2), text(laptop.solution(2)).replace("accept", "inner"))
    said = laptop.run("compare 2 --spoil", COLUMNS="80").stdout.splitlines()
    for line in text(laptop.app(2)).splitlines():
        if "inner" in line:
            assert f"-{line}" in said
            assert f"+{line.replace('inner', 'accept')}" in said


def test_compare_begins_with_what_is_good_about_our_solution(monkeypatch, capsys):
    words = "**(a)** One line is\nenough.\n\n**(b)** So is another."
    monkeypatch.setattr(
        compare, "folded", lambda step: [("Hint 1: no", ""), ("Our solution", words)]
    )
    compare.show_comparison(STEPS[1], spoil=True)
    said = capsys.readouterr().out
    assert re.match(r"Our solution\n\n\(a\) One line is enough\. *\n", said)
    assert said.index("(b) So is another.") < said.index("@wraps")
    assert "no\n" not in said


def test_compare_shows_another_design_no_diff(laptop):
    write(laptop.app(4), text(right(STEPS[3])[0]))
    said = laptop.run("compare 4 --spoil").stdout
    assert text(laptop.solution(4)) in said
    for step in STEPS[:6]:  # who keeps what the starter has gets one
        assert compare.likeness(text(step.starter), text(step.solution)) > compare.ALIKE


@pytest.mark.skipif(sys.platform == "win32", reason="It takes a pseudo-terminal.")
@pytest.mark.parametrize(("lines", "paged"), [(10, True), (1000, False)])
def test_compare_pages_what_is_higher_than_the_terminal(laptop, lines, paged):
    environment = laptop.environment | {"PAGER": "sed s/^/paged:/", "TERM": "xterm"}
    environment["LINES"] = str(lines)
    command = [laptop.python, "-m", "workshop", "compare", "4", "--spoil"]
    with Child(command, terminal=True, cwd=laptop.top, env=environment) as child:
        assert child.wait() == 0
        assert ("paged:" in child.printed) == paged


def test_compare_without_a_number_shows_the_step_just_finished(laptop):
    laptop.solve(1)
    said = laptop.says("check 1")
    assert re.search(r"Next: steps/02_thread/README\.md .*-m workshop compare 1", said)
    assert "steps/01_blocking/app.py is the same as our solution" in laptop.says("compare")
    write(laptop.app(2), OWN)
    assert "compare 2 --spoil" in laptop.says("compare", 1), "now step 2 is begun"


# reset, catch-up, undo


def test_reset_keeps_what_was_there_and_undo_brings_it_back(laptop):
    starter = text(laptop.app(2))
    write(laptop.app(2), OWN)
    said = laptop.says("reset 2")
    assert text(laptop.app(2)) == starter
    (kept,) = laptop.kept(2)
    assert text(kept) == OWN
    assert f"saved as steps/02_thread/{kept.name}" in said
    assert re.fullmatch(r"app\.\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.reset-2\.py", kept.name)

    assert re.search(r"Undoing reset 2 of \d{4}-\d\d-\d\d \d\d:\d\d: steps/02", laptop.says("undo"))
    assert text(laptop.app(2)) == OWN
    assert laptop.kept(2) == [], "nothing of the learner's was there instead"


def test_undo_goes_back_one_action_after_the_other(laptop):
    write(laptop.app(4), OWN)
    laptop.says("reset 4")
    laptop.says("catch-up 5")
    assert text(laptop.app(4)) == text(laptop.solution(4))
    write(laptop.app(4), "written since")
    said = laptop.says("undo")
    assert "Undoing catch-up 5" in said
    assert text(laptop.app(4)) == text(STEPS[3].starter)
    assert "Undoing reset 4" in laptop.says("undo")
    assert text(laptop.app(4)) == OWN

    (since,) = laptop.kept(4)
    assert text(since) == "written since"
    assert since.name in laptop.says("undo", 2), "the file that nothing takes back is named"
    assert f"saved as steps/04_status/{since.name} To restore a saved file:" in said
    laptop.says(f"undo steps/04_status/{since.name}")
    assert text(laptop.app(4)) == "written since"
    assert [text(path) for path in laptop.kept(4)] == [OWN]


def test_undo_of_a_file_that_was_not_kept(laptop):
    assert "is not a file that" in laptop.says("undo steps/04_status/app.py", 2)


def test_a_clock_that_is_set_back_leaves_the_order_of_actions(laptop):
    later = laptop.app(2).with_name("app.2999-12-31_23-59-59.reset-2.py")
    write(later, "first")
    for own in "second", "third":
        write(laptop.app(2), own)
        laptop.says("reset 2")
    for own in "third", "second", "first":
        laptop.says("undo")
        assert text(laptop.app(2)) == own


def test_two_resets_within_a_second_keep_two_files(laptop):
    for own in "first", "second", "third":
        write(laptop.app(2), own)
        laptop.says("reset 2")
    assert [text(path) for path in laptop.kept(2)] == ["first", "second", "third"]


def test_reset_of_a_starter_does_nothing_and_brings_a_lost_one(laptop):
    starter = text(laptop.app(2))
    assert "already the starter" in laptop.says("reset 2")
    laptop.app(2).unlink()
    assert "is the starter again" in laptop.says("reset 2")
    assert text(laptop.app(2)) == starter
    assert laptop.kept(2) == []


def test_catch_up_makes_what_is_not_green_green_and_leaves_the_rest(laptop):
    own = text(laptop.solution(1)) + OWN
    write(laptop.app(1), own)  # green
    write(laptop.app(2), OWN)  # not
    write(laptop.app(4), OWN)
    third = text(laptop.app(3))
    said = laptop.says("catch-up 4")
    assert [text(laptop.app(n)) == text(laptop.solution(n)) for n in (1, 2, 3)] == [
        False,
        True,
        True,
    ]
    assert (text(laptop.app(1)), text(laptop.app(4))) == (own, OWN)
    assert [text(path) for path in laptop.kept(2)] == [OWN]
    assert "steps/04_status/README.md" in said
    assert re.findall(r"Step (\d) has our solution now", said) == ["2", "3"]

    laptop.says("undo")
    assert (text(laptop.app(2)), text(laptop.app(3))) == (OWN, third)


def test_after_catch_up_the_step_is_the_one_to_work_on(laptop):
    laptop.says("catch-up 3")
    assert laptop.run("check").stdout.startswith("Step 3")


def test_undo_with_nothing_to_take_back_says_so(laptop):
    assert "nothing to undo" in laptop.says("undo", 2)


KILLED = """
import os, sys
from workshop import cli
whole, left = os.replace, [int(sys.argv.pop(1))]
def replace(source, target):
    if left[0] == 0:
        os._exit(9)
    left[0] -= 1
    whole(source, target)
os.replace = replace
cli.main()
"""


@pytest.mark.parametrize(
    ("typed", "moment"), [*product(["reset 2"], range(2)), *product(["catch-up 4"], range(4))]
)
def test_killed_at_any_moment_nothing_is_lost_and_the_next_try_works(laptop, typed, moment):
    write(laptop.app(2), OWN)
    laptop.run(typed, "-c", KILLED, str(moment))
    assert OWN in [text(laptop.app(2)), *map(text, laptop.kept(2))]
    laptop.says(typed)
    assert OWN in [text(laptop.app(2)), *map(text, laptop.kept(2))]


@pytest.mark.parametrize("moment", range(4))
def test_an_undo_that_is_killed_is_finished_by_the_next(laptop, moment):
    own = {number: f"{OWN}{number}" for number in (1, 2)}
    for number in own:  # as a catch-up has left them
        kept = laptop.app(number).with_name("app.2026-11-22_22-06-03.catch-up-3.py")
        write(kept, own[number])
        write(laptop.app(number), f"written since in {number}")
    killed = laptop.run("undo", "-c", KILLED, str(moment))
    assert killed.returncode == 9
    for number in own:
        there = {text(laptop.app(number)), *map(text, laptop.kept(number))}
        assert {own[number], f"written since in {number}"} <= there
    laptop.says("undo")
    assert {number: text(laptop.app(number)) for number in own} == own
    for number in own:
        assert f"written since in {number}" in map(text, laptop.kept(number))


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to(laptop):
    write(laptop.app(2), OWN)
    os.chmod(laptop.app(2).parent, 0o555)
    assert "Permission denied" in laptop.says("reset 2", 2)
    assert text(laptop.app(2)) == OWN
    os.chmod(laptop.app(2).parent, 0o755)


FULL = """
import errno, os
from pathlib import Path
from workshop import cli
def write_bytes(path, data):
    open(path, "wb").close()
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
Path.write_bytes = write_bytes
cli.main()
"""


def test_a_full_disk_changes_nothing(laptop):
    write(laptop.app(2), OWN)
    said = laptop.run("reset 2", "-c", FULL)
    assert said.returncode == 2
    assert re.search(
        "No space left.*\nNone of your work is lost. Free some disk space", said.stderr
    )
    assert text(laptop.app(2)) == OWN
    laptop.says("reset 2")
    assert [text(path) for path in laptop.kept(2)] == [OWN]


# Where you are


def place(laptop):
    return re.search(r"→ +(\d)", laptop.run().stdout)


def test_who_begins_at_step_4_is_not_sent_back_to_step_1(laptop):
    assert place(laptop)[1] == "1"
    write(laptop.app(4), OWN)
    assert place(laptop)[1] == "4"
    assert "change steps/04_status/app.py" in laptop.says()
    assert laptop.run("check").stdout.startswith("Step 4")


def test_green_leads_to_the_next_step_and_a_deleted_cache_loses_nothing(laptop):
    laptop.solve(2)
    assert place(laptop)[1] == "3"
    for path in sorted((laptop.top / ".workshop").glob("*")):
        path.unlink()
    assert "✓ 2" in laptop.says()
    assert place(laptop)[1] == "3"


def test_a_result_counts_for_exactly_the_content_that_gave_it(laptop):
    laptop.solve(2)
    assert "✓ 2" in laptop.says()
    write(laptop.app(2), text(laptop.app(2)).replace("@wraps", "# @wraps"))
    assert "✓ 2" not in laptop.says()
    laptop.solve(2)
    check = next(laptop.top.glob("tests/step_02_*/test_*.py"))
    before = text(check)
    write(check, before + "\n\ndef test_more(site):\n    '''More.'''\n    raise ValueError\n")
    assert "✓ 2" not in laptop.says(), "the checks are not those that it was green with"
    write(check, before)


KNOWN = """
from workshop.checks import Verdict
from workshop.progress import fingerprint, remember
from workshop.steps import STEPS
for step in STEPS:
    if step.number != 2:
        remember(step, Verdict(), fingerprint(step))
"""


def test_all_green(laptop):
    """All but one are known to be green already. Each solution's checks are run elsewhere."""
    for step in STEPS:
        laptop.solve(step.number)
    laptop.run("", "-c", KNOWN)
    assert "All steps are green." in laptop.says()
    assert len(text(laptop.top / ".workshop" / "verdicts").splitlines()) == len(STEPS)


# As a command


def test_help_has_examples_and_the_exit_statuses(laptop):
    said = laptop.says("--help")
    assert "Examples:" in said
    assert "130 stopped by Ctrl-C" in said


def test_help_says_of_each_command_in_a_whole_sentence_what_it_does(laptop):
    listed = laptop.run("--help", COLUMNS="80").stdout
    assert re.search(r"^  catch-up +\S.*\.$", listed, re.MULTILINE)
    assert "..." not in listed.partition("Commands:")[2]


def test_every_command_that_help_names_is_there(laptop):
    said = laptop.run("--help").stdout
    assert re.match(r"Usage: (python3|py) -m workshop ", said)
    listed = re.search(r"^Commands:\n(.*?)\n\n", said, re.DOTALL | re.MULTILINE)[1]
    names = re.findall(r"^  ([a-z-]+)", listed, re.MULTILINE)
    assert {"watch", "hint", "reset", "catch-up", "compare", "doctor", "run"} <= set(names)
    for name in names:  # in this process, to be quick
        said = CliRunner().invoke(cli.commands, [name, "--help"], prog_name="workshop")
        assert said.exit_code == 0
        assert said.output.startswith(f"Usage: workshop {name}")


def test_help_breaks_no_line_of_80_columns():
    for name in "", *cli.commands.commands:
        said = CliRunner().invoke(cli.commands, [*name.split(), "--help"])  # with 80 columns
        assert [line for line in said.output.splitlines() if len(line) > 80] == []


def test_version(laptop):
    project = text(TOP / "pyproject.toml")
    assert re.search(r'^version = "(.*)"', project, re.M)[1] in laptop.says("--version")


@pytest.mark.parametrize("typed", ["check 9", "chek", "reset", "check --what"])
def test_what_cannot_be_understood_goes_to_stderr_with_status_2(laptop, typed):
    done = laptop.run(typed)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_not_the_number_of_a_step(laptop):
    assert "There is no step -1. The steps are 1 to" in laptop.says("check -1", 2)
    for command in "reset", "catch-up":
        assert re.search(rf"number of a step, for example: .* {command} 2", laptop.says(command, 2))


def test_no_colour_where_nobody_sees_it_or_NO_COLOR_is_set(laptop):
    assert "\x1b[" not in laptop.run("check 1").stdout
    assert "\x1b[31m" in laptop.run("check 1", FORCE_COLOR="1").stdout.replace("1;31", "31")
    assert "\x1b[31m" not in laptop.run("check 1", FORCE_COLOR="1", NO_COLOR="1").stdout.replace(
        "1;31", "31"
    )


CUT_OFF = ["unshare", "--net", "--map-root-user"]


def can_be_cut_off():
    tool = shutil.which("unshare")
    return tool and not subprocess.run([*CUT_OFF, "true"], capture_output=True).returncode


takes_cutting_off = pytest.mark.skipif(
    not can_be_cut_off(), reason="It takes unshare(1), and the right to use it."
)


def cut_off(laptop, typed):
    """Start the command without a network: it can reach only this computer."""
    loopback = 'ip link set lo up && exec "$@"'
    command = [*CUT_OFF, "sh", "-c", loopback, "sh", laptop.python, "-m", "workshop"]
    environment = laptop.environment | {"BROWSER": "true", "PYTHONUNBUFFERED": "1"}
    return Child([*command, *typed.split()], cwd=laptop.top, env=environment)


@takes_cutting_off
def test_with_the_network_cut_off_all_goes_on(laptop):
    for typed, status in (
        ("", 0),
        ("check 2", 1),
        ("check 2 --solutions", 0),
        ("check 7 --solutions", 0),
        ("hint 2", 0),
        ("compare 2 --spoil", 0),
        ("catch-up 2", 0),
        ("reset 1", 0),
        ("undo", 0),
        ("doctor", 0),
        ("setup --all", 0),
        ("completion bash", 0),
    ):
        with cut_off(laptop, typed) as child:
            assert child.wait() == status, f"{typed}: {child.printed}"


@takes_cutting_off
@pytest.mark.parametrize(
    ("typed", "up", "statuses"),
    [
        ("watch 2", "Look at", {130}),
        ("run 2", "Restarting with", {0}),
        ("run 7 --solutions", " ready.", {0}),
        ("lab 2", "is running at", {0, 130}),  # 130: it has said so, and not quite begun
        ("slides", "Serving the slides at", {130}),
    ],
)
def test_with_the_network_cut_off_what_goes_on_until_ctrl_c_does(laptop, typed, up, statuses):
    with cut_off(laptop, typed) as child:
        child.until(up)
        child.interrupt()
        assert child.wait() in statuses, child.printed
        assert child.complete, "something goes on after Ctrl-C"


def test_lab_says_what_opens_and_works_for_root(monkeypatch, capsys):
    started = []
    monkeypatch.setattr(opening.setup, "ensure", lambda *groups: False)
    monkeypatch.setattr(opening, "call", started.append)
    opening.lab.callback(STEPS[2])
    assert "Opening notebooks/03_request_context.ipynb in your browser" in capsys.readouterr().out
    assert "--allow-root" in started[0]
