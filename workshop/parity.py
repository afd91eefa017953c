"""parity: run other people's tests through our async_api. tests/parity/ does the work."""

import subprocess
import sys
from pathlib import Path

import click

from workshop import setup
from workshop.steps import TOP


@click.command()
@click.argument("steps", nargs=-1, type=int, metavar="[N]...")
@click.option(
    "--suite", multiple=True, metavar="NAME", help="Run only this suite, for example Flask."
)
@click.option(
    "--apps",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Use the solutions in DIR, such as DIR/04_status/app.py, instead of ours.",
)
@click.option("--json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--keep", is_flag=True, help="Save the totals, and update the README with them.")
def parity(steps, suite, apps, **options):
    """Run other people's tests with every view in a background task. For maintainers.

    First, the tests of Flask, Flask-RESTful and some extensions run as they are. Then they run once
    for each step from 4 to 7 (or for the steps N), with each view under the solution's async_api
    and with a client that polls. The command compares each of these runs with the first.

    The first time, the command also downloads the tests into .workshop/parity. Without the
    download, it takes about two minutes. Exit status: 0 if the differences are exactly those in
    tests/parity/excused.toml, otherwise 1.
    """
    more = ["verify", "notebooks", "celery", "bench"] if options["keep"] else []
    setup.ensure("core", *more)
    given = [str(step) for step in steps]
    given += [f"--suite={name}" for name in suite]
    given += [f"--apps={apps.resolve()}"] if apps else []
    given += [f"--{name}" for name, is_given in options.items() if is_given]
    return subprocess.call([sys.executable, "-m", "tests.parity", *given], cwd=TOP)
