"""setup and verify: install what the workshop needs; check all that it promises about itself."""

import subprocess
import sys
from pathlib import Path

import click

from workshop import COMMAND
from workshop import setup as packages
from workshop.screen import console
from workshop.steps import TOP


@click.command()
@click.option("--all", "everything", is_flag=True, help="Install everything that the commands use.")
@click.option("--from", "source", metavar="DIR", help="Install from DIR instead of the network.")
@click.option(
    "--wheels",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Download all packages into DIR, for --from.",
)
@click.option("--here", is_flag=True, help="With --wheels: only for computers like this one.")
def setup(everything, source, wheels, here):
    """Install what the workshop needs, before class. After --all, the class needs no network.

    \b
    For a room without a network, fill a USB stick at home, and install from it:
      python3 -m workshop setup --wheels /media/stick/wheels
      python3 -m workshop setup --all --from /media/stick/wheels
    """  # __main__ has applied --from already, because there may have been no .venv yet
    if wheels:
        from workshop.wheels import fill

        failed = fill(wheels, here)
        console.print(
            f"In class, run in the workshop's folder: {COMMAND} setup --all --from {wheels}"
        )
        return 1 if failed else 0
    groups = packages.groups() if everything else ["core"]
    packages.ensure(*groups)
    console.print(f"Installed: {', '.join(groups)}.")
    if everything:
        console.print("From now on, the class needs no network.")


@click.command()
def verify():
    """Check everything that the workshop promises about itself. For maintainers."""
    packages.ensure(*packages.groups())
    failed = 0
    for module in (
        "ruff format --check .",
        "ruff check .",
        "pytest --solutions --maxfail=20 -n 5",
    ):
        console.print(f"\n{module}", style="bold")
        failed += subprocess.call([sys.executable, "-m", *module.split()], cwd=TOP) != 0
    return 1 if failed else 0
