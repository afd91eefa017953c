"""The limits that we promised, next to the figures."""

from dataclasses import dataclass
from statistics import median

from tests.bench import subjects


@dataclass(frozen=True)
class Budget:
    """A limit, the measured figure, and whether it is within the limit. why: a reason if not."""

    what: str
    limit: str
    seen: str
    met: bool
    why: str = ""

    @property
    def verdict(self):
        return "yes" if self.met else f"no. {self.why}".strip()


def budgets(figures):
    """Return all budgets that there are figures for."""
    costs, loop = figures.get("costs"), figures.get("loop")
    return [*(of_costs(costs) if costs else []), *(of_loop(loop) if loop else [])]


def at_most(what, limit, seen, unit, why=""):
    """unit: how to write a number with its unit, for example "{} ms"."""
    return Budget(what, f"≤ {unit.format(limit)}", unit.format(seen), seen <= limit, why)


def of_costs(costs):
    of = costs["subjects"]
    plain = of["plain"]["accept"]["median_us"]
    for name, limit, needed in ("step 5", 2.3, "thread_us"), ("step 6", 1.5, "pool_us"):
        ratio = round(median(of[name]["accept"]["times_plain"]), 2)
        what = {"thread_us": "starting a thread", "pool_us": "handing work to a pool"}[needed]
        why = f"On this computer, {what} alone takes {costs[needed] / plain:.2f} × plain."
        yield at_most(f"time to 202, {name}", limit, ratio, "{} × plain", why)
    for peer in subjects.PEERS:
        if peer in of:
            ours, theirs = (of[name]["accept"]["times_plain"] for name in ("step 6", peer))
            ahead = sum(one < other for one, other in zip(ours, theirs, strict=True))
            what = f"time to 202, step 6 faster than {subjects.TITLES[peer]}"
            rounds = f"{len(ours)} of {len(ours)} rounds"
            yield Budget(what, rounds, f"{ahead} of {len(ours)} rounds", ahead == len(ours))
    for name in "step 5", "step 6":
        ratio = round(median(of[name]["poll"]["times_plain"]), 2)
        yield at_most(f"a poll, {name}", 1.1, ratio, "{} × plain GET")
    many = str(max(costs["plan"]["sizes"]))
    for name in "step 5", "step 6":
        entry = of[name]["remembering"][many]
        for what, title in ("accept", "time to 202"), ("poll", "a poll"):
            ratio = round(median(entry[what]["times_none"]), 2)
            what = f"{title}, {name}, {int(many):,} tasks remembered"
            yield at_most(what, 1.1, ratio, "{} × with none")
        sweep = entry["sweep"]
        what = f"longest request during a sweep, {name}, {int(many):,} tasks remembered"
        why = f"Without a sweep, the longest took {max(sweep['longest_without_ms'])} ms."
        yield at_most(what, 10, max(sweep["longest_ms"]), "{} ms", why)
    for name in "step 5", "step 6":
        size = of[name]["task_bytes"]
        yield at_most(f"memory of a finished task, {name}", 1024, size, "{} bytes plus its body")


def of_loop(loop):
    yield at_most("first setup of a fresh clone", 30, loop["setup"]["whole"], "{} s")
    yield at_most("all checks on the solutions", 10, loop["check_all"], "{} s")
    for number, entry in loop["watch"].items():
        yield at_most(f"save to verdict, step {number}, p95", 1, entry["p95"], "{} s")
    yield at_most("verify", 180, loop["verify"]["whole"], "{} s")
