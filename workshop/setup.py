"""Makes .venv, and sees that it holds what was asked for, at the versions of requirements.lock.

The standard library alone, because this runs before anything else is there. What only setting up
needs is imported where it is used, because nearly always there is nothing to do. What is said goes
to stderr: stdout is the command's own.
"""

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "pyproject.toml"
REQUIREMENTS = ROOT / "requirements.lock"
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
# What .venv holds; written last. Empty: something was cut short, and .venv is to be made again.
# If there is none, somebody else made this .venv, and it is not ours to delete.
STAMP = VENV / "workshop.stamp"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

# What Python or pip says when something is amiss, and what to do about it. The first that fits.
REMEDIES = {
    r"No space left|WinError 112|quota exceeded": "The disk is full. Free 200 MB, then try again.",
    r"No module named '?(venv|ensurepip)": f"""\
This Python came without venv. On Debian or Ubuntu, type the line below; elsewhere, get Python from
https://www.python.org/downloads/. Then try again.

    sudo apt install python{VERSION}-venv""",
    r"CERTIFICATE_VERIFY_FAILED": """\
The network shows a certificate that this Python does not know. Log in to the Wi-Fi in a browser,
check this computer's clock, or take another network. Then try again.""",
    r"[Cc]onnection broken|from versions: none|Max retries|[Tt]imed out|incomplete-download": """\
The packages could not be fetched: there is no network, or one that wants you to log in first (open
any page in a browser). Get online, then try again.""",
    r"Errno (1|13|30)\b.*\.venv\.lock": f"""\
This folder cannot be written to: {ROOT}
Copy it to a place of your own, and try again there.""",
    r"Errno (1|13|30)\b|WinError (5|32)\b": """\
Something in the folder .venv cannot be changed. Close what uses it (an editor, another terminal),
or delete it. Then try again.""",
}


def ensure(*groups):
    """Make .venv if need be, and install what these dependency groups of pyproject.toml list.

    Return whether there was anything to do. If it cannot be done, say what to do about it and exit
    with status 2; after Ctrl-C, with 130.
    """
    try:
        if not missing(groups):
            return False
        with _one_at_a_time():
            if lacking := missing(groups):  # unless the one that we waited for has seen to it
                _set_up(lacking)
    except KeyboardInterrupt:
        _say("\nStopped.")
        sys.exit(130)
    except (OSError, ValueError) as error:  # ValueError: a pyproject.toml that cannot be read
        _say("\n" + _remedy(str(error)))
        sys.exit(2)
    return True


def groups():
    """The dependency groups of pyproject.toml that a command installs; proof is none's."""
    import tomllib

    every = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["dependency-groups"]
    return [group for group in every if group != "proof"]


def read_from_option(arguments):
    """Have pip take its packages from DIR alone, here and inside .venv, if this is `setup --from`.

    It has to be known before there is anything that could read a command line properly.
    """
    if arguments[:1] != ["setup"]:
        return
    words = [part for word in arguments for part in word.split("=", 1)]
    if "--from" not in words[:-1]:
        return
    folder = Path(words[words.index("--from") + 1])
    if not folder.is_dir():
        _say(f"There is no folder {folder}. Is the stick plugged in?")
        sys.exit(2)
    os.environ.update(PIP_NO_INDEX="1", PIP_FIND_LINKS=folder.resolve().as_uri())


def inside():
    """Tell whether this is the Python of .venv."""
    return VENV.exists() and os.path.samefile(sys.prefix, VENV)


def enter(arguments):
    """Start the command again with the Python of .venv. This call does not return."""
    command = [str(PYTHON), str(ROOT / "workshop"), *arguments]
    if os.name != "nt":
        os.execv(PYTHON, command)

    import signal
    import subprocess

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the child as well, and is its own
    sys.exit(subprocess.call(command))


def missing(groups):
    """Those of these groups that .venv does not hold, at the versions of requirements.lock."""
    held = _stamp().get("groups", {})
    return [group for group in groups if held.get(group) != _lock_checksum()]


def _lock_checksum():
    return crc32(REQUIREMENTS.read_bytes())  # which also says what each group asked for


def _stamp():
    """Return what is known of .venv; nothing if it is not fit for use."""
    try:
        stamp = json.loads(STAMP.read_bytes())
        fit = (
            os.path.samefile(stamp["venv"], VENV)  # neither moved nor copied to here
            and PYTHON.exists()
            and os.path.exists(stamp["base"])  # the Python it was made from is still there,
            and (stamp["version"] == VERSION or not inside())  # and still the same
        )
    except (OSError, ValueError):
        fit = False
    return stamp if fit else {}


