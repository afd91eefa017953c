"""The N of a command: a step, by its number or its folder's name."""

import click
from click.shell_completion import CompletionItem

from workshop import progress, setup
from workshop.steps import STEPS


class StepNumber(click.ParamType):
    name = "N"

    def convert(self, value, param, ctx):
        for step in STEPS:
            if value is step or str(value) in (str(step.number), step.folder):
                return step
        raise click.UsageError(no_step(value))

    def get_missing_message(self, param, ctx):
        return f"It is the number of a step, as in: {ctx.command_path} 2"

    def shell_complete(self, ctx, param, incomplete):
        return [CompletionItem(str(step.number), help=step.title) for step in STEPS]


def no_step(number):
    return f"There is no step {number}. The steps are 1 to {STEPS[-1].number}."


def the_current():
    """The step that the learner is at; once all is green, the last one."""
    return progress.current() or STEPS[-1]


def the_last_begun():
    """The step whose app.py the learner has changed, the last of them; or else the first."""
    return next((step for step in reversed(STEPS) if progress.begun(step)), STEPS[0])


def equipped(context, parameter, step):
    """The step, once what it takes is installed."""
    if not context.resilient_parsing:  # in which a shell asks what could come next
        setup.ensure(*step.extra_groups)
    return step


step_argument = click.argument(
    "step", metavar="[N]", type=StepNumber(), default=the_current, callback=equipped
)
exact_step_argument = click.argument("step", metavar="N", type=StepNumber())
begun_step_argument = click.argument(
    "step", metavar="[N]", type=StepNumber(), default=the_last_begun
)
