"""Draw what a Watch has recorded: a row for each client and thread, from left to right in time."""

import html
import math
import re
from dataclasses import replace
from io import StringIO
from itertools import accumulate
from types import SimpleNamespace

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Patch

# The two worlds, from the palette of Okabe and Ito, which colour-blind people can tell apart. Both
# have a contrast of 3 or more on white and on near-black. Slides and lessons use the same two.
REQUEST = "#0072B2"  # clients, and the threads that serve their requests
TASK = "#D55E00"  # tasks, their threads, and what is kept of them
ROWS = {  # whose rows there are, from top to bottom: title and colour
    "client": ("client", REQUEST),
    "request": ("request thread", REQUEST),
    "task": ("task thread", TASK),
    "sweep": ("cleaner", TASK),
    "process": ("process", REQUEST),
    "worker": ("worker", TASK),
}
INK = "#010203"  # stands for the colour of the text around the picture
STYLE = {
    "font.size": 17,
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.monospace": ["DejaVu Sans Mono", "Consolas", "monospace"],
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": None,  # ids differ from picture to picture, for several are on one page
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
} | dict.fromkeys(
    ["text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"], INK
)


HATCHED = re.compile(r'<path d="([^"]*)"([^>]*)style="fill: url\(#h\w+\)(; stroke: [^;"]+)[^"]*"/>')
APART = 9.5  # how far the lines of a hatch are from each other, along the edge


