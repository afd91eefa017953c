"""The slides: each fits, can be read, and shows what the solutions say; the minutes add up.

A Chromium measures them, one page with the script measure.js. Where there is none, that is skipped.
"""

import json
import queue
import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pytest

from tests.catalogue.judge import wrong
from workshop import deck
from workshop.steps import STEPS, TOP

HERE = Path(__file__).parent
WRONG = HERE / "wrong_slides"
LIMIT = 120  # seconds; only a browser that hangs takes so long

sys.path.insert(0, str(deck.SLIDES))
import schedule  # noqa: E402


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The slides as pages, and the wrong ones beside them."""
    folder = tmp_path_factory.mktemp("site")
    deck.html(folder / "slides")
    deck.html(folder / "wrong", source=WRONG)
    return folder


@pytest.fixture(scope="module")
def findings(site, tmp_path_factory):
    """What the script tells about the slides, and about the wrong ones."""
    if deck.find_browser() is None:
        pytest.skip("no Chromium, Chrome or Edge: how the slides look is not checked here")
    answers = queue.Queue()

    class Handler(SimpleHTTPRequestHandler):
        def do_POST(self):
            answers.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    shutil.copy(HERE / "measure.js", site)
    (site / "measure.html").write_text('<!doctype html><body><script src="measure.js"></script>')
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/measure.html"
        alone = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        window = "--window-size=1920,1080", "--disable-popup-blocking"
        command = deck.chromium(tmp_path_factory.mktemp("browser"), *window, alone)
        pipe = subprocess.DEVNULL
        with subprocess.Popen([*command, url], stdout=pipe, stderr=pipe) as browser:
            try:
                findings = answers.get(timeout=LIMIT)
            finally:
                browser.terminate()
                server.shutdown()
    assert not [line["error"] for line in findings if "error" in line]
    return findings


def test_every_slide_fits_and_can_be_read(findings):
    wrong = [line for line in findings if line["deck"] == "slides" and "kind" in line]
    assert not wrong, "\n".join(
        f"{line['slide']!r} at {line['width']}: {line['kind']}: {line['what']}" for line in wrong
    )


def test_every_slide_is_measured_at_both_sizes(findings):
    titles = [slide.title.replace("`", "") for slide in schedule.slides(beyond=True)]
    lines = [line for line in findings if line["deck"] == "slides" and "measured" in line]
    measured = {line["width"]: line["measured"] for line in lines}
    assert measured == {1280: titles, 1920: titles}


@pytest.mark.parametrize(
    "title", re.findall("^### (.*)", (WRONG / "index.md").read_text("utf-8"), re.M)
)
def test_a_wrong_slide_is_caught(findings, title):
    for width in (1280,) if title.startswith("contrast") else (1280, 1920):
        kinds = {
            line["kind"]
            for line in findings
            if line["deck"] == "wrong" and line["width"] == width and line.get("slide") == title
        }
        (kind,) = kinds
        assert title.startswith(kind)


def test_a_right_slide_among_wrong_ones_is_not_blamed(findings):
    assert not [line for line in findings if line.get("slide", "").startswith("All is well")]


def test_the_speaker_sees_notes_time_and_the_next_slide(findings):
    (speaker,) = [line for line in findings if line["deck"] == "speaker"]
    first, second, third, *_ = schedule.slides()
    assert (speaker["slide"], speaker["next"]) == (second.title, third.title)
    assert speaker["notes"].startswith(f"{second.minutes} min: 0:01 to 0:02. Short version: 1 min.")
    assert re.search("^Show", speaker["notes"], re.MULTILINE)
    assert re.match(r"\d{1,2}:\d{2}", speaker["clock"])
    assert re.match(r"[-+]?\d*:?\d{2}:\d{2}", speaker["pacing"].replace("\n", ""))


def test_the_pages_name_no_other_host(site):
    page = (site / "slides" / "index.html").read_text("utf-8")
    named = set(re.findall(r'(?:src|href)="(?:https?:)?//([^/"]+)', page))
    assert not named


def test_a_renamed_function_fails_the_build_and_names_the_slide(tmp_path):
    for folder in "slides", "solutions", "steps":
        shutil.copytree(TOP / folder, tmp_path / folder)
    solution = tmp_path / "solutions" / "03_request_context" / "app.py"
    solution.write_text(solution.read_text("utf-8").replace("copy_environ", "copied"), "utf-8")
    with pytest.raises(click.ClickException) as failed:
        deck.html(tmp_path / "html", tmp_path / "slides", tmp_path / "slides")
    assert "Our solution: the environ" in failed.value.message
    assert "03_request_context.md:" in failed.value.message


def test_the_lines_that_are_new_are_marked_and_no_others(site):
    page = (site / "slides" / "index.html").read_text("utf-8")
    slide = page[page.index("Our solution: the context") :].partition("</pre>")[0]
    marked = re.sub(
        "<[^>]*>", "", "".join(re.findall('<span class="hll">(.*?)\n</span>', slide, re.S))
    )
    for new in "copy_environ()", "def task():", "target=task":
        assert new in marked
    for old in "def accept", "# A daemon thread", "return":
        assert old in re.sub("<[^>]*>", "", slide)
        assert old not in marked


@pytest.fixture
def built(site, monkeypatch):
    """No slides are built again: those of site are taken."""

    def html(folder, source):
        there = site / ("wrong" if source == WRONG else "slides")
        return Path(shutil.copytree(there, folder, dirs_exist_ok=True), "index.html")

    monkeypatch.setattr(deck, "html", html)


def test_the_pdf_has_a_page_for_each_slide(tmp_path, built):
    assert pages_of(tmp_path / "slides.pdf") == len(schedule.slides(beyond=True))


def test_the_pdf_with_notes_has_two_pages_for_each_slide(tmp_path, built):
    few = re.findall("^#+ ", (WRONG / "index.md").read_text("utf-8"), re.MULTILINE)  # to be quick
    assert pages_of(tmp_path / "slides.pdf", notes=True, source=WRONG) == 2 * len(few)


def pages_of(file, **options):
    if deck.find_browser() is None:
        pytest.skip("no Chromium, Chrome or Edge: no PDF is printed here")
    deck.pdf(file, **options)
    return len(re.findall(rb"/Type\s*/Page\b", file.read_bytes()))


@pytest.mark.parametrize(("version", "whole"), [("half", 180), ("short", 90)])
def test_the_minutes_add_up(version, whole):
    assert sum(minutes for _, minutes in schedule.of_version(version)) == whole


def test_the_second_session_has_room_for_what_is_beyond_the_class():
    assert 0 < sum(minutes for _, minutes in schedule.of_version("second")) <= 180


@pytest.mark.parametrize("version", ["half", "short", "second"])
def test_nobody_listens_for_twelve_minutes(version):
    assert schedule.longest_listening(version) < 12


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.folder)
def test_a_step_takes_the_minutes_that_its_lesson_says(step):
    slides = [slide for slide in schedule.slides(beyond=True) if slide.file == f"{step.folder}.md"]
    assert sum(slide.minutes for slide in slides if slide.title != "Break") == step.minutes
    assert slides[0].title == f"Step {step.number}: {step.title}"


def test_the_short_version_ends_at_step_4():
    last = [slide for slide in schedule.slides() if slide.short][-1]
    assert last.file == "04_status.md"


def test_half_a_day_has_one_break():
    assert [slide.minutes for slide in schedule.slides() if slide.title == "Break"] == [15]


def test_the_guide_has_the_schedule():
    guide = schedule.GUIDE.read_text("utf-8")
    assert guide == schedule.in_place(guide), "write it anew: python3 slides/schedule.py"
    assert guide.count("<!-- schedule: ") == 3


FIELDS = ["Ask", "Show", "Say", "If late, skip"]


@pytest.mark.parametrize(
    "slide", schedule.slides(beyond=True), ids=lambda slide: f"{slide.file}-{slide.title}"
)
def test_notes_can_be_scanned(slide):
    fields = re.findall("^:([A-Z][^:]*):", slide.notes, re.MULTILINE)
    assert fields
    assert fields == [field for field in FIELDS if field in fields]
    assert all(len(line) <= 200 for line in slide.notes.splitlines())


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.folder)
def test_what_people_get_wrong_is_named_as_the_checks_name_it(step):
    mistakes = wrong(step)
    text = (deck.SLIDES / f"{step.folder}.md").read_text("utf-8")
    named = re.findall(r"^`([a-z0-9-]+)`\n: ", text, re.MULTILINE)
    assert named
    assert not set(named) - set(mistakes)


def test_no_code_is_typed_into_a_slide():
    for file in deck.SLIDES.glob("*.md"):
        if file != schedule.GUIDE:
            kinds = re.findall(r"^```(\S+)", file.read_text("utf-8"), re.MULTILINE)
            assert set(kinds) <= {"{include}", "{literalinclude}", "{picture}", "console"}, (
                file.name
            )
