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

CHECK_TIMEOUT = 12  # seconds for one check; each wait inside a check is shorter

# If the system has fork(), a server imports the slow modules once, and forks the processes that run
# checks. Otherwise, or if the server's socket would have too long a path, each process starts from
# scratch.
USES_FORKSERVER = "forkserver" in multiprocessing.get_all_start_methods()
USES_FORKSERVER = USES_FORKSERVER and len(os.fsencode(tempfile.gettempdir())) < 64
multiprocessing_context = multiprocessing.get_context("forkserver" if USES_FORKSERVER else "spawn")
PRELOADED = "pytest _pytest.junitxml _pytest.unittest doctest tomllib"
PRELOADED += " flask_restful werkzeug.serving werkzeug.test concurrent.futures.thread"
multiprocessing_context.set_forkserver_preload(PRELOADED.split())


@dataclass
class Verdict:
    """What the checks found.

    promises: the part that each promise belongs to; "" if it is an earlier step's
    kept, broken: the promises that were checked; checking may stop at the first broken one
    explanation: of the first broken promise, by heading; None if all promises are kept
    part: of the first broken promise; "" if it is an earlier step's, or if none was seen to break
    """

    promises: dict[str, str] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    explanation: dict[str, str] | None = None
    part: str = ""

    @property
    def green(self):
        return self.explanation is None


def check(step, apps="steps", *options, processes=1):
    """Check DIR/NN_slug/app.py, where apps is DIR; return a Verdict.

    options: more options for pytest, for example --maxfail=100 to go on after a broken promise.
    """
    with Run(step, apps, *options, processes=processes) as run:
        return run.verdict()


class Run:
    """One run of a step's checks. Its processes start immediately, and wait for verdict().

    The checks are handed out in order, each to the first process that is free. So the first broken
    promise is the same, however many processes there are.
    """

    def __init__(self, step, apps="steps", *options, processes=1):
        setup.ensure(*step.extra_groups)
        self._apps = apps
        arguments = [*arguments_for(step, apps), *options]
        self._processes = [Process(arguments) for _ in range(processes)]

    def verdict(self):
        """Run the checks; return a Verdict. After cancel(), it says that Python exited."""
        by_connection = {process.connection: process for process in self._processes}
        reports = {}  # the reports on a check, by its number
        busy = {}  # the number of the check that a process is running, by process
        handed_out, checks = 0, None  # how many checks were handed out; the promise of each check
        last = None  # the number of the last check that counts, once that is known
        verdict = Verdict()
        while checks is None or handed_out < len(checks) or busy:
            process = by_connection[wait(by_connection)[0]]
            try:
                message = process.connection.recv()
            except (EOFError, OSError):
                explanation = explain_exit(process, self._apps)
                if process in busy:
                    report = {"promise": checks[busy[process]], "explanation": explanation}
                    reports.setdefault(busy[process], []).append(report)
                return self._complete(verdict, reports, explanation)
            if "uncollected" in message:
                return Verdict(explanation={"Seen": message["uncollected"]})
            if "promise" in message:
                reports.setdefault(busy[process], []).append(message)
                continue
            number = busy.pop(process, None)  # None: it is ready for its first check
            if message.get("enough"):
                last = number if last is None else min(last, number)
            if "ready" in message:
                checks, verdict.promises = message["ready"], message["parts"]
            if last is None and handed_out < len(checks):
                process.run_check(handed_out)
                busy[process], handed_out = handed_out, handed_out + 1
            if last is not None and all(number > last for number in busy.values()):
                break
        counting = {n: reports[n] for n in reports if last is None or n <= last}
        return self._complete(verdict, counting)

    def _complete(self, verdict, reports, explanation=None):
        """Add the reports to the verdict. explanation: why the run ended early, if it did."""
        kept = {}  # whether a promise is kept, by promise
        for report in (report for number in sorted(reports) for report in reports[number]):
            promise = report["promise"]
            kept[promise] = kept.get(promise, True) and not report["explanation"]
            verdict.explanation = verdict.explanation or report["explanation"]
        verdict.explanation = verdict.explanation or explanation
        verdict.kept = [promise for promise in kept if kept[promise]]
        verdict.broken = [promise for promise in kept if not kept[promise]]
        if "Promised" in (verdict.explanation or {}):  # otherwise, app.py cannot run
            verdict.part = verdict.promises[verdict.broken[0]]
        return verdict

    def cancel(self):
        """End the run immediately. A thread that waits in verdict() returns."""
        for process in self._processes:
            process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.cancel()


