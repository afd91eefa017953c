"""Setting up: what it does to a fresh clone, and what it says when it cannot.

No network is needed. The clones are real ones, in a folder with a space and an umlaut; pip finds
its one package beside them.
"""

import ast
import errno
import importlib.util
import json
import os
import runpy
import shutil
import subprocess
import sys
import threading
import time
import tomllib
import zipfile
from itertools import chain
from pathlib import Path
from zlib import crc32

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

WORKSHOP = Path(__file__).parents[2] / "workshop"
posix = pytest.mark.skipif(os.name == "nt", reason="It takes shell scripts.")

COMMAND = """\
import json, sys
import parcel

def main():
    seen = {"arguments": sys.argv[1:], "prefix": sys.prefix, "path": sys.path}
    print(json.dumps(seen | {"parcel": parcel.__file__}))
    sys.exit(3)
"""


def make_clone(folder):
    """Make a workshop whose command tells where it runs, and whose one package is `parcel`."""
    shutil.copytree(WORKSHOP, folder / "workshop", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "workshop" / "cli.py").write_text(COMMAND)
    (folder / "pyproject.toml").write_text(
        '[dependency-groups]\ncore = ["parcel"]\nlab = ["nowhere-to-be-found"]\n'
    )
    (folder / "requirements.lock").write_text("parcel==1.0\n")
    return folder


# --- A Python that is too old ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py"])
def test_any_python_can_read_the_entry_point(name):
    source = (WORKSHOP / name).read_bytes()
    modern = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Starred, ast.AsyncFunctionDef)

    assert source.isascii()
    for node in ast.walk(ast.parse(source, feature_version=(3, 6))):
        assert not isinstance(node, modern)
        assert getattr(node, "returns", None) is getattr(node, "annotation", None) is None


def run_with_version(version, clone, *arguments):
    """Run a clone's command with a Python that says that it has this version."""
    entry = str(clone / "workshop" / "__main__.py")
    pretend = f"sys.version_info = {version}; runpy.run_path({entry!r}, run_name='__main__')"
    command = [sys.executable, "-c", "import runpy, sys; " + pretend, *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8")


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 6, 15), (3, 10, 13)])
def test_a_python_that_is_too_old_is_told_what_it_is_and_what_is_needed(version, tmp_path):
    clone = make_clone(tmp_path / "a clone ü")
    old = run_with_version(version, clone)

    assert old.returncode == 2
    assert "needs Python 3.11 or newer" in old.stderr
    assert "this is Python " + ".".join(map(str, version)) in old.stderr
    assert "Type:" in old.stderr or "Install a newer one" in old.stderr
    assert "Traceback" not in old.stderr
    assert not (clone / ".venv").exists()


def main_module():
    return runpy.run_path(str(WORKSHOP / "__main__.py"))


def test_the_oldest_python_that_will_do_is_let_in():
    assert main_module()["too_old"]((3, 11, 0)) is None


def executable(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@posix
def test_a_newer_python_is_named_only_if_it_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "Install a newer one from https://www.python.org" in main_module()["too_old"]((3, 9, 6))
    executable(tmp_path / "python3.14", "exit 127")  # as pyenv's stand-ins for what it lacks
    executable(tmp_path / "python3.12", "exit 0")
    executable(tmp_path / "python3.10", "exit 0")
    assert "Type:\n\n    python3.12 -m workshop\n" in main_module()["too_old"]((3, 9, 6))


@posix
def test_what_a_newer_python_has_set_up_can_be_used_with_an_old_one(tmp_path):
    clone = make_clone(tmp_path / "a clone ü")
    executable(clone / ".venv" / "bin" / "python", 'echo "$@"')
    old = run_with_version((3, 9, 6), clone, "check", "2")
    assert old.stdout.split() == [*str(clone / "workshop").split(), "check", "2"]
    assert old.stderr == ""


# --- For real, from a fresh clone on --------------------------------------------------------------


class Clone:
    """A clone on this machine, and the way to run its command as a learner would."""

    def __init__(self, folder):
        self.folder = make_clone(folder / "a clone ü")
        self.stamp = self.folder / ".venv" / "workshop.stamp"
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PIP_")
        } | {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": folder.as_uri(),
            "PIP_USER": "1",  # as some have it in their settings; it has no place in a venv
            "PYTHONPATH": str(folder / "other"),
            "PYTHONUTF8": "1",
        }
        (folder / "other").mkdir()
        for name in ("parcel", "pip"):
            (folder / "other" / f"{name}.py").write_text("raise SystemExit('the wrong one')")
        with zipfile.ZipFile(folder / "parcel-1.0-py3-none-any.whl", "w") as wheel:
            about = "parcel-1.0.dist-info"
            wheel.writestr("parcel.py", "")
            wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: parcel\nVersion: 1.0")
            wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any")
            wheel.writestr(f"{about}/RECORD", f"parcel.py,,\n{about}/METADATA,,\n{about}/WHEEL,,")

    def start(self, *command, cwd=None, **environment):
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=cwd or self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def run(self, *command, **options):
        process = self.start(*command, **options)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def is_fit(self):
        again = self.run("-m", "workshop")
        return (again.returncode, again.stderr) == (3, "")


