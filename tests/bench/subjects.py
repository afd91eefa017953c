"""What is compared: apps that return 202 for GET /x, whose work takes no time."""

from functools import partial

from tests.bench.own import Plain, Seed, Solution
from tests.bench.peers import (
    RQ,
    Celery,
    FlaskExecutor,
    FlaskExecutorWithResponse,
    Huey,
    SolutionOnCelery,
)
from workshop.steps import TOP

LIKE_OURS = "flask-executor, response"  # its tasks make the response, as ours do
PEERS = {"flask-executor": FlaskExecutor, LIKE_OURS: FlaskExecutorWithResponse}
PEERS |= {"huey": Huey, "rq": RQ, "celery": Celery}
ON_REDIS = {"huey", "rq", "celery", "step 7"}
SOLUTIONS = {
    f"step {int(file.parent.name[:2])}": file
    for file in sorted(TOP.glob("solutions/*/app.py"))
    if not file.parent.name.startswith("01")  # which has no 202
}
KINDS = {"plain": Plain, "seed": Seed}
KINDS |= {name: partial(Solution, file) for name, file in SOLUTIONS.items()}
if "step 7" in SOLUTIONS:
    KINDS["step 7"] = partial(SolutionOnCelery, SOLUTIONS["step 7"])
KINDS |= PEERS
NAMES = list(KINDS)


def needs(name):
    """Return the packages that a subject needs, and the workshop does not."""
    if name not in PEERS and name not in ON_REDIS:
        return []
    library = "celery" if name == "step 7" else name.partition(",")[0].replace("-", "_")
    return [library, "redis"] if name in ON_REDIS else [library]


def make(name, redis):
    """Make the subject. redis: the path of its Redis's socket, if it needs one."""
    return KINDS[name](redis=redis) if name in ON_REDIS else KINDS[name]()


TITLES = {
    "plain": "a plain view",
    "seed": "the original listing",
    "step 2": "step 2, with a thread",
    "step 3": "step 3, with the request",
    "step 4": "step 4, with a status URL",
    "step 5": "step 5, with a cleaner",
    "step 6": "step 6, with a pool",
    "step 7": "step 7, with Celery",
    "flask-executor": "Flask-Executor",
    LIKE_OURS: "Flask-Executor, response in the task",
    "huey": "huey",
    "rq": "RQ",
    "celery": "Celery",
}
