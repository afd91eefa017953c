"""Fill a folder with the packages that a class needs, for every system and Python that it may have.

`setup --wheels DIR` fills it, on one computer with a network; `setup --from DIR` installs from it,
on all the others without. See the pip download page of pip's documentation for the options.
"""

import platform
import subprocess
import sys
import sysconfig

from packaging.requirements import Requirement

from workshop.screen import aside
from workshop.setup import REQUIREMENTS

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
GLIBC = (5, 12, 17, 24, 26, 27, 28, 31, 34)  # what wheels for Linux are made for, as glibc 2.x
# Who has what: pip's names for the system, and what requirements.lock may ask about it.
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
    """Put into folder what requirements.lock lists; return the systems for which that failed.

    here: for computers like this one, and no others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if here:
        name = f"{platform.system()}, Python {sysconfig.get_python_version()}"
        return [name] * (not download(folder, name, wanted({}), []))
    failed = []
    for system, (tags, facts) in SYSTEMS.items():
        for version in PYTHONS:
            name = f"{system}, Python {version}"
            facts = facts | {"python_version": version, "python_full_version": f"{version}.0"}
            options = ["--implementation", "cp", "--python-version", version]
            options += [word for tag in tags for word in ("--platform", tag)]
            if not download(folder, name, wanted(facts), options):
                failed.append(name)
    return failed


def wanted(facts):
    """What requirements.lock lists for a system of which these are the facts."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line[:1].isalnum()]
    return [f"{p.name}{p.specifier}" for p in pins if not p.marker or p.marker.evaluate(facts)]


def download(folder, name, packages, options):
    """Download these packages; return whether all of them were to be had, and say so if not."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), *options, *packages]
    with aside.status(f"{name}: {len(packages)} packages …"):
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        aside.print(f"✗ {name}: {' '.join(lines[-1:]) or done.stderr.strip()}", markup=False)
    else:
        aside.print(f"✓ {name}: {len(packages)} packages", markup=False)
    return not done.returncode
