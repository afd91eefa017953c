"""A process of its own for the learner's app. It ends with the one that checks it at the latest."""

import subprocess
import sys

# At the end of its stdin nobody is there any more who would end this process.
ENDS_WITH_ITS_PARENT = """
import os, threading
threading.Thread(target=lambda: os.read(0, 1) or os._exit(1), daemon=True).start()
"""


def start_python(code, *arguments, stderr=subprocess.PIPE):
    """Run the code in a new Python; returns the Popen. Its output is text, in pipes.

    It leaves no compiled app.py, which a save in the same second would not make out of date.
    """
    process = subprocess.Popen(
        [sys.executable, "-B", "-c", ENDS_WITH_ITS_PARENT + code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    process.lifeline, process.stdin = process.stdin, None  # communicate() would close it
    return process
