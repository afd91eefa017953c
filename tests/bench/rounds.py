"""A run. The subjects take turns, in random order, so that noise affects all of them equally."""

import importlib.util
import random
import shutil
import statistics
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

from tests.bench import measure, serving, subjects
from tests.harness.redis_server import RedisServer


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int = 10  # each has its own median, and its own ratio to the plain view
    turns: int = 5  # of each subject in each round
    abreast: int = 60  # the same for the time to 202: more, as some subjects are close together
    requests: int = 20  # in each turn
    sizes: tuple = (10**4, 10**6)  # finished tasks remembered
    sweeps: int = 5  # in each round; their median counts, for all of them show a sweep's effect
    memory: int = 10**4  # tasks to finish, to measure the memory of each
    clients: tuple = (1, 8, 64)
    loads: int = 3  # turns of each subject in each round, for each number of clients
    load: int = 400  # requests in each turn, from all clients together


QUICK = Plan(2, 1, 1, 5, (1000,), 1, 200, (1, 8), 1, 16)


def run(plan, say, names=subjects.NAMES):
    """Measure everything; return the figures. say: called with what is measured next."""
    random.seed(0)
    names, left_out = divide(names)
    figures = {"subjects": {name: {} for name in names}, "left_out": left_out}
    say("time to 202, and polls")
    side_by_side(plan, names, figures)
    for name in names:
        if "poll" in figures["subjects"][name] and name != "plain":
            say(f"many tasks remembered: {name}")
            figures["subjects"][name] |= remembering(plan, name)
    if importlib.util.find_spec("gunicorn"):
        say("behind gunicorn")
        behind_gunicorn(plan, names, figures)
    else:
        left_out["gunicorn"] = "it is not installed (it does not run on Windows)"
    return figures | {"plan": asdict(plan)}


def divide(names):
    """Return the names that can be measured here; for each other name, return why it cannot."""
    left_out = {}
    for name in names:
        missing = [each for each in subjects.needs(name) if not importlib.util.find_spec(each)]
        if missing:
            left_out[name] = f"{', '.join(missing)} is not installed"
        elif name in subjects.ON_REDIS and not shutil.which("redis-server"):
            left_out[name] = "redis-server is not installed (on Debian: apt install redis-server)"
    return [name for name in names if name not in left_out], left_out


@contextmanager
def redis_for(name):
    """Start a Redis if the subject needs one, and yield the path of its socket.

    It keeps nothing on disk. No two subjects share one, or one's tasks could slow down the other.
    """
    if name not in subjects.ON_REDIS:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "redis.sock"))
        with RedisServer(folder, "--unixsocket", path):
            yield path


@contextmanager
def processes(*names):
    """Start a process for each; yield for each a function that calls one of measure.py there."""
    with ExitStack() as stack:
        calls = []
        for name in names:
            given = name, stack.enter_context(redis_for(name))
            pool = ProcessPoolExecutor(1, get_context("spawn"), measure.begin, given)
            stack.enter_context(pool)
            pool.submit(measure.remembers)  # which starts its process
            calls.append(lambda work, *given, pool=pool: pool.submit(work, *given).result())
        yield calls


def by_turns(plan, turns, work, calls):
    """Have all calls do the work in turns; for each, return a list of samples per round."""
    samples = [[[] for _ in range(plan.rounds)] for _ in calls]
    for number in range(plan.rounds):
        for _ in range(turns):
            for who in random.sample(range(len(calls)), len(calls)):
                samples[who][number] += calls[who](work, plan.requests)
    return samples


def times(samples, plain):
    """Summarize a subject's samples, in µs, and their ratio to the plain view in each round."""
    whole = [1e6 * each for part in samples for each in part]
    return {
        "median_us": round(statistics.median(whole), 1),
        "p99_us": round(statistics.quantiles(whole, n=100, method="inclusive")[-1], 1),
        "times_plain": ratios(samples, plain),
    }


