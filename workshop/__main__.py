"""`python3 -m workshop`: check the Python, switch to the one in .venv, and run the command there.

Every Python must be able to read this file, however old it is, to say that it is too old.
"""

import os
import sys

NEEDED = (3, 11)


def too_old(version):
    """Return the message for somebody with this Python version, or None if it is new enough."""
    if version >= NEEDED:
        return None
    return (
        "The workshop needs Python 3.11 or newer, and this is Python %s. Install a newer one\n"
        "from https://www.python.org/downloads/ and use its version number in this command:\n\n"
        "    %s -m workshop\n"
    ) % (".".join(map(str, version[:3])), "py -3.13" if os.name == "nt" else "python3.13")


def main():
    complaint = too_old(sys.version_info)
    if complaint:
        sys.stderr.write(complaint)
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
