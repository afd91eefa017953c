"""A slow endpoint that answers 202 Accepted at once and says where to ask for its answer."""

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

tasks = {}  # task id: what to answer whoever asks now, as body, status, headers


# TODO 1: When a task ends, its time is noted. Which clock cannot be set back?


def async_api(view):
    """Answer 202 Accepted at once, and do the view's work in a thread."""

    @wraps(view)
    def accept(*args, **kwargs):
        environ = copy_environ()
        from_hooks = dict(vars(g))  # what before_request functions put on g

        task_id = uuid.uuid4().hex  # random: nobody can guess somebody else's
        location = url_for("gettaskstatus", task_id=task_id)
        accepted = "accepted\n", 202, {"Location": location, "Content-Type": "text/plain"}
        tasks[task_id] = accepted  # before the thread starts, for it may end first

        def task():
            answer = "", 500, {}  # in case the task dies without one
            try:
                with app.request_context(environ):
                    vars(g).update(from_hooks)
                    answer = answer_of(view, args, kwargs)
            finally:
                tasks[task_id] = answer

        # A daemon thread: Ctrl-C need not wait for it.
        threading.Thread(target=task, daemon=True).start()
        return Response(*accepted)

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
        response.direct_passthrough = False  # a file or a generator is read to its end
        response.make_sequence()  # here, where it may still fail
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
        answer = tasks.get(task_id)
        if answer is None:
            abort(404)
        return Response(*answer)

    def post(self, task_id):
        # Without this, CatchAll would take the POST for new work.
        raise MethodNotAllowed(["GET", "HEAD", "OPTIONS"])


# TODO 2: clean_old_tasks() forgets every task that ended more than app.config["KEEP_SECONDS"] ago,
# 300 unless configured otherwise. One call is one sweep. Other threads add tasks meanwhile!
#
# TODO 3: A cleaner calls it every app.config["SWEEP_SECONDS"], 60 unless configured otherwise. It
# starts with the first request, once, and not under TESTING. stop_cleaner, an Event, ends it.


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
