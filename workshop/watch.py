"""watch: check the step at every save, at once, because pytest is ready and waits for it."""

import queue
import signal
import sys
import threading
import time

import click
import watchfiles

from workshop import progress
from workshop.arguments import step_argument
from workshop.checks import Run
from workshop.keys import keys
from workshop.screen import COMMAND, after, console, show_comparison, show_hint, show_verdict
from workshop.serve import call
from workshop.steps import TOP, shown

PROCESSES = 4  # that share the checks of one run, which wait as much as they work
KEYS = "h hint · c compare · r run · n next step · q quit"


@click.command()
@step_argument
def watch(step):
    """Check step N at every save, until Ctrl-C or q.

    The verdict comes in a second or two. A green step stays until you press n. Without a
    terminal, it prints the same as plain lines, and takes no keys.
    """
    with Watch(step) as watching:
        watching.go_on()


class Watch:
    """The step that is watched, its checks that are under way, and the next ones that wait.

    What happens is put into one queue, and dealt with in the order in which it happened: saves,
    keys and verdicts, as pairs of the method's name and its argument.
    """

    def __init__(self, step):
        self._step, self._verdict = step, None
        self._happened = queue.SimpleQueue()
        self._over = threading.Event()
        self._checked = None  # the fingerprint of what was checked last, or is now
        self._run, self._next = None, None
        self._terminal = False

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._over.set()
        for run in self._run, self._next:
            if run:
                run.cancel()

    def go_on(self):
        """Watch until there is nothing more to do. Ctrl-C waits for its turn as all else does."""
        threading.Thread(target=self._listen, daemon=True).start()
        signal.signal(signal.SIGINT, lambda *_: self._happened.put(("_interrupted", None)))
        with keys(lambda key: self._happened.put(("_pressed", key))) as self._terminal:
            self._check()
            while not self._over.is_set():
                try:  # the limit: or Ctrl-C would not be heard on Windows
                    name, argument = self._happened.get(timeout=1)
                except queue.Empty:
                    continue
                getattr(self, name)(argument)

    def _listen(self):
        """Note every save in steps/ and tests/, by whatever way an editor writes a file."""

        def is_python(change, path):
            return path.endswith(".py")

        folders = TOP / "steps", TOP / "tests"
        settings = {"watch_filter": is_python, "step": 20, "debounce": 200, "rust_timeout": 500}
        for polling in None, True:  # True: where the system has no more watches to give
            try:
                for changes in watchfiles.watch(
                    *folders, **settings, stop_event=self._over, force_polling=polling
                ):
                    self._happened.put(("_saved", {path for _, path in changes}))
                return
            except OSError:
                continue

    # What happens

    def _interrupted(self, _):
        raise KeyboardInterrupt

    def _saved(self, paths):
        if progress.fingerprint(self._step) == self._checked:
            return  # the same content once more, or another step's
        if any(path.startswith(str(TOP / "tests")) for path in paths) and self._next:
            self._next.cancel()  # it waits with checks that are no more
            self._next = None
        self._check()

    def _pressed(self, key):
        does = {"h": self._hint, "c": self._compare, "r": self._serve, "n": self._move_on}
        if key in ("q", "\x03", "\x04"):
            self._over.set()
        elif key in does:
            console.print()
            does[key]()
            if not self._run:  # a verdict to come shows them as well
                console.print(f"\n{KEYS}", style="dim")

    def _found(self, found):
        run, verdict = found
        if run is not self._run:
            return  # it was cancelled
        self._run, self._verdict = None, verdict
        if progress.fingerprint(self._step) != self._checked:
            self._check()  # it was saved meanwhile
            return
        if self._terminal:
            self._head()
        show_verdict(self._step, verdict)
        if self._terminal:
            console.print(f"\n{KEYS}", style="dim")
        progress.remember(self._step, verdict, self._checked)
        self._next = Run(self._step, processes=PROCESSES)

    # What is done about it

    def _check(self):
        """Check what is there now, and nothing else any more."""
        if self._run:
            self._run.cancel()
        self._checked, self._verdict = progress.fingerprint(self._step), None
        self._run, self._next = self._next or Run(self._step, processes=PROCESSES), None
        self._head()
        console.print("Checking …", style="dim")
        threading.Thread(target=self._wait_for, args=[self._run], daemon=True).start()

    def _wait_for(self, run):
        verdict = run.verdict()
        run.cancel()
        self._happened.put(("_found", (run, verdict)))

    def _head(self):
        if self._terminal:
            console.clear()
        step = self._step
        console.print(
            f"{time.strftime('%H:%M:%S')}  Step {step.number}, {step.title}: {shown(step.app)}\n",
            style="bold",
        )

    def _hint(self):
        if self._verdict and self._verdict.green:
            console.print(f"Step {self._step.number} is green. It needs no hint.")
        else:
            show_hint(self._step, self._verdict and self._verdict.explanation)

    def _compare(self):
        show_comparison(self._step)

    def _serve(self):
        """Serve the step until Ctrl-C, which is for the server alone."""
        call([sys.executable, "-m", "workshop", "run", str(self._step.number)])
        console.print("\nThe server has ended. Watching goes on.", style="dim")

    def _move_on(self):
        following = after(self._step)
        if not following:
            console.print("This is the last step.")
            return
        if not (self._verdict and self._verdict.green):
            console.print(f"Step {self._step.number} is not green yet.")
            console.print(f"To go on all the same: {COMMAND} watch {following.number}")
            return
        self._step = following
        if self._next:
            self._next.cancel()
            self._next = None
        self._check()
