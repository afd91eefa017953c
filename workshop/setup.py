"""Make .venv, and install dependency groups in it, at the versions of requirements.lock.

This module uses only the standard library, because it runs before anything is installed. There is
rarely anything to install, so modules that only an installation needs are imported where they are
used. Messages go to stderr, because stdout is for the command's results.
"""

import json
import os
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from zlib import crc32

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "pyproject.toml"
REQUIREMENTS = ROOT / "requirements.lock"
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
# The stamp says what .venv contains. It is written last. If it is empty, an installation was
# interrupted, and .venv must be made again. If it says "unfinished", more groups were being
# installed, and those that it names are still good. If there is no stamp, somebody else made this
# .venv, and it is not ours to delete.
STAMP = VENV / "workshop.stamp"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

# What Python or pip prints when something goes wrong, and what to do about it. The first match
# counts.
REMEDIES = {
    r"No space left|WinError 112|quota exceeded": "The disk is full. Free 1 GB, then try again.",
    r"No module named '?(venv|ensurepip)": f"""\
This Python came without venv. On Debian or Ubuntu, run the line below. On other systems, install
Python from https://www.python.org/downloads/. Then try again.

    sudo apt install python{VERSION}-venv""",
    r"CERTIFICATE_VERIFY_FAILED": """\
The network presents a certificate that this Python does not trust. Log in to the Wi-Fi in a
browser, check this computer's clock, or use another network. Then try again.""",
    r"[Cc]onnection broken|from versions: none|Max retries|[Tt]imed out|incomplete-download": """\
The packages could not be downloaded. Either there is no network, or you have to log in to it first
(open any page in a browser). Get online, then try again.""",
    r"Errno (1|13|30)\b.*\.venv\.lock": f"""\
This folder is not writable: {ROOT}
Copy it into your home folder, and try again there.""",
    r"Errno (1|13|30)\b|WinError (5|32)\b": """\
The workshop cannot change something in the folder .venv. Close the programs that use .venv
(an editor, another terminal), or delete .venv. Then try again.""",
}


def ensure(*groups):
    """Make .venv if necessary, and install these dependency groups of pyproject.toml.

    Return whether there was anything to do. If it cannot be done, print what to do about it, and
    exit with status 2; after Ctrl-C, exit with 130.
    """
    try:
        if not missing(groups):
            return False
        with _one_at_a_time():
            if still_missing := missing(groups):  # another process may have installed them
                _set_up(still_missing)
    except KeyboardInterrupt:
        _say("\nStopped.")
        sys.exit(130)
    except (OSError, ValueError) as error:  # ValueError: pyproject.toml cannot be parsed
        _say("\n" + _remedy(str(error)))
        sys.exit(2)
    return True


def groups():
    """The dependency groups that the commands install: all of pyproject.toml's, except mutation."""
    import tomllib

    every = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["dependency-groups"]
    return [group for group in every if group != "mutation"]


def apply_from_option(arguments):
    """If this is `setup --from DIR`, have pip take all packages from DIR, here and inside .venv.

    This happens before there are any packages, so there is no click yet to parse the arguments.
    """
    if arguments[:1] != ["setup"]:
        return
    words = [part for word in arguments for part in word.split("=", 1)]
    if "--from" not in words[:-1]:
        return
    folder = Path(words[words.index("--from") + 1])
    if not folder.is_dir():
        _say(f"There is no folder {folder}. Is the USB stick plugged in?")
        sys.exit(2)
    os.environ.update(PIP_NO_INDEX="1", PIP_FIND_LINKS=folder.resolve().as_uri())


def inside():
    """Whether this is the Python of .venv."""
    return VENV.exists() and os.path.samefile(sys.prefix, VENV)


def restart_inside(arguments):
    """Run the command again with the Python of .venv. This call does not return."""
    command = [str(PYTHON), str(ROOT / "workshop"), *arguments]
    if os.name != "nt":
        os.execv(PYTHON, command)

    import signal

    from workshop.lifeline import Process

    for each in signal.SIGINT, signal.SIGBREAK:  # the child gets them as well, and reacts to them
        signal.signal(each, signal.SIG_IGN)
    sys.exit(Process(command).wait())


def missing(groups):
    """Which of these groups .venv does not have, at the versions of requirements.lock."""
    installed = _stamp().get("groups", {})
    return [group for group in groups if installed.get(group) != lock_checksum()]


def lock_checksum():
    """The checksum of requirements.lock, which pins the versions for every group."""
    stat = REQUIREMENTS.stat()
    return _checksum(stat.st_mtime_ns, stat.st_size)


@cache  # by time and size, so that the file is read again only after a change
def _checksum(mtime, size):
    return crc32(REQUIREMENTS.read_bytes())


def _stamp():
    """Return what the stamp says about .venv; nothing if .venv cannot be used."""
    try:
        stamp = json.loads(STAMP.read_bytes())
        usable = (
            os.path.samefile(stamp["venv"], VENV)  # it was not moved or copied
            and PYTHON.exists()
            and os.path.exists(stamp["base"])  # the Python that made it is still there,
            and (stamp["version"] == VERSION or not inside())  # in the same version
        )
    except (OSError, ValueError):
        usable = False
    return stamp if usable else {}


