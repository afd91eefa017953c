"""A redis-server of our own, to start, to silence and to stop."""

import signal
from contextlib import contextmanager

from tests.harness.running import Child


class RedisServer:
    """A redis-server that works in a folder, with these options. It runs until stop().

    port: where it listens; 0 if that is a Unix socket, which the options name.
    """

    def __init__(self, folder, *options, port=0):
        self.url = f"redis://127.0.0.1:{port}/0"
        self._command = ["redis-server", "--dir", str(folder), "--save", "", *options]
        self._command += ["--port", str(port)]
        self.start()

    def start(self):
        self._child = Child(self._command)
        self._child.until("eady to accept connections")

    @contextmanager
    def silent(self):
        """Until the block ends, it accepts connections, but sends nothing."""
        self._child.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._child.process.send_signal(signal.SIGCONT)

    def stop(self):
        """Kill it."""
        self._child.end()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()
