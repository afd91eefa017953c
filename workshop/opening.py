"""lab and slides: open what is there, in the browser; the first time, install what it takes."""

import sys
import webbrowser
from functools import partial

import click

from workshop import deck, setup
from workshop.arguments import step_argument
from workshop.progress import CACHE
from workshop.screen import aside, console
from workshop.serve import call, free_port
from workshop.steps import TOP, shown


@click.command()
@step_argument
def lab(step):
    """Open JupyterLab at step N's notebook, until Ctrl-C."""
    notebook = there(TOP / "notebooks" / f"{step.folder}.ipynb")
    setup.ensure("core", "notebooks")
    console.print(f"{shown(notebook)} opens in your browser. Ctrl-C ends it.")
    console.print("If no browser opens, open the address with a token in it, which comes below.\n")
    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.answer_yes=True"]
    command += ["--allow-root", str(notebook)]  # in a container, everybody is root
    return call(command)


@click.command()
@click.option("--open/--no-open", "show", default=True, help="Open the browser, or not.")
@click.option("--html", metavar="DIR", help="Write them into a folder, to open without a server.")
@click.option("--pdf", metavar="FILE", help="Print them, a page for each; it takes a Chromium.")
@click.option("--notes", is_flag=True, help="With --pdf: after each slide a page with its notes.")
def slides(show, html, pdf, notes):
    """Build the slides and serve them, until Ctrl-C.

    Only this computer can reach them. In the browser, S opens the speaker's view.
    """
    if notes and not pdf:
        raise click.UsageError("--notes is for --pdf FILE. Elsewhere, press S to see the notes.")
    setup.ensure("core", "slides")
    with aside.status("Building the slides …"):
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
            """Say nothing."""

    address = "127.0.0.1", free_port(8100)
    with ThreadingHTTPServer(address, partial(Quiet, directory=built)) as server:
        url = "http://{}:{}".format(*address)
        console.print(f"The slides are served at {url}. Ctrl-C ends it.")
        if show:
            webbrowser.open(url)
        server.serve_forever()


def there(path):
    """The path, if there is such a thing."""
    if not path.exists():
        raise click.ClickException(f"There is no {shown(path)}.")
    return path
