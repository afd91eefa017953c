"""The words of the command: what there is to say, and in which order."""

import shlex
import subprocess
import sys
from pathlib import Path

import click
from rich.text import Text

from workshop import checks, hints, opening, progress, restore, serve, setup
from workshop.arguments import begun_step_argument, exact_step_argument, no_step, step_argument
from workshop.bench import bench
from workshop.doctor import doctor
from workshop.screen import COMMAND, aside, console, show_comparison, show_hint, show_verdict
from workshop.steps import STEPS, TOP, shown
from workshop.watch import watch


def version(context, option, wanted):
    if wanted:
        import tomllib

        project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        python = ".".join(map(str, sys.version_info[:3]))
        click.echo(f"{project['name']} {project['version']}, on Python {python}")
        context.exit()


def main():
    """Run the command. Exit statuses: see `--help`."""
    for stream in sys.stdout, sys.stderr:  # some terminals have no ✓
        stream.reconfigure(errors="replace")
    try:
        status = commands.main(
            prog_name=COMMAND, complete_var="_WORKSHOP_COMPLETE", standalone_mode=False
        )
    except click.exceptions.Abort:  # Ctrl-C
        status = 130
    except click.ClickException as error:
        if isinstance(error, click.NoSuchOption) and error.option_name[1:].isdigit():
            error = click.UsageError(no_step(error.option_name), error.ctx)
        error.show()
        status = 2
    except BrokenPipeError:  # `... | head`: nobody reads on
        sys.stdout = None
        status = 141
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        aside.print(Text(f"{error.strerror or error}{where}\n{CURES.get(error.errno, '')}".strip()))
        status = 2
    sys.exit(status)


CURES = {
    13: "Nothing of yours is lost. Make the folder writable, or copy it to a place of your own.",
    28: "Nothing of yours is lost. Free some space on the disk, then try again.",
    30: "Nothing of yours is lost. Copy the folder to a place of your own, and try again there.",
}


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"""\b
Examples:
  {COMMAND}            where you are, and what comes next
  {COMMAND} watch      check at every save, until Ctrl-C
  {COMMAND} hint       stuck? the next hint
  {COMMAND} reset 3    the starter of step 3 again; yours is kept
\b
Without N, a command means the step that you are at. compare means the last
one that you have begun. reset and catch-up want the number.
\b
Exit status: 0 all is well; 1 a promise is broken, or something is amiss on this
computer; 2 the command could not do what was asked; 130 ended by Ctrl-C.
""",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=version)
@click.pass_context
def commands(context):
    """Build @async_api, step by step. Without a command: where you are, and what comes next."""
    if context.invoked_subcommand is None:
        show_map()


def show_map():
    console.print("Slow Flask endpoints, answered at once\n", style="bold")
    with aside.status("Looking where you are …"):
        green = [step for step in STEPS if progress.is_green(step)]
    here = progress.current(is_done=green.__contains__)
    for step in STEPS:
        mark, style = ("·", "")
        if step in green:
            mark, style = ("✓", "green")
        elif step is here:
            mark, style = ("→", "bold")
        title = f"{step.title:29}{step.minutes:4} min"
        after = " (after the class)" if step.after_class else ""
        row = f"{mark}  {step.number}  {title}  {shown(step.app.parent)}{after}"
        console.print(row, style=style)
    console.print()
    if here and here.after_class:
        console.print("That was the class. What follows is for afterwards.\n")
    if here:
        console.print(f"Next: read {shown(here.lesson)}")
        console.print(f"      change {shown(here.app)}")
        console.print(f"      then type: {COMMAND} check {here.number}")
        console.print(f"      or, to have it checked at every save: {COMMAND} watch")
        console.print(f"\nAll commands: {COMMAND} --help")
    else:
        console.print("All steps are green. solutions/ has other ways to say the same.")


@commands.command()
@step_argument
@click.option("--solutions", is_flag=True, help="Check the solution, not your answer.")
def check(step, solutions):
    """Check step N. Exit status: 0 when green, 1 when not."""
    where = "solutions" if solutions else "steps"
    console.print(f"Step {step.number}, {step.title}: {where}/{step.folder}/app.py\n", style="bold")
    with aside.status("Checking …"):
        verdict = checks.check(step, where) if solutions else progress.checked(step)
    show_verdict(step, verdict)
    if verdict.green:
        return 0
    console.print(f"\nHints: {COMMAND} hint {step.number}")
    console.print(f"Again: {COMMAND} check {step.number}")
    return 1


@commands.command()
@step_argument
@click.option("--again", is_flag=True, help="Begin with the first hint once more.")
def hint(step, again):
    """Show the next hint of step N.

    A nudge comes first, and nearly the answer last. They are the hints of the step's lesson. If the
    checks know the mistake in your answer by name, what they have to say about it comes first.
    """
    console.print(f"Step {step.number}, {step.title}\n", style="bold")
    with aside.status("Checking …"):
        verdict = progress.remembered(step) or progress.checked(step)
    if verdict.green and not again:
        console.print("It is green, and needs no hint.")
        return
    if again:
        hints.forget(step)
    show_hint(step, verdict.explanation)


