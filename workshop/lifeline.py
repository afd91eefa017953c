"""Processes that end when the one that started them does, even if that one is killed.

Each has one end of a pair of sockets, its lifeline. The process that started it has the other end,
which the system closes when that process ends, however it ends.
"""

import contextlib
import os
import signal
import socket
import subprocess
import threading

NAME = "WORKSHOP_LIFELINE"  # the environment variable with the number of the socket


class Process(subprocess.Popen):
    """A process with a lifeline. It calls hold(), and then ends when this one does."""

    def __init__(self, command, env=None, **options):
        self._lifeline, theirs = socket.socketpair()
        with theirs:
            theirs.set_inheritable(True)
            env = {**(env or os.environ), NAME: str(theirs.fileno())}
            super().__init__(command, env=env, close_fds=False, **options)

    def finish(self):
        """Ask it to finish what it is doing, and to exit."""
        with contextlib.suppress(OSError):  # it has exited
            self._lifeline.send(b".")

    def has_reported(self):
        """Whether it has sent something."""
        self._lifeline.setblocking(False)
        with contextlib.suppress(OSError):
            return bool(self._lifeline.recv(1, socket.MSG_PEEK))
        return False

    def end(self, seconds=1):
        """End it, with all processes that it has started. Kill it if that takes too long."""
        self._lifeline.close()
        try:
            self.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            self.wait()


def hold(finish=lambda: None, end=lambda: None):
    """In a thread, wait until the other end of the lifeline is closed, then call end() and exit.

    Returns this end, or None for a process without a lifeline.
    finish: called when the other process asks this one to finish
    """
    if NAME not in os.environ:
        return None
    lifeline = socket.socket(fileno=int(os.environ.pop(NAME)))

    def wait():
        with contextlib.suppress(OSError):
            while lifeline.recv(1):
                finish()
        end()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
    return lifeline


def hold_for_flask():
    """Hold the lifeline in a process of `flask run`: one that serves, or the one that starts those.

    The latter, Werkzeug's reloader, passes on what it is asked to do.
    """
    if NAME not in os.environ:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command gets Ctrl-C, and ends this process
    if os.environ.get("WERKZEUG_RUN_MAIN") == "true":
        hold(terminate_this)
        return
    started, finishing = [], threading.Event()

    def call(command, env, **_):
        process = Process(command, env)
        started[:] = [process]
        if finishing.is_set():
            process.finish()
        return process.wait()

    def finish():
        finishing.set()
        if not started:
            os._exit(0)
        started[0].finish()

    def end():
        for process in started:
            process.end(0.5)

    subprocess.call = call  # which the reloader uses
    hold(finish, end)


def terminate_this():
    """Have the main thread handle a SIGTERM."""
    if hasattr(signal, "pthread_kill"):  # interrupts even a sleep
        signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
    else:
        signal.raise_signal(signal.SIGTERM)
