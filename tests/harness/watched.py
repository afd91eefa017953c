"""A value that notes who looks at it."""

import threading


class Watched:
    """A value for a view to return. looked_at_by: the threads that have asked for its class.

    Flask and Flask-RESTful call isinstance() before they turn a value into a response, and that
    asks for the class.
    """

    def __init__(self):
        self.looked_at_by = set()

    @property
    def __class__(self):
        self.looked_at_by.add(threading.current_thread())
        return Watched
