"""An executor does the work, and a record is its Future."""

import secrets
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import wraps
from io import BytesIO

from flask import Flask, Response, abort, g, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError, MethodNotAllowed

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
api = Api(app)

pool = ThreadPoolExecutor(max_workers=32)
tasks: dict[str, Future] = {}


def async_api(view):
    """Answer 202 Accepted at once, and do the view's work in a thread."""

    @wraps(view)
    def accept(*args, **kwargs):
        environ = copy_environ()
        from_hooks = dict(vars(g))  # what before_request functions put on g

        task_id = secrets.token_urlsafe(16)
        location = url_for("gettaskstatus", task_id=task_id)

        def task():
            with app.request_context(environ):
                vars(g).update(from_hooks)
                return answer_of(view, args, kwargs)

        tasks[task_id] = pool.submit(task)
        return "accepted", 202, {"Location": location}

    return accept


def copy_environ():
    """Return the request's WSGI environ with its body in memory.

    The server closes its own wsgi.input once the request is answered.
    """
    body = request.get_data()
    environ = {**request.environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    environ.pop("HTTP_TRANSFER_ENCODING", None)  # no longer chunked: its length is known
    return environ


def answer_of(view, args, kwargs):
    """Do the work; return the body, status and headers the blocking endpoint would send."""
    try:
        if api.owns_endpoint(request.endpoint):  # Flask-RESTful has rules of its own
            response = api.output(view)(*args, **kwargs)
        else:
            response = app.make_response(view(*args, **kwargs))
        response.make_sequence()  # a file or a generator is read here, where it may still fail
    except BaseException as error:  # SystemExit too: a task that died is not running
        response = error_response(error)
    return response.get_data(), response.status, list(response.headers)


def error_response(error):
    """Return what Flask makes of the error; of one that nobody handles, a plain 500."""
    try:
        return app.make_response(app.handle_user_exception(error))
    except BaseException as unhandled:
        app.logger.exception("A task failed: %s %s", request.method, request.path)
        failed = InternalServerError(original_exception=unhandled)
        return app.make_response(app.handle_user_exception(failed))


class GetTaskStatus(Resource):
    def get(self, task_id):
        try:
            future = tasks[task_id]
        except KeyError:
            abort(404)
        if not future.done():
            return "running", 202, {"Location": request.script_root + request.path}
        if future.exception():
            return {"message": "Internal Server Error"}, 500
        return Response(*future.result())

    def post(self, task_id):
        # Without this, CatchAll would take the POST for new work.
        raise MethodNotAllowed(["GET", "HEAD", "OPTIONS"])


class CatchAll(Resource):
    @async_api
    def get(self, path=""):
        print(f"started /{path}")
        time.sleep(app.config["WORK_SECONDS"])  # stands for the slow work
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
