"""Tables of the figures, for the terminal and for Markdown, and the figures that texts quote.

In a text, the name of a figure is in a comment after it. A table is between two comments, and so
are the conditions of the measurement:

    A 202 takes 1.2<!-- figure: step 6 accept --> times as long.
    <!-- figures: accept -->
    <!-- /figures -->

in_place() updates the figures in such a text. A test makes sure that every text is up to date.
"""

import re
from dataclasses import dataclass
from statistics import median

from tests.bench.budgets import budgets
from tests.bench.subjects import TITLES
from workshop.steps import TOP


@dataclass(frozen=True)
class Table:
    title: str
    columns: tuple
    rows: list

    def markdown(self):
        head = [self.columns, ["---", *["--:"] * (len(self.columns) - 1)]]
        return "\n".join(f"| {' | '.join(row)} |" for row in [*head, *self.rows])


def tables(figures):
    """Return all tables, by the names that texts use for them."""
    found = {}
    if costs := figures.get("costs"):
        found |= {"accept": accept(costs), "many": many(costs)}
        if "gunicorn" not in costs["left_out"]:
            found["load"] = load(costs)
    if loop := figures.get("loop"):
        found |= {"loop": of_loop(loop), "verify": of_verify(loop)}
    if rows := [(b.what, b.limit, b.seen, b.verdict) for b in budgets(figures)]:
        found["budgets"] = Table("Budgets", ("what", "budget", "measured", "met"), rows)
    return found


def times(ratios):
    """Return the text for a ratio: the median of all rounds, and the lowest and the highest."""
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def accept(costs):
    rows = []
    for name, of in costs["subjects"].items():
        row = [title(name, costs)]
        for what in "accept", "poll":
            cells = ["", "", ""]
            if entry := of.get(what):
                cells = [f"{entry['median_us']:.0f}", f"{entry['p99_us']:.0f}"]
                cells.append(times(entry["times_plain"]))
            row += cells
        rows.append([*row, f"{of['task_bytes']:,}" if "task_bytes" in of else ""])
    columns = ("test client", "202, µs", "p99", "× plain", "poll, µs", "p99", "× plain GET")
    return Table("Time to 202, and to poll a finished task", (*columns, "bytes per task"), rows)


def in_short(costs):
    """Return a table of the time to 202, fastest first, of everything that you could use."""
    of = {name: entry["accept"] for name, entry in costs["subjects"].items()}
    names = sorted(of, key=lambda name: median(of[name]["times_plain"]))
    rows = [
        [title(name, costs), f"{of[name]['median_us']:.0f}", times(of[name]["times_plain"])]
        for name in names
        if name not in ("step 2", "step 3", "step 4")
    ]
    return Table("Time to 202", ("time to 202", "µs", "× plain (lowest to highest round)"), rows)


def title(name, costs):
    version = costs["run_on"]["versions"].get(name)
    broker = ", with Redis" if name in ("huey", "rq", "celery") else ""
    return f"{TITLES[name]} {version or ''}".strip() + broker


def many(costs):
    sizes = costs["plan"]["sizes"]
    rows = []
    for name, of in costs["subjects"].items():
        if "remembering" not in of:
            continue
        entries = [of["remembering"][str(size)] for size in sizes]
        row = [TITLES[name]]
        for what in "accept", "poll":
            row += [f"{median(entry[what]['times_none']):.2f}" for entry in entries]
        sweep = entries[-1].get("sweep", {})
        row += [longest(sweep.get(what)) for what in ("longest_ms", "longest_without_ms")]
        row.append(f"{entries[-1].get('collection_ms', '')}")
        rows.append(row)
    columns = [f"{what}, {size:,}" for what in ("202", "poll") for size in sizes]
    head = (
        "× with none",
        *columns,
        "longest request in a sweep, ms",
        "without a sweep",
        "full garbage collection, ms",
    )
    return Table("With many finished tasks remembered", head, rows)


def longest(times):
    """Return the text for the longest request: in the median round, and in the worst one."""
    if not times:
        return ""
    return f"{median(times):.1f} (to {max(times):.1f})"


