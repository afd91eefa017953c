"""run: serve a step's app, and print commands that show what the step is about."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import click

from workshop import WINDOWS
from workshop.arguments import step_argument
from workshop.screen import console
from workshop.steps import CACHE, TOP, shown


@click.command()
@step_argument
@click.option(
    "--port",
    default=8000,
    show_default=True,
    help="Use this port or, if it is taken, the next free one.",
)
@click.option("--solutions", is_flag=True, help="Serve our solution instead of your code.")
def run(step, port, solutions):
    """Serve step N's app, and reload it at every save, until Ctrl-C.

    The command shows requests and tasks as they happen, with time running down the screen.
    """
    app = TOP / ("solutions" if solutions else "steps") / step.folder / "app.py"
    wanted, port = port, free_port(port)
    console.print(f"Serving {shown(app)} at http://127.0.0.1:{port}. Press Ctrl-C to stop.\n")
    if port != wanted:
        console.print(f"(Port {wanted} is taken. Is another `run` still serving?)\n")
    console.print("Paste any of these into another terminal:")
    for way, lines in ways(curl_commands(step, port)).items():
        console.print(f"\n  {way}")
        for line in lines:
            console.print(f"    {line}", markup=False)
    console.print("\nTime runs down: ┬ a request or a task begins, │ is in progress, ┴ ends.\n")
    flask = [sys.executable, "-m", "workshop.timeline", "--app", str(app)]
    flask += ["run", "--port", str(port), "--debug", "--no-debugger"]  # debug: to reload
    if step.extra_groups:
        from workshop.worker import PATIENCE, worker

        environment = celery_environment()
        with worker(app.parent, environment):
            status = call(flask, interrupted=0, env=environment)
            console.print(f"Waiting up to {PATIENCE} seconds for the worker to finish its tasks.")
        return status
    if not WINDOWS:
        os.chdir(TOP)
        os.execv(sys.executable, flask)
    return call(flask, interrupted=0)


def call(command, interrupted=130, **options):
    """Run a command, and leave Ctrl-C to it meanwhile; return its exit status.

    interrupted: what to return after Ctrl-C
    """
    pressed = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: pressed.set())
    try:
        with subprocess.Popen(command, cwd=TOP, **options) as process:
            if pressed.is_set():  # it may have been too early to reach the process
                process.terminate()
            status = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    return interrupted if pressed.is_set() else status


def celery_environment():
    """The environment for Celery: with a broker on files, unless REDIS_URL is set."""
    from workshop import file_broker

    redis = "REDIS_URL" in os.environ
    folder = Path(os.environ.get("WORKSHOP_FILES", CACHE / "celery"))
    where = "at REDIS_URL" if redis else f"files in {folder}"
    console.print("This also starts a worker.")
    console.print(f"The broker and the result store are {where}.\n", markup=False, soft_wrap=True)
    return {**os.environ, **({} if redis else file_broker.environment(folder))}


def curl_commands(step, port):
    """The curl commands of the step's lesson, for this port, except those with a task's id.

    Each task has a different id: the timeline shows the command for it.
    """
    lesson = step.lesson.read_text(encoding="utf-8")
    found = re.findall(r"^\$ (curl .*)$", lesson, re.MULTILINE)
    lines = [line for line in dict.fromkeys(found) if not re.search(r"\b[0-9a-f]{32}\b", line)]
    return [line.replace(":8000", f":{port}") for line in lines]


def ways(lines):
    """Commands that send the requests of these curl commands, for curl, PowerShell and Python."""
    requests = list(dict.fromkeys(request(line) for line in lines))
    return {
        "curl": lines if not WINDOWS else [line.replace("curl", "curl.exe", 1) for line in lines],
        "PowerShell": [powershell(*each) for each in requests],
        "Python": ["import urllib.request as r", *(python(*each) for each in requests)],
    }


def request(line):
    """The request that a curl command sends: method, URL, headers and body."""
    words = shlex.split(line)[1:]
    options = {"-X": [], "-H": [], "-d": []}
    url = ""
    while words:
        word = words.pop(0)
        if word in options:
            options[word].append(words.pop(0))
        elif not word.startswith("-"):
            url = word
    body = "&".join(options["-d"]) or None
    method = (options["-X"] or ["POST" if body else "GET"])[0]
    return method, url, tuple(tuple(header.split(": ", 1)) for header in options["-H"]), body


def powershell(method, url, headers, body):
    line = f"Invoke-WebRequest -UseBasicParsing {url}"
    line += f" -Method {method}" if method != "GET" else ""
    for name, value in headers:
        line += f" -ContentType '{value}'" if name == "Content-Type" else ""
    return line + (f" -Body '{body}'" if body else "")


def python(method, url, headers, body):
    argument = repr(url)
    if body or headers or method != "GET":
        data = f", {body.encode()!r}" if body else ", None"
        argument = f"r.Request({url!r}{data}, {dict(headers)!r}, method={method!r})"
    return f"a = r.urlopen({argument}); print(a.status, a.headers, a.read().decode())"


def free_port(wanted):
    """This port or, if it is taken, the next free one."""
    for port in range(wanted, min(wanted + 100, 65536)):
        with socket.socket() as probe:
            if not WINDOWS:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise click.ClickException(f"There is no free port between {wanted} and {wanted + 99}.")
