"""Who reads the bodies of requests."""

import threading


class Stream:
    """A server's stream of a body, which notes who reads it. readers: their threads."""

    def __init__(self, stream):
        self._stream, self.readers = stream, []

    def __getattr__(self, name):
        if name.startswith("read"):
            self.readers.append(threading.current_thread())
        return getattr(self._stream, name)


def watch_streams(site):
    """Serve the site's app with a Stream for every body; return the list that they go into."""
    streams = []

    def wsgi_app(environ, start_response):
        stream = Stream(environ["wsgi.input"])
        streams.append(stream)
        return site.app({**environ, "wsgi.input": stream}, start_response)

    site.wsgi_app = wsgi_app
    return streams
