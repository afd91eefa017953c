"""`python3 -m workshop`: see that this Python will do, go inside .venv, and there run the command.

Any Python must be able to read this file, however old, if only to be told that it is too old.
"""

import os
import sys

NEEDED = (3, 11)


def too_old(version):
    """Return what to say to somebody whose Python is of this version, or None if it will do."""
    if version >= NEEDED:
        return None
    return (
        "The workshop needs Python 3.11 or newer, and this is Python %s. Get a newer one from\n"
        "https://www.python.org/downloads/ and type, with the number of the one you got:\n\n"
        "    %s -m workshop\n"
    ) % (".".join(map(str, version[:3])), "py -3.13" if os.name == "nt" else "python3.13")


def main():
    complaint = too_old(sys.version_info)
    if complaint:
        sys.stderr.write(complaint)
        sys.exit(2)

    if not __package__:  # started as a folder (`python3 path/to/workshop`), which is not its parent
        sys.path[0] = os.path.dirname(sys.path[0])
    # Set for some other Python, they would bring other packages than the pinned ones in here.
    os.environ.pop("PYTHONHOME", None)
    os.environ.pop("PYTHONPATH", None)

    from workshop import setup

    setup.read_from_option(sys.argv[1:])
    if setup.ensure("core") or not setup.inside():
        setup.enter(sys.argv[1:])

    from workshop import cli

    cli.main()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
