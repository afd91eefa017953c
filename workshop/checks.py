"""Run a step's checks with pytest, in one process or in several that share the work."""

import contextlib
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import wait
from pathlib import Path

from workshop import setup
from workshop.steps import TOP

CHECK_TIMEOUT = 12  # seconds in one check; each wait in a check gives up before

# Where there is fork(), a server forks the processes that run checks, and has imported for all of
# them what takes long. Elsewhere, or where the path to its socket would be longer than a socket's
# may be, each is started from nothing.
USES_FORKSERVER = "forkserver" in multiprocessing.get_all_start_methods()
USES_FORKSERVER = USES_FORKSERVER and len(os.fsencode(tempfile.gettempdir())) < 64
multiprocessing_context = multiprocessing.get_context("forkserver" if USES_FORKSERVER else "spawn")
PRELOADED = "pytest _pytest.junitxml _pytest.unittest doctest tomllib"
PRELOADED += " flask_restful werkzeug.serving werkzeug.test concurrent.futures.thread"
multiprocessing_context.set_forkserver_preload(PRELOADED.split())


@dataclass
class Verdict:
    """What the checks found: promises kept and broken, and what is told of the first one broken.

    promises: how many there are; those that come after the first one broken may not be known.
    """

    promises: int = 0
    kept: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    explanation: dict[str, str] | None = None

    @property
    def green(self):
        return self.explanation is None


def check(step, apps="steps", *options, processes=1):
    """Check DIR/NN_slug/app.py, where apps is DIR; returns a Verdict.

    options: more for pytest, such as --maxfail=100 to go on after the first broken promise.
    """
    with Run(step, apps, *options, processes=processes) as run:
        return run.verdict()


class Run:
    """One run of a step's checks. Its processes start here, and wait until verdict() is called.

    The checks are handed out in their order, each to the first process that is free, so that the
    first broken promise is the same however many processes there are.
    """

    def __init__(self, step, apps="steps", *options, processes=1):
        setup.ensure(*step.extra_groups)
        self._apps = apps
        arguments = [*arguments_for(step, apps), *options]
        self._processes = [Process(arguments) for _ in range(processes)]

    def verdict(self):
        """Run the checks; return a Verdict. After cancel(), it says that Python ended."""
        by_connection = {process.connection: process for process in self._processes}
        said, busy = {}, {}  # by number, what was told of a check; by process, which it is at
        handed, count, end = 0, None, None  # end: the number of the check after which no more count
        verdict = Verdict()
        while count is None or handed < count or busy:
            process = by_connection[wait(by_connection)[0]]
            try:
                message = process.connection.recv()
            except (EOFError, OSError):
                return self._read(verdict, said, ended_early(process, self._apps))
            if "uncollected" in message:
                return Verdict(explanation={"Seen": message["uncollected"]})
            if "promise" in message:
                said.setdefault(busy[process], []).append(message)
                continue
            number = busy.pop(process, None)  # it is over with that, or ready for its first
            if message.get("enough"):
                end = number if end is None else min(end, number)
            if "ready" in message:
                count, verdict.promises = message["ready"], message["promises"]
            if end is None and handed < count:
                process.ask(handed)
                busy[process], handed = handed, handed + 1
            if end is not None and all(later > end for later in busy.values()):
                break
        before_end = {number: said[number] for number in said if end is None or number <= end}
        return self._read(verdict, before_end)

    def _read(self, verdict, said, amiss=None):
        """Fill in what was told of each check, and what went amiss at the end."""
        whole = {}
        for each in (each for number in sorted(said) for each in said[number]):
            whole[each["promise"]] = whole.get(each["promise"], True) and not each["explanation"]
            verdict.explanation = verdict.explanation or each["explanation"]
        verdict.explanation = verdict.explanation or amiss
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


def arguments_for(step, apps):
    """What pytest is to be told."""
    arguments = [str(step.checks), f"--apps={apps}"]
    arguments += ["--disable-plugin-autoload"]  # whatever is installed, the checks are these
    arguments += ["--tb=native"]  # the other ways parse the checks' files for each traceback
    arguments += [f"--override-ini=faulthandler_timeout={CHECK_TIMEOUT}"]
    return [*arguments, "--override-ini=faulthandler_exit_on_timeout=true"]


def run_pytest(connection, printed, arguments, plugin=None):
    """Run pytest in this process. What it prints goes to that file."""
    from workshop.reporter import Reporter, set_limits

    with open(printed, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(TOP)
    set_limits()
    sys.dont_write_bytecode = False  # what is compiled once need not be at each check
    import pytest

    status = 1
    try:
        status = pytest.main(arguments, plugins=[(plugin or Reporter)(connection)])
    finally:  # whatever goes on in this process ends with it
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class Process:
    """A pytest that does what workshop/reporter.py says. connection: on which it tells of it."""

    def __init__(self, arguments, run=run_pytest):
        handle, self._printed = tempfile.mkstemp()
        os.close(handle)
        self.connection, theirs = multiprocessing_context.Pipe()
        given = theirs, self._printed, arguments
        self._process = multiprocessing_context.Process(target=run, args=given)
        start_server()
        self._process.start()
        theirs.close()

    def ask(self, number):
        """Have it run that check; None: no more of them."""
        with contextlib.suppress(OSError):  # it has ended, and so will its connection
            self.connection.send(number)

    def last_words(self):
        """Its exit status, and all that it has printed: nothing, if it was killed here."""
        self._process.join()
        printed = ""
        with contextlib.suppress(FileNotFoundError):
            printed = Path(self._printed).read_text("utf-8", "replace").strip()
        return self._process.exitcode, printed

    def kill(self):
        self._process.kill()
        self._process.join()
        Path(self._printed).unlink(missing_ok=True)


started = False


def start_server():
    """Start the server that forks, if it is not there. It ignores Ctrl-C from its very beginning.

    Ctrl-C is for the command, which ends its processes itself.
    """
    global started
    if started or not USES_FORKSERVER or threading.current_thread() is not threading.main_thread():
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
        started = True
    finally:
        signal.signal(signal.SIGINT, before)


def ended_early(process, apps):
    """What is told when pytest ended in the middle."""
    status, printed = process.last_words()
    where = re.findall(rf'File ".*?({re.escape(apps)}/\S+/app\.py)", line (\d+)', printed)
    if "Timeout" in printed and where:
        path, line = where[0]
        return {
            "Seen": f"{path} was still busy after {CHECK_TIMEOUT} seconds, at line {line}.",
            "Look at": "Is there a loop that never ends?",
        }
    return {
        "Seen": f"Python ended in the middle of the checks, with status {status}. "
        f"Its last words: {' '.join(printed.splitlines()[-1:])}",
        "Look at": "Does app.py end Python itself, with os._exit()? If the same happens with "
        "--solutions, it is not your code.",
    }
