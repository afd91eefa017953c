"""A whole class, from the first command on: what a learner types, and what is on the screen then.

Each output of the command has to name what comes next.
"""

import re

from tests.catalogue.judge import wrong
from workshop.steps import STEPS


def next_command(said):
    """The first command that what was said asks for."""
    return re.search(r"(?:python3|py) -m workshop ((?:check|hint|watch)(?: \d)?)", said)[1]


def test_a_class_from_the_first_command_to_all_green(laptop):
    for step in STEPS[:5]:
        take(laptop, step)
    map_of_steps = laptop.run().stdout
    assert "This step comes after the class" in map_of_steps
    assert re.findall(r"^✓  (\d)", map_of_steps, re.MULTILINE) == ["1", "2", "3", "4", "5"]


def take(laptop, step):
    """Take a step from red, through a named mistake, to green."""
    said = laptop.says()
    assert f"Next: read steps/{step.folder}/README.md" in said
    assert next_command(said) == f"check {step.number}"

    said = laptop.says("check", 1)  # the starter
    assert f"Hints: python3 -m workshop hint {step.number}" in said.replace("py -m", "python3 -m")

    solution = laptop.solution(step.number).read_text(encoding="utf-8")
    name, mistake = list(wrong(step).items())[-1]
    laptop.app(step.number).write_text(mistake.applied_to(solution), encoding="utf-8")
    assert f"Mistake {name}" in laptop.says("check", 1)
    assert re.search(r"Hint \d", laptop.says("hint"))

    if step.number == 2:  # somebody starts the step again, and takes it back
        said = laptop.says("reset 2")
        assert "undo" in said
        assert "is saved as" in said
        assert laptop.app(2).read_bytes() == step.starter.read_bytes()
        laptop.says("undo")
        assert laptop.app(2).read_text(encoding="utf-8") == mistake.applied_to(solution)
    if step.number == 4:  # somebody has fallen behind, and begins step 5 with everybody else
        assert f"Next: steps/{STEPS[4].folder}/README.md" in laptop.says("catch-up 5")
        assert [path.read_text(encoding="utf-8") for path in laptop.kept(4)] == [
            mistake.applied_to(solution)
        ]
        return

    laptop.solve(step.number)
    said = laptop.says("check" if step.number > 1 else "check 1")
    assert f"Step {step.number} is green." in said
    following = STEPS[step.number].folder
    word = "To go further" if step.number == 5 else "Next"
    assert f"{word}: steps/{following}/README.md" in said
    assert "is the same as our solution" in laptop.says(f"compare {step.number}")
