"""How long the learner waits, and the maintainer, and for what. Times are in seconds."""

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
SAVES = 10  # for each step
PAUSE = 2  # seconds between two saves: as long as a person takes at the very least
SLOWEST = "--durations=8", "--durations-min=1"  # the parts of verify that are named


def run(say):
    """Measure all; return the figures."""
    say("first set-up, in a copy")
    figures = {"setup": set_up()}
    say("check, on the solutions")
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
    """Run a command to its end; return what it printed: pairs of when, and a line."""
    begun, said = time.perf_counter(), []
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
            said.append((time.perf_counter() - begun, line.rstrip("\n")))
    said.append((time.perf_counter() - begun, ""))
    if process.returncode:
        printed = "\n".join(line for _, line in said[-15:])
        raise RuntimeError(f"This failed: {' '.join(map(str, command))}\n{printed}")
    return said


def seconds(*arguments):
    """The median time that Python takes for this."""
    taken = (lines([sys.executable, *arguments], cwd=TOP)[-1][0] for _ in range(REPEATS))
    return statistics.median(taken)


def every_check():
    return [str(step.checks) for step in STEPS]


def set_up():
    """The first command on a fresh clone, with what pip may have kept from an earlier time."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        shutil.copytree(TOP, clone, ignore=shutil.ignore_patterns(*NOT_COPIED, "__pycache__"))
        environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
        command = [sys._base_executable, "-u", "-m", "workshop"]
        said = lines([*command, "setup"], cwd=clone, env=environment)
        first_map = lines(command, cwd=clone, env=environment)[-1][0]
    names = [when for when, line in said if re.match(r"\w[\w.-]*( |$)", line)]
    begun = next(when for when, line in said if line.startswith("Setting up"))
    ready = next(when for when, line in said if line.startswith("Ready in"))
    first = next(when for when in names if begun < when < ready)
    return {
        "whole": round(said[-1][0] + first_map, 2),
        "venv and pip": round(first - begun, 2),
        "packages": round(ready - first, 2),
        "where you are": round(first_map, 2),
    }


def check(step):
    """`check N`, in whole and in part."""
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
    """From a save to its verdict, in whole; and what the checks take when pytest is ready."""
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
            time.sleep(PAUSE)  # as `watch` has it wait for a save
            begun = time.perf_counter()
            ready.verdict()
            checked.append(time.perf_counter() - begun)
    return {
        "median": round(statistics.median(times), 2),
        "p95": round(statistics.quantiles(times, n=20, method="inclusive")[-1], 2),
        "checks": round(statistics.median(checked), 2),
    }


def saves(laptop, step):
    """What a learner saves: the starter, mistakes and the solution by turns, each time changed."""
    mistakes = wrong(step).values()
    solution = laptop.solution(step.number).read_text(encoding="utf-8")
    texts = [step.starter.read_text(encoding="utf-8")]
    texts += [mistake.applied_to(solution) for mistake in mistakes]
    for number in range(SAVES):
        text = solution if number % 2 else texts[number // 2 % len(texts)]
        yield f"{text}# {number}\n"


def verify():
    """`verify`, once installed: each of its parts, and the slowest of pytest's."""
    setup.ensure(*setup.groups())
    environment = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "PYTEST_ADDOPTS": " ".join([os.environ.get("PYTEST_ADDOPTS", ""), *SLOWEST]),
    }
    said = lines([sys.executable, "-m", "workshop", "verify"], cwd=TOP, env=environment)
    heads = [(when, line) for when, line in said if re.match(r"(ruff|pytest) .*[.\d]$", line)]
    ends = [when for when, _ in heads[1:]] + [said[-1][0]]
    slowest = [re.match(r"([\d.]+)s (\w+) +(\S+)", line) for _, line in said]
    return {
        "whole": round(said[-1][0], 1),
        "parts": {
            line: round(end - when, 1) for (when, line), end in zip(heads, ends, strict=True)
        },
        "slowest": {found[3]: float(found[1]) for found in slowest if found},
    }
