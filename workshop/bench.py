"""bench: what a 202 costs, beside others that do the same. The work is done in tests/bench/."""

import subprocess
import sys

import click

from workshop import setup
from workshop.steps import TOP


@click.command()
@click.option("--quick", is_flag=True, help="A few rounds only, to see whether it works.")
@click.option("--loop", is_flag=True, help="How long the learner waits: set-up, check, verify.")
@click.option("--json", is_flag=True, help="Print JSON, not tables.")
@click.option("--kept", is_flag=True, help="Measure nothing: show the figures that are kept.")
@click.option("--keep", is_flag=True, help="Keep the figures, and write them where they stand.")
def bench(**options):
    """Measure what a 202 costs, here and in other libraries.

    That takes about ten minutes, in which the computer should have nothing else to do. huey, RQ and
    Celery take part where there is a redis-server; it is started and stopped here.

    The figures are kept in tests/bench/figures.json, and stand in README, lessons, slides and
    pictures. --keep writes all of these.
    """
    setup.ensure("core", "verify", "notebooks", "celery", "bench")
    given = [f"--{name}" for name, is_given in options.items() if is_given]
    return subprocess.call([sys.executable, "-m", "tests.bench", *given], cwd=TOP)