class Picture:
    """A drawing: its name, an SVG, and the words for whoever cannot see it."""

    def __init__(self, figure, name, alt):
        with rc_context(STYLE):
            file = StringIO()
            figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
        drawn = file.getvalue()[file.getvalue().index("<svg") :]
        drawn = re.sub(r"<metadata>.*?</metadata>\s*", "", drawn, flags=re.DOTALL)
        self.name, self.alt = name, " ".join(alt.split())
        drawn = re.sub(
            r"<defs>\s*<style.*?</style>\s*</defs>", "", drawn, flags=re.DOTALL
        )  # for "*"
        drawn = re.sub(r"<pattern.*?</pattern>", "", HATCHED.sub(by_lines, drawn), flags=re.DOTALL)
        label = f'<svg class="picture" role="img" aria-label="{html.escape(self.alt)}"'
        self.svg = drawn.replace(INK, "currentColor").replace("<svg", label, 1)

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Show it in a notebook, in the colour of the text around it, be that light or dark."""
        shown = self.svg.replace("<svg", '<svg style="max-width: 100%; height: auto"', 1)
        picture = {"name": self.name, "alt": self.alt, "svg": self.svg}
        return {"text/html": shown, "text/plain": self.alt}, {"picture": picture}


def by_lines(hatched):
    """Replace a rectangle with a hatch by its outline and lines.

    Matplotlib makes an SVG pattern of a hatch, and Chromium a large image of that in each PDF.
    """
    outline, attributes, stroke = hatched.groups()
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", outline)]
    left, right, top, bottom = (f(numbers[first::2]) for first in (0, 1) for f in (min, max))
    lines = ""
    for n in range(math.ceil((left + top) / APART), math.ceil((right + bottom) / APART)):
        begin, end = max(left, n * APART - bottom), min(right, n * APART - top)
        lines += f"M {begin:.1f} {n * APART - begin:.1f} L {end:.1f} {n * APART - end:.1f} "
    return (
        f'<path d="{outline}"{attributes}style="fill: none{stroke}; stroke-width: 1.5"/>'
        f'<path d="{lines}"{attributes}style="fill: none{stroke}; stroke-width: 1.6"/>'
    )


def draw(watch, name, alt, unit=None, until=None, rows=None, to_scale=True):
    """Draw the record of a Watch as a Picture.

    unit: so many seconds are 1 on the axis of time
    until: how far the axis goes, in these units; if not given, to the last end
    rows: whose rows to draw, if not everybody's, and what to call them
    to_scale: if not, the picture shows what came after what, and not how long it took
    """
    watch = watch if to_scale else in_order(watch, rows)
    # Not "title": Python 3.12.1 would mix it up with the function title() below.
    titles = rows or {who: text for who, (text, _) in ROWS.items()}
    spans = [span for span in watch.spans if row_of(span, watch)[0] in titles]
    start = min(span.begin for span in spans)
    rows = sorted(
        {row_of(span, watch) for span in spans}, key=lambda row: (list(ROWS).index(row[0]), row[1])
    )
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 1.5 + min(0.5 * len(rows), 5.25)), layout="constrained")
        axes = figure.add_subplot()
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks(range(len(rows)), [title(row, rows, titles) for row in rows])
        axes.tick_params(axis="y", length=0)
        for span in spans:
            row = row_of(span, watch)
            if row[1] != span.number:  # one thread for several clients: whom does it serve?
                span.label = f"{span.number}"
            bar(axes, span, start, rows.index(row), ROWS[row[0]][1])
        if unit:
            until = until or 1.02 * (max(span.end for span in spans) - start) / unit
            axes.set_xlim(0, until * unit)
            axes.set_xticks([unit * n for n in range(int(until) + 1)], range(int(until) + 1))
            axes.set_xlabel("time, in lengths of the work")
        else:
            axes.set_xlim(0, room_for_notes(spans, start))
            axes.set_xticks([])
            axes.set_xlabel("time →" if to_scale else "time, not to scale →", loc="right")
        for when, what in watch.marks:
            axes.axvline(when - start, color=INK, linestyle=":", linewidth=2.5)
            where = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
            axes.annotate(what, (when - start, 1), xytext=(0, 4), ha="center", **where)
        works = Patch(facecolor=INK, edgecolor=INK, label="works")
        waits = Patch(facecolor="none", edgecolor=INK, hatch="////", label="waits")
        figure.legend(handles=[works, waits], loc="outside upper right", ncols=2)
    return Picture(figure, name, alt)


def in_order(watch, rows):
    """The same record, with as much time between any two events that follow each other.

    After an answer there is more, for what is written there.
    """
    spans = [span for span in watch.spans if row_of(span, watch)[0] in rows]
    rooms = dict.fromkeys([span.begin for span in spans] + [span.end for span in spans], 1)
    rooms |= {span.end: 1 + len(span.note) / 3 for span in spans if span.who == "client"}
    times = sorted(rooms)
    places = dict(zip(times, accumulate(map(rooms.get, times), initial=0), strict=False))
    spans = [replace(span, begin=places[span.begin], end=places[span.end]) for span in spans]
    return SimpleNamespace(spans=spans, marks=[], threaded=watch.threaded)


def row_of(span, watch):
    """A client has one row, however often it asks; so has the only thread of a server.

    A task waits for its turn in the row in which it will work.
    """
    if span.who == "queue":
        return "task", span.number
    return span.who, 0 if span.who == "request" and not watch.threaded else span.number


def title(row, rows, titles):
    who, number = row
    alone = sum(other == who for other, _ in rows) == 1
    return titles[who] + ("" if alone else f" {number}")


def bar(axes, span, start, row, colour):
    """Work is a full bar. Waiting is a low one, and hatched: colour alone tells nobody apart."""
    height = 0.34 if span.waits else 0.64
    axes.broken_barh(
        [(span.begin - start, span.end - span.begin)],
        (row - height / 2, height),
        facecolor="none" if span.waits else colour,
        edgecolor=colour,
        hatch="////" if span.waits else None,
        linewidth=1.5,
    )
    middle = (span.begin + span.end) / 2 - start, row
    on_it = "white" if colour == REQUEST else "black"  # what can be read there
    axes.annotate(span.label, middle, color=on_it, ha="center", va="center")
    axes.annotate(
        span.note,
        (span.end - start, row),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        weight="bold",
    )


def crowd(watches, name, alt):
    """Draw how many tasks are at work at a time, for each label and its Watch."""
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 5.2), layout="constrained")
        axes = figure.add_subplot()
        for (label, watch), dashes in zip(watches, ["--", "-"], strict=False):
            start = min(span.begin for span in watch.spans)
            changes = [(start, 0)]
            changes += [(span.begin, 1) for span in watch.work]
            changes += [(span.end, -1) for span in watch.work]
            times, steps = zip(*sorted(changes), strict=True)
            axes.plot(
                [when - start for when in times],
                list(accumulate(steps)),
                label=label,
                color=TASK,
                linestyle=dashes,
                linewidth=3.5,
                drawstyle="steps-post",
            )
        axes.set_ylabel("tasks at work")
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.set_xticks([])
        axes.set_xlabel("time →", loc="right")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right")
    return Picture(figure, name, alt)


def responses(series, name, alt):
    """Draw the answers to questions that reached one process or another, one after the other.

    series: for each label, its answers: (number of the process, status)
    """
    rows = sorted({(label, process) for label, given in series for process, _ in given})
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 1.2 + 0.6 * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks(range(len(rows)), [f"{label}, process {number}" for label, number in rows])
        axes.tick_params(axis="y", length=0)
        for label, given in series:
            for place, (process, status) in enumerate(given):
                knows, row = status != 404, rows.index((label, process))
                axes.broken_barh(
                    [(place + 0.05, 0.9)],
                    (row - 0.32, 0.64),
                    facecolor=REQUEST if knows else "none",
                    edgecolor=REQUEST,
                    linewidth=1.5,
                )
                how = {"color": "white" if knows else INK, "weight": "normal" if knows else "bold"}
                axes.text(place + 0.5, row, status, size=15, ha="center", va="center", **how)
        axes.set_xlim(0, max(len(given) for _, given in series))
        axes.set_xticks([])
        axes.set_xlabel("one question after the other →", loc="right")
    return Picture(figure, name, alt)


def written(lines, name, alt):
    """Show lines of text, as they are, each with a word about it, in a Picture."""
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 0.4 + 0.4 * len(lines)))
        for n, (line, word) in enumerate(lines):
            down = 1 - (0.2 + 0.4 * (n + 0.5)) / figure.get_figheight()
            how = {"va": "center", "parse_math": False}
            line = line.replace(" ", "\N{NO-BREAK SPACE}")  # or a browser would drop some
            figure.text(0.02, down, line, family="monospace", size=18, **how)
            figure.text(0.67, down, word, size=17, weight="bold", **how)
    return Picture(figure, name, alt)


def room_for_notes(spans, start):
    """Where the axis of time has to end, so that every note has its place: in seconds."""
    return max((span.end - start) / (0.97 - 0.0175 * len(span.note)) for span in spans)


def growth(series, name, alt):
    """Draw how many tasks are remembered as time passes, and how much memory that takes.

    series: for each curve, its label and its samples: (seconds, number of tasks, bytes)
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 6.75), layout="constrained")
        number, memory = figure.subplots(2, sharex=True)
        for (label, samples), dashes in zip(series, ["--", "-"], strict=False):
            start = samples[0][0]
            times = [when - start for when, _, _ in samples]
            how = {"color": TASK, "linestyle": dashes, "linewidth": 3.5, "drawstyle": "steps-post"}
            number.plot(times, [tasks for _, tasks, _ in samples], label=label, **how)
            memory.plot(times, [size / 2**20 for _, _, size in samples], **how)
        number.set_ylabel("tasks")
        memory.set_ylabel("memory, MiB")
        number.set_ylim(bottom=0)
        memory.set_ylim(bottom=0)
        memory.set_xticks([])
        memory.set_xlabel("time →", loc="right")
        figure.legend(*number.get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return Picture(figure, name, alt)
