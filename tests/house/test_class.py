"""A whole class, from the first command on: what a learner types, and what is on the screen then.

Each answer of the command has to name what comes next.
"""

import importlib
import re

from workshop.steps import STEPS


def next_command(said):
    """The first command that what was said asks for."""
    return re.search(r"(?:python3|py) -m workshop ((?:check|hint|watch)(?: \d)?)", said)[1]


def mistakes(step):
    return importlib.import_module(f"tests.step_{step.folder}.mistakes").MISTAKES


def test_a_class_from_the_first_command_to_all_green(room):
    for step in STEPS[:5]:
        take(room, step)
    map_of_steps = room.run().stdout
    assert "This step comes after the class" in map_of_steps
    assert re.findall(r"^✓  (\d)", map_of_steps, re.MULTILINE) == ["1", "2", "3", "4", "5"]


def take(room, step):
    """Take a step from red, through a named mistake, to green."""
    said = room.says()
    assert f"Next: read steps/{step.folder}/README.md" in said
    assert next_command(said) == f"check {step.number}"

    said = room.says("check", 1)  # the starter
    assert f"Hints: python3 -m workshop hint {step.number}" in said.replace("py -m", "python3 -m")

    solution = room.solution(step.number).read_text(encoding="utf-8")
    name, mistake = list(mistakes(step).items())[-1]
    room.app(step.number).write_text(mistake.answer(solution), encoding="utf-8")
    assert f"Mistake {name}" in room.says("check", 1)
    assert f"Your mistake: {name}" in room.says("hint")
    assert "Hint 1" in room.says("hint")

    if step.number == 2:  # somebody starts the step again, and takes it back
        said = room.says("reset 2")
        assert "undo" in said
        assert "is saved as" in said
        assert room.app(2).read_bytes() == step.starter.read_bytes()
        room.says("undo")
        assert room.app(2).read_text(encoding="utf-8") == mistake.answer(solution)
    if step.number == 4:  # somebody has fallen behind, and begins step 5 with everybody else
        assert f"Next: steps/{STEPS[4].folder}/README.md" in room.says("catch-up 5")
        assert [path.read_text(encoding="utf-8") for path in room.kept(4)] == [
            mistake.answer(solution)
        ]
        return

    room.solve(step.number)
    said = room.says("check" if step.number > 1 else "check 1")
    assert f"Step {step.number} is green." in said
    following = STEPS[step.number].folder
    word = "To go further" if step.number == 5 else "Next"
    assert f"{word}: steps/{following}/README.md" in said
    assert "is the same as our solution" in room.says(f"compare {step.number}")
