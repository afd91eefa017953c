"""Checks that are collected once, for many answers: each is judged in a fork of that process."""

import atexit
import os
from collections import defaultdict
from functools import partial

from tests.harness import process
from workshop.checks import IMPORTED, Process, Run, arguments_for, processes, run_pytest
from workshop.reporter import Reporter
from workshop.steps import STEPS

# It is itself forked from one that has imported all checks: above all, Celery takes long.
CHECKS = [f"tests.step_{step.room}.test_{step.slug}" for step in STEPS]
processes.set_forkserver_preload([*IMPORTED.split(), __name__, *CHECKS])
waiting = defaultdict(list)  # by step: processes that have its checks collected, and no answer


class Forking(Reporter):
    """The plugin that does it: for each answer, what a Reporter does, in a new process."""

    def pytest_runtestloop(self, session):
        every = session.items
        while True:
            answers, names, session.config.option.maxfail = self._connection.recv()
            child = os.fork()
            if not child:
                process.launcher = None  # that is the parent's
                process.get_ready()
                session.config.option.answers = answers
                session.items = [i for i in every if names is None or i.originalname in names]
                return super().pytest_runtestloop(session)
            _, status = os.waitpid(child, 0)
            if status:
                self._tell(uncollected=f"Python ended in the middle, with {status}.")


class Forked(Run):
    """A Run of one step's checks, or of those of these names, on DIR/NN_slug/app.py."""

    def __init__(self, step, answers, names=None, maxfail=1):
        self._step, self._answers = step, answers
        if not waiting[step]:
            plugin = partial(run_pytest, plugin=Forking)
            waiting[step].append(Process(arguments_for(step, answers), plugin))
            atexit.register(waiting[step][-1].kill)
        self._processes = [waiting[step].pop()]
        self._processes[0].connection.send((answers, names, maxfail))

    def cancel(self):
        self._processes[0].ask(None)
        waiting[self._step].append(self._processes[0])