def _set_up(groups):
    import importlib
    import time

    started = time.monotonic()
    _say("Setting up packages, which happens only when they are first needed:")
    stamp = _stamp() or _make_venv()
    _write_stamp(stamp)  # now, so that .venv is kept even if pip finds no network
    _install(groups, stamp)
    stamp.pop("unfinished", None)
    stamp["groups"].update(dict.fromkeys(groups, lock_checksum()))
    _write_stamp(stamp)
    importlib.invalidate_caches()  # so that this process can import the new packages
    _say(f"Ready in {time.monotonic() - started:.0f} s.")


def _write_stamp(stamp):
    new = STAMP.with_suffix(".new")
    new.write_text(json.dumps(stamp), encoding="utf-8")
    new.replace(STAMP)


def _make_venv():
    """Make .venv with only pip in it, and return what its stamp should say."""
    import shutil

    old = ROOT / ".venv-old"
    shutil.rmtree(old, ignore_errors=True)
    if STAMP.exists():
        VENV.rename(old)  # either all of it or nothing: another program may be using it
        shutil.rmtree(old, ignore_errors=True)
    elif os.path.lexists(VENV):
        kept = next(p for n in range(1, 99) if not os.path.lexists(p := ROOT / f".venv-{n}"))
        VENV.rename(kept)
        _say(f"(There was a .venv that the workshop did not make. It is now {kept.name}.)")

    VENV.mkdir()
    STAMP.touch()
    base = sys._base_executable  # this Python or, if this is a venv's, the one that made the venv
    _run(base, "-m", "venv", "--without-pip", str(VENV))
    _run(PYTHON, "-m", "ensurepip")  # here, because venv would hide its error messages
    return {"venv": str(VENV), "base": base, "version": VERSION, "groups": {}}


def _install(groups, stamp):
    import re
    import tomllib

    names = []
    again = stamp.get("unfinished", False)  # then what the groups share is installed again, too
    adds = not again and set(stamp["groups"].values()) == {lock_checksum()}

    def on_line(line):
        if line.startswith("Installing collected packages"):  # without a network, it never does
            # If this only adds packages, what is there stays good, whatever happens.
            STAMP.write_text(json.dumps(stamp | {"unfinished": True}) if adds else "")
        elif name := re.match(r"Collecting ([\w.-]+)|Processing .*[/\\]([\w.]+)-", line):
            names.append(name[1] or name[2])
            _say(names[-1], end=" " if len(names) % 6 else "\n")

    listed = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["dependency-groups"]
    options = "--no-user --no-input --disable-pip-version-check --progress-bar off --retries 2"
    options = [*options.split(), "-c", REQUIREMENTS.name]
    options += ["--force-reinstall"] * again
    wanted = [requirement for group in groups for requirement in listed[group]]
    _run(PYTHON, "-m", "pip", "install", *options, *wanted, on_line=on_line)
    if len(names) % 6:
        _say()


def _run(python, *arguments, on_line=lambda line: None):
    """Run a Python without the learner's PYTHON settings. If it fails, raise its output.

    on_line: called with each line of its output
    """
    import subprocess

    output = []
    with subprocess.Popen(
        [str(python), "-I", "-u", "-X", "utf8", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        close_fds=False,  # so that it inherits the lock of _one_at_a_time()
    ) as process:
        try:
            for line in process.stdout:
                output.append(line)
                on_line(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise ChildProcessError("".join(output))


@contextmanager
def _one_at_a_time():
    """Wait until no other process is setting up, then make the others wait.

    The system releases the lock when the last process that holds it exits. pip holds it as well: if
    this process is killed, the next one waits for the pip that is left over.
    """
    import time

    with open(ROOT / ".venv.lock", "ab") as file:
        if not _try_to_lock(file):
            _say("Another process is setting up the workshop: waiting until it is done.")
            while not _try_to_lock(file):
                time.sleep(0.2)
        os.set_inheritable(file.fileno(), True)
        yield


def _try_to_lock(file):
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        pass  # a network drive without locks: going on without one is better than giving up
    return True


def _remedy(output):
    """What to do about this output of Python or pip."""
    import re

    not_found = "No matching distribution" in output or "Cannot install" in output
    if not_found and os.environ.get("PIP_NO_INDEX") == "1":
        return (
            f"The folder has no packages for this computer: Python {VERSION}, {sys.platform}.\n"
            "Get online and run this command without --from, or fill the folder again with "
            "--wheels."
        )
    for pattern, remedy in REMEDIES.items():
        if re.search(pattern, output):
            return remedy
    lines = output.splitlines()
    lines = [line for line in lines if re.match("error", line, re.IGNORECASE)] or lines
    return "\n    ".join(["Setting up did not work:\n", *lines[-5:]]) + (
        "\n\nTry again. If that does not help, delete the folder .venv, and try once more."
    )


def _say(text="", end="\n"):
    print(text, end=end, file=sys.stderr, flush=True)
