"""What a lesson quotes is true: code stands in a solution, commands print what they are said to."""

import doctest
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.catalogue.mistake import Mistake
from tests.harness.running import LIMIT, Child, Output
from tests.harness.servers import unused_port
from workshop.steps import STEPS, TOP

SECTIONS = ["Objective", "Why", "Files you change", "Your task", "Run it", "Checks", "Hints"]
SECTIONS += ["Discussion"]
PAGES = {step.folder: step.lesson for step in STEPS} | {"README": TOP / "README.md"}
PAGES["WHICH"] = STEPS[6].lesson.with_name("WHICH.md")
every_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
every_step = pytest.mark.parametrize("step", STEPS, ids=[step.folder for step in STEPS])


def text(path):
    return path.read_text(encoding="utf-8")


def blocks(page, kind):
    """The contents of a page's fenced blocks of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", text(page), re.DOTALL | re.MULTILINE)


@every_step
def test_a_lesson_has_its_sections(step):
    lines = text(step.lesson).splitlines()
    assert lines[0] == f"# Step {step.number}: {step.title}"
    assert [line[3:] for line in lines if line.startswith("## ")] == SECTIONS
    assert lines[-1].startswith("Previous: ")


@every_page
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", text(page).replace("\n", " "))
    assert targets
    assert [target for target in targets if not (page.parent / target).exists()] == []


@every_page
def test_quoted_python_is_a_doctest_or_stands_in_the_code(page):
    code = [text(path) for path in TOP.glob("s*/*/app.py")]
    code += after_parts()
    code += [textwrap.dedent(block) for path in code for block in re.split(r"(?m)^(?=\S)", path)]
    for block in blocks(page, "python"):
        if ">>>" in block:
            example = doctest.DocTestParser().get_doctest(block, {}, page.name, None, 0)
            assert doctest.DocTestRunner().run(example).failed == 0
        else:
            assert any(block in whole or in_place(block, whole) for whole in code), block


def after_parts():
    """What a learner has after each part of a step, where that is not a solution yet."""
    for step in STEPS:
        if (TOP / "tests" / "catalogue" / step.folder / "parts.py").exists():
            parts = importlib.import_module(f"tests.catalogue.{step.folder}.parts")
            for changes in parts.AFTER.values():
                yield Mistake(changes, "").applied_to(text(step.solution))


def in_place(block, whole):
    """Whether the block's lines stand in the code one after the other, however far indented."""
    wanted, there = textwrap.dedent(block).splitlines(), whole.splitlines()
    runs = (there[at : at + len(wanted)] for at in range(len(there)))
    return any(textwrap.dedent("\n".join(run)).splitlines() == wanted for run in runs)


# Console blocks. A page is replayed from top to bottom, against the solution of its step. A block
# without a command shows lines of the server's terminal.


@pytest.mark.skipif(
    sys.platform == "win32" or not (shutil.which("bash") and shutil.which("curl")),
    reason="Replaying the lessons takes bash, curl and POSIX signals.",
)
@every_page
def test_quoted_commands_print_what_is_quoted(page, replayed):
    assert replayed[page].result() == []


@pytest.fixture(scope="module")
def replayed(request):
    """Each page's replay. All go on at once, for nearly all of it is waiting."""
    asking = [item for item in request.session.items if "replayed" in item.fixturenames]
    with ThreadPoolExecutor(len(asking)) as pool:
        pages = [item.callspec.params["page"] for item in asking]
        yield {page: pool.submit(replay, page) for page in pages}


def replay(page):
    """Run the commands of a page's console blocks; return what differs from what is quoted."""
    ids, wrong, server = {}, [], None
    for command, quoted in transcript(page):
        if not command:
            server.quoted += quoted + ["..."]
            continue
        for said, real in ids.items():
            command = command.replace(said, real)
        if " -m workshop run " in command:
            server = Server(command, quoted)
            continue
        if server:
            command = command.replace(":8000", f":{server.port}")
        command = command.replace("python3 -m workshop", f"'{sys.executable}' -m workshop")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=TOP,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=LIMIT,
        )
        wrong += difference(command, quoted, done.stdout, ids)
    return wrong + (server.stop() if server else [])


def transcript(page):
    """Pairs of a command and the lines that are quoted below it; "" for the server's lines."""
    for block in blocks(page, "console"):
        head, *parts = re.split(r"^\$ ", block, flags=re.MULTILINE)
        if head:
            yield "", head.splitlines()
        for part in parts:
            command, *quoted = part.splitlines()
            yield command, quoted


def difference(command, quoted, printed, ids):
    """Nothing, or what was quoted and what came. Remembers in ids the ids that came instead."""
    lines = [line_pattern(line) for line in quoted]
    pattern = "\n".join(lines).replace("<anything>\n", "<anything>")
    pattern = pattern.replace("<anything>", r"(?:.*\n)*?") + r"\n?"
    match = re.fullmatch(pattern, re.sub(r"[ \r]+$", "", printed, flags=re.MULTILINE))
    if not match:
        return [command, "\n".join(quoted), printed]
    ids.update(zip(re.findall(r"\b[0-9a-f]{32}\b", "\n".join(quoted)), match.groups(), strict=True))
    return []


def line_pattern(line):
    if line == "...":
        return "<anything>"
    if line.startswith(("Date: ", "Server: ")):
        return line.split()[0] + ".*"
    return re.sub(r"\b[0-9a-f]{32}\b", "([0-9a-f]{32})", re.escape(line))


class Server(Child):
    """A `python3 -m workshop run N` of a lesson, with the solution, at a port of its own.

    quoted: the lines that its terminal must show in the end.
    """

    def __init__(self, command, quoted):
        self.quoted, self.port = quoted, unused_port()
        number = command.split(" run ")[1].split()[0]
        command = [sys.executable, "-m", "workshop", "run", number, "--solutions"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "WORKSHOP_FILES": tempfile.mkdtemp()}
        log = Output()  # no lesson quotes its stderr
        options = {"cwd": TOP, "env": environment, "stderr": log.theirs}
        super().__init__([*command, f"--port={self.port}"], **options)
        os.close(log.theirs)
        log.until("Running on")

    def difference(self):
        printed = self.printed.replace("solutions/", "steps/").replace(f":{self.port}", ":8000")
        return difference("the server", self.quoted, printed, {})

    def stop(self):
        """Wait until everything quoted is printed, then press Ctrl-C; return what differs."""
        self.wait_for(lambda: not self.difference())
        wrong = self.difference()
        self.interrupt()
        self.wait()
        self.end()
        return wrong
