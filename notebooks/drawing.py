"""Draw recordings: one row for each client and thread, with time running from left to right."""

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

# The two colors come from the palette of Okabe and Ito, which color-blind people can tell apart.
# Both have a contrast of 3 or more on white and on near-black. The slides use the same two.
REQUEST = "#0072B2"  # clients, and the threads that serve their requests
TASK = "#D55E00"  # tasks, their threads, and their records
ROWS = {  # the rows from top to bottom: title and color
    "client": ("client", REQUEST),
    "request": ("request thread", REQUEST),
    "task": ("task thread", TASK),
    "sweep": ("cleaner", TASK),
    "process": ("process", REQUEST),
    "worker": ("worker", TASK),
}
INK = "#010203"  # is replaced by the color of the text around the picture
STYLE = {
    "font.size": 17,
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.monospace": ["DejaVu Sans Mono", "Consolas", "monospace"],
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": None,  # random ids, because one page can have several pictures
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
} | dict.fromkeys(
    ["text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"], INK
)


HATCHED = re.compile(r'<path d="([^"]*)"([^>]*)style="fill: url\(#h\w+\)(; stroke: [^;"]+)[^"]*"/>')
APART = 9.5  # the distance between the lines of a hatch, measured along the edge


class Picture:
    """A drawing: its name, its SVG and its alternative text."""

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
        """Show the picture in a notebook, in the color of the text around it."""
        shown = self.svg.replace("<svg", '<svg style="max-width: 100%; height: auto"', 1)
        picture = {"name": self.name, "alt": self.alt, "svg": self.svg}
        return {"text/html": shown, "text/plain": self.alt}, {"picture": picture}


def by_lines(hatched):
    """Return a hatched rectangle as an outline and separate lines.

    Matplotlib draws a hatch as an SVG pattern, which Chromium turns into a large image in a PDF.
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


def draw(recording, name, alt, unit=None, until=None, rows=None, to_scale=True):
    """Return a Picture of a recording.

    unit: how many seconds one unit of the time axis stands for
    until: the end of the axis, in these units; by default, a little after the last span
    rows: the rows to draw, with their titles; by default, all
    to_scale: if false, the picture shows only the order of events, not how long they took
    """
    recording = recording if to_scale else in_order(recording, rows)
    # Not "title": Python 3.12.1 would confuse it with the function title() below.
    titles = rows or {who: text for who, (text, _) in ROWS.items()}
    spans = [span for span in recording.spans if row_of(span, recording)[0] in titles]
    start = min(span.begin for span in spans)
    rows = sorted(
        {row_of(span, recording) for span in spans},
        key=lambda row: (list(ROWS).index(row[0]), row[1]),
    )
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 1.5 + min(0.5 * len(rows), 5.25)), layout="constrained")
        axes = figure.add_subplot()
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks(range(len(rows)), [title(row, rows, titles) for row in rows])
        axes.tick_params(axis="y", length=0)
        for span in spans:
            row = row_of(span, recording)
            if row[1] != span.number:  # one thread for several clients: name the client
                span.label = f"{span.number}"
            bar(axes, span, start, rows.index(row), ROWS[row[0]][1])
        if unit:
            until = until or 1.02 * (max(span.end for span in spans) - start) / unit
            axes.set_xlim(0, until * unit)
            axes.set_xticks([unit * n for n in range(int(until) + 1)], range(int(until) + 1))
            axes.set_xlabel("time (1 = as long as the work takes)")
        else:
            axes.set_xlim(0, end_of_axis(spans, start))
            axes.set_xticks([])
            axes.set_xlabel("time →" if to_scale else "time, not to scale →", loc="right")
        for when, text in recording.marks:
            axes.axvline(when - start, color=INK, linestyle=":", linewidth=2.5)
            where = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
            axes.annotate(text, (when - start, 1), xytext=(0, 4), ha="center", **where)
        working = Patch(facecolor=INK, edgecolor=INK, label="working")
        waiting = Patch(facecolor="none", edgecolor=INK, hatch="////", label="waiting")
        figure.legend(handles=[working, waiting], loc="outside upper right", ncols=2)
    return Picture(figure, name, alt)


def in_order(recording, rows):
    """Return the same recording with equal gaps between its events.

    After a response the gap is wider, so that its note fits.
    """
    spans = [span for span in recording.spans if row_of(span, recording)[0] in rows]
    gaps = dict.fromkeys([span.begin for span in spans] + [span.end for span in spans], 1)
    gaps |= {span.end: 1 + len(span.note) / 3 for span in spans if span.who == "client"}
    times = sorted(gaps)
    moved = dict(zip(times, accumulate(map(gaps.get, times), initial=0), strict=False))
    spans = [replace(span, begin=moved[span.begin], end=moved[span.end]) for span in spans]
    return SimpleNamespace(spans=spans, marks=[], threaded=recording.threaded)


def row_of(span, recording):
    """Return the row of a span: whose row it is, and its number.

    A client has one row for all its requests. If the server has only one request thread, that
    thread has one row, too. While a task waits for its turn, it is in the row in which it will run.
    """
    if span.who == "queue":
        return "task", span.number
    return span.who, 0 if span.who == "request" and not recording.threaded else span.number


def title(row, rows, titles):
    who, number = row
    only_one = sum(other == who for other, _ in rows) == 1
    return titles[who] + ("" if only_one else f" {number}")


def bar(axes, span, start, row, color):
    """Draw work as a solid bar, and waiting as a thinner, hatched one.

    So people can tell them apart without color. The span's label goes on the bar, and its note
    after it.
    """
    height = 0.34 if span.waits else 0.64
    axes.broken_barh(
        [(span.begin - start, span.end - span.begin)],
        (row - height / 2, height),
        facecolor="none" if span.waits else color,
        edgecolor=color,
        hatch="////" if span.waits else None,
        linewidth=1.5,
    )
    middle = (span.begin + span.end) / 2 - start, row
    readable = "white" if color == REQUEST else "black"
    axes.annotate(span.label, middle, color=readable, ha="center", va="center")
    axes.annotate(
        span.note,
        (span.end - start, row),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        weight="bold",
    )


def crowd(recordings, name, alt):
    """Return a Picture of how many tasks run at the same time.

    recordings: for each curve, its label and its recording
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 5.2), layout="constrained")
        axes = figure.add_subplot()
        for (label, recording), dashes in zip(recordings, ["--", "-"], strict=False):
            start = min(span.begin for span in recording.spans)
            changes = [(start, 0)]
            changes += [(span.begin, 1) for span in recording.work]
            changes += [(span.end, -1) for span in recording.work]
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
        axes.set_ylabel("running tasks")
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.set_xticks([])
        axes.set_xlabel("time →", loc="right")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right")
    return Picture(figure, name, alt)