def ratios(samples, others):
    """Return the ratio of the medians in each round."""
    pairs = zip(samples, others, strict=True)
    return [round(statistics.median(one) / statistics.median(other), 3) for one, other in pairs]


def side_by_side(plan, names, figures):
    with processes(*names) as calls:
        found = [call(measure.remembers) for call in calls]
        accepted = by_turns(plan, plan.abreast, measure.accept, calls)
        for what, work in ("thread", measure.start_thread), ("pool", measure.submit_to_pool):
            (handed_over,) = by_turns(plan, plan.turns, work, calls[:1])
            figures[f"{what}_us"] = round(1e6 * statistics.median(sum(handed_over, [])), 1)
        asked = [call for call, is_so in zip(calls, found, strict=True) if is_so]
        polled = iter(by_turns(plan, plan.turns, measure.poll, asked))
        plain = None
        for name, samples, is_so in zip(names, accepted, found, strict=True):
            figures["subjects"][name]["accept"] = times(samples, accepted[0])
            if is_so:
                samples = next(polled)
                plain = plain or samples  # the plain one comes first
                figures["subjects"][name]["poll"] = times(samples, plain)


def remembering(plan, name):
    """Measure a subject that remembers no finished tasks, in turns with one that remembers many."""
    sizes = [0, *plan.sizes]
    with processes(name) as (call,):
        found = {"task_bytes": round(call(measure.task_bytes, plan.memory))}
    with processes("plain", *[name] * len(sizes)) as (plain, *calls):
        for size, call in zip(sizes, calls, strict=True):
            call(measure.remember, size)
        many = {str(size): {} for size in plan.sizes}
        for what, work in ("accept", measure.accept), ("poll", measure.poll):
            of_plain, none, *others = by_turns(plan, plan.turns, work, [plain, *calls])
            for entry, samples in zip(many.values(), others, strict=True):
                entry[what] = times(samples, of_plain) | {"times_none": ratios(samples, none)}
        for size, entry, call in zip(plan.sizes, many.values(), calls[1:], strict=True):
            if name not in subjects.ON_REDIS:
                entry["collection_ms"] = round(1e3 * call(measure.collection), 2)
            if call(measure.sweeps):
                entry["sweep"] = swept(plan, call, size // plan.rounds)
    return found | {"remembering": many}


def swept(plan, call, count):
    """Sweep this many tasks per round; return the longest request, with and without a sweep."""
    count //= plan.sweeps
    names = "longest_ms", "longest_without_ms", "taken_ms"
    figures = {name: [] for name in names}
    for _ in range(plan.rounds):
        columns = zip(*[call(measure.sweep, count) for _ in range(plan.sweeps)], strict=True)
        for name, column in zip(names, columns, strict=True):
            figures[name].append(round(1e3 * statistics.median(column), 2))
    return figures


def behind_gunicorn(plan, names, figures):
    with ExitStack() as stack:
        ports = {}
        for name in names:
            redis = stack.enter_context(redis_for(name))
            ports[name] = stack.enter_context(serving.serve(name, redis)).port
            figures["subjects"][name]["load"] = {str(clients): [] for clients in plan.clients}
            serving.load(ports[name], max(plan.clients), plan.load)  # now everything is imported
        for _ in range(plan.rounds):
            for clients in plan.clients:
                found = {name: (0, Counter()) for name in names}
                for _ in range(plan.loads):
                    for name in random.sample(names, len(names)):
                        taken, statuses = serving.load(ports[name], clients, plan.load)
                        if set(statuses) - {202, 503}:
                            raise RuntimeError(f"{name} returned these: {dict(statuses)}.")
                        found[name] = found[name][0] + taken, found[name][1] + statuses
                for name, (taken, statuses) in found.items():
                    figures["subjects"][name]["load"][str(clients)].append(
                        {"accepted": round(statuses[202] / taken), "refused": statuses[503]}
                    )