def arguments_for(step, apps):
    """The arguments for pytest."""
    arguments = [str(step.checks), f"--apps={apps}"]
    arguments += ["--disable-plugin-autoload"]  # the same checks, whatever else is installed
    arguments += ["--tb=native"]  # the other styles parse the checks' files for each traceback
    arguments += [f"--override-ini=faulthandler_timeout={CHECK_TIMEOUT}"]
    return [*arguments, "--override-ini=faulthandler_exit_on_timeout=true"]


def run_pytest(connection, printed, arguments, plugin=None):
    """Run pytest in this process. printed: the path of the file for its output."""
    from workshop.reporter import Reporter, set_limits

    with open(printed, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(TOP)
    set_limits()
    sys.dont_write_bytecode = False  # so that each file is compiled once, and not for each run
    import pytest

    status = 1
    try:
        status = pytest.main(arguments, plugins=[(plugin or Reporter)(connection)])
    finally:  # os._exit() also ends the threads that the learner's code has left running
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class Process:
    """A process that runs pytest with the Reporter of workshop/reporter.py.

    connection: receives its messages
    """

    def __init__(self, arguments, run=run_pytest):
        handle, self._printed = tempfile.mkstemp()
        os.close(handle)
        self.connection, other_end = multiprocessing_context.Pipe()
        given = other_end, self._printed, arguments
        self._process = multiprocessing_context.Process(target=run, args=given)
        start_server()
        self._process.start()
        other_end.close()

    def run_check(self, number):
        """Have it run the check with this number; None: there are no more."""
        with contextlib.suppress(OSError):  # it has exited, which verdict() will notice
            self.connection.send(number)

    def outcome(self):
        """Wait until it exits. Return its exit status and its output (none after kill())."""
        self._process.join()
        printed = ""
        with contextlib.suppress(FileNotFoundError):
            printed = Path(self._printed).read_text("utf-8", "replace").strip()
        return self._process.exitcode, printed

    def kill(self):
        self._process.kill()
        self._process.join()
        Path(self._printed).unlink(missing_ok=True)


server_started = False


def start_server():
    """Start the fork server, unless it is running.

    It ignores Ctrl-C from the start, because the command reacts to that and ends its processes.
    """
    global server_started
    in_main_thread = threading.current_thread() is threading.main_thread()
    if server_started or not USES_FORKSERVER or not in_main_thread:
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
        server_started = True
    finally:
        signal.signal(signal.SIGINT, before)


def explain_exit(process, apps):
    """The explanation for a pytest that exited before all checks were done."""
    status, printed = process.outcome()
    where = re.findall(rf'File ".*?({re.escape(apps)}/\S+/app\.py)", line (\d+)', printed)
    if "Timeout" in printed and where:
        path, line = where[0]
        return {
            "Seen": f"{path} was still busy after {CHECK_TIMEOUT} seconds, at line {line}.",
            "Look at": "Is there a loop that never ends?",
        }
    return {
        "Seen": f"Python exited in the middle of the checks, with status {status}. "
        f"Its last line of output: {' '.join(printed.splitlines()[-1:])}",
        "Look at": "Does app.py exit Python itself, with os._exit()? If the same happens with "
        "--solutions, your code is not the cause.",
    }
