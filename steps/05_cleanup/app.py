"""A slow endpoint that returns 202 Accepted immediately, with a URL to fetch the result from."""

import threading
import time
import uuid
from functools import wraps
from io import BytesIO

from flask import Flask, Response, abort, g, got_request_exception, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError, MethodNotAllowed

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
app.config.from_prefixed_env()  # FLASK_WORK_SECONDS=3 in the environment overrides the 10
api = Api(app)

tasks = {}  # task id: the response to a poll, as (body, status, headers)


def async_api(view):
    """Return 202 Accepted immediately, and do the view's work in a thread."""

    @wraps(view)
    def accept(*args, **kwargs):
        environ = copy_environ()
        from_hooks = dict(vars(g))  # what before_request functions put on g

        task_id = uuid.uuid4().hex  # random: no client can guess another's id
        location = url_for("gettaskstatus", task_id=task_id)
        accepted = "accepted\n", 202, {"Location": location, "Content-Type": "text/plain"}
        tasks[task_id] = accepted  # before the thread starts, because the thread replaces it

        def task():
            record = "", 500, {}  # in case the task fails without a response
            try:
                with app.request_context(environ):
                    vars(g).update(from_hooks)
                    response, unhandled = response_of(view, args, kwargs)
                    record = response.get_data(), response.status, list(response.headers)
                    response.close()
                    if unhandled:
                        raise unhandled  # teardown functions have to know
            except BaseException:
                app.logger.exception("A task failed: %s", location)
            finally:
                tasks[task_id] = record

        # A daemon thread: Ctrl-C does not wait for it.
        threading.Thread(target=task, daemon=True).start()
        return Response(*accepted)

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
    """Do the work; return the response, and the error if nothing handles it."""
    try:
        view = app.ensure_sync(view)  # runs an async def view to its end
        if api.owns_endpoint(request.endpoint):  # Flask-RESTful has its own rules
            response = api.output(view)(*args, **kwargs)
        else:
            response = app.make_response(view(*args, **kwargs))
        response.make_sequence()  # read a file or a generator now, while an error can be caught
        return response, None
    except BaseException as error:  # even SystemExit ends the task
        return error_response(error)


def error_response(error):
    """Return Flask's response to the error, and the error if nothing handles it."""
    try:
        return app.make_response(app.handle_user_exception(error)), None
    except BaseException as unhandled:
        got_request_exception.send(app, exception=unhandled)  # error trackers listen to it
        failed = InternalServerError(original_exception=unhandled)
        return app.make_response(app.handle_user_exception(failed)), unhandled


class GetTaskStatus(Resource):
    def get(self, task_id):
        record = tasks.get(task_id)
        if record is None:
            abort(404)
        return Response(*record)

    def post(self, task_id):  # without this, CatchAll would start a new task
        raise MethodNotAllowed(["GET", "HEAD", "OPTIONS"])


# TODO (a): clean_old_tasks() forgets each task that ended more than app.config["KEEP_SECONDS"] ago,
# 300 by default. One call is one sweep. Which clock tells you when a task ended?
#
# TODO (b): A cleaner, a thread that calls it every app.config["SWEEP_SECONDS"], 60 by default. A
# request starts it, but not under TESTING. Setting stop_cleaner, an Event, ends it.
#
# TODO (c): Only the first request starts a cleaner, and only one thread sweeps at a time.
#
# TODO (d): A sweep that fails is logged, and the cleaner carries on with the next one.


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
