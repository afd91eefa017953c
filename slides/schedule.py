"""The schedule, computed from the minutes in the slides' notes.

    python3 slides/schedule.py

This writes three tables into slides/INSTRUCTOR.md: for half a day, for 90 minutes, and for the
second session.
"""

import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
GUIDE = HERE / "INSTRUCTOR.md"


@dataclass(frozen=True)
class Slide:
    """A slide: its file and title, its minutes in each version of the class, and its notes."""

    file: str
    title: str
    minutes: int
    short: int
    typing: bool
    notes: str


@dataclass(frozen=True)
class Part:
    """One row of the schedule: its title, when it begins and ends, and its minutes of typing."""

    title: str
    begin: int
    end: int
    typing: int


def slides(beyond=False):
    """The slides of the class, in order. If `beyond` is true, also those beyond the class."""
    text = (HERE / "index.md").read_text(encoding="utf-8")
    text = text if beyond else text.partition("<!-- Beyond the class -->")[0]
    files = re.findall(r"^```\{include\} (\S+)$", text, re.MULTILINE)
    return [slide for file in ("index.md", *files) for slide in slides_of(HERE / file)]


def slides_of(path):
    """The slides of a file. Each slide has a heading and a block of notes."""
    for text in re.split(r"^##? ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title, _, rest = text.partition("\n")
        notes = re.search(r"^:::\{notes\}\n(.*?)^:::$", rest, re.MULTILINE | re.DOTALL)[1]
        minutes = dict(re.findall(r"^:(minutes|short): (\d+)$", notes, re.MULTILINE))
        long = int(minutes["minutes"])
        short = int(minutes.get("short", long))
        yield Slide(path.name, title, long, short, "\n:typing:\n" in notes, notes)


def of_version(version):
    """The slides of a version of the class, each with its minutes in that version.

    version: "half" for half a day, "short" for 90 minutes, "second" for the second session
    """
    in_class = slides()
    of_it = slides(beyond=True)[len(in_class) :] if version == "second" else in_class
    return [(slide, slide.short if version == "short" else slide.minutes) for slide in of_it]


def schedule(version):
    """The rows of a version's schedule, in order."""
    now, parts = 0, []
    for slide, minutes in of_version(version):
        title = slide.title if slide.title == "Break" else title_of(slide.file)
        typing = minutes if slide.typing else 0
        if minutes and parts and parts[-1].title == title:
            parts[-1] = Part(title, parts[-1].begin, now + minutes, parts[-1].typing + typing)
        elif minutes:
            parts.append(Part(title, now, now + minutes, typing))
        now += minutes
    return parts


def title_of(file):
    """The title of a file: its first heading. The slide in index.md belongs to the welcome."""
    name = "00_opening.md" if file == "index.md" else file
    return (HERE / name).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def longest_listening(version):
    """The longest time without typing or a break, in minutes."""
    longest = now = 0
    for slide, minutes in of_version(version):
        now = 0 if slide.typing or slide.title == "Break" else now + minutes
        longest = max(longest, now)
    return longest


def table(version):
    """The schedule as a table in Markdown."""
    rows = ["| from | to | | minutes | of which typing |", "| --- | --- | --- | --- | --- |"]
    for part in schedule(version):
        minutes = part.end - part.begin
        begin, end = (f"{m // 60}:{m % 60:02}" for m in (part.begin, part.end))
        rows.append(f"| {begin} | {end} | {part.title} | {minutes} | {part.typing or ''} |")
    return "\n".join(rows)


def in_place(guide):
    """The text of the guide, with up-to-date tables."""
    for version in "half", "short", "second":
        begin, end = f"<!-- schedule: {version} -->\n", "<!-- /schedule -->"
        before, old = guide.split(begin)
        guide = before + begin + table(version) + "\n" + old[old.index(end) :]
    return guide


if __name__ == "__main__":
    GUIDE.write_text(in_place(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
