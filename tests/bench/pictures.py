"""Pictures of the figures, in the notebooks' colors: slides/pictures/costs/*.svg."""

import json
from statistics import median

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from notebooks.drawing import INK, REQUEST, STYLE, TASK, Picture
from notebooks.pictures import PAPER, PICTURES
from tests.bench.serving import THREADS
from tests.bench.subjects import TITLES

FOLDER = PICTURES / "costs"


def pictures(figures):
    """Return all pictures of the figures."""
    costs = figures["costs"]
    drawn = [accept(costs), many(costs)]
    return drawn + ([load(costs)] if "gunicorn" not in costs["left_out"] else [])


def keep(drawn):
    """Write the pictures, and a file with their alternative texts."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for picture in drawn:
        head, _, rest = picture.svg.partition(">")
        (FOLDER / f"{picture.name}.svg").write_text(f"{head}>\n{PAPER}{rest}", encoding="utf-8")
    alt = {picture.name: picture.alt for picture in drawn}
    (FOLDER / "alt.json").write_text(json.dumps(alt, indent=1) + "\n", encoding="utf-8")


def ours(name):
    return name.startswith("step")


def bars(axes, names, values, labels):
    """Draw a bar for each subject: solid for ours, hatched for the others."""
    for row, (name, value, label) in enumerate(zip(names, values, labels, strict=True)):
        how = {"facecolor": REQUEST} if ours(name) else {"facecolor": "none", "hatch": "//"}
        axes.barh(row, value, 0.62, edgecolor=REQUEST, linewidth=1.5, **how)
        axes.annotate(label, (value, row), xytext=(6, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(names)), [TITLES[name] for name in names])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, max(values) * 1.15)


def legend(figure):
    handles = [
        Patch(facecolor=REQUEST, edgecolor=REQUEST, label="this workshop"),
        Patch(facecolor="none", edgecolor=REQUEST, hatch="//", label="others"),
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=2)


def accept(costs):
    of = {name: entry["accept"] for name, entry in costs["subjects"].items()}
    names = sorted(of, key=lambda name: median(of[name]["times_plain"]))
    values = [median(of[name]["times_plain"]) for name in names]
    labels = [
        f"{value:.1f} × ({of[name]['median_us']:.0f} µs)"
        for name, value in zip(names, values, strict=True)
    ]
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 6), layout="constrained")
        axes = figure.add_subplot()
        bars(axes, names, values, labels)
        axes.axvline(1, color=INK, linewidth=1, zorder=0)
        legend(figure)
        axes.set_xlabel("time to 202 (1 = a view that does nothing else)")
    figures = ", ".join(f"{TITLES[n]} {v:.1f}" for n, v in zip(names, values, strict=True))
    return Picture(figure, "accept", f"Time to 202, where a plain view is 1: {figures}.")


def many(costs):
    """Draw how much longer a 202 and a poll take when many finished tasks are remembered."""
    sizes = costs["plan"]["sizes"]
    subjects = {n: of for n, of in costs["subjects"].items() if "remembering" in of and ours(n)}
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 4.5), layout="constrained")
        growth = []
        for axes, (what, title) in zip(
            figure.subplots(1, 2, sharey=True),
            [("accept", "time to 202"), ("poll", "a poll")],
            strict=True,
        ):
            for (name, of), dashes in zip(subjects.items(), [":", "--", "-", "-."], strict=False):
                values = [median(of["remembering"][str(n)][what]["times_none"]) for n in sizes]
                axes.plot(
                    range(len(sizes) + 1), [1, *values], dashes, color=TASK, label=name, linewidth=3
                )
                growth.append(f"{title} in {name} {values[-1]:.2f}")
            axes.axhline(1.1, color=INK, linewidth=1)
            axes.annotate("budget: 1.1", (0, 1.1), xytext=(4, 5), textcoords="offset points")
            axes.set_ylim(0, 1.5)
            axes.set_xticks(range(len(sizes) + 1), ["0", *(f"{size:,}" for size in sizes)])
            axes.set_xlabel("finished tasks remembered")
            axes.set_ylabel(f"{title}, × with none")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=4)
    alt = f"With {sizes[-1]:,} finished tasks remembered, where none is 1: {', '.join(growth)}."
    return Picture(figure, "many", alt)


def load(costs):
    """Draw how many requests per second are accepted from each number of clients."""
    clients = [str(number) for number in costs["plan"]["clients"]]
    names = list(costs["subjects"])
    rates = {
        number: [
            median(each["accepted"] for each in costs["subjects"][name]["load"][number])
            for name in names
        ]
        for number in clients
    }
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 6), layout="constrained")
        for axes, number in zip(
            figure.subplots(1, len(clients), sharey=True, squeeze=False)[0], clients, strict=True
        ):
            bars(axes, names, rates[number], [f"{rate:,.0f}" for rate in rates[number]])
            axes.set_xlim(0, max(max(each) for each in rates.values()) * 1.35)
            axes.set_xticks([])
            axes.set_title(f"{number} client" + "s" * (number != "1"))
        figure.supxlabel(
            f"requests accepted per second by one gunicorn process with {THREADS} threads",
            fontsize=STYLE["font.size"],
        )
        legend(figure)
    parts = [
        f"{TITLES[name]} {', '.join(f'{rates[number][row]:,.0f}' for number in clients)}"
        for row, name in enumerate(names)
    ]
    alt = f"Requests accepted per second from {', '.join(clients)} clients: {'; '.join(parts)}."
    return Picture(figure, "load", alt)