def responses(series, name, alt):
    """Return a Picture of polls that reached different processes, one after another.

    series: for each label, its responses: (number of the process, status code)
    """
    rows = sorted({(label, process) for label, given in series for process, _ in given})
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 1.2 + 0.6 * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks(range(len(rows)), [f"{label}, process {number}" for label, number in rows])
        axes.tick_params(axis="y", length=0)
        for label, given in series:
            for n, (process, status) in enumerate(given):
                knows, row = status != 404, rows.index((label, process))
                axes.broken_barh(
                    [(n + 0.05, 0.9)],
                    (row - 0.32, 0.64),
                    facecolor=REQUEST if knows else "none",
                    edgecolor=REQUEST,
                    linewidth=1.5,
                )
                how = {"color": "white" if knows else INK, "weight": "normal" if knows else "bold"}
                axes.text(n + 0.5, row, status, size=15, ha="center", va="center", **how)
        axes.set_xlim(0, max(len(given) for _, given in series))
        axes.set_xticks([])
        axes.set_xlabel("one poll after another →", loc="right")
    return Picture(figure, name, alt)


def written(lines, name, alt):
    """Return a Picture of lines of text, each with a comment beside it."""
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 0.4 + 0.4 * len(lines)))
        for n, (line, comment) in enumerate(lines):
            down = 1 - (0.2 + 0.4 * (n + 0.5)) / figure.get_figheight()
            how = {"va": "center", "parse_math": False}
            line = line.replace(" ", "\N{NO-BREAK SPACE}")  # or a browser would collapse them
            figure.text(0.02, down, line, family="monospace", size=18, **how)
            figure.text(0.67, down, comment, size=17, weight="bold", **how)
    return Picture(figure, name, alt)


def end_of_axis(spans, start):
    """Return the length of the time axis, in seconds, that leaves enough space for every note."""
    return max((span.end - start) / (0.97 - 0.0175 * len(span.note)) for span in spans)


def growth(series, name, alt):
    """Return a Picture of how many tasks the app remembers over time, and of its memory.

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
