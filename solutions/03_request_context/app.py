"""A slow endpoint whose work still sees its request, although it runs in another thread."""

import threading
import time
from functools import wraps
from io import BytesIO

from flask import Flask, g, request
from flask_restful import Api, Resource

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
app.config.from_prefixed_env()  # FLASK_WORK_SECONDS=3 in the environment overrides the 10
api = Api(app)


def async_api(view):
    """Return 202 Accepted immediately, and do the view's work in a thread."""

    @wraps(view)
    def accept(*args, **kwargs):
        environ = copy_environ()
        from_hooks = dict(vars(g))  # what before_request functions put on g

        def task():
            with app.request_context(environ):
                vars(g).update(from_hooks)
                view(*args, **kwargs)

        # A daemon thread: Ctrl-C does not wait for it.
        threading.Thread(target=task, daemon=True).start()
        return "accepted", 202

    return accept


def copy_environ():
    """Return the request's WSGI environ with its body in memory.

    The server closes its own wsgi.input as soon as the request is over.
    """
    body = request.get_data()
    environ = {**request.environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    environ.pop("HTTP_TRANSFER_ENCODING", None)  # no longer chunked: its length is known
    return environ


class CatchAll(Resource):
    @async_api
    def get(self, path=""):
        print(f"started /{path}")
        time.sleep(app.config["WORK_SECONDS"])  # stands in for the slow work
        print(f"finished /{path}")
        return f"The answer is: {path}"

    @async_api
    def post(self, path=""):
        time.sleep(app.config["WORK_SECONDS"])
        print(f"received {len(request.get_data())} bytes for /{path}")
        return {"path": path, "received": request.get_json()}


api.add_resource(CatchAll, "/", "/<path:path>")

if __name__ == "__main__":
    app.run(port=8000, debug=True)
