"""A right answer: the cleaner is a class of its own, started with the first accepted task."""

import threading
import time
import uuid
from functools import wraps
from io import BytesIO
from queue import Empty, SimpleQueue

from flask import Flask, Response, abort, g, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError, MethodNotAllowed

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
app.config["KEEP_SECONDS"] = 5 * 60  # how long a finished task's response is kept
app.config["SWEEP_SECONDS"] = 60  # how long the cleaner waits between two sweeps
api = Api(app)

tasks = {}  # task id: the response to a poll, as (body, status, headers)
waiting = SimpleQueue()  # (task id, when) of the finished tasks


def async_api(view):
    """Answer 202 Accepted immediately, and do the view's work in a thread."""

    @wraps(view)
    def accept(*args, **kwargs):
        environ = copy_environ()
        from_hooks = dict(vars(g))  # what before_request functions put on g

        task_id = uuid.uuid4().hex  # random: no client can guess another's id
        location = url_for("gettaskstatus", task_id=task_id)
        accepted = "accepted\n", 202, {"Location": location, "Content-Type": "text/plain"}
        tasks[task_id] = accepted  # before the thread starts, because it may end first

        def task():
            answer = "", 500, {}  # in case the task fails without one
            try:
                with app.request_context(environ):
                    vars(g).update(from_hooks)
                    answer = response_of(view, args, kwargs)
            finally:
                tasks[task_id] = answer
                waiting.put((time.monotonic_ns(), task_id))

        if not app.testing:
            cleaner.start_once()
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
        answer = tasks.get(task_id)
        if answer is None:
            abort(404)
        return Response(*answer)

    def post(self, task_id):
        # Without this, CatchAll would handle the POST and start a new task.
        raise MethodNotAllowed(["GET", "HEAD", "OPTIONS"])


class Cleaner(threading.Thread):
    def __init__(self):
        super().__init__(name="cleaner", daemon=True)
        self.stopping = threading.Event()
        self.begun = False
        self.looking = threading.RLock()
        self.ends = []

    def start_once(self):
        with self.looking:
            if not self.begun:
                self.begun = True
                self.start()

    def run(self):
        while not self.stopping.wait(app.config["SWEEP_SECONDS"]):
            try:
                clean_old_tasks()
            except Exception:
                app.logger.warning("A sweep failed", exc_info=True)

    def sweep(self):
        with self.looking:
            try:
                while True:
                    self.ends.append(waiting.get_nowait())
            except Empty:
                pass
            keep = app.config["KEEP_SECONDS"] * 1_000_000_000
            oldest = time.monotonic_ns() - keep
            old = [end for end in self.ends if end[0] < oldest]
            self.ends = [end for end in self.ends if end[0] >= oldest]
            for _, task_id in old:
                tasks.pop(task_id)


cleaner = Cleaner()
stop_cleaner = cleaner.stopping
clean_old_tasks = cleaner.sweep


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
