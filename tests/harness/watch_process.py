"""A `watch` that runs, its output to wait for. Run as a module, it prints how long verdicts take.

python -m tests.harness.watch_process [--saves 20] [step ...]
"""

import argparse
import contextlib
import os
import queue
import re
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from tests.harness.laptop import Laptop
from workshop.steps import STEPS

LIMIT = 60  # seconds; a safety limit, not a measurement
VERDICT = r"Step \d is green\.\n.*\n.*\n|  Look at  .*\n"


class Watching:
    """`watch N` on a laptop: on a terminal of its own, or with its output in a pipe."""

    def __init__(self, laptop, number, terminal=False):
        self.printed, self._at = "", 0
        self._chunks = queue.SimpleQueue()
        if terminal:
            import pty

            self._ours, theirs = pty.openpty()
            ends = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        else:
            self._ours, theirs = os.pipe()
            ends = {"stdin": subprocess.DEVNULL, "stdout": theirs, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen(
            [laptop.python, "-m", "workshop", "watch", str(number)],
            cwd=laptop.top,
            env=laptop.environment | {"TERM": "xterm", "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
            **ends,
        )
        os.close(theirs)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                chunk = os.read(self._ours, 65536)
            except OSError:  # a terminal whose other end is closed
                chunk = b""
            self._chunks.put(chunk)
            if not chunk:
                return

    def until(self, pattern):
        """Wait until this is printed, after what was waited for before; return the match."""
        give_up = time.monotonic() + LIMIT
        while True:
            text = self.printed.replace("\r\n", "\n")
            if match := re.compile(pattern).search(text, self._at):
                self._at = match.end()
                return match
            try:
                chunk = self._chunks.get(timeout=max(0, give_up - time.monotonic()))
            except queue.Empty:
                chunk = b""
            assert chunk, f"{pattern!r} did not come after: {text[self._at :]}"
            self.printed += chunk.decode(errors="replace")

    def press(self, keys):
        os.write(self._ours, keys.encode())

    def end(self):
        """End it, and a server that it may have started."""
        if os.name == "nt":
            self.process.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def saves(laptop, step, count):
    """What a learner saves: the starter, the solution and wrong answers, each in some new form."""
    import importlib

    mistakes = importlib.import_module(f"tests.step_{step.room}.mistakes").MISTAKES.values()
    solution = laptop.solution(step.number).read_text(encoding="utf-8")
    texts = [step.starter.read_text(encoding="utf-8")]
    texts += [mistake.answer(solution) for mistake in mistakes]
    for number in range(count):
        text = solution if number % 2 else texts[number // 2 % len(texts)]
        yield f"{text}# {number}\n"


def measure(laptop, step, count):
    """Seconds from save to verdict, one for each save."""
    watching, times = Watching(laptop, step.number), []
    try:
        watching.until(VERDICT)
        for text in saves(laptop, step, count):
            time.sleep(2)  # as long as a person takes at the very least
            begun = time.perf_counter()
            laptop.app(step.number).write_text(text, encoding="utf-8")
            watching.until(VERDICT)
            times.append(time.perf_counter() - begun)
    finally:
        watching.end()
    return times


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--saves", type=int, default=20, help="for each step")
    parser.add_argument("steps", type=int, nargs="*", default=[step.number for step in STEPS])
    options = parser.parse_args()
    print("seconds from save to verdict\nstep   p50    p95    max")
    with tempfile.TemporaryDirectory() as folder:
        laptop = Laptop(Path(folder))
        for number in options.steps:
            times = sorted(measure(laptop, STEPS[number - 1], options.saves))
            p95 = statistics.quantiles(times, n=20, method="inclusive")[-1]
            median = statistics.median(times)
            print(f"{number:4}  {median:5.2f}  {p95:5.2f}  {times[-1]:5.2f}", flush=True)


if __name__ == "__main__":
    main()
