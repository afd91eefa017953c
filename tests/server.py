"""The learner's app on a real socket, and a client: both know when a request is truly over."""

import contextlib
import functools
import http.client
import importlib.metadata
import threading
from io import BytesIO

from flask import Response
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import Client, EnvironBuilder
from werkzeug.urls import iri_to_uri

from tests.expect import LIMIT, Broken
from tests.learner import described

# Each new server asks for Werkzeug's version, which takes as long as a request.
importlib.metadata.version = functools.cache(importlib.metadata.version)


class Server(ThreadedWSGIServer):
    """Flask's own server on a free port, with a thread for each request."""

    class Handler(WSGIRequestHandler):
        def log(self, *args):
            """Say nothing: what a check has to say, it says itself."""

    def __init__(self, wsgi_app):
        super().__init__("127.0.0.1", 0, wsgi_app, handler=self.Handler)
        self.threads = {}  # by the client's address: the thread that serves it
        self._thread = threading.Thread(target=self.serve_forever, args=(0.002,), daemon=True)
        self._thread.start()

    def process_request(self, request, client_address):
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        self.threads[client_address] = thread
        thread.start()

    def handle_error(self, request, client_address):
        """Say nothing: the client sees its connection break off."""

    def own_threads(self):
        return {self._thread, *self.threads.values()}

    def stop(self):
        """Stop serving; return the threads of requests that do not come to an end."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        for thread in self.threads.values():
            thread.join(LIMIT)
        return [thread for thread in self.threads.values() if thread.is_alive()]

    def send(self, method, url, *, chunked=False, **request):
        """Send a request and return its answer, a flask.Response, once the request is over.

        It is over when the thread that served it has ended: by then the server has closed the
        connection and the body's stream. request: json, data, headers, query_string and so on,
        as Werkzeug's EnvironBuilder takes them. Raises Broken if there is no answer.
        """
        builder = EnvironBuilder(path=url, method=method, **request)
        built = builder.get_request()
        body, headers = built.get_data(), dict(built.headers)
        target = iri_to_uri(url) + (f"?{builder.query_string}" if builder.query_string else "")
        del headers["Host"]
        if chunked:
            del headers["Content-Length"]
            headers["Transfer-Encoding"] = "chunked"
            body = BytesIO(body)  # http.client sends what it reads from it in chunks
        connection = http.client.HTTPConnection(*self.server_address, timeout=LIMIT)
        try:
            with contextlib.closing(connection):
                connection.connect()
                address = connection.sock.getsockname()
                connection.request(method, target, body, headers, encode_chunked=chunked)
                raw = connection.getresponse()
                answer = Response(raw.read(), raw.status, raw.getheaders())
        except TimeoutError:
            raise no_answer(f"{method} {url}") from None
        except (http.client.HTTPException, OSError) as error:
            raise broken_off(f"{method} {url}", error) from None
        self.threads[address].join(LIMIT)
        return answer

    def ask(self, url):
        """GET a URL and return its answer, as send() does, but without a socket.

        It takes a third of the time, and will do where nothing of the request is looked at later.
        """
        answers, errors = [], []

        def serve():
            try:
                got = Client(self.app).get(url)
                answers.append(Response(got.data, got.status_code, list(got.headers)))
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=serve, daemon=True)
        self.threads[thread] = thread
        thread.start()
        thread.join(LIMIT)
        for error in errors:
            raise broken_off(f"GET {url}", error)
        if not answers:
            raise no_answer(f"GET {url}")
        return answers[0]


def no_answer(request):
    return Broken(
        f"No answer to {request} within {LIMIT:.0f} seconds.",
        "The client is kept waiting.",
        "What does the request wait for? A join(), a lock, a loop?",
    )


def broken_off(request, error):
    return Broken(
        f"The connection broke off during {request}: {described(error)}.",
        "The request ended without an answer.",
        "Did something stop the thread that serves the request?",
    )


class Exchange:
    """A request sent from a thread of its own; its answer, once there is one."""

    def __init__(self, server, happenings, method, url, **request):
        self.answer = self._error = None
        self._happenings = happenings

        def run():
            try:
                self.answer = server.send(method, url, **request)
            except BaseException as error:
                self._error = error
            happenings.note()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def over(self):
        return self.answer is not None or self._error is not None

    def wait(self):
        """Return the answer; raise Broken if none came. The client has a time-out of its own."""
        self._thread.join()
        if self._error:
            raise self._error
        return self.answer
