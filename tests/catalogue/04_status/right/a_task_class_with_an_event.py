"""A record is an object, whose event is set once its answer is there."""

import threading
import time
import uuid
from functools import wraps
from io import BytesIO

from flask import Flask, Response, abort, g, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError, MethodNotAllowed

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
api = Api(app)

tasks = {}  # task id: its Task


class Task(threading.Thread):
    def __init__(self, view, args, kwargs):
        super().__init__(daemon=True)
        self.id = str(uuid.uuid4())
        self.view, self.view_args = view, (args, kwargs)
        self.environ, self.from_hooks = copy_environ(), dict(vars(g))
        self.done = threading.Event()
        self.status, self.headers, self.body = 500, [], b""

    @property
    def location(self):
        return url_for("gettaskstatus", task_id=self.id, _external=True)

    def run(self):
        try:
            with app.request_context(self.environ):
                vars(g).update(self.from_hooks)
                self.body, self.status, self.headers = response_of(self.view, *self.view_args)
        finally:
            self.done.set()

    def response(self):
        if not self.done.is_set():
            return Response(status=202, headers={"Location": self.location})
        return Response(self.body, self.status, self.headers)


def async_api(view):
    """Answer 202 Accepted immediately, and do the view's work in a thread."""

    @wraps(view)
    def accept(*args, **kwargs):
        task = Task(view, args, kwargs)
        response = task.response()
        tasks[task.id] = task
        task.start()
        return response

    return accept


def copy_environ():
    """Return the request's WSGI environ with its body in memory.

    The server closes its own wsgi.input as soon as the request is over.
    """
    body = request.get_data()
    environ = {**request.environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    environ.pop("HTTP_TRANSFER_ENCODING", None)  # no longer chunked: its length is known
    return environ


def response_of(view, args, kwargs):
    """Do the work; return the body, status and headers that the blocking endpoint would send."""
    try:
        if api.owns_endpoint(request.endpoint):  # Flask-RESTful has its own rules
            response = api.output(view)(*args, **kwargs)
        else:
            response = app.make_response(view(*args, **kwargs))
        response.make_sequence()  # read a file or a generator now, while an error can be caught
    except BaseException as error:  # even SystemExit ends the task
        response = error_response(error)
    return response.get_data(), response.status, list(response.headers)


def error_response(error):
    """Return the response that Flask builds from the error: a plain 500 if nothing handles it."""
    try:
        return app.make_response(app.handle_user_exception(error))
    except BaseException as unhandled:
        app.logger.exception("A task failed: %s %s", request.method, request.path)
        failed = InternalServerError(original_exception=unhandled)
        return app.make_response(app.handle_user_exception(failed))


class GetTaskStatus(Resource):
    def get(self, task_id):
        if task_id not in tasks:
            abort(404)
        return tasks[task_id].response()

    def post(self, task_id):
        # Without this, CatchAll would handle the POST and start a new task.
        raise MethodNotAllowed(["GET", "HEAD", "OPTIONS"])


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
api.add_resource(GetTaskStatus, "/status/<task_id>")

if __name__ == "__main__":
    app.run(port=8000, debug=True)
