"""How long learners and maintainers wait, and for what. Times are in seconds."""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.catalogue.judge import wrong
from tests.laptop import NOT_COPIED, VERDICT, Laptop, Watching
from workshop import checks, setup, watch
from workshop.steps import STEPS, TOP

REPEATS = 3
SAVES = 10  # per step
PAUSE = 2  # seconds between two saves, the least that a person needs
SLOWEST = "--durations=8", "--durations-min=1"  # list the slowest tests of verify


def run(say):
    """Measure everything; return the figures."""
    say("first setup, in a copy")
    figures = {"setup": set_up()}
    say("check, with the solutions")
    figures["check"] = {str(step.number): check(step) for step in STEPS}
    figures["check_all"] = round(seconds("-m", "pytest", "-q", "--solutions", *every_check()), 2)
    with tempfile.TemporaryDirectory() as folder:
        laptop = Laptop(Path(folder))
        figures["watch"] = {}
        for step in STEPS:
            say(f"save to verdict, step {step.number}")
            figures["watch"][str(step.number)] = watching(laptop, step)
    say("verify")
    return figures | {"verify": verify()}


def lines(command, **options):
    """Run a command to its end; return its output, as pairs of a time and a line."""
    begun, output = time.perf_counter(), []
    with subprocess.Popen(
        list(map(str, command)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        **options,
    ) as process:
        for line in process.stdout:
            output.append((time.perf_counter() - begun, line.rstrip("\n")))
    output.append((time.perf_counter() - begun, ""))
    if process.returncode:
        last = "\n".join(line for _, line in output[-15:])
        raise RuntimeError(f"This command failed: {' '.join(map(str, command))}\n{last}")
    return output


def seconds(*arguments):
    """Return the median time that Python needs with these arguments."""
    taken = (lines([sys.executable, *arguments], cwd=TOP)[-1][0] for _ in range(REPEATS))
    return statistics.median(taken)


def every_check():
    return [str(step.checks) for step in STEPS]


def set_up():
    """Time the first command on a fresh clone. pip may have packages in its cache."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        shutil.copytree(TOP, clone, ignore=shutil.ignore_patterns(*NOT_COPIED, "__pycache__"))
        environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
        command = [sys._base_executable, "-u", "-m", "workshop"]
        output = lines([*command, "setup"], cwd=clone, env=environment)
        first_map = lines(command, cwd=clone, env=environment)[-1][0]
    names = [when for when, line in output if re.match(r"\w[\w.-]*( |$)", line)]
    begun = next(when for when, line in output if line.startswith("Setting up"))
    ready = next(when for when, line in output if line.startswith("Ready in"))
    first = next(when for when in names if begun < when < ready)
    return {
        "whole": round(output[-1][0] + first_map, 2),
        "venv and pip": round(first - begun, 2),
        "packages": round(ready - first, 2),
        "where you are": round(first_map, 2),
    }


def check(step):
    """Time `check N`, as a whole and in parts."""
    whole = seconds("-m", "workshop", "check", str(step.number), "--solutions")
    command = seconds("-m", "workshop", "--version")
    collected = seconds("-m", "pytest", "-q", "--solutions", "--collect-only", str(step.checks))
    return {
        "whole": round(whole, 2),
        "command": round(command, 2),
        "pytest and imports": round(collected, 2),
        "checks": round(max(0, whole - command - collected), 2),
    }


def watching(laptop, step):
    """Time `watch` from a save to its verdict, and the checks alone once pytest is ready."""
    times, checked = [], []
    with Watching(laptop, step.number) as watch_process:
        watch_process.until(VERDICT)
        for text in saves(laptop, step):
            time.sleep(PAUSE)
            begun = time.perf_counter()
            laptop.app(step.number).write_text(text, encoding="utf-8")
            watch_process.until(VERDICT)
            times.append(time.perf_counter() - begun)
    for _ in range(REPEATS):
        with checks.Run(step, "solutions", processes=watch.PROCESSES) as ready:
            time.sleep(PAUSE)  # in which `watch`, too, gets it ready
            begun = time.perf_counter()
            ready.verdict()
            checked.append(time.perf_counter() - begun)
    return {
        "median": round(statistics.median(times), 2),
        "p95": round(statistics.quantiles(times, n=20, method="inclusive")[-1], 2),
        "checks": round(statistics.median(checked), 2),
    }


def saves(laptop, step):
    """Yield what a learner saves: starter or mistake and solution in turns, and never the same."""
    mistakes = wrong(step).values()
    solution = laptop.solution(step.number).read_text(encoding="utf-8")
    texts = [step.starter.read_text(encoding="utf-8")]
    texts += [mistake.applied_to(solution) for mistake in mistakes]
    for number in range(SAVES):
        text = solution if number % 2 else texts[number // 2 % len(texts)]
        yield f"{text}# {number}\n"


def verify():
    """Time `verify` when everything is installed: each of its parts, and its slowest tests."""
    setup.ensure(*setup.groups())
    environment = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "PYTEST_ADDOPTS": " ".join([os.environ.get("PYTEST_ADDOPTS", ""), *SLOWEST]),
    }
    output = lines([sys.executable, "-m", "workshop", "verify"], cwd=TOP, env=environment)
    heads = [(when, line) for when, line in output if re.match(r"(ruff|pytest) .*[.\d]$", line)]
    ends = [when for when, _ in heads[1:]] + [output[-1][0]]
    slowest = [re.match(r"([\d.]+)s (\w+) +(\S+)", line) for _, line in output]
    return {
        "whole": round(output[-1][0], 1),
        "parts": {
            line: round(end - when, 1) for (when, line), end in zip(heads, ends, strict=True)
        },
        "slowest": {found[3]: float(found[1]) for found in slowest if found},
    }
