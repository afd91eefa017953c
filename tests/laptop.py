"""A learner's laptop: a copy of the workshop, set up, and a `watch` that runs on it."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from zlib import crc32

from tests.harness.running import Child
from workshop.setup import groups
from workshop.steps import TOP

VERDICT = r"Step \d is green\.\n.*\n.*\n|  Look at  .*\n"  # printed by watch
NOT_COPIED = ".git", ".venv*", ".workshop", "_build", "app.*.py"


class Laptop:
    """A copy of the workshop. Its .venv has the packages of the Python that runs this.

    Its path has a space in it, and letters that are not ASCII.
    """

    def __init__(self, folder):
        self.top = folder / "a laptop ü 漢"
        shutil.copytree(TOP, self.top, ignore=shutil.ignore_patterns(*NOT_COPIED))
        self.tidy()
        venv = self.top / ".venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
        scheme = sysconfig.get_path("purelib", vars={"base": str(venv)})
        with open(os.path.join(scheme, "packages.pth"), "w", encoding="utf-8") as path:
            path.write(sysconfig.get_path("purelib") + "\n")
        pins = crc32((self.top / "requirements.lock").read_bytes())
        stamp = {"venv": str(venv), "base": sys.executable}
        stamp["groups"] = dict.fromkeys(groups(), pins)
        stamp["version"] = f"{sys.version_info.major}.{sys.version_info.minor}"
        (venv / "workshop.stamp").write_text(json.dumps(stamp), encoding="utf-8")
        self.environment = {**os.environ, "PYTHONUTF8": "1", "COLUMNS": "100"}
        python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.python = str(python)

    def tidy(self):
        """Put everything back as it was before anybody worked on it."""
        shutil.rmtree(self.top / ".workshop", ignore_errors=True)
        for kept in self.top.glob("steps/*/*app.*.*"):
            kept.unlink()
        for starter in self.top.glob("workshop/starters/*/app.py"):
            shutil.copy(starter, self.top / "steps" / starter.parent.name)

    def app(self, number):
        return next(self.top.glob(f"steps/{number:02}_*")) / "app.py"

    def solution(self, number):
        return self.top / "solutions" / self.app(number).parent.name / "app.py"

    def solve(self, number):
        shutil.copyfile(self.solution(number), self.app(number))

    def kept(self, number):
        return sorted(self.app(number).parent.glob("app.*.py"))

    def run(self, typed="", *start, **environment):
        """Run a command as a learner types it; start: what Python runs in place of -m workshop."""
        return subprocess.run(
            [self.python, *(start or ("-m", "workshop")), *typed.split()],
            cwd=self.top,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )

    def says(self, typed="", status=0):
        """Run a command, and return what it printed, with spaces for line ends."""
        done = self.run(typed)
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return " ".join((done.stdout + done.stderr).split())


class Watching(Child):
    """`watch N` on a laptop: on a terminal of its own, or with its output in a pipe."""

    def __init__(self, laptop, number, terminal=False):
        command = [laptop.python, "-m", "workshop", "watch", str(number)]
        environment = laptop.environment | {"TERM": "xterm", "PYTHONUNBUFFERED": "1"}
        self._read_until = 0
        super().__init__(command, terminal, cwd=laptop.top, env=environment)

    def until(self, pattern):
        """Wait until this is printed, after what was waited for before; return the match."""
        match = super().until(pattern, self._read_until)
        self._read_until = match.end()
        return match
