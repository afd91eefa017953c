"""The steps of the workshop, as folders."""

from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Step:
    """One step: its number, the rest of its folders' name, its title and its minutes in class."""

    number: int
    slug: str
    title: str
    minutes: int

    @property
    def room(self):
        return f"{self.number:02}_{self.slug}"

    @property
    def app(self):
        return TOP / "steps" / self.room / "app.py"

    @property
    def lesson(self):
        return TOP / "steps" / self.room / "README.md"

    @property
    def checks(self):
        return TOP / "tests" / f"step_{self.room}"


STEPS = (
    Step(1, "blocking", "Work inside the request", 20),
    Step(2, "thread", "202 at once, the work in a thread", 25),
    Step(3, "request_context", "The request, in its task", 35),
    Step(4, "status", "A place to ask for the answer", 40),
    Step(5, "cleanup", "Forgetting in time", 35),
)


def shown(path):
    """A path as the learner types it, from the top of the workshop."""
    return path.relative_to(TOP).as_posix()
