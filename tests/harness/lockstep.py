"""Run functions in threads that take turns, one bytecode instruction each.

A race that needs a switch of threads between two instructions may not show in a million runs. In
lockstep it shows every time: while one thread has looked and not yet acted, the other looks too.
"""

import sys
import threading
from contextlib import contextmanager
from types import CodeType

PATIENCE = 1.0  # seconds until a thread that does not come back for its turn counts as blocked


class Lockstep:
    """Threads that go step by step together while they run this code, or what is defined in it.

    A thread that waits for a lock cannot step. The other one then goes on alone until that thread
    moves again, so that code which is protected by a lock runs to its end.

    for_locks: the lock that a thread waits for; see tests/harness/waits.py.
    """

    def __init__(self, code, changes, for_locks):
        self._code, self._for_locks = code, for_locks
        self._arrival = changes.condition
        self._members = set()  # the threads that go together
        self._running = 0  # how many of them have not ended
        self._arrived = 0  # those of them that are about to take the current step
        self._step = 0
        self._alone = None  # the thread that goes on without the others

    def run(self, *functions):
        """Run each function in a thread; return what they raised, None for one that did not.

        What the functions start in further threads runs freely.
        """
        errors = [None] * len(functions)
        self._running = len(functions)

        def runner(number, function):
            with self._arrival:
                self._members.add(threading.current_thread())
            if sys.version_info < (3, 12):
                sys.settrace(self._trace)
            try:
                function()
            except BaseException as error:
                errors[number] = error
            finally:
                sys.settrace(None)
                with self._arrival:
                    self._running -= 1
                    self._arrival.notify_all()

        threads = [
            threading.Thread(target=runner, args=pair, daemon=True) for pair in enumerate(functions)
        ]
        with self._monitored():
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return errors

    @contextmanager
    def _monitored(self):
        """Have _take_step() called before every instruction of the code; see sys.monitoring.

        Python 3.11 does not have that, and 3.12 and 3.13 lose instructions of all threads but one
        under sys.settrace.
        """
        if sys.version_info < (3, 12):
            yield
            return
        monitoring, tool = sys.monitoring, sys.monitoring.PROFILER_ID
        instruction = monitoring.events.INSTRUCTION
        monitoring.use_tool_id(tool, "lockstep")
        monitoring.register_callback(tool, instruction, lambda code, offset: self._take_step())
        for code in all_code(self._code):
            monitoring.set_local_events(tool, code, instruction)
        try:
            yield
        finally:
            for code in all_code(self._code):
                monitoring.set_local_events(tool, code, monitoring.events.NO_EVENTS)
            monitoring.register_callback(tool, instruction, None)
            monitoring.free_tool_id(tool)

    def _trace(self, frame, event, argument):
        """Do the same in Python 3.11; see sys.settrace."""
        if frame.f_code.co_filename != self._code.co_filename:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            self._take_step()
        return self._trace

    def _take_step(self):
        """Return when every running thread is about to take this step, or cannot."""
        me = threading.current_thread()
        if me not in self._members:
            return
        with self._arrival:
            step = self._step
            self._arrived += 1
            if self._alone != me:
                self._alone = None
                if not self._arrival.wait_for(
                    lambda: self._step != step or self._all_have_come(), PATIENCE
                ):
                    self._alone = me
            if self._step == step:
                self._step += 1
                self._arrived = 0
                self._arrival.notify_all()

    def _all_have_come(self):
        """Whether every thread is about to take the step, or waits for a lock of one that is."""
        locks = filter(None, map(self._for_locks.get, self._members))
        blocked = sum(lock.owner in self._members for lock in locks)
        return self._arrived + blocked >= self._running


def all_code(code):
    """A code object, and those of all that is defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from all_code(constant)
