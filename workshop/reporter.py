"""Inside pytest: run the checks that the command asks for, one by one, and tell it of each.

Loaded by `pytest -p workshop.reporter`. Until the first check is asked for, this process waits,
with everything imported and collected: `watch` has it ready before it is needed. The numbers of
checks come in on stdin. On stdout goes a line of JSON for each thing that the command is to know.
"""

import contextlib
import gc
import json
import os
import threading

import pytest

with contextlib.suppress(ImportError, ValueError, OSError):  # some systems have no such limit
    import resource

    threading.stack_size(4 * 2**20)  # bytes; Python 3.13 keeps the stacks of many ended threads
    resource.setrlimit(resource.RLIMIT_DATA, (3 * 2**30, 3 * 2**30))

# Before pytest captures both for the checks. What pytest itself prints goes to stderr.
asked = os.fdopen(os.dup(0), encoding="ascii")
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def tell(**what):
    print(json.dumps(what), file=answers, flush=True)


def pytest_collectreport(report):
    if report.failed:
        tell(uncollected=str(report.longrepr))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    if session.testsfailed:
        return None  # pytest says that not all could be collected
    gc.freeze()  # what is here by now stays; it need not be looked through again and again
    tell(ready=len(session.items))
    for number in map(int, asked):
        session.config.hook.pytest_runtest_protocol(item=session.items[number], nextitem=None)
        tell(over=number, enough=bool(session.shouldfail))
    return True


def pytest_runtest_logreport(report):
    said = dict(report.user_properties)
    told = said.get("told", {"Promised": said["promise"], "Seen": report.longreprtext})
    tell(promise=said["promise"], told=told if report.failed else None)
