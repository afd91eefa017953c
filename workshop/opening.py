"""lab and slides: open a notebook or the slides in the browser."""

import sys
import webbrowser
from functools import partial

import click

from workshop import setup
from workshop.arguments import step_argument
from workshop.screen import console, status
from workshop.serve import call, free_port
from workshop.steps import CACHE, TOP, shown


@click.command()
@step_argument
def lab(step):
    """Open step N's notebook in JupyterLab, until Ctrl-C."""
    notebook = TOP / "notebooks" / f"{step.folder}.ipynb"
    if not notebook.exists():
        raise click.ClickException(f"There is no {shown(notebook)}.")
    setup.ensure("core", "notebooks")
    console.print(f"Opening {shown(notebook)} in your browser. Press Ctrl-C to stop.")
    console.print("If no browser opens, open the URL below that contains a token.\n")
    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.answer_yes=True"]
    command += ["--allow-root", str(notebook)]  # in a container, everybody is root
    return call(command)


@click.command()
@click.option("--open/--no-open", "show", default=True, help="Whether to open the browser.")
@click.option(
    "--html", metavar="DIR", help="Write the slides to DIR, as files that open without a server."
)
@click.option("--pdf", metavar="FILE", help="Print the slides, one per page. Needs Chromium.")
@click.option("--notes", is_flag=True, help="With --pdf: add a page of notes after each slide.")
def slides(show, html, pdf, notes):
    """Build the slides and serve them, until Ctrl-C.

    Only this computer can reach them. In the browser, press S for the speaker view.
    """
    if notes and not pdf:
        raise click.UsageError("--notes needs --pdf FILE. In the browser, press S for the notes.")
    setup.ensure("core", "slides")
    from workshop import deck

    with status("Building the slides …"):
        built = deck.html(html or CACHE / "slides").parent
        if pdf:
            deck.pdf(pdf, notes)
    if html or pdf:
        written = [path for path in (html and built / "index.html", pdf) if path]
        console.print("\n".join(f"The slides are in {path}" for path in written), markup=False)
        return

    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            """Log nothing."""

    address = "127.0.0.1", free_port(8100)
    with ThreadingHTTPServer(address, partial(Quiet, directory=built)) as server:
        url = "http://{}:{}".format(*address)
        console.print(f"Serving the slides at {url}. Press Ctrl-C to stop.")
        if show:
            webbrowser.open(url)
        server.serve_forever()
