"""What is in .vscode/: VS Code can read it, and what it names is there and does what it says."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.harness.running import LIMIT, Child
from tests.harness.servers import unused_port
from workshop import setup
from workshop.steps import STEPS, TOP

posix = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process.")


def read(name):
    """The contents of a file in .vscode/. Each comment in it has lines of its own."""
    text = (TOP / ".vscode" / f"{name}.json").read_text(encoding="utf-8")
    return json.loads(re.sub(r"^ *//.*$", "", text, flags=re.MULTILINE))


SETTINGS = read("settings")
TASKS = {task["label"]: task for task in read("tasks")["tasks"]}
RUN, DEBUG = read("launch")["configurations"]


def filled_in(arguments, file):
    """The arguments as VS Code completes them while this file is open."""
    meant = {"${file}": str(file), "${fileDirnameBasename}": file.parent.name}
    return [meant.get(argument, argument) for argument in arguments]


# settings.json and extensions.json


def test_the_interpreter_is_in_the_folder_that_the_command_makes():
    path = SETTINGS["python.defaultInterpreterPath"].replace("${workspaceFolder}", str(TOP))
    assert Path(path) == setup.VENV


def test_the_tests_are_the_checks_of_all_steps():
    checks = [step.checks.relative_to(TOP).as_posix() for step in STEPS]
    assert SETTINGS["python.testing.pytestArgs"] == checks


def test_a_hidden_file_is_there_or_ignored_by_git():
    ignored = [line.strip("/") for line in (TOP / ".gitignore").read_text().splitlines()]
    for pattern in SETTINGS["files.exclude"]:
        is_ignored = any(fnmatch(name, pattern.removeprefix("**/")) for name in ignored)
        assert is_ignored or (TOP / pattern).exists()


def test_the_lessons_open_as_a_preview():
    (pattern,) = SETTINGS["workbench.editorAssociations"]
    found = set(TOP.glob(pattern))
    assert found >= {step.lesson for step in STEPS}


def test_the_extension_of_each_debugger_is_recommended():
    recommended = read("extensions")["recommendations"]
    assert {f"ms-python.{each['type']}" for each in (RUN, DEBUG)} <= set(recommended)


def test_the_readme_names_what_is_there():
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    assert f"“{DEBUG['name']}”" in readme
    assert TASKS["check"]["group"]["isDefault"], "what Ctrl-Shift-B does"


# tasks.json


def task(laptop, label, file):
    """The command line of a task, while this file is open on the laptop."""
    chosen = TASKS[label] | (TASKS[label]["windows"] if os.name == "nt" else {})
    assert chosen["command"] == ("py" if os.name == "nt" else "python3")
    return [laptop.python, *filled_in(chosen["args"], file)]


def test_the_task_check_ends_as_check_does(laptop):
    app, lesson = laptop.app(2), laptop.app(2).with_name("README.md")
    checks = next(laptop.top.glob("tests/step_02_*/test_*.py"))
    for status in 1, 0:
        expected = laptop.run("check 2")
        assert expected.returncode == status
        for file in app, lesson, laptop.solution(2), checks:
            done = laptop.run("", *task(laptop, "check", file)[1:])
            assert (done.returncode, done.stdout) == (status, expected.stdout)
        laptop.solve(2)


def test_the_task_check_while_a_file_of_no_step_is_open(laptop):
    done = laptop.run("", *task(laptop, "check", laptop.top / "README.md")[1:])
    assert done.returncode == 2
    assert "There is no step" in done.stderr


@posix
@pytest.mark.parametrize(
    ("label", "printed"), [("watch", "Look at"), ("run", "Serving steps/02_thread/app.py")]
)
def test_the_tasks_that_go_on(label, printed, laptop):
    command = task(laptop, label, laptop.app(2))
    environment = {**laptop.environment, "PYTHONUNBUFFERED": "1"}
    with Child(command, cwd=laptop.top, env=environment) as child:
        child.until(printed)


# launch.json, with the program behind VS Code's debugger


class Debugger:
    """debugpy's adapter, which does what VS Code asks it to, in the Debug Adapter Protocol.

    printed: what the program that is being debugged has printed
    """

    def __init__(self, laptop, configuration, breakpoints):
        self.printed, self._number = "", 0
        command = [laptop.python, "-m", "debugpy.adapter"]
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, env=laptop.environment, **streams)
        self._limit = threading.Timer(LIMIT, self._process.kill)
        self._limit.start()
        self.ask("initialize", adapterID="debugpy")
        self._send("launch", **configuration)
        self.event("initialized")
        for path, lines in breakpoints.items():
            at = [{"line": line} for line in lines]
            self.ask("setBreakpoints", source={"path": str(path)}, breakpoints=at)
        self.ask("configurationDone")

    def _send(self, command, **arguments):
        self._number += 1
        message = {"seq": self._number, "type": "request", "command": command}
        text = json.dumps(message | {"arguments": arguments}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(text), text))
        self._process.stdin.flush()

    def _wait_for(self, **wanted):
        """Wait for a message with these values; return its body."""
        while True:
            length = int(self._process.stdout.readline().split()[1])
            self._process.stdout.readline()
            message = json.loads(self._process.stdout.read(length))
            if message.get("event") == "output":
                self.printed += message["body"]["output"]
            if wanted.items() <= message.items():
                return message.get("body")

    def event(self, name):
        return self._wait_for(event=name)

    def ask(self, command, **arguments):
        self._send(command, **arguments)
        return self._wait_for(request_seq=self._number)

    def until(self, text):
        """Wait until the program has printed this."""
        while text not in self.printed:
            self.event("output")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._send("disconnect", terminateDebuggee=True)
        self._process.communicate()
        self._limit.cancel()


def launch(laptop, configuration, port=8000, breakpoints=()):
    """Start one of the configurations, while step 2's app.py is open on the laptop."""
    app = laptop.app(2)
    own = {"python": laptop.python, "cwd": str(laptop.top), "console": "internalConsole"}
    args = [arg.replace("8000", str(port)) for arg in filled_in(configuration["args"], app)]
    return Debugger(laptop, configuration | own | {"args": args}, {app: breakpoints})


def test_run_serves_the_step_of_the_open_file(laptop):
    with launch(laptop, RUN) as debugger:
        debugger.until("Serving steps/02_thread/app.py at http://127.0.0.1:")
        debugger.until("Running on")


def test_debug_stops_at_a_breakpoint_in_a_tasks_thread(laptop):
    laptop.solve(2)
    code = laptop.app(2).read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(code, 1) if "time.sleep(" in text)
    port = unused_port()
    with launch(laptop, DEBUG, port, [line]) as debugger:
        debugger.until("Running on")
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
            stopped = debugger.event("stopped")
        assert stopped["reason"] == "breakpoint"
        names = {each["id"]: each["name"] for each in debugger.ask("threads")["threads"]}
        assert "(get)" in names[stopped["threadId"]]
