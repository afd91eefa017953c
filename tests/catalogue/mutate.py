"""Do the checks see what is wrong, and only that? `python -m tests.catalogue.mutate [N]` tells.

For each step: the wrong solutions that fail their checks and get their name, the right ones that
pass, and the mutants that the checks kill. A mutant is a solution with one small change, made by
Cosmic Ray. One that lives has to be listed in mutants.toml, with the reason why it breaks no
promise. It takes an hour, and at first it installs the packages that it needs. Without a
redis-server, some mutants of step 7 live that die otherwise.
"""

import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from tests.catalogue.mistake import without_comments
from workshop import setup
from workshop.steps import STEPS, TOP

LISTED = tomllib.loads(Path(__file__).with_name("mutants.toml").read_text(encoding="utf-8"))
CONFIG = """\
[cosmic-ray]
module-path = "solutions/{folder}/app.py"
timeout = 120.0  # seconds for all checks of a step; a mutant that takes longer counts as killed
test-command = '''"{python}" -m pytest -x -q --disable-plugin-autoload --solutions
    tests/step_{folder}
    tests/workshop/test_steps.py::test_a_solution_runs_by_itself[{folder}] {more}'''
distributor.name = "local"
"""
SELF = "tests/workshop/test_"
ENDS = f"{SELF}steps.py::test_the_end_of_the_process_waits_for_no_task"
MORE = {step.folder: f"{ENDS}[{step.folder}]" for step in STEPS[1:5]} | {
    "06_limits": f"{SELF}limits.py::test_a_long_sweep_lets_requests_go_first",
    "07_celery": f"{SELF}celery.py::test_a_killed_worker_has_its_task_done_by_another "
    f"{SELF}celery.py::test_while_redis_is_away_clients_get_a_503_and_nothing_is_lost",
}


class Solutions:
    """A pytest plugin that counts the solutions in test_catalogue.py, by step, kind and outcome."""

    def __init__(self):
        self.count = Counter()

    def pytest_runtest_logreport(self, report):
        name, _, parameters = report.nodeid.rpartition("::")[2].partition("[")
        if report.when == "call" and name.endswith(("gets_its_name", "right_solution_passes")):
            kind = "right" if "right" in name else "wrong"
            self.count[parameters[:2], kind, report.passed] += 1

    def row(self, step, kind):
        passed, failed = (self.count[f"{step.number:02}", kind, is_so] for is_so in (True, False))
        return passed, passed + failed


def mutants(step):
    """Have the checks run on every mutant of a step's solution; return (diff, lives) of each.

    Cosmic Ray writes the mutants into the solution's file, so it gets a copy of the workshop.
    """
    from cosmic_ray.work_db import use_db

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "workshop")
        shutil.copytree(TOP, copy, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        more = MORE.get(step.folder, "")
        config = CONFIG.format(folder=step.folder, python=sys.executable, more=more)
        (copy / "mutants").write_text(config)
        for command in "init", "exec":
            cosmic_ray = [sys.executable, "-m", "cosmic_ray.cli", command, "mutants", "session"]
            subprocess.run(cosmic_ray, cwd=copy, check=True, stdout=subprocess.DEVNULL)
        with use_db(copy / "session") as session:
            return [(changed(r.diff), not r.is_killed) for _, r in session.results]


def changed(diff):
    """The lines that a mutant changes, without comments: what was there => what is there now."""
    lines = without_comments(diff).splitlines()
    lines = [line for line in lines if not line.startswith(("---", "+++"))]
    was, now = (
        " ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )
    return f"{was} => {now}"


def fits(entry, change):
    """Whether this is the entry of mutants.toml for that change."""
    start = f"{entry['was']} => "
    return change == start + entry["now"] if "now" in entry else change.startswith(start)


def main(numbers):
    """Print the table, and the mutants that live and are not listed; return the exit status."""
    setup.ensure("core", "verify", "mutation")
    steps = [step for step in STEPS if not numbers or step.number in numbers]
    solutions = Solutions()
    folders = " or ".join(step.folder for step in steps)
    options = ["-q", "-n4", "--maxfail=1000", "-k", folders]
    pytest.main(
        [str(TOP / "tests" / "workshop" / "test_catalogue.py"), *options], plugins=[solutions]
    )
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(steps, pool.map(mutants, steps), strict=True))

    table = Table("step", "wrong solutions named", "right solutions passed", "mutants killed")
    amiss = []
    for step in steps:
        living = {change for change, lives in found[step] if lives}
        entries = LISTED.get(step.folder, [])
        for change in living:
            if not any(fits(entry, change) for entry in entries):
                amiss.append(f"{step.folder}: lives, and is not listed: {change}")
        for entry in entries:
            if not any(fits(entry, change) for change in living):
                now = entry.get("now", "anything")
                amiss.append(
                    f"{step.folder}: is listed, and does not live: {entry['was']} => {now}"
                )
        rows = [solutions.row(step, kind) for kind in ("wrong", "right")]
        killed = sum(not lives for _, lives in found[step])
        cells = [f"{part} of {whole}" for part, whole in [*rows, (killed, len(found[step]))]]
        amiss += [
            f"{step.folder}: a solution is judged wrongly" for part, all_ in rows if part < all_
        ]
        table.add_row(step.folder, *cells)
    Console().print(table, *amiss, sep="\n")
    return 1 if amiss else 0


if __name__ == "__main__":
    sys.exit(main({int(number) for number in sys.argv[1:]}))
