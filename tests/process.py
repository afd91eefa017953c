"""A process of its own for the learner's app. It ends with the one that checks it at the latest.

Where there is fork(), it is forked by a server that has Flask imported, and no threads.
"""

import multiprocessing
import os
import sys
import tempfile
import threading
from multiprocessing import forkserver, parent_process
from pathlib import Path

SERVER = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
processes = multiprocessing.get_context(SERVER)


def get_ready():
    """Start the server, which takes a while. Without this, the first process starts it."""
    if SERVER == "forkserver":
        processes.set_forkserver_preload(["flask_restful", "werkzeug.serving", "werkzeug.test"])
        forkserver.ensure_running()


class Process:
    """function(*arguments), called in a new Python. Both have to be known to pickle."""

    def __init__(self, function, *arguments):
        handle, printed = tempfile.mkstemp()
        os.close(handle)
        self._printed = Path(printed)
        self._returned, theirs = processes.Pipe()
        given = theirs, printed, function, arguments
        self._process = processes.Process(target=call, args=given)
        self._process.start()
        self.pid = self._process.pid
        theirs.close()

    def returns(self, seconds):
        """Wait so long until the function has returned, or raised; return whether it has."""
        return self._returned.poll(seconds)

    def ends(self, seconds):
        """Wait so long until the process ends; return its exit status, or None if it has not."""
        self._process.join(seconds)
        return self._process.exitcode

    def kill(self):
        """End it if it has not ended; return all that it has printed."""
        self._process.kill()
        self._process.join()
        printed = self._printed.read_text("utf-8", "replace")
        self._printed.unlink()
        return printed


def call(connection, printed, function, arguments):
    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.dont_write_bytecode = True  # a save in the same second would not make it out of date
    with open(printed, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        function(*arguments)
    finally:
        connection.send("over")


def end_with_parent():
    parent_process().join()
    os._exit(1)
