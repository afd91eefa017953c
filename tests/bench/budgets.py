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
            yield ahead(f"time to 202, step 6 faster than {subjects.TITLES[peer]}", theirs, ours)
    for peer in "flask-executor", subjects.LIKE_OURS:
        if "load" in of.get(peer, {}):
            yield from of_load(of["step 6"]["load"], of[peer]["load"], peer)
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


def ahead(what, higher, lower, why=""):
    """The budget of being ahead in every round."""
    rounds = [one > other for one, other in zip(higher, lower, strict=True)]
    limit, seen = (f"{number} of {len(rounds)} rounds" for number in (len(rounds), sum(rounds)))
    return Budget(what, limit, seen, all(rounds), why)


def of_load(ours, theirs, peer):
    for clients in ours:
        rates = [[each["accepted"] for each in load[clients]] for load in (ours, theirs)]
        ratio = median(one / other for one, other in zip(*rates, strict=True))
        what = f"202 per second, {clients} clients, step 6 ahead of {subjects.TITLES[peer]}"
        why = f"The median ratio is {ratio:.2f}."
        if peer != subjects.LIKE_OURS:
            why += " Unlike ours, its tasks make no responses."
        yield ahead(what, *rates, why)


def of_loop(loop):
    yield at_most("first setup of a fresh clone", 15, loop["setup"]["whole"], "{} s")
    for number, entry in loop["check"].items():
        if int(number) <= 5:
            yield at_most(f"check {number}, cold, on the solution", 1, entry["whole"], "{} s")
    yield at_most("all checks on the solutions", 10, loop["check_all"], "{} s")
    for number, entry in loop["watch"].items():
        limit = 0.5 if int(number) <= 5 else 1
        yield at_most(f"save to verdict, step {number}, p95", limit, entry["p95"], "{} s")
    yield at_most("verify", 180, loop["verify"]["whole"], "{} s")
