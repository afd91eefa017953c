"""Directives that the slides use in addition to those of Sphinx, MyST and sphinx-revealjs.

- `literalinclude` also takes `:since:`, the file of the step before, and marks the new lines.
  It shows the code as large as the slide allows.
- `picture` shows a picture that a notebook drew.
- `notes` holds the minutes that a slide takes, and notes for the speaker.
"""

import re
from difflib import SequenceMatcher
from pathlib import Path

import schedule
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.directives.code import LiteralInclude
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator
from sphinx_revealjs.nodes import revealjs_section
from sphinx_revealjs.writers import RevealjsSlideTranslator

WIDTH, HEIGHT = 1190, 510  # the space for code on a slide of 1280 by 720
PICTURE = 1168, 575  # and the space for a picture
SIZES = (30, 28, 26, 24, 22, 21, 20)  # font sizes, in pixels
LETTER = 0.605  # the width of a letter, divided by its size, in the widest font of theme.css
LINE = 1.35  # the height of a line, divided by the font size


class Code(LiteralInclude):
    option_spec = LiteralInclude.option_spec | {"since": directives.unchanged_required}

    def run(self):
        (node,) = super().run()
        if not isinstance(node, nodes.literal_block):
            raise self.error(f"The slide {slide_of(self)!r} quotes code that no longer exists.")
        node.rawsource = code = node.rawsource.strip("\n")
        node[:] = [nodes.Text(code)]
        lines = code.splitlines()
        node["classes"].append(f"letters-{largest(lines)}")
        if "since" in self.options:
            relative, before = self.env.relfn2path(self.options["since"])
            self.env.note_dependency(relative)
            old, new = (
                stripped(Path(path).read_text(encoding="utf-8").splitlines())
                for path in (before, node["source"])
            )
            node["highlight_args"]["hl_lines"] = added(old, new, stripped(lines))
        return [node]


def largest(lines):
    """The largest font size at which these lines of code fit on a slide, in pixels."""
    widest = max(map(len, lines))
    for size in SIZES:
        if widest * LETTER * size <= WIDTH and len(lines) * LINE * size <= HEIGHT:
            break
    return size


def added(old, new, shown):
    """The numbers, from 1, of the shown lines that a diff of the two files marks with a plus.

    All lines come without their indentation. The shown lines are somewhere in the new file.
    """
    blocks = SequenceMatcher(lambda line: not line, old, new, autojunk=False).get_matching_blocks()
    kept = {n for block in blocks for n in range(block.b, block.b + block.size)}
    size = len(shown)
    first = next(n for n in range(len(new)) if new[n : n + size] == shown)
    return [n + 1 for n, line in enumerate(shown) if line and first + n not in kept]


def stripped(lines):
    return [line.strip() for line in lines]


def slide_of(directive):
    """The title of the directive's slide: the last heading before the directive."""
    path, line = directive.get_source_info()
    lines = Path(path).read_text(encoding="utf-8").splitlines()[:line]
    return next(line.strip("# ") for line in reversed(lines) if re.match("#+ ", line))


class Picture(SphinxDirective):
    """A picture from slides/pictures, with the alternative text in its file.

    It becomes part of the page, so that it takes on the slide's colors.
    """

    required_arguments = 1

    def run(self):
        relative, path = self.env.relfn2path(f"pictures/{self.arguments[0]}.svg")
        self.env.note_dependency(relative)
        try:
            svg = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise self.error(f"There is no {relative} for the slide {slide_of(self)!r}.") from None
        svg = re.sub(r"<style>.*?</style>", "", svg, flags=re.DOTALL)  # not needed on a slide
        own = f"picture{self.env.new_serialno('picture')}-"  # ids must be unique on the page
        svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{own}", svg)
        across, high = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups())
        room = PICTURE[1] - min(PICTURE[1], PICTURE[0] / across * high)
        svg = svg.replace("<svg", f'<svg style="margin-top: {room / 3:.0f}px"', 1)
        return [nodes.raw("", svg, format="html")]


class speaker_notes(nodes.General, nodes.Element):
    """Notes that only the speaker sees."""


class Notes(SphinxDirective):
    """A slide's minutes and its speaker notes, as a list of fields.

    minutes: the minutes in the half-day version, or in the second session
    short: the minutes in the 90-minute version, if they differ; 0 leaves the slide out
    typing: on this slide, the learners type
    predict: on this slide, they say what will happen before they see it
    """

    has_content = True
    option_spec = {
        "minutes": directives.nonnegative_int,
        "short": directives.nonnegative_int,
        "typing": directives.flag,
        "predict": directives.flag,
    }

    def run(self):
        if "minutes" not in self.options:
            raise self.error(f"The notes of the slide {slide_of(self)!r} have no :minutes:.")
        minutes = self.options["minutes"]
        timing = {"data-minutes": minutes, "data-timing": minutes * 60}
        for flag in self.options.keys() & {"typing", "predict"}:
            timing[f"data-{flag}"] = "yes"
        notes = speaker_notes(minutes=minutes, short=self.options.get("short", minutes))
        notes += self.parse_content_to_nodes()
        return [revealjs_section("", **timing), notes]


def tell_the_time(app, doctree):
    """Write each slide's time into its notes, and the title of its part onto the slide."""
    now, in_class = 0, len(schedule.slides())
    for number, notes in enumerate(doctree.findall(speaker_notes)):
        if number == in_class:
            now = 0  # the second session begins here
        begin, now = now, now + notes["minutes"]
        line = f"{notes['minutes']} min: {clock(begin)} to {clock(now)}."
        if number < in_class:
            line += " Short version: " + (f"{notes['short']} min." if notes["short"] else "skip.")
        notes.insert(0, nodes.paragraph("", line))
        slide = notes.parent
        part = slide.parent if isinstance(slide.parent.parent, nodes.section) else slide
        if part is not slide:
            slide.next_node(revealjs_section)["data-part"] = part[0].astext()


def clock(minutes):
    return f"{minutes // 60}:{minutes % 60:02}"


class Translator(RevealjsSlideTranslator):
    """Writes code that Pygments has highlighted, so the browser doesn't have to highlight it."""

    visit_literal_block = HTML5Translator.visit_literal_block
    depart_literal_block = HTML5Translator.depart_literal_block


def setup(app):
    app.add_directive("literalinclude", Code, override=True)
    app.add_directive("picture", Picture)
    app.add_directive("notes", Notes)
    app.add_node(
        speaker_notes,
        revealjs=(
            lambda self, node: self.body.append('<aside class="notes">'),
            lambda self, node: self.body.append("</aside>"),
        ),
    )
    app.set_translator("revealjs", Translator)
    app.connect("doctree-read", tell_the_time)
    return {"parallel_read_safe": True}
