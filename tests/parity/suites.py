"""Other people's tests: get them, install what they need, and run them.

They are kept in .workshop/parity, and never committed.
"""

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

from workshop.setup import REQUIREMENTS
from workshop.steps import CACHE

FOLDER = CACHE / "parity"
TABLE = Path(__file__).with_name("suites.toml")
PYTHON = FOLDER / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
PATIENCE = 15 * 60  # seconds that one run of a suite may take

# One outcome must not depend on the test before it, as an unraisable exception of a task would.
PYTEST = "-q --tb=native -o addopts= --rootdir . -p adapter -p no:cacheprovider -p no:randomly"
PYTEST += " -p no:threadexception -p no:unraisableexception"
PYTEST += " -W ignore:datetime.datetime.utc:DeprecationWarning"  # since Python 3.12, in Flask-Login


@dataclass(frozen=True)
class Suite:
    """The tests of one release. tests: the files and folders to run, in the unpacked sdist."""

    name: str
    version: str
    tests: tuple = ("tests",)

    @property
    def folder(self):
        """The unpacked sdist. Its name is spelled as its packager likes."""
        spelled = self.name.replace("-", "[-_]").lower()
        pattern = re.compile(rf"{spelled}-{re.escape(self.version)}$")
        return next((p for p in FOLDER.glob("*/") if pattern.match(p.name.lower())), None)


def suites():
    """All suites of suites.toml."""
    locked = {name.lower(): version for name, version in pins()}
    return [
        Suite(
            name, entry.get("version") or locked[name.lower()], tuple(entry.get("tests", ["tests"]))
        )
        for name, entry in tomllib.loads(TABLE.read_text(encoding="utf-8"))["suites"].items()
    ]


def pins():
    """The names and versions in requirements.lock."""
    return re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", REQUIREMENTS.read_text(encoding="utf-8"))


def prepare(say):
    """Download the suites, and make the virtual environment, unless both are there already."""
    stamp = FOLDER / "stamp"
    content = TABLE.read_bytes() + REQUIREMENTS.read_bytes() + sys.version.encode()
    if stamp.exists() and stamp.read_text() == str(crc32(content)):
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)

    wanted = [f"{suite.name}=={suite.version}" for suite in suites()]
    needs = tomllib.loads(TABLE.read_text(encoding="utf-8"))["needs"]["packages"]
    lock = REQUIREMENTS.read_text(encoding="utf-8")
    constraints = FOLDER / "constraints.txt"
    constraints.write_text(re.sub(r"(?m)^pytest[\w-]*==.*", "", lock), encoding="utf-8")
    Path(FOLDER, "pytest.ini").touch()  # for suites without one, which would get ours
    say("installing what the tests need")
    venv.create(PYTHON.parent.parent, clear=True, with_pip=True)
    pip("install", "-c", str(constraints), *needs, *wanted)
    say("downloading the tests")
    names = ",".join(suite.name for suite in suites())
    pip("download", "--no-deps", "--no-binary", names, "-d", str(FOLDER / "sdists"), *wanted)
    for archive in (FOLDER / "sdists").glob("*.tar.gz"):
        with tarfile.open(archive) as tar:
            tar.extractall(FOLDER, filter="data")
    stamp.write_text(str(crc32(content)))


def pip(*arguments):
    command = [PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"pip could not {arguments[0]} it.\n{done.stderr}")


def run(suite, app=None, python=PYTHON):
    """Run a suite blocking or, with the app.py of a solution, in tasks; return its outcomes.

    They are {test id: {"outcome": ..., "tasks": how many it started, "why": ...}}.
    """
    with TemporaryDirectory() as folder:
        outcomes = Path(folder, "outcomes.json")
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "FLASK"))}
        environ |= {"PYTHONPATH": str(Path(__file__).parent), "PARITY_OUTCOMES": str(outcomes)}
        if app:
            # The broker is never used, and the results stay in the process.
            environ |= {"PARITY_APP": str(app), "CELERY_BROKER_URL": "memory://"}
            environ |= {"CELERY_RESULT_BACKEND": "cache+memory://"}
        command = [python, "-m", "pytest", *PYTEST.split(), "--basetemp", f"{folder}/tmp"]
        done = subprocess.run(
            [*command, *suite.tests],
            cwd=suite.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=PATIENCE,
        )
        if done.returncode not in (0, 1) or not outcomes.exists():
            raise RuntimeError(f"pytest could not run {suite.name}'s tests.\n{done.stdout[-2000:]}")
        return json.loads(outcomes.read_text(encoding="utf-8"))
