"""The steps of the workshop and their folders."""

from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
CACHE = TOP / ".workshop"  # what the commands remember; nothing of the learner's is in it


@dataclass(frozen=True)
class Step:
    """A step: its number, the rest of its folders' name, its title and its minutes in class."""

    number: int
    slug: str
    title: str
    minutes: int

    @property
    def folder(self):
        """The name of its folder in steps/ and in solutions/."""
        return f"{self.number:02}_{self.slug}"

    @property
    def after_class(self):
        """Whether it comes after the class, as steps 6 and 7 do."""
        return self.number > 5

    @property
    def extra_groups(self):
        """The dependency groups that it needs besides the core."""
        return [self.slug] if self.slug == "celery" else []

    @property
    def app(self):
        """The learner's code."""
        return TOP / "steps" / self.folder / "app.py"

    @property
    def starter(self):
        """A copy of the app.py that the learner begins with, for reset."""
        return TOP / "workshop" / "starters" / self.folder / "app.py"

    @property
    def solution(self):
        return TOP / "solutions" / self.folder / "app.py"

    @property
    def lesson(self):
        return TOP / "steps" / self.folder / "README.md"

    @property
    def checks(self):
        return TOP / "tests" / f"step_{self.folder}"


STEPS = (
    Step(1, "blocking", "A slow endpoint", 20),
    Step(2, "thread", "Answer now, work later", 25),
    Step(3, "request_context", "A request for the task", 35),
    Step(4, "status", "A status URL", 40),
    Step(5, "cleanup", "Expiring old responses", 35),
    Step(6, "limits", "A limit and a clean shutdown", 40),
    Step(7, "celery", "Workers in other processes", 50),
)


def step_after(step):
    """The step that follows, or None."""
    return next((later for later in STEPS if later.number > step.number), None)


def shown(path):
    """A path as the learner types it, relative to the workshop's folder."""
    return path.relative_to(TOP).as_posix()
