"""Run a step's checks with pytest, in one process or in several that share the work."""

import contextlib
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field

from workshop import setup
from workshop.steps import TOP

STUCK = 12  # seconds in one check; each wait in a check gives up before

ENVIRONMENT = {
    "PYTHONUTF8": "1",
    "PYTHONDONTWRITEBYTECODE": "",  # what is compiled once need not be at each check
}

# Ctrl-C in the terminal is for the command, which ends these processes itself.
OF_ITS_OWN = {"process_group": 0}
if sys.platform == "win32":
    OF_ITS_OWN = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}


@dataclass
class Verdict:
    """What the checks found: promises kept and broken, and what is told of the first one broken."""

    kept: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    told: dict[str, str] | None = None

    @property
    def green(self):
        return self.told is None


def check(step, answers="steps", *options, processes=1):
    """Check DIR/NN_slug/app.py, where answers is DIR; returns a Verdict.

    options: more for pytest, such as --maxfail=100 to go on after the first broken promise.
    """
    with Run(step, answers, *options, processes=processes) as run:
        return run.verdict()


class Run:
    """One run of a step's checks. Its processes start here, and wait until verdict() is called.

    The checks are handed out in their order, each to the first process that is free, so that the
    first broken promise is the same however many processes there are.
    """

    def __init__(self, step, answers="steps", *options, processes=1):
        setup.ensure(*step.needs)
        self._answers = answers
        self._inbox = queue.SimpleQueue()  # pairs of a process and what it told; None at its end
        command = [sys.executable, "-m", "pytest", str(step.checks), "-p", "workshop.reporter"]
        command += ["--disable-plugin-autoload"]  # whatever else is installed, the checks are these
        command += [f"--answers={answers}", f"--override-ini=faulthandler_timeout={STUCK}"]
        command += ["--override-ini=faulthandler_exit_on_timeout=true", *options]
        self._processes = [Process(command, self._inbox) for _ in range(processes)]

    def verdict(self):
        """Run the checks; return a Verdict. After cancel(), it says that Python ended."""
        said, busy = {}, {}  # by number, what was told of a check; by process, which it is at
        handed, count, end = 0, None, None  # end: the number of the check after which no more count
        while count is None or handed < count or busy:
            process, told = self._inbox.get()
            if told is None:
                return self._read(said, ended_early(process, self._answers))
            if "uncollected" in told:
                return Verdict(told={"Seen": told["uncollected"]})
            if "promise" in told:
                said.setdefault(busy[process], []).append(told)
                continue
            number = busy.pop(process, None)  # it is over with that, or ready for its first
            if told.get("enough"):
                end = number if end is None else min(end, number)
            count = count or told["ready"]
            if end is None and handed < count:
                process.ask(handed)
                busy[process], handed = handed, handed + 1
            if end is not None and all(later > end for later in busy.values()):
                break
        return self._read({number: said[number] for number in said if end is None or number <= end})

    def _read(self, said, amiss=None):
        """Make a Verdict of what was told of each check, and of what went amiss at the end."""
        verdict, whole = Verdict(), {}
        for each in (each for number in sorted(said) for each in said[number]):
            whole[each["promise"]] = whole.get(each["promise"], True) and not each["told"]
            verdict.told = verdict.told or each["told"]
        verdict.told = verdict.told or amiss
        verdict.kept = [promise for promise in whole if whole[promise]]
        verdict.broken = [promise for promise in whole if not whole[promise]]
        return verdict

    def cancel(self):
        """End it at once; whoever waits for the verdict waits no longer."""
        for process in self._processes:
            process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.cancel()


class Process:
    """A pytest that does what workshop/reporter.py says, and puts what it tells into the inbox."""

    def __init__(self, command, inbox):
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            cwd=TOP,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=os.environ | ENVIRONMENT,
            **OF_ITS_OWN,
        )
        threading.Thread(target=self._read, args=[inbox], daemon=True).start()

    def ask(self, number):
        """Have it run that check."""
        with contextlib.suppress(OSError):  # it has ended, and the inbox will have that
            self._process.stdin.write(b"%d\n" % number)
            self._process.stdin.flush()

    def _read(self, inbox):
        with self._process.stdout as lines:
            for line in lines:
                inbox.put((self, json.loads(line)))
        inbox.put((self, None))

    def last_words(self):
        """Its exit status, and all that it has printed."""
        status = self._process.wait()
        self._stderr.seek(0)
        return status, self._stderr.read().decode(errors="replace").strip()

    def kill(self):
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.kill()
        self._process.wait()


def ended_early(process, answers):
    """What is told when pytest ended in the middle."""
    status, printed = process.last_words()
    where = re.findall(rf'File ".*?({re.escape(answers)}/\S+/app\.py)", line (\d+)', printed)
    if "Timeout" in printed and where:
        path, line = where[0]
        return {
            "Seen": f"{path} was still busy after {STUCK} seconds, at line {line}.",
            "Look at": "Is there a loop that never ends?",
        }
    return {
        "Seen": f"Python ended in the middle of the checks, with status {status}. "
        f"Its last words: {' '.join(printed.splitlines()[-1:])}",
        "Look at": "Does app.py end Python itself, with os._exit()? If the same happens with "
        "--solutions, it is not your code.",
    }
