"""Serve a WSGI app at a free port: in this process, or in one that is started for it."""

import contextlib
import http.client
import socket
import sys
import threading
from socketserver import BaseServer

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from tests.harness.running import LIMIT, Child


class Server(ThreadedWSGIServer):
    """Flask's own server, in this process. It prints nothing.

    threaded: whether each request gets a thread of its own
    acceptor: the thread that accepts connections, from start() to stop()
    threads: those that serve requests, or have done so; by_client: the last one of each address
    """

    class Handler(WSGIRequestHandler):
        def log(self, *args):
            """Print nothing: whoever started the server reports what matters."""

    def __init__(self, app, threaded=True):
        self.multithread, self.threads, self.by_client = threaded, [], {}
        super().__init__("127.0.0.1", 0, app, handler=self.Handler)

    def start(self, poll_interval=0.02):
        """Accept connections in a thread, which looks this often whether it has to stop."""
        self.acceptor = threading.Thread(
            target=self.serve_forever, args=[poll_interval], daemon=True
        )
        self.acceptor.start()

    def process_request(self, request, client_address):
        if not self.multithread:
            return BaseServer.process_request(self, request, client_address)
        given = request, client_address
        thread = threading.Thread(target=self.process_request_thread, args=given, daemon=True)
        self.by_client[client_address] = thread
        self.threads.append(thread)
        thread.start()

    def handle_error(self, request, client_address):
        """Print nothing: the client sees that the connection is closed."""

    def stop(self):
        """Accept no more connections. Requests that have begun go on."""
        self.shutdown()
        self.acceptor.join()  # which closes the socket


class ServerProcess(Child):
    """A server in a process of its own: a Python module and its arguments. Also its client.

    port: where it listens. For a free port, have gunicorn, waitress or Flask listen at port 0.
    """

    def __init__(self, *command, **options):
        super().__init__([sys.executable, "-m", *command], **options)
        said = self.until(r"(?:Listening at:|Running on|Serving on) http://127\.0\.0\.1:(\d+)")
        self.port = int(said[1])

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def send(self, method, path, body=None, headers=()):
        """Send a request; return the response's status code, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()


def unused_port():
    """A port for a server that cannot choose one itself."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]
