"""doctor: is this computer ready for class? Each problem is printed with what to do about it."""

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

from workshop import COMMAND, WINDOWS, checks, setup
from workshop.screen import console, status
from workshop.steps import STEPS, TOP

SYNCED = r"OneDrive|Dropbox|Google ?Drive|Nextcloud|Mobile Documents|iCloud"
SPACE = 1.0  # GB for the packages of all groups and for their caches, with some to spare
SLOW = 3.0  # seconds to import what every check imports; 0.5 is usual


class Problem(Exception):
    """What is wrong, and what to do about it."""

    def __init__(self, what, remedy):
        super().__init__(what, remedy)
        self.what, self.remedy = what, remedy


def python():
    if sys.maxsize < 2**32:
        raise Problem(
            "This is a 32-bit Python, and many packages do not support that.",
            "Install a 64-bit Python from https://www.python.org/downloads/",
        )
    return f"Python {platform.python_version()}"


def venv():
    if not setup.inside():
        raise Problem("This Python is not the one in .venv.", f"Run: {COMMAND} doctor")
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
            "These installed packages are not the versions that the workshop needs: "
            f"{', '.join(wrong)}.",
            f"Delete the folder .venv, then run: {COMMAND}",
        )
    return "packages as pinned"


def port():
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=5).close()
    except OSError as error:
        raise Problem(
            "A program on this computer cannot connect to a server that runs on the same computer: "
            f"{error.strerror or error}.",
            "Allow Python in the firewall, or turn off the VPN, then try again.",
        ) from None
    return "servers on this computer can be reached"


def writing():
    for folder in TOP, TOP / "steps":
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise Problem(
                f"{folder} is not writable: {error.strerror or error}.",
                f"Copy the whole folder into {home()}",
            ) from None
    return "the folder is writable"


def disk():
    free = shutil.disk_usage(TOP).free / 1e9
    if free < SPACE:
        raise Problem(f"The disk has {free:.1f} GB left.", f"Free {SPACE:.0f} GB, then try again.")
    return f"{free:.0f} GB free"


def location():
    if found := re.search(SYNCED, str(TOP)):
        raise Problem(
            f"The folder is inside {found[0]}, which may lock files while it copies them.",
            f"Move the whole folder into one that is not synced, for example {home()}",
        )
    if WINDOWS and len(str(TOP)) > 100:
        raise Problem(
            f"The folder's path has {len(str(TOP))} characters. Files in it may have paths that "
            "are too long for Windows.",
            f"Move the whole folder into {home()}",
        )
    unusual = " (spaces and non-ASCII letters in its path do no harm)"
    is_unusual = re.search(r"[^\w/\\:.-]|[^\x00-\x7f]", str(TOP))
    return "the folder is in a good location" + (unusual if is_unusual else "")


def clock():
    if time.time() < setup.REQUIREMENTS.stat().st_mtime - 24 * 3600:
        raise Problem(
            f"The clock says {time.strftime('%Y-%m-%d %H:%M')}, which is before the workshop was "
            "copied here.",
            "Set the computer's date and time, or have them set automatically.",
        )
    return f"clock {time.strftime('%Y-%m-%d %H:%M %z')}"


def imports():
    code = "import time; t = time.perf_counter(); import pytest, flask_restful; "
    command = [sys.executable, "-c", code + "print(time.perf_counter() - t)"]
    times = [float(subprocess.check_output(command, cwd=TOP)) for _ in range(3)]
    if min(times) > SLOW:
        raise Problem(
            f"Python takes {min(times):.1f} s to import pytest and Flask. An antivirus program may "
            "be scanning each file.",
            f"Exclude this folder from the antivirus program: {setup.VENV}",
        )
    return f"imports {min(times):.1f} s"


def solution():
    verdict = checks.check(STEPS[1], "solutions")
    if not verdict.green:
        raise Problem(
            f"Our solution for step 2 is not green here: {verdict.explanation['Seen']}",
            "Please tell us, as CONTRIBUTING.md says, and include this command's output.",
        )
    return "checks work"


def everything():
    for_maintainers = "verify", "bench"
    missing = setup.missing([group for group in setup.groups() if group not in for_maintainers])
    if missing:
        raise Problem(f"Not installed yet: {', '.join(missing)}.", f"Run: {COMMAND} setup --all")
    return "everything is installed"


def browser():
    try:
        webbrowser.get()
    except webbrowser.Error:
        raise Problem(
            "Python finds no browser, so notebooks and slides do not open automatically.",
            "Install one. Or copy the URL that the command prints, and open it yourself.",
        ) from None
    return "a browser"


def home():
    return os.path.expanduser("~")


NEEDED = python, venv, packages, port, writing, disk, location, clock, imports, solution
OPTIONAL = everything, browser  # only notebooks, slides and step 7 need them


@click.command()
def doctor():
    """Check whether this computer is ready for class.

    Exit status: 0 if it is ready for the steps, 1 if not. Problems that affect only the notebooks,
    the slides and step 7 are marked with !, and do not count.
    """
    findings, problems, warnings = [], 0, []
    for examine in NEEDED + OPTIONAL:
        try:
            with status(f"Checking: {examine.__name__} …"):
                finding = examine()
        except Problem as problem:
            if examine in OPTIONAL:
                warnings.append(f"but: {problem.what.rstrip('.')}")
                console.print(f"! {problem.what}", style="yellow", markup=False)
            else:
                problems += 1
                console.print(f"✗ {problem.what}", style="red", markup=False)
            console.print(f"  {problem.remedy}", markup=False)
        else:
            findings.append(finding)
            console.print(f"✓ {finding}", markup=False)
    console.print()
    if problems:
        console.print(f"To check again: {COMMAND} doctor")
        return 1
    ready = "This computer is ready for class."
    if warnings:
        ready = "This computer is ready for the steps. "
        ready += "Problems marked with ! affect only the notebooks, the slides and step 7."
    console.print(ready, style="bold green")
    console.print("Send this line to your instructor:")
    line = f"{platform.platform(terse=True)}: {', '.join(findings + warnings)}"
    console.print(line, markup=False)
    return 0
