"""A pytest plugin: run the checks that the command asks for, one by one, and report on each.

Until the first check is asked for, this process waits, with everything imported and collected. So
`watch` can start it before it is needed. The numbers of the checks arrive on the connection, and
messages leave on it, as dicts. When the command ends, this process ends, too.
"""

import contextlib
import gc
import os
import signal
import sys
import threading

import pytest


class Reporter:
    """The plugin. connection: the end of a pipe to the command."""

    def __init__(self, connection):
        self._connection = connection

    def _send(self, **message):
        self._connection.send(message)

    def pytest_collectreport(self, report):
        if report.failed:
            self._send(uncollected=str(report.longrepr))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        if session.testsfailed:
            return None  # pytest reports that some checks could not be collected
        gc.freeze()  # these objects will stay, so the garbage collector can skip them;
        gc.set_threshold(100_000)  # this process ends soon, so the rest can wait
        found = [dict(item.user_properties) for item in session.items]
        parts = {each["promise"]: each["part"] for each in found}
        self._send(ready=[each["promise"] for each in found], parts=parts)
        while (number := self._connection.recv()) is not None:
            item = session.items[number]
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            self._send(over=number, enough=bool(session.shouldfail))
        os._exit(0)

    def pytest_runtest_logreport(self, report):
        properties = dict(report.user_properties)
        promise, explanation = properties["promise"], None
        if report.failed:
            unexpected = {"Promised": promise, "Seen": report.longreprtext}
            explanation = properties.get("explanation", unexpected)
        self._send(promise=promise, explanation=explanation)


def set_limits():
    """Limit this process's memory, and leave Ctrl-C to the command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "win32":
        return
    import resource

    threading.stack_size(2 * 2**20)  # bytes; Python 3.13 keeps the stacks of many ended threads
    with contextlib.suppress(ValueError, OSError):  # some systems have no such limit
        resource.setrlimit(resource.RLIMIT_DATA, (2 * 2**30, 2 * 2**30))
