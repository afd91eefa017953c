"""Run functions in threads that take turns, one bytecode instruction each.

A race that needs a switch of threads between two instructions may not show in a million runs. In
lockstep it shows every time: while one thread has looked and not yet acted, the other looks too.
"""

import sys
import threading

PATIENCE = 0.3  # seconds until a thread that does not come back for its turn counts as blocked


class Lockstep:
    """Threads that go step by step together while they run code of the file at path.

    A thread that waits for a lock cannot step. The other one then goes on alone until that thread
    moves again, so that code which is protected by a lock runs to its end.
    """

    def __init__(self, path):
        self._path = str(path)
        self._arrival = threading.Condition()
        self._running = 0  # threads that have not ended
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
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return errors

    def _trace(self, frame, event, argument):
        """Follow the one file's frames instruction by instruction; see sys.settrace."""
        if frame.f_code.co_filename != self._path:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            self._take_step()
        return self._trace

    def _take_step(self):
        """Return when every running thread is about to take this step, or cannot."""
        with self._arrival:
            me, step = threading.get_ident(), self._step
            self._arrived += 1
            if self._alone != me:
                self._alone = None
                if not self._arrival.wait_for(
                    lambda: self._step != step or self._arrived >= self._running, PATIENCE
                ):
                    self._alone = me
            if self._step == step:
                self._step += 1
                self._arrived = 0
                self._arrival.notify_all()
