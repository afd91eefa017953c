"""The slides: Sphinx builds them, Chromium prints them."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from workshop import setup
from workshop.steps import TOP

SLIDES = TOP / "slides"
LIMIT = 120  # seconds, for a tool that hangs
# Where Chromium, or a browser made of it, is found: a name on the path, or a file.
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "microsoft-edge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)


def html(folder, source=SLIDES, settings=SLIDES):
    """Build the slides in a folder, as pages that need nothing from elsewhere.

    source: the folder of index.md; settings: the folder of conf.py
    Raises ClickException with what Sphinx says if anything is amiss. Returns the first page.
    """
    setup.ensure("slides")
    with tempfile.TemporaryDirectory() as trees:
        sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "revealjs"]
        sphinx += ["-c", str(settings), "-d", trees, str(source), str(folder)]
        done = subprocess.run(sphinx, capture_output=True, text=True, timeout=LIMIT)
    if done.returncode:
        raise click.ClickException(f"The slides cannot be built.\n\n{done.stderr.strip()}")
    return Path(folder) / "index.html"


def pdf(file, notes=False, source=SLIDES):
    """Print the slides into a PDF, a page for each; with notes, a page of them after each slide.

    Raises ClickException if there is no Chromium, or if it prints nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = chromium(folder, "--no-pdf-header-footer")
        page = html(folder, source)
        # On paper, style sheets will do. So there is no script to wait for.
        text = re.sub("<script.*?</script>", "", page.read_text("utf-8"), flags=re.DOTALL)
        kind = "print-pdf on-paper" + (
            " with-notes" if notes else ""
        )  # print-pdf: not Reveal's own
        page.write_text(text.replace("<html", f'<html class="{kind}"', 1), "utf-8")
        new = Path(folder) / "slides.pdf"
        command += [f"--print-to-pdf={new}", page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
        if not new.exists():
            raise click.ClickException(f"The browser printed nothing.\n\n{done.stderr.strip()}")
        shutil.copyfile(new, file)


def chromium(profile, *options):
    """The command that starts a headless Chromium with a profile of its own, in that folder."""
    browser = find_browser()
    if browser is None:
        raise click.ClickException(
            "There is no Chromium, Chrome or Edge on this computer. In any browser, you can print\n"
            "the slides yourself: open them with ?print-pdf at the end of the address."
        )
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options = ("--no-sandbox", *options)  # as root, as in a container, it does not start else
    profile = Path(profile) / "profile"
    return [browser, "--headless", "--disable-gpu", f"--user-data-dir={profile}", *options]


def find_browser():
    """The path of Chromium, or of a browser made of it; None if there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)
