"""The N of a command: a step, given by its number or by the name of one of its folders."""

import click
from click.shell_completion import CompletionItem

from workshop import setup
from workshop.steps import STEPS


class StepNumber(click.ParamType):
    name = "N"

    def convert(self, value, param, ctx):
        for step in STEPS:
            if value is step or str(value) in (str(step.number), step.folder, step.checks.name):
                return step
        raise click.UsageError(no_step(value))

    def get_missing_message(self, param, ctx):
        return f"N is the number of a step, for example: {ctx.command_path} 2"

    def shell_complete(self, ctx, param, incomplete):
        return [CompletionItem(str(step.number), help=step.title) for step in STEPS]


def no_step(number):
    return f"There is no step {number}. The steps are 1 to {STEPS[-1].number}."


def current_step():
    """The learner's current step; once all are green, the last one."""
    from workshop import progress

    return progress.current() or STEPS[-1]


def last_begun_step():
    """The last step whose app.py the learner has changed; if there is none, the first step."""
    from workshop import progress

    return next((step for step in reversed(STEPS) if progress.begun(step)), STEPS[0])


def install_packages_of(context, parameter, step):
    """Install the packages that the step needs; return the step."""
    if not context.resilient_parsing:  # that is, unless a shell asks how to complete a command
        setup.ensure(*step.extra_groups)
    return step


step_argument = click.argument(
    "step", metavar="[N]", type=StepNumber(), default=current_step, callback=install_packages_of
)
exact_step_argument = click.argument("step", metavar="N", type=StepNumber())
begun_step_argument = click.argument(
    "step", metavar="[N]", type=StepNumber(), default=last_begun_step
)
