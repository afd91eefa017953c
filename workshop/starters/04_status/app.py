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


# TODO 1: Each task gets an id that nobody can guess, and a record in the dict tasks. The 202 has
# the task's URL in its Location header. When does the record have to be there?
#
# TODO 2: When the view is done, the record holds what the blocking endpoint would have sent:
# status, headers and body. What if the view aborts? What if it raises SystemExit?


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


# TODO 3: GetTaskStatus, a resource at /status/<task_id>. It returns 404, or 202 with Location, or
# what the task's record holds. A POST to it must not start a new task: 405.


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
