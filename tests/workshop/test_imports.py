"""Imports: `check` imports only what it needs, and every package that we import is declared."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workshop.steps import TOP

NEEDED = {"arguments", "checking", "checks", "cli", "progress", "screen", "setup", "steps"}
CHECK = """
import json, sys

opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from workshop import cli, setup

setup.missing(["core"])  # as workshop/__main__.py does first
try:
    cli.main()
finally:
    locks = [path for path in opened if path.endswith("requirements.lock")]
    print(json.dumps([sorted(sys.modules), len(locks)]), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def check_3():
    """The modules that `check 3` imports, and how often it reads requirements.lock."""
    command = [sys.executable, "-c", CHECK, "check", "3"]
    done = subprocess.run(command, cwd=TOP, capture_output=True, encoding="utf-8")
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return json.loads(done.stderr.splitlines()[-1])


def test_check_imports_only_what_it_needs(check_3):
    modules, _ = check_3
    ours = {name.removeprefix("workshop.") for name in modules if name.startswith("workshop.")}
    assert not ours & {"bench", "deck", "doctor", "opening", "watch"}
    assert ours == NEEDED
    assert not {"flask", "pytest", "watchfiles"} & set(modules), "they are for other processes"


def test_check_reads_the_lock_once(check_3):
    _, count = check_3
    assert count == 1


FOLDERS = "workshop", "solutions", "tests", "notebooks", "slides"  # steps/ is the learner's
SOURCES = [path for folder in FOLDERS for path in TOP.glob(f"{folder}/**/*.py")]
SOURCES += TOP.glob("notebooks/*.ipynb")
# Modules are imported by their bare names from two folders, and a step's app is always "app".
BESIDE = [*TOP.glob("notebooks/*.py"), *TOP.glob("slides/*.py")]
OURS = {*FOLDERS, "app", *(path.stem for path in BESIDE)}


def code_in(path):
    """The Python in a file; of a notebook, without the lines for IPython alone."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        text = re.sub(r"^[%!].*", "", text, flags=re.MULTILINE)
    return text


def imported(path):
    """The top-level modules that a file imports."""
    for node in ast.walk(ast.parse(code_in(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def test_every_package_that_is_imported_is_declared():
    groups = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    declared = {Requirement(line).name for lines in groups.values() for line in lines}
    of_parity = tomllib.loads((TOP / "tests/parity/suites.toml").read_text("utf-8"))["needs"]
    declared |= {Requirement(line).name for line in of_parity["packages"]}
    packages = packages_distributions()  # by module

    undeclared = {}
    for path in SOURCES:
        for module in {*imported(path)} - OURS - sys.stdlib_module_names:
            names = {canonicalize_name(name) for name in packages.get(module, [module])}
            if not names & declared:
                undeclared.setdefault(module, []).append(path.relative_to(TOP).as_posix())
    assert not undeclared, "add what provides it to a group of pyproject.toml"
