"""doctor: is this computer fit for the class? Each problem comes with the line that cures it."""

import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser

import click

from workshop import checks, setup
from workshop.screen import COMMAND, WINDOWS, aside, console
from workshop.steps import STEPS, TOP

SYNCED = r"OneDrive|Dropbox|Google ?Drive|Nextcloud|Mobile Documents|iCloud"
ROOM = 1.0  # GB that the packages of all groups and their caches take, with some to spare
SLOW = 3.0  # seconds to import what every check imports; 0.5 is usual


class Problem(Exception):
    """What is amiss, and the line that cures it."""

    def __init__(self, what, cure):
        super().__init__(what, cure)
        self.what, self.cure = what, cure


def python():
    if sys.maxsize < 2**32:
        raise Problem(
            "This Python is a 32-bit one, for which many packages are not made.",
            "Install the 64-bit one from https://www.python.org/downloads/",
        )
    return f"Python {platform.python_version()}"


def venv():
    if not setup.inside():
        raise Problem("This is not the Python of .venv.", f"Type: {COMMAND} doctor")
    return "inside .venv"


def packages():
    import importlib.metadata

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = setup.REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line[:1].isalnum()]
    pinned = {pin.name: pin.specifier for pin in pins if not pin.marker or pin.marker.evaluate()}
    wrong = []
    for distribution in importlib.metadata.distributions():
        name = canonicalize_name(distribution.name)
        if name in pinned and not pinned[name].contains(distribution.version):
            wrong.append(f"{name} {distribution.version}")
    if wrong:
        raise Problem(
            f"Another version than the workshop's: {', '.join(wrong)}.",
            f"Delete the folder .venv, then type: {COMMAND}",
        )
    return "packages as pinned"


def port():
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=5).close()
    except OSError as error:
        raise Problem(
            f"A server on this computer cannot be reached from it: {error.strerror or error}.",
            "Allow Python in the firewall, or end the VPN, then try again.",
        ) from None
    return "a server can be reached"


def writing():
    for folder in TOP, TOP / "steps":
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise Problem(
                f"{folder} cannot be written to: {error.strerror or error}.",
                f"Copy the whole folder to a place of your own, such as {home()}",
            ) from None
    return "the folder can be written to"


def disk():
    free = shutil.disk_usage(TOP).free / 1e9
    if free < ROOM:
        raise Problem(f"The disk has {free:.1f} GB left.", f"Free {ROOM:.0f} GB, then try again.")
    return f"{free:.0f} GB free"


def place():
    if found := re.search(SYNCED, str(TOP)):
        raise Problem(
            f"The folder is inside {found[0]}, which copies each file and may lock it meanwhile.",
            f"Move the whole folder to a place that is not synced, such as {home()}",
        )
    if WINDOWS and len(str(TOP)) > 100:
        raise Problem(
            f"The folder's path has {len(str(TOP))} characters; Windows may refuse longer ones.",
            f"Move the whole folder to {home()}",
        )
    strange = " (spaces and other letters in its path do no harm)"
    return "a good place" + (strange if re.search(r"[^\w/\\:.-]|[^\x00-\x7f]", str(TOP)) else "")


def clock():
    if time.time() < setup.REQUIREMENTS.stat().st_mtime - 24 * 3600:
        raise Problem(
            f"The clock says {time.strftime('%Y-%m-%d %H:%M')}, which is before the workshop was "
            "copied here.",
            "Set the computer's date and time, or have it set them by itself.",
        )
    return f"clock {time.strftime('%Y-%m-%d %H:%M %z')}"


def imports():
    words = "import time; t = time.perf_counter(); import pytest, flask_restful; "
    command = [sys.executable, "-c", words + "print(time.perf_counter() - t)"]
    times = [float(subprocess.check_output(command, cwd=TOP)) for _ in range(3)]
    if min(times) > SLOW:
        raise Problem(
            f"Python takes {min(times):.1f} s to import Flask. An antivirus may look at each file.",
            f"Tell the antivirus to leave out this folder: {setup.VENV}",
        )
    return f"imports {min(times):.1f} s"


def solution():
    verdict = checks.check(STEPS[1], "solutions")
    if not verdict.green:
        raise Problem(
            f"The solution of step 2 is not green here: {verdict.explanation['Seen']}",
            "Please say so, as CONTRIBUTING.md asks, with all that this has printed.",
        )
    return "checks work"


def everything():
    of_maintainers = "verify", "bench"
    missing = setup.missing([group for group in setup.groups() if group not in of_maintainers])
    if missing:
        raise Problem(f"Not installed yet: {', '.join(missing)}.", f"Type: {COMMAND} setup --all")
    return "all is installed"


def browser():
    try:
        webbrowser.get()
    except webbrowser.Error:
        raise Problem(
            "Python finds no browser, so that notebooks and slides do not open by themselves.",
            "Install one, or open the address that the command shows in a browser of yours.",
        ) from None
    return "a browser"


def home():
    return os.path.expanduser("~")


CHECKS = python, venv, packages, port, writing, disk, place, clock, imports, solution
ONLY_WANTED = everything, browser  # by notebooks and slides; the steps go without


@click.command()
def doctor():
    """Check this computer before class.

    Exit status: 0 when it is fit for the steps, 1 when not. What only the notebooks and slides want
    is marked with !, and does not count.
    """
    found, problems, wanted = [], 0, 0
    for examine in CHECKS + ONLY_WANTED:
        try:
            with aside.status(f"Looking: {examine.__name__} …"):
                well = examine()
        except Problem as problem:
            if examine in ONLY_WANTED:
                wanted += 1
                found.append(f"but: {problem.what.rstrip('.')}")
                console.print(f"! {problem.what}", style="yellow", markup=False)
            else:
                problems += 1
                console.print(f"✗ {problem.what}", style="red", markup=False)
            console.print(f"  {problem.cure}", markup=False)
        else:
            if well:
                found.append(well)
                console.print(f"✓ {well}", markup=False)
    console.print()
    if problems:
        console.print(f"To look again: {COMMAND} doctor")
        return 1
    well = "Enough for the steps; notebooks and slides want what is marked with !."
    console.print(well if wanted else "All is well.", style="bold green")
    console.print("To paste to the instructor:")
    console.print(f"{platform.platform(terse=True)}: {', '.join(found)}", markup=False)
    return 0
