"""What is compared. Each is an app that answers GET /x with 202, for work that takes no time."""

from tests.bench.own import Plain, Seed, Solution
from tests.bench.peers import RQ, Celery, FlaskExecutor, Huey, OnRedis
from workshop.steps import TOP

PEERS = {"flask-executor": FlaskExecutor, "huey": Huey, "rq": RQ, "celery": Celery}
SOLUTIONS = {
    f"step {int(file.parent.name[:2])}": file
    for file in sorted(TOP.glob("solutions/*/app.py"))
    if not file.parent.name.startswith("01")  # which has no 202
}
NAMES = ["plain", "seed", *SOLUTIONS, *PEERS]


def needs(name):
    """The packages that a subject needs beyond what the workshop has anyway."""
    if name == "step 7":
        return ["celery"]
    if name not in PEERS:
        return []
    return [name.replace("-", "_")] + ["redis"] * on_redis(name)


def on_redis(name):
    return name in PEERS and issubclass(PEERS[name], OnRedis)


def make(name, redis=None):
    if name in SOLUTIONS:
        return Solution(SOLUTIONS[name])
    return {"plain": Plain, "seed": Seed, **PEERS}[name](redis)


TITLES = {
    "plain": "a plain view",
    "seed": "the listing it grew out of",
    "step 2": "step 2, a thread",
    "step 3": "step 3, with its request",
    "step 4": "step 4, with an address",
    "step 5": "step 5, with a cleaner",
    "step 6": "step 6, a pool",
    "step 7": "step 7, on Celery",
    "flask-executor": "Flask-Executor",
    "huey": "huey",
    "rq": "RQ",
    "celery": "Celery",
}
