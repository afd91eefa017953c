"""Checks that are collected once, for many answers: each is judged in a fork of that process."""

import atexit
import os
from collections import defaultdict
from functools import partial

from tests.harness import process
from workshop.checks import (
    PRELOADED,
    Process,
    Run,
    arguments_for,
    multiprocessing_context,
    run_pytest,
)
from workshop.reporter import Reporter
from workshop.steps import STEPS

# It is itself forked from one that has imported all checks: above all, Celery takes long.
CHECKS = [f"tests.step_{step.folder}.test_{step.slug}" for step in STEPS]
multiprocessing_context.set_forkserver_preload([*PRELOADED.split(), __name__, *CHECKS])
waiting = defaultdict(list)  # by step: processes that have its checks collected, and no app


class Forking(Reporter):
    """The plugin that does it: for each app, what a Reporter does, in a new process."""

    def pytest_runtestloop(self, session):
        every = session.items
        while True:
            apps, names, session.config.option.maxfail = self._connection.recv()
            child = os.fork()
            if not child:
                process.launcher = None  # that is the parent's
                process.get_ready()
                session.config.option.apps = apps
                session.items = [i for i in every if names is None or i.originalname in names]
                return super().pytest_runtestloop(session)
            _, status = os.waitpid(child, 0)
            if status:
                self._send(uncollected=f"Python ended in the middle, with {status}.")


class Forked(Run):
    """A Run of one step's checks, or of those of these names, on DIR/NN_slug/app.py."""

    def __init__(self, step, apps, names=None, maxfail=1):
        self._step, self._apps = step, apps
        if not waiting[step]:
            plugin = partial(run_pytest, plugin=Forking)
            waiting[step].append(Process(arguments_for(step, apps), plugin))
            atexit.register(waiting[step][-1].kill)
        self._processes = [waiting[step].pop()]
        self._processes[0].connection.send((apps, names, maxfail))

    def cancel(self):
        self._processes[0].run_check(None)
        waiting[self._step].append(self._processes[0])
