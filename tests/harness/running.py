"""A process that this one starts. You can wait for what it prints, and it ends with this one."""

import codecs
import contextlib
import os
import re
import signal
import subprocess
import threading

LIMIT = 60  # seconds: a safety limit, for something that never happens


class Output:
    """Reads what is written to a pipe, or to a terminal.

    printed: all of it so far; complete: whether there will be no more
    theirs: the end to write to, which the caller has to close
    """

    def __init__(self, terminal=False):
        self.printed, self.complete = "", False
        self._more = threading.Condition()
        if terminal:
            import pty  # which Windows does not have
        self._ours, self.theirs = pty.openpty() if terminal else os.pipe()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for text in codecs.iterdecode(self._chunks(), "utf-8", "replace"):
            with self._more:
                self.printed = (self.printed + text).replace("\r\n", "\n")
                self._more.notify_all()
        with self._more:
            self.complete = True
            self._more.notify_all()

    def _chunks(self):
        with contextlib.suppress(OSError):  # a terminal whose other end is closed
            while chunk := os.read(self._ours, 65536):
                yield chunk
        os.close(self._ours)

    def wait_for(self, condition):
        """Wait until condition() is true, which depends on what is printed; return its result."""
        with self._more:
            self._more.wait_for(lambda: condition() or self.complete, LIMIT)
            return condition()

    def until(self, pattern, start=0):
        """Wait until something printed from that index on matches; return the match."""
        compiled = re.compile(pattern)
        if match := self.wait_for(lambda: compiled.search(self.printed, start)):
            return match
        raise RuntimeError(f"{pattern!r} did not come after: {self.printed[start:]}")


class Child(Output):
    """A command that runs in a session of its own, without input or on a terminal.

    process: its Popen; options: more arguments for Popen.
    """

    def __init__(self, command, terminal=False, **options):
        super().__init__(terminal)
        stdin = self.theirs if terminal else subprocess.DEVNULL
        streams = {"stdin": stdin, "stdout": self.theirs, "stderr": self.theirs}
        self.process = subprocess.Popen(command, start_new_session=True, **streams | options)
        os.close(self.theirs)
        if os.name != "nt":  # kills the group when told to, or when nobody is left to tell it
            self._guard = subprocess.Popen(
                ["sh", "-c", 'read _; kill -KILL "-$0"', str(self.process.pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def press(self, keys):
        """Press these keys on its terminal."""
        os.write(self._ours, keys.encode())

    def interrupt(self):
        """Send the signal of Ctrl-C to it and to the processes that it has started."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self):
        """Wait until it has ended and all its output is in `printed`; return its exit status."""
        status = self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        return status

    def is_gone(self, seconds):
        """Whether it, and every process that shares its output, ends within so many seconds."""
        self._reader.join(seconds)
        return not self._reader.is_alive()

    def end(self):
        """Kill it, and the processes that it has started."""
        if os.name == "nt":
            self.process.kill()
        elif self._guard.poll() is None:
            self._guard.communicate(b"\n")
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.end()
