"""Serves the learner's app, sends it requests, and knows when a request is truly over."""

import contextlib
import functools
import http.client
import importlib.metadata
import threading
from io import BytesIO

from flask import Response
from werkzeug.test import EnvironBuilder, create_environ, run_wsgi_app
from werkzeug.urls import iri_to_uri

from tests.harness import servers
from tests.harness.expect import LIMIT, Broken
from tests.harness.words import described

# Each new server looks up Werkzeug's version, which takes as long as a request.
importlib.metadata.version = functools.cache(importlib.metadata.version)


class Server:
    """Serves an app, each request in a thread of its own, and is the client as well."""

    def __init__(self, wsgi_app, changes):
        self._wsgi_app, self._changes = wsgi_app, changes
        self._threads, self._socket_server = [], None

    @property
    def threads(self):
        """The threads that serve requests, or have done so."""
        return [*self._threads, *(self._socket_server.threads if self._socket_server else [])]

    def start(self, method, url, **request):
        """Send a request without waiting for its response; return its Exchange.

        request: json, data, headers, query_string and so on, as Werkzeug's EnvironBuilder takes
        them, and chunked. A GET without any of these does not use a socket, which is faster: it
        has no body that could get lost.
        """
        if method == "GET" and not request:
            exchange = Exchange(self._changes, f"GET {url}", LIMIT, self._get, url)
            self._threads.append(exchange.thread)
        else:
            if self._socket_server is None:
                self._socket_server = SocketServer(self._wsgi_app)
            send = self._socket_server.send  # has a time limit for each of its steps
            exchange = Exchange(
                self._changes, f"{method} {url}", None, send, method, url, **request
            )
        exchange.thread.start()
        return exchange

    def _get(self, url):
        parts, *head = run_wsgi_app(self._wsgi_app, create_environ(url), buffered=True)
        return Response(b"".join(parts), *head)

    def own_threads(self):
        """The threads that serve requests, and the one that accepts connections."""
        return {*self.threads, *([self._socket_server.acceptor] if self._socket_server else [])}

    def stop(self):
        """Stop serving; return the threads of requests that do not end."""
        if self._socket_server:
            self._socket_server.stop()
        for thread in self.threads:
            thread.join(LIMIT)
        return [thread for thread in self.threads if thread.is_alive()]


class Exchange:
    """A request, and its response, a flask.Response, once there is one.

    thread: the one that calls send(*args, **kwargs) for it. limit: after that many seconds, wait()
    gives up; None if send has time limits of its own.
    """

    def __init__(self, changes, name, limit, send, *args, **kwargs):
        self._response = self._error = None
        self._name, self._limit = name, limit

        def run():
            try:
                self._response = send(*args, **kwargs)
            except BaseException as error:
                self._error = error
            changes.notify()

        self.thread = threading.Thread(target=run, daemon=True)

    def over(self):
        return self._response is not None or self._error is not None

    def wait(self):
        """Return the response once the request is over; raise Broken if there is none."""
        self.thread.join(self._limit)
        if isinstance(self._error, TimeoutError) or not self.over():
            raise Broken(
                f"{self._name} got no response within {LIMIT:.0f} seconds.",
                "The client is kept waiting.",
                "What does the request wait for? A join(), a lock, a loop?",
            )
        if self._error:
            raise Broken(
                f"{self._name} got no response: {described(self._error)}.",
                "The request ended without a response.",
                "Does something stop the thread that serves the request?",
            )
        return self._response


class SocketServer(servers.Server):
    """Flask's own server on a free port, and its client."""

    def __init__(self, wsgi_app):
        super().__init__(wsgi_app)
        self.start(0.002)

    def send(self, method, url, *, chunked=False, **request):
        """Send a request; return its response once the thread that served it has ended.

        By then, the server has closed the connection and the body's stream.
        """
        builder = EnvironBuilder(path=url, method=method, **request)
        built = builder.get_request()
        body, headers = built.get_data(), dict(built.headers)
        target = iri_to_uri(url) + (f"?{builder.query_string}" if builder.query_string else "")
        del headers["Host"]
        if chunked:
            del headers["Content-Length"]
            headers["Transfer-Encoding"] = "chunked"
            body = BytesIO(body)  # http.client sends in chunks what it reads from a file
        connection = http.client.HTTPConnection(*self.server_address, timeout=LIMIT)
        with contextlib.closing(connection):
            connection.connect()
            client = connection.sock.getsockname()
            connection.request(method, target, body, headers, encode_chunked=chunked)
            raw = connection.getresponse()
            response = Response(raw.read(), raw.status, raw.getheaders())
        self.by_client[client].join(LIMIT)
        return response
