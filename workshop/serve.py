"""run: serve a step's app, with lines to paste that show the step's point."""

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

from workshop.arguments import step_argument
from workshop.progress import CACHE
from workshop.screen import WINDOWS, console
from workshop.steps import TOP, shown
from workshop.worker import PATIENCE, worker


@click.command()
@step_argument
@click.option("--port", default=8000, show_default=True, help="Taken: the next free one is used.")
@click.option("--solutions", is_flag=True, help="Serve the solution, not your answer.")
def run(step, port, solutions):
    """Serve step N's app, again at every save, until Ctrl-C.

    Below, it shows each request and each task as they happen, with time running downwards.
    """
    app = TOP / ("solutions" if solutions else "steps") / step.folder / "app.py"
    wanted, port = port, free_port(port)
    console.print(f"{shown(app)} is served at http://127.0.0.1:{port}. Ctrl-C ends it.\n")
    if port != wanted:
        console.print(f"(Port {wanted} is taken. Does another run still go on?)\n")
    console.print("To paste into another terminal, in any of these ways:")
    for way, lines in ways(curls(step, port)).items():
        console.print(f"\n  {way}")
        for line in lines:
            console.print(f"    {line}", markup=False)
    console.print("\nBelow, time runs down: ┬ a request or a task begins, │ goes on, ┴ ends.\n")
    flask = [sys.executable, "-m", "workshop.timeline", "--app", str(app)]
    flask += ["run", "--port", str(port), "--debug", "--no-debugger"]  # debug: again at every save
    if step.extra_groups:
        environment = celery_environment()
        with worker(app.parent, environment):
            status = call(flask, interrupted=0, env=environment)
            console.print(f"The worker finishes what it has begun, in {PATIENCE} seconds at most.")
        return status
    if not WINDOWS:
        os.chdir(TOP)
        os.execv(sys.executable, flask)
    return call(flask, interrupted=0)


def call(command, interrupted=130, **options):
    """Run a command to its end; return its exit status. Until then, Ctrl-C is for it alone.

    interrupted: what is returned if there was a Ctrl-C.
    """
    pressed = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: pressed.set())
    try:
        with subprocess.Popen(command, cwd=TOP, **options) as process:
            if pressed.is_set():  # it may have come a moment too early to reach the process
                process.terminate()
            status = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    return interrupted if pressed.is_set() else status


def celery_environment():
    """The environment for Celery: over files, where REDIS_URL says nothing else."""
    from workshop import file_broker

    redis = "REDIS_URL" in os.environ
    folder = Path(os.environ.get("WORKSHOP_FILES", CACHE / "celery"))
    where = "at REDIS_URL" if redis else f"files in {folder}"
    console.print("A worker is started as well.")
    console.print(f"Broker and result store are {where}.\n", markup=False, soft_wrap=True)
    return {**os.environ, **({} if redis else file_broker.environment(folder))}


def curls(step, port):
    """The curl commands of the step's lesson, for this port, but none with an id in it.

    Each task has another id: the timeline shows the line to paste when there is one.
    """
    lesson = step.lesson.read_text(encoding="utf-8")
    found = re.findall(r"^\$ (curl .*)$", lesson, re.MULTILINE)
    lines = [line for line in dict.fromkeys(found) if not re.search(r"\b[0-9a-f]{32}\b", line)]
    return [line.replace(":8000", f":{port}") for line in lines]


def ways(lines):
    """The same requests by curl, in PowerShell and in Python."""
    requests = list(dict.fromkeys(request(line) for line in lines))
    return {
        "curl": lines if not WINDOWS else [line.replace("curl", "curl.exe", 1) for line in lines],
        "PowerShell": [powershell(*each) for each in requests],
        "Python": ["import urllib.request as r", *(python(*each) for each in requests)],
    }


def request(line):
    """What a curl command asks for: method, URL, headers and body."""
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
    asked = repr(url)
    if body or headers or method != "GET":
        data = f", {body.encode()!r}" if body else ", None"
        asked = f"r.Request({url!r}{data}, {dict(headers)!r}, method={method!r})"
    return f"a = r.urlopen({asked}); print(a.status, a.headers, a.read().decode())"


def free_port(wanted):
    """The wanted port, or the next one that nobody listens at."""
    for port in range(wanted, min(wanted + 100, 65536)):
        with socket.socket() as probe:
            if not WINDOWS:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise click.ClickException(f"No free port between {wanted} and {wanted + 99}.")
