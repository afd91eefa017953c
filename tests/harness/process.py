"""Runs a function in a new Python process, which never outlives the process of the checks.

The new process is forked from a launcher: a process that has already imported Flask, and that has
no threads, because forking a process with threads is not safe. Where fork() does not exist, every
process starts from scratch.
"""

import atexit
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path

PROCESS_LIMIT = 9  # seconds in which a process starts, works and ends, even on a busy machine
METHODS = multiprocessing.get_all_start_methods()
launcher = None  # our connection to it


def get_ready():
    """Start the launcher, unless it runs already.

    If this process has no other threads yet, the launcher is forked, which is the fastest.
    """
    global launcher
    if launcher is None:
        alone = threading.active_count() == 1 and "fork" in METHODS
        launcher, theirs = multiprocessing.Pipe()
        start = multiprocessing.get_context("fork" if alone else "spawn").Process
        start(target=launch, args=(theirs, launcher)).start()
        theirs.close()
        atexit.register(launcher.close)  # which ends the launcher


class Process:
    """A new Python process that calls function(*arguments), which must all be picklable."""

    def __init__(self, function, *arguments):
        get_ready()
        handle, output = tempfile.mkstemp()
        os.close(handle)
        self._output, self._exit_status = Path(output), None
        launcher.send((output, function, arguments))
        self.pid = launcher.recv()

    def ends(self, seconds):
        """Wait for the process to end; return its exit status, or None if time runs out."""
        if self._exit_status is None and launcher.poll(seconds):
            self._exit_status = launcher.recv()
        return self._exit_status

    def kill(self):
        """Kill the process if it still runs; return everything that it has printed."""
        if self._exit_status is None:
            launcher.send("kill")
            self._exit_status = launcher.recv()
        printed = self._output.read_text("utf-8", "replace")
        self._output.unlink()
        return printed


def launch(connection, theirs):
    """Start one process after another, as requested, and send back each exit status.

    theirs: the other end of the connection, which the checks hold open.
    """
    theirs.close()
    import flask_restful  # noqa: F401

    start = multiprocessing.get_context("fork" if "fork" in METHODS else "spawn").Process
    with suppress(EOFError, OSError):  # the checks have ended, and so do we
        while True:
            request = connection.recv()
            if request == "kill":  # too late: that process has just ended
                continue
            process = start(target=call, args=request)
            process.start()
            connection.send(process.pid)
            if connection in wait([connection, process.sentinel]):  # "kill", or the checks ended
                process.kill()
            process.join()
            connection.send(process.exitcode)


def call(output, function, arguments):
    """Call the function, and write everything that it prints to the file output."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as in every new Python
    sys.dont_write_bytecode = True  # within a second, a stale .pyc would look up to date
    sys.stdout = sys.stderr = open(output, "w", 1, "utf-8")  # noqa: SIM115
    for descriptor in 1, 2:
        os.dup2(sys.stdout.fileno(), descriptor)
    function(*arguments)
