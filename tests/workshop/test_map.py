"""Who may import whom, as CONTRIBUTING says: arrows one way, and no circles."""

import ast
import re
from graphlib import CycleError, TopologicalSorter

import pytest

from workshop.steps import STEPS, TOP

OURS = "workshop", "tests", "notebooks", "slides"
FOLDERS = ["workshop", "tests/harness", "tests/catalogue", "tests/bench", "tests/workshop"]
FOLDERS += ["tests/parity"]
FOLDERS += ["notebooks", "tests/conftest", "tests/laptop"]
FOLDERS += [f"tests/step_{step.folder}" for step in STEPS]
MAY_IMPORT = {
    "workshop": {"tests/harness"},
    "notebooks": {"tests/harness", "workshop"},
    "tests/harness": set(),
    "tests/conftest": {"tests/harness"},
    "tests/laptop": {"tests/harness", "workshop"},
    **{
        f"tests/step_{step.folder}": {"tests/harness"}
        | {f"tests/step_{earlier.folder}" for earlier in STEPS[: step.number - 1]}
        for step in STEPS
    },
    "tests/catalogue": {"tests/harness", "workshop"},
    "tests/bench": {"tests/harness", "tests/catalogue", "tests/laptop", "workshop", "notebooks"},
    "tests/parity": {"tests/bench", "workshop"},
    "tests/workshop": set(FOLDERS) - {"tests/conftest"},
}
MODULES = {
    ".".join(path.relative_to(TOP).with_suffix("").parts).removesuffix(".__init__"): path
    for path in TOP.rglob("*.py")
    if path.relative_to(TOP).parts[0] in OURS and "starters" not in path.parts
}


def imports(name):
    """The modules of ours that a module imports, wherever in its code it does."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    if name.startswith("notebooks."):  # a notebook's folder is on sys.path
        found |= {f"notebooks.{each}" for each in found}
    return found & MODULES.keys()


def folder_of(name):
    path = name.replace(".", "/")
    return next((folder for folder in FOLDERS if f"{path}/".startswith(f"{folder}/")), None)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_what_the_map_allows(name):
    folder = folder_of(name)
    if folder:
        other = {folder_of(each) for each in imports(name)} - {folder, None}
        assert other <= MAY_IMPORT[folder], f"{name} imports from {other - MAY_IMPORT[folder]}"


def test_nothing_imports_in_a_circle():
    """A package is its __init__.py, not what is in it."""
    graph = {name: imports(name) - {name} for name in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


@pytest.mark.parametrize(
    "path", sorted(TOP.glob("s*/*/app.py")), ids=lambda p: "/".join(p.parts[-3:-1])
)
def test_an_app_imports_nothing_of_ours(path):
    found = re.findall(r"^(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.M)
    assert found
    assert not set(found) & {*OURS, "steps", "solutions"}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.folder)
def test_a_check_fits_on_a_screen(step):
    """A learner has to understand a failing check within a minute."""
    for path in step.checks.glob("*.py"):
        code = path.read_text(encoding="utf-8")
        assert len(code.splitlines()) <= 450, f"{path} is too long: split it"
        for check in ast.parse(code).body:
            if isinstance(check, ast.FunctionDef) and check.name.startswith("test_"):
                first, last = check.body[1].lineno, check.body[-1].end_lineno  # 0 is its docstring
                assert last - first < 20, f"{check.name} is too long: move words to diagnose.py"
