"""watch: check a step at every save, quickly, because pytest is already waiting for it."""

import queue
import signal
import sys
import threading
import time

import click
import watchfiles

from workshop import COMMAND, progress
from workshop.arguments import step_argument
from workshop.checks import Run
from workshop.compare import show_comparison
from workshop.hints import show_hint
from workshop.keys import keys
from workshop.screen import console, show_verdict
from workshop.serve import call
from workshop.steps import TOP, shown, step_after

PROCESSES = 4  # for one run; checks spend about half of their time waiting
KEYS = "h hint · c compare · r run · n next step · q quit"


@click.command()
@step_argument
def watch(step):
    """Check step N at every save, until you press Ctrl-C or q.

    The verdict appears within a second or two. A green step stays on the screen until you press n.
    Without a terminal, watch prints plain lines and ignores keys.
    """
    with Watch(step) as watching:
        watching.go_on()


class Watch:
    """The step that is being watched, the run that checks it now, and the run for the next save.

    Saves, keys and verdicts are put into one queue, as pairs of a method's name and its argument,
    and handled one after the other.
    """

    def __init__(self, step):
        self._step, self._verdict = step, None
        self._events = queue.SimpleQueue()
        self._over = threading.Event()
        self._fingerprint = None  # of what is being checked or, between checks, was checked last
        self._run, self._next_run = None, None
        self._terminal = False

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._over.set()
        for run in self._run, self._next_run:
            if run:
                run.cancel()

    def go_on(self):
        """Handle events until there are no more. Ctrl-C is an event like the others."""
        threading.Thread(target=self._listen, daemon=True).start()
        signal.signal(signal.SIGINT, lambda *_: self._events.put(("_interrupted", None)))
        with keys(lambda key: self._events.put(("_pressed", key))) as self._terminal:
            self._check()
            while not self._over.is_set():
                try:  # with a timeout, because on Windows Ctrl-C does not interrupt get()
                    name, argument = self._events.get(timeout=1)
                except queue.Empty:
                    continue
                getattr(self, name)(argument)

    def _listen(self):
        """Put an event for every save in steps/ and tests/, however the editor writes its files."""

        def is_python(change, path):
            return path.endswith(".py")

        folders = TOP / "steps", TOP / "tests"
        settings = {"watch_filter": is_python, "step": 20, "debounce": 200, "rust_timeout": 500}
        for polling in None, True:  # True: for a system that has no file watches left
            try:
                for changes in watchfiles.watch(
                    *folders, **settings, stop_event=self._over, force_polling=polling
                ):
                    self._events.put(("_saved", {path for _, path in changes}))
                return
            except OSError:
                continue

    # Events

    def _interrupted(self, _):
        raise KeyboardInterrupt

    def _saved(self, paths):
        if progress.fingerprint(self._step) == self._fingerprint:
            return  # the content is the same, or another step was saved
        if any(path.startswith(str(TOP / "tests")) for path in paths) and self._next_run:
            self._next_run.cancel()  # it has imported checks that have changed
            self._next_run = None
        self._check()

    def _pressed(self, key):
        actions = {"h": self._hint, "c": self._compare, "r": self._serve, "n": self._move_on}
        if key in ("q", "\x03", "\x04"):
            self._over.set()
        elif key in actions:
            console.print()
            actions[key]()
            if not self._run:  # if there is one, its verdict will show the keys
                console.print(f"\n{KEYS}", style="dim")

    def _found(self, found):
        run, verdict = found
        if run is not self._run:
            return  # it was cancelled
        self._run, self._verdict = None, verdict
        if progress.fingerprint(self._step) != self._fingerprint:
            self._check()  # there was a save during the run
            return
        if self._terminal:
            self._show_title()
        show_verdict(self._step, verdict)
        if self._terminal:
            console.print(f"\n{KEYS}", style="dim")
        progress.remember(self._step, verdict, self._fingerprint)
        self._next_run = Run(self._step, processes=PROCESSES)

    # Actions

    def _check(self):
        """Check the code as it is now, and cancel an older run."""
        if self._run:
            self._run.cancel()
        self._fingerprint, self._verdict = progress.fingerprint(self._step), None
        self._run, self._next_run = self._next_run or Run(self._step, processes=PROCESSES), None
        self._show_title()
        console.print("Checking …", style="dim")
        threading.Thread(target=self._wait_for, args=[self._run], daemon=True).start()

    def _wait_for(self, run):
        verdict = run.verdict()
        run.cancel()
        self._events.put(("_found", (run, verdict)))

    def _show_title(self):
        if self._terminal:
            console.clear()
        step = self._step
        console.print(
            f"{time.strftime('%H:%M:%S')}  Step {step.number}, {step.title}: {shown(step.app)}\n",
            style="bold",
        )

    def _hint(self):
        if self._verdict and self._verdict.green:
            console.print("This step is green, so you don't need a hint.")
        else:
            show_hint(self._step, self._verdict)

    def _compare(self):
        show_comparison(self._step)

    def _serve(self):
        """Serve the step until Ctrl-C, which only the server gets."""
        call([sys.executable, "-m", "workshop", "run", str(self._step.number)])
        console.print("\nThe server has stopped. Still watching for saves.", style="dim")

    def _move_on(self):
        following = step_after(self._step)
        if not following:
            console.print("This is the last step.")
            return
        if not (self._verdict and self._verdict.green):
            console.print(f"Step {self._step.number} is not green yet.")
            console.print(f"To go on anyway: {COMMAND} watch {following.number}")
            return
        self._step = following
        if self._next_run:
            self._next_run.cancel()
            self._next_run = None
        self._check()
