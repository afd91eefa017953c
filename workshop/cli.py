"""The command line: which commands there are, and how their errors are shown."""

import importlib
import sys

import click

from workshop import COMMAND
from workshop.steps import TOP


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command is used.

    Its commands are given as "module:attribute". See "Lazily Loading Subcommands" in click's
    documentation.
    """

    def get_command(self, ctx, cmd_name):
        if cmd_name not in self.commands:
            return None
        module, _, attribute = self.commands[cmd_name].partition(":")
        return getattr(importlib.import_module(module), attribute)


def version(context, option, wanted):
    if wanted:
        import tomllib

        project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        python = ".".join(map(str, sys.version_info[:3]))
        click.echo(f"{project['name']} {project['version']}, on Python {python}")
        context.exit()


def main():
    """Run the command. For its exit statuses, see `--help`."""
    for stream in sys.stdout, sys.stderr:  # some terminals cannot show ✓
        stream.reconfigure(errors="replace")
    try:
        status = commands.main(
            prog_name=COMMAND, complete_var="_WORKSHOP_COMPLETE", standalone_mode=False
        )
    except click.exceptions.Abort:  # Ctrl-C
        status = 130
    except click.ClickException as error:
        if isinstance(error, click.NoSuchOption) and error.option_name[1:].isdigit():
            from workshop.arguments import no_step

            error = click.UsageError(no_step(error.option_name), error.ctx)
        error.show()
        status = 2
    except BrokenPipeError:  # the reader has gone, as in `... | head`
        sys.stdout = None
        status = 141
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        message = f"{error.strerror or error}{where}\n{REMEDIES.get(error.errno, '')}".strip()
        click.echo(message, err=True)
        status = 2
    sys.exit(status)


# What to do about an OSError, by its number.
REMEDIES = {
    13: "None of your work is lost. Make the folder writable, or copy it into your home folder.",
    28: "None of your work is lost. Free some disk space, then try again.",
    30: "None of your work is lost. Copy the folder to a writable disk, and try again there.",
}


@click.group(
    cls=LazyGroup,
    commands={
        "bench": "workshop.bench:bench",
        "catch-up": "workshop.restore:catch_up",
        "check": "workshop.checking:check",
        "compare": "workshop.compare:compare",
        "completion": "workshop.completion:completion",
        "doctor": "workshop.doctor:doctor",
        "hint": "workshop.hints:hint",
        "lab": "workshop.opening:lab",
        "parity": "workshop.parity:parity",
        "reset": "workshop.restore:reset",
        "run": "workshop.serve:run",
        "setup": "workshop.install:setup",
        "slides": "workshop.opening:slides",
        "undo": "workshop.restore:undo",
        "verify": "workshop.install:verify",
        "watch": "workshop.watch:watch",
    },
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"""\b
Examples:
  {COMMAND}            show where you are and what to do next
  {COMMAND} watch      check at every save, until Ctrl-C
  {COMMAND} hint       if you're stuck: show the next hint
  {COMMAND} reset 3    restore step 3's starter; your file is saved
\b
N defaults to your current step; for compare, to the last step you began.
reset and catch-up need the number.
\b
Exit status: 0 success; 1 a promise is broken, or this computer has a
problem; 2 the command could not do what you asked; 130 stopped by Ctrl-C
(0 for run); 143 stopped by SIGTERM.
""",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=version,
    help="Show the version and exit.",
)
@click.pass_context
def commands(context):
    """Build @async_api, step by step. Without a command: show where you are and what to do next."""
    if context.invoked_subcommand is None:
        from workshop.overview import show_overview

        show_overview()
