"""A view that a check holds back, and its calls."""

import sys
import threading


class Call:
    """One call of a view: its thread, its arguments, and how it ended.

    by_run: whether code of the file at path called Thread.run() itself, which called the view.
    """

    def __init__(self, path, args, kwargs):
        self.thread = threading.current_thread()
        self.args, self.kwargs = args, kwargs
        self.result = self.error = None
        self.ended = self.by_run = False
        frame = sys._getframe(1)
        while frame and frame.f_code.co_filename != str(path):
            self.by_run |= frame.f_code is threading.Thread.run.__code__
            frame = frame.f_back
        self.by_run &= frame is not None


class Work:
    """A view whose every call waits until the check releases it.

    url: where it is served; calls: every Call so far, in the order in which they began; held: by
    thread, the works of all views that are being held back.
    """

    def __init__(self, path, function, url, held, changes):
        self.url, self.calls = url, []
        self._path, self._function = path, function
        self._held, self._changes = held, changes
        self._released = threading.Event()

    def release(self):
        self._released.set()

    def __call__(self, *args, **kwargs):
        call = Call(self._path, args, kwargs)
        self.calls.append(call)
        if not self._released.is_set():
            self._held[call.thread] = self
        self._changes.notify()
        self._released.wait()
        self._held.pop(call.thread, None)
        try:
            call.result = self._function(*args, **kwargs)
            return call.result
        except BaseException as error:
            call.error = error
            raise
        finally:
            call.ended = True
            self._changes.notify()