def _set_up(groups):
    import importlib
    import time

    started = time.monotonic()
    _say("Setting up, once:")
    stamp = _stamp() or _make_venv()
    _write_stamp(stamp)  # what is made is made, also if pip then finds no network
    _install(groups)
    stamp["groups"].update(dict.fromkeys(groups, _lock_checksum()))
    _write_stamp(stamp)
    importlib.invalidate_caches()  # so that this very process can import what is new
    _say(f"Ready in {time.monotonic() - started:.0f} s.")


def _write_stamp(stamp):
    whole = STAMP.with_suffix(".new")
    whole.write_text(json.dumps(stamp), encoding="utf-8")
    whole.replace(STAMP)


def _make_venv():
    """Make .venv with nothing but pip in it, and return what its stamp is to say."""
    import shutil

    old = ROOT / ".venv-old"
    shutil.rmtree(old, ignore_errors=True)
    if STAMP.exists():
        VENV.rename(old)  # all of it or nothing: it may be in use
        shutil.rmtree(old, ignore_errors=True)
    elif os.path.lexists(VENV):
        kept = next(p for n in range(1, 99) if not os.path.lexists(p := ROOT / f".venv-{n}"))
        VENV.rename(kept)
        _say(f"(There was a .venv that the workshop did not make. It is kept, as {kept.name}.)")

    VENV.mkdir()
    STAMP.touch()
    base = sys._base_executable  # this Python; or, if it is a venv's, the one behind it
    _run(base, "-m", "venv", "--without-pip", str(VENV))
    _run(PYTHON, "-m", "ensurepip")  # not by venv, which would keep what it says to itself
    return {"venv": str(VENV), "base": base, "version": VERSION, "groups": {}}


def _install(groups):
    import re
    import tomllib

    names = []

    def on_line(line):
        if line.startswith("Installing collected packages"):
            STAMP.write_text("")  # only now: without a network, what was there is still good
        elif name := re.match(r"Collecting ([\w.-]+)|Processing .*[/\\]([\w.]+)-", line):
            names.append(name[1] or name[2])
            _say(names[-1], end=" " if len(names) % 6 else "\n")

    listed = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["dependency-groups"]
    options = "--no-user --no-input --disable-pip-version-check --progress-bar off --retries 2"
    wanted = [requirement for group in groups for requirement in listed[group]]
    _run(
        PYTHON,
        "-m",
        "pip",
        "install",
        *options.split(),
        "-c",
        REQUIREMENTS.name,
        *wanted,
        on_line=on_line,
    )
    if len(names) % 6:
        _say()


def _run(python, *arguments, on_line=lambda line: None):
    """Run a Python that heeds none of the learner's PYTHON settings, and keep what it says."""
    import subprocess

    said = []
    with subprocess.Popen(
        [str(python), "-I", "-u", "-X", "utf8", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        close_fds=False,  # it is to have the lock of _one_at_a_time() too
    ) as process:
        try:
            for line in process.stdout:
                said.append(line)
                on_line(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise ChildProcessError("".join(said))


@contextmanager
def _one_at_a_time():
    """Wait until nobody else is setting up, then make the others wait.

    The system gives the lock back when the last process that has it ends. pip has it too: if we are
    killed, the next try waits for the pip that we leave behind, and does not get in its way.
    """
    import time

    with open(ROOT / ".venv.lock", "ab") as turn:
        if not _try_to_lock(turn):
            _say("Another set-up is at work here: waiting until it is done.")
            while not _try_to_lock(turn):
                time.sleep(0.2)
        os.set_inheritable(turn.fileno(), True)
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
        pass  # a network drive without locks: better without than not at all
    return True


def _remedy(said):
    import re

    missing = "No matching distribution" in said or "Cannot install" in said
    if missing and os.environ.get("PIP_NO_INDEX") == "1":
        return (
            f"The folder has no packages for this computer: Python {VERSION}, {sys.platform}.\n"
            "Get online and type the same without --from, or fill the folder again with --wheels."
        )
    for sign, cure in REMEDIES.items():
        if re.search(sign, said):
            return cure
    lines = said.splitlines()
    lines = [line for line in lines if re.match("error", line, re.IGNORECASE)] or lines
    return "\n    ".join(["Setting up did not work:\n", *lines[-5:]]) + (
        "\n\nTry again; if that does not help, delete the folder .venv, and try once more."
    )


def _say(text="", end="\n"):
    print(text, end=end, file=sys.stderr, flush=True)
