"""Inside pytest: run the checks that the command asks for, one by one, and tell it of each.

Until the first check is asked for, this process waits, with everything imported and collected:
`watch` has it ready before it is needed. The numbers of checks come in on the connection. On it
goes out a dict for each thing that the command is to know. Without the command, this process ends.
"""

import contextlib
import gc
import os
import signal
import sys
import threading

import pytest


class Reporter:
    """The plugin that does it."""

    def __init__(self, connection):
        self._connection = connection

    def _send(self, **what):
        self._connection.send(what)

    def pytest_collectreport(self, report):
        if report.failed:
            self._send(uncollected=str(report.longrepr))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        if session.testsfailed:
            return None  # pytest says that not all could be collected
        gc.freeze()  # what is here by now stays; it need not be looked through again and again,
        gc.set_threshold(100_000)  # and the rest not as often: this process will not be there long
        promises = {dict(item.user_properties)["promise"] for item in session.items}
        self._send(ready=len(session.items), promises=len(promises))
        while (number := self._connection.recv()) is not None:
            item = session.items[number]
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            self._send(over=number, enough=bool(session.shouldfail))
        os._exit(0)

    def pytest_runtest_logreport(self, report):
        said = dict(report.user_properties)
        explanation = said.get(
            "explanation", {"Promised": said["promise"], "Seen": report.longreprtext}
        )
        self._send(promise=said["promise"], explanation=explanation if report.failed else None)


def set_limits():
    """Hold this process to a limit of memory, and have Ctrl-C be for the command alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "win32":
        return
    import resource

    threading.stack_size(2 * 2**20)  # bytes; Python 3.13 keeps the stacks of many ended threads
    with contextlib.suppress(ValueError, OSError):  # some systems have no such limit
        resource.setrlimit(resource.RLIMIT_DATA, (2 * 2**30, 2 * 2**30))
