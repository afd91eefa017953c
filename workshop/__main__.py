"""`python3 -m workshop`: check the Python, switch to the one in .venv, and run the command there.

This file must run even on a very old Python, so that it can say that the Python is too old.
"""

import os
import subprocess
import sys

NEEDED = (3, 11)
FOLDER = os.path.dirname(os.path.abspath(__file__))


def too_old(version):
    """Return the message for somebody with this Python version, or None if it is new enough."""
    if version >= NEEDED:
        return None
    newer = newer_python()
    return "The workshop needs Python 3.11 or newer, and this is Python %s.\n%s\n" % (
        ".".join(map(str, version[:3])),
        "This computer has a newer one, too. Type:\n\n    %s -m workshop" % newer
        if newer
        else "Install a newer one from https://www.python.org/downloads/\n"
        "Then open a new terminal in this folder, and type the same command again.",
    )


def newer_python():
    """Return the command for a Python on this computer that is new enough, or None."""
    for minor in range(14, NEEDED[1] - 1, -1):
        command = "py -3.%d" % minor if os.name == "nt" else "python3.%d" % minor
        try:
            with open(os.devnull, "w") as nowhere:
                streams = {"stdout": nowhere, "stderr": nowhere}
                if subprocess.call(command.split() + ["-c", ""], **streams) == 0:
                    return command
        except OSError:  # there is none
            pass
    return None


def restart_if_set_up():
    """Restart with the Python in .venv, if a newer Python than this one has made it."""
    inside = os.path.join(os.path.dirname(FOLDER), ".venv", "bin", "python")
    if os.path.exists(inside) and sys.executable != inside:
        os.execv(inside, [inside, FOLDER] + sys.argv[1:])


def main():
    if sys.version_info < NEEDED:
        restart_if_set_up()
        sys.stderr.write(too_old(sys.version_info))
        sys.exit(2)

    if not __package__:  # run as a folder, `python3 path/to/workshop`: then sys.path begins with it
        sys.path[0] = os.path.dirname(sys.path[0])
    # If they are set for another Python, its packages would be imported instead of the pinned ones.
    os.environ.pop("PYTHONHOME", None)
    os.environ.pop("PYTHONPATH", None)

    from workshop import setup

    setup.apply_from_option(sys.argv[1:])
    if setup.ensure("core") or not setup.inside():
        setup.restart_inside(sys.argv[1:])

    from workshop import cli

    cli.main()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
