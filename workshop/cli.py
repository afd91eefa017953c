"""A stand-in until the command is written."""

import click


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1)
def main(arguments):
    click.echo(f"the workshop: {arguments}")
