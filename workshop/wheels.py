"""Download all packages that a class needs, for each system and Python that somebody may have.

`setup --wheels DIR` downloads them on one computer with a network. `setup --from DIR` installs from
that folder on all the others. The options are explained in pip's documentation of `pip download`.
"""

import platform
import subprocess
import sys
import sysconfig

from packaging.requirements import Requirement

from workshop.screen import status, stderr_console
from workshop.setup import REQUIREMENTS

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
GLIBC = (5, 12, 17, 24, 26, 27, 28, 31, 34)  # wheels for Linux name one of these, as glibc 2.x
# For each system: what pip calls it, and its values for the markers in requirements.lock.
SYSTEMS = {
    "Windows": (
        ["win_amd64"],
        {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
    ),
    "macOS, Apple silicon": (
        ["macosx_14_0_arm64"],
        {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    ),
    "macOS, Intel": (
        ["macosx_14_0_x86_64"],
        {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    ),
    "Linux": (
        [f"manylinux_2_{minor}_x86_64" for minor in GLIBC] + ["manylinux2014_x86_64"],
        {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    ),
}


def fill(folder, here=False):
    """Download the packages of requirements.lock; return the systems for which that failed.

    here: only for computers like this one
    """
    folder.mkdir(parents=True, exist_ok=True)
    if here:
        name = f"{platform.system()}, Python {sysconfig.get_python_version()}"
        return [name] * (not download(folder, name, pins_for({}), []))
    failed = []
    for system, (tags, markers) in SYSTEMS.items():
        for version in PYTHONS:
            name = f"{system}, Python {version}"
            markers = markers | {"python_version": version, "python_full_version": f"{version}.0"}
            options = ["--implementation", "cp", "--python-version", version]
            options += [word for tag in tags for word in ("--platform", tag)]
            if not download(folder, name, pins_for(markers), options):
                failed.append(name)
    return failed


def pins_for(markers):
    """The pins of requirements.lock for a system with these values of markers."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line[:1].isalnum()]
    return [f"{p.name}{p.specifier}" for p in pins if not p.marker or p.marker.evaluate(markers)]


def download(folder, name, packages, options):
    """Download these packages; print and return whether that worked."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), *options, *packages]
    with status(f"{name}: {len(packages)} packages …"):
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = " ".join(lines[-1:]) or done.stderr.strip()
        stderr_console.print(f"✗ {name}: {reason}", markup=False)
    else:
        stderr_console.print(f"✓ {name}: {len(packages)} packages", markup=False)
    return not done.returncode
