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
LIMIT = 120  # seconds, in case a tool hangs
# Chromium and browsers based on it: names of programs on the path, or paths.
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
    """Build the slides in a folder, as pages that load nothing from elsewhere; return the first.

    source: the folder of index.md; settings: the folder of conf.py
    Raises ClickException with what Sphinx prints if it finds anything wrong.
    """
    setup.ensure("slides")
    with tempfile.TemporaryDirectory() as trees:
        sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "revealjs"]
        sphinx += ["-c", str(settings), "-d", trees, str(source), str(folder)]
        done = subprocess.run(sphinx, capture_output=True, text=True, timeout=LIMIT)
    if done.returncode:
        raise click.ClickException(f"The slides could not be built.\n\n{done.stderr.strip()}")
    return Path(folder) / "index.html"


def pdf(file, notes=False, source=SLIDES):
    """Print the slides to a PDF, one per page. notes: add a page of notes after each slide.

    Raises ClickException if there is no Chromium, or if it writes no PDF.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = chromium(folder, "--no-pdf-header-footer")
        page = html(folder, source)
        # Style sheets are enough on paper. Without scripts, there is nothing to wait for.
        text = re.sub("<script.*?</script>", "", page.read_text("utf-8"), flags=re.DOTALL)
        classes = (
            "print-pdf on-paper"  # print-pdf: it turns off the styles that Reveal has for paper
        )
        classes += " with-notes" if notes else ""
        page.write_text(text.replace("<html", f'<html class="{classes}"', 1), "utf-8")
        new = Path(folder) / "slides.pdf"
        command += [f"--print-to-pdf={new}", page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
        if not new.exists():
            raise click.ClickException(f"The browser wrote no PDF.\n\n{done.stderr.strip()}")
        shutil.copyfile(new, file)


def chromium(profile, *options):
    """The command that starts a headless Chromium, with a new profile in this folder."""
    browser = find_browser()
    if browser is None:
        raise click.ClickException(
            "There is no Chromium, Chrome or Edge on this computer. You can print the slides in\n"
            "any browser yourself: open them with ?print-pdf at the end of the URL."
        )
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options = ("--no-sandbox", *options)  # Chromium requires this of root
    profile = Path(profile) / "profile"
    return [browser, "--headless", "--disable-gpu", f"--user-data-dir={profile}", *options]


def find_browser():
    """The path of Chromium or of a browser based on it; None if there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)
