"""A subject behind gunicorn, with one process and eight threads, and many clients at once."""

import re
import selectors
import socket
import subprocess
import time
from collections import Counter

from tests.bench import subjects
from tests.harness.running import LIMIT
from tests.harness.servers import ServerProcess
from workshop.steps import TOP

THREADS = 8
REQUEST = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"


def app(name, redis=None):
    """Return the app for gunicorn to serve."""
    return subjects.make(name, redis).app


def serve(name, redis):
    """Start a gunicorn that serves a subject."""
    command = f"gunicorn -w 1 -k gthread --threads {THREADS} --keep-alive 75 -b 127.0.0.1:0"
    app = f"tests.bench.serving:app({name!r}, {redis!r})"
    return ServerProcess(*command.split(), app, cwd=TOP, stdout=subprocess.DEVNULL)


def load(port, clients, count):
    """Send `count` requests. Each client sends its next one when it has received a response.

    Return how many seconds this took, and how often each status code came.
    """
    statuses = Counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(clients):
            connection = socket.create_connection(("127.0.0.1", port), LIMIT)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ, bytearray())
        begun = time.perf_counter()
        sent = 0
        for key in list(selector.get_map().values())[:count]:
            key.fileobj.sendall(REQUEST)
            sent += 1
        while statuses.total() < count:
            ready = selector.select(LIMIT)
            if not ready:
                raise RuntimeError(f"No response for {LIMIT} seconds.")
            for key, _ in ready:
                if status := received(key):
                    statuses[status] += 1
                    if sent < count:
                        key.fileobj.sendall(REQUEST)
                        sent += 1
        taken = time.perf_counter() - begun
        for key in list(selector.get_map().values()):
            key.fileobj.close()
    return taken, statuses


def received(key):
    """Read what has arrived; return the status code once the response is complete."""
    chunk = key.fileobj.recv(65536)
    if not chunk:
        raise RuntimeError("The server closed the connection.")
    key.data.extend(chunk)
    head, end, body = bytes(key.data).partition(b"\r\n\r\n")
    if not end or len(body) < int(re.search(rb"(?i)content-length: *(\d+)", head)[1]):
        return None
    key.data.clear()
    return int(head.split()[1])
