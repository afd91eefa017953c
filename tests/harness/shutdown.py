"""Stops a server that runs the learner's app in a process of its own, and reports what it saw."""

import os
import signal
from dataclasses import dataclass

from tests.harness.child import MARK, serve_until_stopped
from tests.harness.process import PROCESS_LIMIT, Process


@dataclass
class Shutdown:
    """What was seen of a server that got requests, and then a signal.

    signum: the signal; sent: how many requests came before it; accepted: how many of them returned
    202; done: how many views ended; late: the status code of a request that came while the server
    was stopping, or None if there was none; exit_status: None if the process did not end in time;
    last_line: the last line that the app printed, or "".
    """

    signum: int
    sent: int
    accepted: int
    done: int
    late: int | None
    exit_status: int | None
    last_line: str

    @property
    def was_killed(self):
        """Whether the signal ended the process on the spot, because nothing handled it."""
        if os.name == "nt":  # where no exit status names a signal
            by_signal = self.signum == signal.SIGTERM and self.exit_status
        else:
            by_signal = self.exit_status == -self.signum
        return by_signal and not self.done


def stop_server(folder, signum, count, **config):
    """Have the app in the folder served and stopped; see serve_until_stopped. Return a Shutdown."""
    process = Process(serve_until_stopped, folder, signum, count, config)
    exit_status = process.ends(PROCESS_LIMIT)
    lines = process.kill().splitlines()
    told = [line.removeprefix(MARK).split() for line in lines if line.startswith(MARK)]
    printed = [line for line in lines if not line.startswith(MARK)]
    return Shutdown(
        signum,
        sent=count,
        accepted=told.count(["sent", "202"]),
        done=told.count(["done"]),
        late=next((int(words[1]) for words in told if words[0] == "late"), None),
        exit_status=exit_status,
        last_line=printed[-1] if printed else "",
    )
