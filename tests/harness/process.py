"""A process of its own for the learner's app. It ends with the one that checks it at the latest.

It is forked by a launcher, a process that has imported Flask and that has no threads: to fork one
that has some is not safe. Where there is no fork(), each process is started from nothing.
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

PROCESS_LIMIT = 9  # seconds from the start of a process to its end, also on a busy machine
METHODS = multiprocessing.get_all_start_methods()
launcher = None  # the connection to it


def get_ready():
    """Start the launcher, if it is not there. It is there soonest if this is the only thread."""
    global launcher
    if launcher is None:
        alone = threading.active_count() == 1 and "fork" in METHODS
        launcher, theirs = multiprocessing.Pipe()
        start = multiprocessing.get_context("fork" if alone else "spawn").Process
        start(target=launch, args=(theirs, launcher)).start()
        theirs.close()
        atexit.register(launcher.close)  # which ends it


class Process:
    """function(*arguments), called in a new Python. Both have to be known to pickle."""

    def __init__(self, function, *arguments):
        get_ready()
        handle, printed = tempfile.mkstemp()
        os.close(handle)
        self._printed, self._exit_status = Path(printed), None
        launcher.send((printed, function, arguments))
        self.pid = launcher.recv()

    def ends(self, seconds):
        """Wait so long until the process ends; return its exit status, or None if it has not."""
        if self._exit_status is None and launcher.poll(seconds):
            self._exit_status = launcher.recv()
        return self._exit_status

    def kill(self):
        """End it if it has not ended; return all that it has printed."""
        if self._exit_status is None:
            launcher.send("end it")
            self._exit_status = launcher.recv()
        printed = self._printed.read_text("utf-8", "replace")
        self._printed.unlink()
        return printed


def launch(asked, theirs):
    """Start the processes that are asked for, one after the other, and tell their exit statuses."""
    theirs.close()
    import flask_restful  # noqa: F401

    start = multiprocessing.get_context("fork" if "fork" in METHODS else "spawn").Process
    with suppress(EOFError, OSError):  # then nobody is there any more
        while True:
            message = asked.recv()
            if message == "end it":  # and it had just ended
                continue
            process = start(target=call, args=message)
            process.start()
            asked.send(process.pid)
            if asked in wait([asked, process.sentinel]):  # "end it", or nobody is there
                process.kill()
            process.join()
            asked.send(process.exitcode)


def call(printed, function, arguments):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as in every new Python
    sys.dont_write_bytecode = True  # a save in the same second would not make it out of date
    sys.stdout = sys.stderr = open(printed, "w", 1, "utf-8")  # noqa: SIM115
    for number in 1, 2:
        os.dup2(sys.stdout.fileno(), number)
    function(*arguments)
