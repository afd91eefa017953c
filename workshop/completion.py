"""completion: a script that completes the commands and their arguments in a shell."""

import shlex
import sys

import click
from click.shell_completion import get_completion_class

from workshop.steps import TOP


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context, shell):
    """Print a completion script for your shell.

    \b
    The script also defines `workshop` as a short form of `python3 -m workshop`.
    Run this in your terminal, or add it to your shell's startup file:
      eval "$(python3 -m workshop completion bash)"
    """
    start = shlex.join([sys.executable, str(TOP / "workshop")])
    commands = context.find_root().command
    script = get_completion_class(shell)(commands, {}, "workshop", "_WORKSHOP_COMPLETE").source()
    begin = "function workshop; {} $argv; end" if shell == "fish" else 'workshop() {{ {} "$@"; }}'
    called = " $1)" if shell == "bash" else " workshop)"
    click.echo(begin.format(start))
    click.echo(script.replace(called, f" {start})"))
