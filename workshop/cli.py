"""The words of the command: what there is to say, and in which order."""

import os
import re
import socket
import subprocess
import sys
import textwrap

import click
from rich.console import Console
from rich.text import Text

from workshop import checks, setup
from workshop.steps import STEPS, TOP, shown

console = Console(highlight=False, soft_wrap=True)
WINDOWS = sys.platform == "win32"
COMMAND = f"{'py' if WINDOWS else 'python3'} -m workshop"


class StepNumber(click.ParamType):
    name = "N"

    def convert(self, value, param, ctx):
        for step in STEPS:
            if str(value) in (str(step.number), step.room):
                return step
        last = STEPS[-1].number
        raise click.UsageError(f"There is no step {value}. The steps are 1 to {last}.")


def step_argument(**settings):
    return click.argument("step", metavar="N", type=StepNumber(), **settings)


def main():
    for stream in sys.stdout, sys.stderr:  # some terminals have no ✓
        stream.reconfigure(errors="replace")
    commands(prog_name=COMMAND)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def commands(context):
    """Build @async_api, step by step. Without a command: where you are, and what comes next."""
    if context.invoked_subcommand is None:
        show_map()


def current():
    """The first step that is not green, or None."""
    return next((step for step in STEPS if not checks.is_green(step)), None)


def show_map():
    here = current()
    console.print("Slow Flask endpoints, answered at once: five steps\n", style="bold")
    for step in STEPS:
        green = checks.is_green(step)
        mark, style = ("✓", "green") if green else ("→", "bold") if step is here else ("·", "")
        title = f"{step.title:24}{step.minutes:4} min"
        console.print(f"{mark}  {step.number}  {title}  {shown(step.app.parent)}", style=style)
    console.print()
    if here:
        console.print(f"Next: read {shown(here.lesson)}")
        console.print(f"      change {shown(here.app)}")
        console.print(f"      then type: {COMMAND} check {here.number}")
    else:
        console.print("All steps are green. solutions/ has other ways to say the same.")


@commands.command()
@step_argument(required=False)
@click.option("--solutions", is_flag=True, help="Check the solution, not your answer.")
@click.pass_context
def check(context, step, solutions):
    """Check step N, or the one you are at. Exit status: 0 when green, 1 when not."""
    step = step or current() or STEPS[-1]
    answers = "solutions" if solutions else "steps"
    console.print(f"Step {step.number}, {step.title}: {answers}/{step.room}/app.py\n", style="bold")
    with console.status("Checking …"):
        verdict = checks.check(step, answers)
    if verdict.kept:
        console.print(Text(f"✓ {promises(len(verdict.kept))} kept", "green"))
    if verdict.green:
        console.print()
        console.print(f"Step {step.number} is green.", style="bold green")
        following = next((later for later in STEPS if later.number > step.number), None)
        console.print(
            f"Next: {shown(following.lesson)}" if following else "That was the last step."
        )
        return
    tell(verdict.told)
    console.print(f"\nHints: {shown(step.lesson)}")
    console.print(f"Again: {COMMAND} check {step.number}")
    context.exit(1)


def promises(number):
    return f"{number} promise" + ("s" if number != 1 else "")


def tell(told):
    """Show the promise that is broken, what was seen, what it means and where to look."""
    if promise := told.get("Promised"):
        console.print(Text(f"✗ {promise}\n", "bold red"))
    for what in "Mistake", "Seen", "Means", "Look at":
        if what in told:
            row = f"  {what:9}{told[what]}"
            console.print(textwrap.fill(row, console.width, subsequent_indent=" " * 11))


@commands.command()
@step_argument()
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


@commands.command()
def verify():
    """Check everything that the workshop promises about itself. For whoever maintains it."""
    setup.ensure("core", "verify", "notebooks")
    failed = 0
    for module in (
        "ruff format --check .",
        "ruff check .",
        "pytest --solutions --maxfail=20 -n 4 --dist loadgroup",
    ):
        console.print(f"\n{module}", style="bold")
        failed += subprocess.call([sys.executable, "-m", *module.split()], cwd=TOP) != 0
    sys.exit(1 if failed else 0)
