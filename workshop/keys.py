"""Single keys from the terminal, without Return, while other things go on."""

import contextlib
import os
import sys
import threading


@contextlib.contextmanager
def keys(put):
    """Call put(key) for each key that is pressed, in a thread; nothing where there is no terminal.

    Yields whether there is one.
    """
    if not sys.stdin or not sys.stdin.isatty():
        yield False
        return
    with _one_by_one() as read:

        def listen():
            while key := read():
                put(key)

        threading.Thread(target=listen, daemon=True).start()
        yield True


if os.name == "nt":
    import msvcrt

    @contextlib.contextmanager
    def _one_by_one():
        yield msvcrt.getwch

else:
    import termios
    import tty

    @contextlib.contextmanager
    def _one_by_one():
        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
        tty.setcbreak(terminal, termios.TCSANOW)
        try:
            yield lambda: os.read(terminal, 1).decode(errors="replace")
        finally:
            termios.tcsetattr(terminal, termios.TCSANOW, before)
