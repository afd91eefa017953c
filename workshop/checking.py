"""check: hold a step's app.py to the step's promises."""

import click

from workshop import COMMAND, checks, progress
from workshop.arguments import step_argument


@click.command()
@step_argument
@click.option("--solutions", is_flag=True, help="Check our solution instead of your code.")
def check(step, solutions):
    """Check step N. Exit status: 0 if it is green, 1 if not."""
    folder = "solutions" if solutions else "steps"
    before = progress.fingerprint(step)
    with checks.Run(step, folder) as run:
        # The run has started a process, which is importing pytest and Flask. While it does, this
        # process imports rich.
        from workshop.screen import console, show_verdict, status

        title = f"Step {step.number}, {step.title}: {folder}/{step.folder}/app.py\n"
        console.print(title, style="bold")
        with status("Checking …"):
            verdict = run.verdict()
    if not solutions:
        progress.remember(step, verdict, before)
    show_verdict(step, verdict)
    if verdict.green:
        return 0
    console.print(f"\nHints: {COMMAND} hint {step.number}")
    console.print(f"Again: {COMMAND} check {step.number}")
    return 1