def kill(process):
    if os.name == "nt":  # where nothing makes the next try wait for what this one had started
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], check=True)
    else:
        process.kill()


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone whose first set-up was killed as soon as .venv was there, and that was run again."""
    clone = Clone(tmp_path_factory.mktemp("room ü"))
    with clone.start("-m", "workshop") as first:
        while not clone.stamp.exists() and first.poll() is None:
            time.sleep(0.01)
        kill(first)
    clone.after_the_kill = clone.stamp.read_text()
    clone.second = clone.run("-m", "workshop", "check", "3", "--a b", "ü")
    return clone


def test_what_was_killed_half_way_is_made_whole_by_the_next_try(clone):
    assert clone.after_the_kill == ""
    assert "only when they are first needed:\nparcel" in clone.second.stderr
    assert "Ready in" in clone.second.stderr
    assert clone.is_fit()


def test_arguments_and_exit_status_pass_through(clone):
    assert json.loads(clone.second.stdout)["arguments"] == ["check", "3", "--a b", "ü"]
    assert clone.second.returncode == 3


def test_the_command_runs_inside_venv_whatever_PYTHONPATH_says(clone):
    seen = json.loads(clone.second.stdout)

    assert Path(seen["prefix"]).samefile(clone.folder / ".venv")
    assert Path(seen["parcel"]).is_relative_to(seen["prefix"])
    assert str(clone.folder / "workshop") not in seen["path"], "its modules are not for all to find"


def test_the_folder_can_be_named_from_elsewhere(clone):
    elsewhere = clone.run(str(clone.folder / "workshop"), "check", cwd=clone.folder.parent)

    assert json.loads(elsewhere.stdout)["arguments"] == ["check"]


def test_when_all_is_there_nothing_is_started_or_imported_for_it(clone):
    seen = clone.run(
        "-c",
        "import sys; from workshop.setup import ensure\n"
        "print(ensure('core'), {'subprocess', 'shutil', 'tomllib'} & {*sys.modules})",
    )

    assert seen.stdout == "False set()\n"


def test_without_a_network_it_says_so_and_what_was_there_is_still_good(clone):
    nobody_listens = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    lab = clone.run(
        "-c", "from workshop.setup import ensure; ensure('core', 'lab')", **nobody_listens
    )

    assert lab.returncode == 2
    assert "could not be downloaded. Either there is no network" in lab.stderr
    assert "Traceback" not in lab.stderr
    assert clone.is_fit()


def test_from_a_folder_no_network_is_asked(tmp_path):
    clone = Clone(tmp_path)
    wheels = tmp_path / "a stick 漢"
    wheels.mkdir()
    (tmp_path / "parcel-1.0-py3-none-any.whl").rename(wheels / "parcel-1.0-py3-none-any.whl")
    nobody_listens = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    typed = "-m", "workshop", "setup", "--from"

    unplugged = clone.run(*typed, str(tmp_path / "unplugged"), **nobody_listens)
    assert (unplugged.returncode, unplugged.stdout) == (2, "")
    assert "Is the USB stick plugged in?" in unplugged.stderr

    (tmp_path / "empty").mkdir()
    empty = clone.run(*typed, str(tmp_path / "empty"), **nobody_listens)
    assert empty.returncode == 2
    assert "has no packages for this computer: Python 3." in empty.stderr
    assert json.loads(clone.stamp.read_text())["groups"] == {}, "the .venv is made, and kept"

    done = clone.run(*typed, str(wheels), **nobody_listens)
    assert "Ready in" in done.stderr
    assert json.loads(done.stdout)["arguments"] == ["setup", "--from", str(wheels)]
    assert clone.is_fit()


# --- With a stand-in for the Pythons that it starts -----------------------------------------------


class Pythons:
    """Stands in for `setup._run`: notes what is asked, and does as little of it as will do."""

    def __init__(self):
        self.asked = []
        self.wanted = []
        self.amiss = {}  # what goes wrong, by the first word of the last line that pip says

    def __call__(self, python, _, module, *arguments, on_line=lambda line: None):
        self.asked.append(module)
        if module == "venv":
            inside = "Scripts/python.exe" if os.name == "nt" else "bin/python"
            executable = Path(arguments[-1], inside)
            executable.parent.mkdir()
            executable.touch()
        if module == "pip":
            self.wanted += arguments[arguments.index("requirements.lock") + 1 :]
            for line in ("Collecting parcel\n", "Installing collected packages: parcel\n"):
                on_line(line)
                if error := self.amiss.get(line.split()[0]):
                    raise error


@pytest.fixture
def pythons():
    return Pythons()


@pytest.fixture
def load(pythons):
    """Import the setup of a clone, whose Pythons are stand-ins."""

    def load(clone):
        spec = importlib.util.spec_from_file_location("setup", clone / "workshop" / "setup.py")
        setup = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(setup)
        setup._run = pythons
        return setup

    return load


@pytest.fixture
def setup(tmp_path, load):
    return load(make_clone(tmp_path / "a clone ü"))


@pytest.fixture
def ready(setup, pythons):
    """A setup that has done its work once."""
    assert setup.ensure("core")
    pythons.__init__()
    return setup


ALL = ["venv", "ensurepip", "pip"]


def test_a_fresh_clone_gets_venv_pip_and_packages(setup, pythons):
    assert setup.ensure("core") is True
    assert pythons.asked == ALL


def test_the_second_time_there_is_nothing_to_do(ready, pythons):
    assert ready.ensure("core") is False
    assert pythons.asked == []


def test_another_group_is_added_to_what_is_there(ready, pythons):
    assert ready.ensure("core", "lab") is True
    assert ready.ensure("core") is False
    assert ready.ensure("lab") is False
    assert pythons.asked == ["pip"]
    assert pythons.wanted == ["nowhere-to-be-found"]


def test_if_more_groups_are_interrupted_the_ones_before_are_still_good(ready, pythons):
    pythons.amiss = {"Installing": KeyboardInterrupt()}
    with pytest.raises(SystemExit):
        ready.ensure("core", "lab")
    pythons.__init__()

    assert ready.ensure("core") is False
    assert ready.ensure("lab") is True, "and what is half there is installed again"
    assert (pythons.asked, "--force-reinstall" in pythons.wanted) == (["pip"], True)
    assert "unfinished" not in json.loads(ready.STAMP.read_text())


def test_if_the_repair_is_interrupted_too_all_is_made_again(ready, pythons):
    pythons.amiss = {"Installing": KeyboardInterrupt()}
    for _ in range(2):
        with pytest.raises(SystemExit):
            ready.ensure("core", "lab")
    pythons.__init__()

    assert ready.ensure("core") is True
    assert pythons.asked == ALL


def test_new_versions_are_installed_into_what_is_there(ready, pythons):
    ready.REQUIREMENTS.write_text("parcel==1.0.1\n")

    assert ready.ensure("core") is True
    assert pythons.asked == ["pip"]


@pytest.mark.parametrize("put", [shutil.move, shutil.copytree])
def test_a_folder_that_was_moved_or_copied_gets_a_venv_of_its_own(put, ready, load, pythons):
    elsewhere = load(Path(put(ready.ROOT, ready.ROOT.parent / "elsewhere")))

    assert elsewhere.ensure("core") is True
    assert pythons.asked == ALL


def test_a_python_that_was_removed_is_noticed(ready, pythons):
    stamp = json.loads(ready.STAMP.read_text())
    ready.STAMP.write_text(json.dumps(stamp | {"base": str(ready.ROOT / "removed")}))

    assert ready.ensure("core") is True
    assert pythons.asked == ALL


def test_a_python_that_was_replaced_by_the_next_version_is_noticed(ready, pythons, monkeypatch):
    monkeypatch.setattr(ready, "VERSION", "3.99")

    assert ready.ensure("core") is False, "another Python outside is no reason"
    monkeypatch.setattr(ready, "inside", lambda: True)
    assert ready.ensure("core") is True
    assert pythons.asked == ALL


def test_a_venv_without_its_python_is_made_again(ready, pythons):
    ready.PYTHON.unlink()

    assert ready.ensure("core") is True
    assert pythons.asked == ALL


def test_what_was_cut_short_while_installing_is_made_again(ready, pythons):
    ready.REQUIREMENTS.write_text("parcel==1.0.1\n")
    pythons.amiss["Installing"] = KeyboardInterrupt()
    with pytest.raises(SystemExit):
        ready.ensure("core")
    pythons.amiss.clear()
    pythons.asked.clear()

    assert ready.ensure("core") is True
    assert pythons.asked == ALL


def test_what_was_cut_short_before_it_changed_anything_is_still_good(ready, pythons):
    pythons.amiss["Collecting"] = KeyboardInterrupt()
    with pytest.raises(SystemExit):
        ready.ensure("lab")

    assert ready.ensure("core") is False


def test_a_venv_that_somebody_else_made_is_kept_aside(setup, capsys):
    for kept in (".venv-1", ".venv-2"):
        shutil.rmtree(setup.VENV, ignore_errors=True)
        setup.VENV.mkdir()
        (setup.VENV / "mine").touch()

        assert setup.ensure("core") is True
        assert (setup.ROOT / kept / "mine").exists()
        assert f"It is now {kept}." in capsys.readouterr().err


def test_the_second_of_two_waits_and_finds_it_done(setup, load, pythons, monkeypatch):
    second = load(setup.ROOT)
    waits = threading.Event()
    monkeypatch.setattr(second, "_say", lambda text: "waiting" in text and waits.set())
    other = threading.Thread(target=second.ensure, args=["core"])

    def first_meets_second(*arguments, **options):
        if not other.is_alive() and not waits.is_set():
            other.start()
            assert waits.wait(60), "the second did not wait"
        pythons(*arguments, **options)

    monkeypatch.setattr(setup, "_run", first_meets_second)
    setup.ensure("core")
    other.join(60)

    assert not other.is_alive()
    assert pythons.asked == ALL


LEFT_BEHIND = """\
import os, sys, time
print("there", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
"""
DOOMED = """\
import sys
from workshop.setup import _one_at_a_time, _run
with _one_at_a_time():
    _run(sys.executable, "-c", *sys.argv[1:], on_line=lambda line: print(line, flush=True))
"""


@pytest.mark.skipif(os.name == "nt", reason="there, a lock is not handed down")
def test_what_a_killed_set_up_leaves_running_is_waited_for(setup, tmp_path):
    go = tmp_path / "go"
    command = [sys.executable, "-c", DOOMED, LEFT_BEHIND, str(go)]
    with subprocess.Popen(command, cwd=setup.ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"there\n"
        process.kill()

    with open(setup.ROOT / ".venv.lock", "ab") as turn:
        assert not setup._try_to_lock(turn)
        go.touch()
        deadline = time.monotonic() + 60
        while not setup._try_to_lock(turn):
            assert time.monotonic() < deadline, "the lock outlived the last that had it"
            time.sleep(0.01)


# --- The lock -------------------------------------------------------------------------------------


def checksum(groups):
    return f"{crc32(json.dumps(groups, sort_keys=True).encode()):08x}"


def outdated(groups, lock, made_for):
    """Why this lock was not made for these dependency groups; "" if it was.

    made_for: the checksum of the groups that it was made for
    """
    lines = lock.splitlines()
    pins = {}  # a package may have several, for different versions of Python
    for pin in map(Requirement, (line for line in lines if line[:1].isalnum())):
        pins.setdefault(pin.name, []).append(next(iter(pin.specifier)).version)

    reasons = []
    for declared in map(Requirement, chain.from_iterable(groups.values())):
        pinned = pins.get(canonicalize_name(declared.name), [])
        if not pinned or not all(map(declared.specifier.contains, pinned)):
            reasons.append(f"{declared} is pinned to {' and '.join(pinned) or 'nothing'}")
    if checksum(groups) != made_for:
        reasons.append(f"the ranges have changed; then set made-for = {checksum(groups)!r}")
    if reasons:
        reasons.insert(0, f"make the lock again: {lines[1].removeprefix('#').strip()}")
    return "\n".join(reasons)


def test_the_lock_was_made_for_what_the_groups_ask_for():
    project = tomllib.loads((WORKSHOP.parent / "pyproject.toml").read_text())
    lock = (WORKSHOP.parent / "requirements.lock").read_text()
    made_for = project["tool"]["workshop"]["lock"]["made-for"]

    assert outdated(project["dependency-groups"], lock, made_for) == ""


GROUPS = {"core": ["Flask[async]>=3.1,<3.2"], "slides": ["sphinx>=8.2"]}
LOCK = """\
# This file was autogenerated by uv via the following command:
#    uv pip compile --group core
flask==3.1.3
    # via the group core
sphinx==9.0.4 ; python_full_version < '3.12'
sphinx==9.2.0 ; python_full_version >= '3.12'
"""
CHANGED = {
    "a package is new": ({"new": ["rich>=14"]}, "rich>=14 is pinned to nothing"),
    "a pin is excluded": ({"core": ["flask!=3.1.3"]}, "flask!=3.1.3 is pinned to 3.1.3"),
    "one of two is": ({"slides": ["sphinx>=9.1"]}, "sphinx>=9.1 is pinned to 9.0.4 and 9.2.0"),
    "a lower bound is raised": ({"core": ["Flask[async]>=3.1.1,<3.2"]}, "the ranges have changed"),
    "an extra is new": ({"core": ["Flask[async,dotenv]>=3.1,<3.2"]}, "the ranges have changed"),
}


@pytest.mark.parametrize(("change", "reason"), CHANGED.values(), ids=CHANGED)
def test_a_change_that_the_lock_was_not_made_for_is_noticed(change, reason):
    assert outdated(GROUPS, LOCK, checksum(GROUPS)) == ""

    found = outdated(GROUPS | change, LOCK, checksum(GROUPS))

    assert found.startswith(f"make the lock again: uv pip compile --group core\n{reason}")


# --- What it says when it cannot go on ------------------------------------------------------------

NO_INDEX = (
    "ERROR: Could not find a version that satisfies the requirement flask (from versions: none)"
)
AMISS = {
    "venv is missing": ("/usr/bin/python3: No module named venv", "sudo apt install python3."),
    "ensurepip is missing": ("python: No module named ensurepip", "sudo apt install python3."),
    "there is no network": (
        "WARNING: Retrying (Retry(total=1, connect=None, read=None, redirect=None, status=None))"
        " after connection broken by 'NewConnectionError('<HTTPSConnection>: Failed to establish a"
        " new connection: [Errno -3] Temporary failure in name resolution')': /simple/flask/\n"
        f"{NO_INDEX}\nERROR: No matching distribution found for flask",
        "there is no network",
    ),
    "the network breaks off": (
        "ERROR: Exception:\nProtocolError: ('Connection broken: ConnectionResetError(104)')",
        "there is no network",
    ),
    "the Wi-Fi wants a login": (NO_INDEX, "log in"),
    "the certificate is not known": (
        "WARNING: Retrying after connection broken by 'SSLError(SSLCertVerificationError(1, '[SSL:"
        f" CERTIFICATE_VERIFY_FAILED] certificate verify failed'))': /simple/flask/\n{NO_INDEX}",
        "certificate",
    ),
    "pip fills the disk": (
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
        "The disk is full",
    ),
    "pip may not write": (
        "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: 'x.py'",
        "cannot change something in the folder .venv",
    ),
    "it is something else": (
        "Collecting flask\nERROR: a reason\nERROR: that nobody foresaw",
        "did not work:\n\n    ERROR: a reason\n    ERROR: that nobody foresaw\n\nTry again",
    ),
}


@pytest.mark.parametrize(("said", "sentence"), AMISS.values(), ids=AMISS)
def test_what_pip_says_becomes_what_to_do(said, sentence, setup, pythons, capsys):
    pythons.amiss["Collecting"] = ChildProcessError(said)
    with pytest.raises(SystemExit) as exit:
        setup.ensure("core")

    assert exit.value.code == 2
    assert sentence in capsys.readouterr().err

    pythons.amiss.clear()
    assert setup.ensure("core") is True, "and the next try works"
    assert not (setup.ROOT / ".venv-1").exists(), "nor was anybody else's .venv seen"


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.EACCES, "This folder is not writable"),
        (errno.EROFS, "This folder is not writable"),
        (errno.ENOSPC, "The disk is full"),
    ],
)
def test_a_folder_that_takes_no_file_is_told_apart(number, sentence, setup, monkeypatch, capsys):
    def refuse(path, mode):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(setup, "open", refuse, raising=False)
    with pytest.raises(SystemExit) as exit:
        setup.ensure("core")

    assert exit.value.code == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_a_file_that_is_missing_is_named(name, setup, capsys):
    (setup.ROOT / name).unlink()
    with pytest.raises(SystemExit) as exit:
        setup.ensure("core")

    assert exit.value.code == 2
    assert name in capsys.readouterr().err


def test_ctrl_c_ends_it_with_130_and_the_next_try_works(setup, pythons, capsys):
    pythons.amiss["Collecting"] = KeyboardInterrupt()
    with pytest.raises(SystemExit) as exit:
        setup.ensure("core")

    assert exit.value.code == 130
    assert capsys.readouterr().err.endswith("Stopped.\n")

    pythons.amiss.clear()
    assert setup.ensure("core") is True
