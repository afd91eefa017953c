"""bench: measure what a 202 costs, in our solutions and in others. tests/bench/ does the work."""

import subprocess
import sys

import click

from workshop import setup
from workshop.steps import TOP


@click.command()
@click.option("--quick", is_flag=True, help="Run only a few rounds, to see whether bench works.")
@click.option("--loop", is_flag=True, help="Measure how long setup, check, watch and verify take.")
@click.option("--json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--kept", is_flag=True, help="Show the saved figures, and measure nothing.")
@click.option(
    "--keep", is_flag=True, help="Save the figures, and update everything that quotes them."
)
def bench(**options):
    """Measure what a 202 costs in our solutions and other libraries.

    This takes about ten minutes. Don't use the computer for anything else during that time.
    If redis-server is installed, bench also measures step 7, huey, RQ and Celery. For each of
    these, it starts a redis-server, and stops it again afterwards.

    --keep saves the figures in tests/bench/figures.json, and updates the README, the lessons, the
    slides and the pictures.
    """
    setup.ensure("core", "verify", "notebooks", "celery", "bench")
    given = [f"--{name}" for name, is_given in options.items() if is_given]
    return subprocess.call([sys.executable, "-m", "tests.bench", *given], cwd=TOP)