def load(costs):
    clients = [str(number) for number in costs["plan"]["clients"]]
    rows = []
    for name, of in costs["subjects"].items():
        row = [TITLES[name]]
        for number in clients:
            rounds = of["load"][number]
            refused = sum(each["refused"] for each in rounds)
            row.append(f"{median(each['accepted'] for each in rounds):,.0f}")
            if refused:
                part = refused / (len(rounds) * costs["plan"]["loads"] * costs["plan"]["load"])
                row[-1] += f" ({part:.0%} refused)"
        rows.append(row)
    head = ("202 per second, gunicorn gthread", *(f"{n} client{'s' * (n != '1')}" for n in clients))
    return Table("Requests accepted per second", head, rows)


def of_loop(loop):
    parts = {"first setup": loop["setup"]}
    parts |= {f"check {number}": entry for number, entry in loop["check"].items()}
    rows = []
    for what, entry in parts.items():
        where = ", ".join(f"{part} {taken} s" for part, taken in list(entry.items())[1:])
        rows.append([what, f"{entry['whole']} s", where])
    for number, entry in loop["watch"].items():
        where = f"p95 {entry['p95']} s, checks {entry['checks']} s"
        rows.append([f"save to verdict, step {number}", f"{entry['median']} s", where])
    return Table("How long learners wait", ("for what", "time", "of which"), rows)


def of_verify(loop):
    verify = loop["verify"]
    entries = {"verify": verify["whole"]} | verify["parts"] | verify["slowest"]
    rows = [[f"`{what}`", f"{taken} s"] for what, taken in entries.items()]
    return Table("How long verify takes", ("what", "time"), rows)


# What texts quote


def quotable(figures):
    """Return every figure that a text can quote, by its name."""
    costs = figures["costs"]
    found = {f"{what} us": f"{costs[f'{what}_us']:.0f}" for what in ("thread", "pool")}
    for name, of in costs["subjects"].items():
        found[f"{name} accept us"] = f"{of['accept']['median_us']:.0f}"
        for what in "accept", "poll":
            if what in of:
                found[f"{name} {what}"] = f"{median(of[what]['times_plain']):.1f}"
        if "task_bytes" in of:
            found[f"{name} bytes"] = f"{of['task_bytes']}"
        for size, entry in of.get("remembering", {}).items():
            for what in "accept", "poll":
                found[f"{name} {what} {size}"] = f"{median(entry[what]['times_none']):.2f}"
            if sweep := entry.get("sweep"):
                found[f"{name} sweep {size} ms"] = f"{max(sweep['longest_ms']):.0f}"
        for clients, rounds in of.get("load", {}).items():
            accepted = median(each["accepted"] for each in rounds)
            found[f"{name} load {clients}"] = f"{accepted:.0f}"
    for name, of in figures.get("parity", {}).items():
        for step, entry in of["steps"].items():
            found[f"{name} tests {step}"] = f"{entry['views']}"
            found[f"{name} tests {step} passing"] = f"{entry['passing']}"
    return found


def conditions(costs):
    """Return the conditions of the measurement, in a sentence or two."""
    run_on = costs["run_on"]
    names = {"Python": "Python", "Flask": "flask", "Flask-RESTful": "flask-restful"}
    versions = ", ".join(f"{name} {run_on['versions'][key]}" for name, key in names.items())
    machine = f"{run_on['cores']} cores ({run_on['processor']}, {run_on['system']})"
    return (
        f"Measured on {run_on['date']} with {versions}, on {machine}. On that computer, starting"
        f" a thread took {costs['thread_us']:.0f} µs, and handing work to a pool took"
        f" {costs['pool_us']:.0f} µs."
    )


def texts():
    """Return the Markdown files that quote figures."""
    found = [TOP / "README.md", *TOP.glob("slides/*.md"), *TOP.glob("steps/*/*.md")]
    return [path for path in sorted(found) if "<!-- figure" in path.read_text(encoding="utf-8")]


def in_place(text, figures):
    """Return the text with the current figures. Raise KeyError for a name that does not exist."""
    figure = quotable(figures)
    block = {name: table.markdown() for name, table in tables(figures).items()}
    block["to 202"] = in_short(figures["costs"]).markdown()
    block["conditions"] = conditions(figures["costs"])
    text = re.sub(
        r"(<!-- figures: (.+?) -->)\n(?:.*\n)*?(<!-- /figures -->)",
        lambda match: f"{match[1]}\n{block[match[2]]}\n{match[3]}",
        text,
    )
    return re.sub(
        r"[\d.,]+(<!-- figure: (.+?) -->)",
        lambda match: f"{figure[match[2]]}{match[1]}",
        text,
    )
