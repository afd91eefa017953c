"""A right answer: a record says itself when its task ended; a sweep looks at all of them."""

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
app.config["KEEP_SECONDS"] = 5 * 60  # how long a finished task's response is kept
app.config["SWEEP_SECONDS"] = 60  # how long the cleaner waits between two sweeps
api = Api(app)

tasks = {}  # task id: a record


def async_api(view):
    """Answer 202 Accepted immediately, and do the view's work in a thread."""

    @wraps(view)
    def accept(*args, **kwargs):
        environ = copy_environ()
        from_hooks = dict(vars(g))  # what before_request functions put on g

        task_id = uuid.uuid4().hex  # random: no client can guess another's id
        location = url_for("gettaskstatus", task_id=task_id)
        accepted = "accepted\n", 202, {"Location": location, "Content-Type": "text/plain"}
        record = tasks[task_id] = {"answer": accepted, "ended": None}

        def task():
            answer = "", 500, {}  # in case the task fails without one
            try:
                with app.request_context(environ):
                    vars(g).update(from_hooks)
                    answer = response_of(view, args, kwargs)
            finally:
                record["answer"] = answer
                record["ended"] = time.monotonic()

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
        record = tasks.get(task_id)
        if record is None:
            abort(404)
        return Response(*record["answer"])

    def post(self, task_id):
        # Without this, CatchAll would handle the POST and start a new task.
        raise MethodNotAllowed(["GET", "HEAD", "OPTIONS"])


def clean_old_tasks():
    now = time.monotonic()
    for task_id, record in list(tasks.items()):
        ended = record["ended"]
        if ended is not None and now - ended > app.config["KEEP_SECONDS"]:
            tasks.pop(task_id, None)


stop_cleaner = threading.Event()


def clean_until_stopped():
    while True:
        if stop_cleaner.wait(timeout=app.config["SWEEP_SECONDS"]):
            break
        try:
            clean_old_tasks()
        except Exception as error:
            app.logger.error("A sweep failed: %s", error)


cleaner = None
starting = threading.Lock()


@app.before_request
def ensure_cleaner():
    global cleaner
    if app.testing or cleaner:
        return
    with starting:
        if cleaner is None:
            cleaner = threading.Thread(target=clean_until_stopped, name="cleaner", daemon=True)
            cleaner.start()


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
