"""A `watch` that runs, with its output to wait for."""

from tests.harness.child import Child

VERDICT = r"Step \d is green\.\n.*\n.*\n|  Look at  .*\n"


class Watching(Child):
    """`watch N` on a laptop: on a terminal of its own, or with its output in a pipe."""

    def __init__(self, laptop, number, terminal=False):
        command = [laptop.python, "-m", "workshop", "watch", str(number)]
        environment = laptop.environment | {"TERM": "xterm", "PYTHONUNBUFFERED": "1"}
        self._read_until = 0
        super().__init__(command, terminal, cwd=laptop.top, env=environment)

    def until(self, pattern):
        """Wait until this is printed, after what was waited for before; return the match."""
        match = super().until(pattern, self._read_until)
        self._read_until = match.end()
        return match
