"""Run a step's checks with pytest, and remember which answers were green."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from workshop.steps import TOP, shown

GREEN = (
    TOP / ".workshop" / "green"
)  # a line for each answer that was green, as fingerprint() has it
STUCK = 12  # seconds in one check; each wait in a check gives up before


@dataclass
class Verdict:
    """What the checks found: promises kept and broken, and what is told of the first one broken."""

    kept: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    told: dict[str, str] | None = None

    @property
    def green(self):
        return self.told is None


def check(step, answers="steps", *options):
    """Check DIR/NN_slug/app.py, where answers is DIR; returns a Verdict.

    options: more for pytest, such as --maxfail=100 to go on after the first broken promise.
    """
    command = [sys.executable, "-m", "pytest", str(step.checks), f"--answers={answers}", *options]
    command += [f"--override-ini=faulthandler_timeout={STUCK}"]
    command += ["--override-ini=faulthandler_exit_on_timeout=true"]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        done = subprocess.run(
            [*command, f"--report-log={log}"],
            cwd=TOP,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "PYTHONUTF8": "1"},
        )
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    reports = [json.loads(line) for line in lines]
    verdict = read(reports)
    finished = any(report["$report_type"] == "SessionFinish" for report in reports)
    if verdict.green and (done.returncode or not finished):
        verdict.told = ended_early(done, answers)
    if verdict.green and answers == "steps":
        remember(step)
    return verdict


def read(reports):
    """Make a Verdict of the lines that pytest-reportlog writes."""
    verdict, whole = Verdict(), {}
    for report in reports:
        if report["$report_type"] == "CollectReport" and report["outcome"] == "failed":
            verdict.told = {"Seen": str(report["longrepr"])}
        if report["$report_type"] != "TestReport":
            continue
        properties = dict(report["user_properties"])
        promise, failed = properties["promise"], report["outcome"] == "failed"
        whole[promise] = whole.get(promise, True) and not failed
        if failed and verdict.green:
            told = {"Promised": promise, "Seen": str(report["longrepr"])}
            verdict.told = properties.get("told", told)
    verdict.kept = [promise for promise in whole if whole[promise]]
    verdict.broken = [promise for promise in whole if not whole[promise]]
    return verdict


def ended_early(done, answers):
    """What is told when pytest ended without a word on any promise."""
    where = re.findall(rf'File ".*?({re.escape(answers)}/\S+/app\.py)", line (\d+)', done.stderr)
    if "Timeout" in done.stderr and where:
        path, line = where[0]
        return {
            "Seen": f"{path} was still busy after {STUCK} seconds, at line {line}.",
            "Look at": "Is there a loop that never ends?",
        }
    last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
    return {
        "Seen": f"Python ended in the middle of the checks, with status {done.returncode}. "
        f"Its last words: {' '.join(last)}",
        "Look at": "Does app.py end Python itself, with os._exit()? If the same happens with "
        "--solutions, it is not your code.",
    }


# Green is remembered for exactly the files that were green: what changes is to be checked again.


def fingerprint(step):
    files = [step.app, *sorted((TOP / "tests").rglob("*.py"))]
    content = b"\0".join(path.read_bytes() for path in files)
    return hashlib.sha256(shown(step.app).encode() + b"\0" + content).hexdigest()


def remember(step):
    if not is_green(step):
        GREEN.parent.mkdir(exist_ok=True)
        with GREEN.open("a", encoding="ascii") as lines:
            lines.write(fingerprint(step) + "\n")


def is_green(step):
    """Whether the learner's answer, as it is now, was green when it was last checked."""
    try:
        return fingerprint(step) in GREEN.read_text(encoding="ascii").split()
    except OSError:
        return False