@commands.command("compare")
@begun_step_argument
@click.option("--spoil", is_flag=True, help="Show the solution though your answer is not green.")
def compare_(step, spoil):
    """Show your answer to step N beside ours, once it is green.

    Without N: the last step that you have begun.
    """
    return show_comparison(step, spoil)


@commands.command()
@exact_step_argument
def reset(step):
    """Put the starter of step N in place again.

    Your file is kept beside it, with the date in its name, and `undo` brings it back.
    """
    saved = restore.reset(step)
    hints.forget(step)
    if not saved:
        console.print(f"{shown(step.app)} is the starter, as it came.")
        return
    console.print(f"{shown(step.app)} is the starter again.")
    show_kept(saved)
    console.print(f"To take this back: {COMMAND} undo")
    console.print(f"Next: {COMMAND} check {step.number}")


@commands.command("catch-up")
@exact_step_argument
def catch_up(step):
    """Give each step before N that is not green our solution.

    So you can begin step N with everybody else. What you wrote is kept, and `undo` brings it back.
    Step N itself stays as it is.
    """
    with aside.status("Checking …"):
        changed, saved = restore.catch_up(step)
    for other in changed:
        console.print(f"Step {other.number} has our solution now: {shown(other.app)}")
    console.print(f"All steps before step {step.number} are green.")
    show_kept(saved)
    if saved:
        console.print(f"To take this back: {COMMAND} undo")
    console.print(f"Next: {shown(step.lesson)}")


@commands.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
def undo(file):
    """Take back the last reset or catch-up, then the one before it.

    With FILE, put that kept file back in place as app.py. Whatever you wrote since is kept too.
    """
    every = {path: step for step in STEPS for path in restore.kept(step)}
    if file and file.resolve() not in every:
        raise click.UsageError(f"{file} is not a file that reset, catch-up or undo has kept.")
    back = {every[file.resolve()]: file.resolve()} if file else restore.last()
    if not back:
        left = "".join(f"\n  {COMMAND} undo {shown(path)}" for path in every)
        offer = f"\nWhat an undo has put aside comes back by:{left}" if left else ""
        raise click.ClickException(f"There is nothing to take back.{offer}")
    path = next(iter(back.values()))
    console.print(f"Takes back {restore.reason(path)} of {restore.minute(path)}:")
    saved = restore.undo(back)
    for step in back:
        console.print(f"{shown(step.app)} is again what it was before that.")
    show_kept(saved)
    for path in saved:
        console.print(f"To have that again: {COMMAND} undo {shown(path)}")
    console.print(f"Next: {COMMAND} check {max(step.number for step in back)}")


def show_kept(saved):
    for path in saved:
        console.print(f"What was there is kept as {shown(path)}")


for command in watch, serve.run, opening.lab, opening.slides, doctor, bench:
    commands.add_command(command)


@commands.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell):
    """Print what completes the commands in your shell.

    \b
    It also makes `workshop` a command, short for the whole one.
    For this terminal, or in the file that your shell reads at its start:
      eval "$(python3 -m workshop completion bash)"
    """
    start = shlex.join([sys.executable, str(TOP / "workshop")])
    words = click.shell_completion.get_completion_class(shell)(
        commands, {}, "workshop", "_WORKSHOP_COMPLETE"
    ).source()
    begin = "function workshop; {} $argv; end" if shell == "fish" else 'workshop() {{ {} "$@"; }}'
    called = " $1)" if shell == "bash" else " workshop)"
    console.print(begin.format(start), markup=False)
    console.print(words.replace(called, f" {start})"), markup=False)


@commands.command("setup")
@click.option("--all", "everything", is_flag=True, help="Install all that any command needs.")
@click.option("--from", "source", metavar="DIR", help="Install from this folder, not the network.")
@click.option("--wheels", type=click.Path(path_type=Path), metavar="DIR", help="Fill the folder.")
@click.option("--here", is_flag=True, help="With --wheels: for computers like this one alone.")
def setup_(everything, source, wheels, here):
    """Install what the workshop needs, before class. After --all, no command needs a network.

    \b
    For a room without a network: fill a stick at home, and install from it in class.
      python3 -m workshop setup --wheels /media/stick/wheels
      python3 -m workshop setup --all --from /media/stick/wheels
    """  # __main__ has heeded --from before there was a .venv
    if wheels:
        from workshop.wheels import fill

        failed = fill(wheels, here)
        console.print(f"In class, in this folder: {COMMAND} setup --all --from {wheels}")
        return 1 if failed else 0
    names = setup.groups() if everything else ["core"]
    setup.ensure(*names)
    console.print(f"All is there: {', '.join(names)}.")
    if everything:
        console.print("From now on, no command needs a network.")


@commands.command()
def verify():
    """Check everything that the workshop promises about itself. For whoever maintains it."""
    setup.ensure(*setup.groups())
    failed = 0
    for module in (
        "ruff format --check .",
        "ruff check .",
        "pytest --solutions --maxfail=20 -n 5",
    ):
        console.print(f"\n{module}", style="bold")
        failed += subprocess.call([sys.executable, "-m", *module.split()], cwd=TOP) != 0
    return 1 if failed else 0
