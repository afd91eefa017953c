"""Single keys from the terminal, without Return, while the program goes on."""

import contextlib
import os
import sys
import threading


@contextlib.contextmanager
def keys(put):
    """In a thread, call put(key) for each key that is pressed. Without a terminal, do nothing.

    Yields whether there is a terminal.
    """
    if not sys.stdin or not sys.stdin.isatty():
        yield False
        return
    with _key_reader() as read:

        def listen():
            while key := read():
                put(key)

        threading.Thread(target=listen, daemon=True).start()
        yield True


if os.name == "nt":
    import msvcrt

    @contextlib.contextmanager
    def _key_reader():
        yield msvcrt.getwch

else:
    import termios
    import tty

    @contextlib.contextmanager
    def _key_reader():
        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
        tty.setcbreak(terminal, termios.TCSANOW)
        try:
            yield lambda: os.read(terminal, 1).decode(errors="replace")
        finally:
            termios.tcsetattr(terminal, termios.TCSANOW, before)
