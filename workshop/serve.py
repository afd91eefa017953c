"""Serve a step's app."""

import os
import re
import socket
import subprocess
import sys

import click

from workshop.arguments import step_argument
from workshop.screen import WINDOWS, console
from workshop.steps import TOP, shown


@click.command()
@step_argument
@click.option("--port", default=8000, show_default=True, help="Taken: the next free one is used.")
@click.option("--solutions", is_flag=True, help="Serve the solution, not your answer.")
def run(step, port, solutions):
    """Serve step N's app, again at every save, until Ctrl-C."""
    app = TOP / ("solutions" if solutions else "steps") / step.room / "app.py"
    wanted, port = port, free_port(port)
    console.print(f"{shown(app)} is served at http://127.0.0.1:{port}. Ctrl-C ends it.\n")
    if port != wanted:
        console.print(f"(Port {wanted} is taken. Does another run still go on?)\n")
    console.print("To paste into another terminal:")
    for line in to_paste(step, port):
        console.print(f"  {line}")
    console.print()
    flask = [sys.executable, "-m", "flask", "--app", str(app), "run", "--port", str(port)]
    flask += ["--debug", "--no-debugger"]  # so that it starts again at every save
    if WINDOWS:
        sys.exit(subprocess.call(flask))
    os.execv(sys.executable, flask)


def to_paste(step, port):
    """The curl commands of the step's lesson, for this port."""
    commands = re.findall(r"^\$ (curl .*)$", step.lesson.read_text(encoding="utf-8"), re.MULTILINE)
    lines = [re.sub(r"\b[0-9a-f]{32}\b", "…", line) for line in dict.fromkeys(commands)]
    lines = [line.replace(":8000", f":{port}") for line in lines]
    return [line.replace("curl ", "curl.exe ", 1) for line in lines] if WINDOWS else lines


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
