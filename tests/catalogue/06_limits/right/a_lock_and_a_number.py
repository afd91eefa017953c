"""A lock and a number count the places, and SIGTERM alone has a handler."""

import os
import signal
import sys
import threading
import time
import uuid
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from io import BytesIO

from flask import Flask, Response, g, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError, MethodNotAllowed

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
app.config["WORKERS"] = 8  # how many tasks run at the same time
app.config["WAITING"] = 8  # how many more may wait
app.config["GRACE_SECONDS"] = 30  # how long accepted tasks may take after a stop signal
app.config["KEEP_SECONDS"] = 5 * 60  # how long a finished task's response is kept
app.config["SWEEP_SECONDS"] = 60  # how long the cleaner waits between two sweeps
api = Api(app)

tasks = {}  # task id: the response to a poll, as (body, status, headers)
ended = deque()  # (end time, task id) of each finished task, oldest first
pool = ThreadPoolExecutor(app.config["WORKERS"])
taken, counting = 0, threading.Lock()
soon = {"Retry-After": "1", "Cache-Control": "no-store", "Content-Type": "text/plain"}


def take_place():
    """Return whether there was one."""
    global taken
    with counting:
        free = taken < app.config["WORKERS"] + app.config["WAITING"]
        taken += free
        return free


def return_place():
    global taken
    with counting:
        taken -= 1


def async_api(view):
    """Accept the request and do the view's work in the pool; 503 if every slot is taken."""

    @wraps(view)
    def accept(*args, **kwargs):
        environ = copy_environ()
        from_hooks = dict(vars(g))  # what before_request functions put on g

        task_id = uuid.uuid4().hex  # random: no client can guess another's id
        location = url_for("gettaskstatus", task_id=task_id)
        accepted = "accepted\n", 202, {"Location": location, **soon}

        def task():
            answer = "", 500, {}  # in case the task fails without one
            try:
                with app.request_context(environ):
                    vars(g).update(from_hooks)
                    answer = response_of(view, args, kwargs)
            except BaseException:  # a pool does not log what its tasks raise
                app.logger.exception("A task failed after its response: %s", location)
            finally:
                tasks[task_id] = answer
                ended.append((time.monotonic(), task_id))
                return_place()

        if not take_place():
            return "busy\n", 503, soon
        tasks[task_id] = accepted  # before the task starts, because it may end first
        try:
            pool.submit(task)
        except RuntimeError:  # the server is stopping
            return "stopping\n", 503, soon
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
            return {"message": "no such task"}, 404, {"Cache-Control": "no-store"}
        response = Response(*answer)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def post(self, task_id):
        # Without this, CatchAll would handle the POST and start a new task.
        raise MethodNotAllowed(["GET", "HEAD", "OPTIONS"])


sweeping = threading.Lock()


def clean_old_tasks():
    """Forget every task that ended more than KEEP_SECONDS ago. One call is one sweep."""
    with sweeping:  # two sweeps at the same time could take each other's tasks
        horizon = time.monotonic() - app.config["KEEP_SECONDS"]
        while ended and ended[0][0] < horizon:
            _, task_id = ended.popleft()
            del tasks[task_id]


stop_cleaner = threading.Event()  # set it to end the cleaner immediately


def keep_cleaning():
    while not stop_cleaner.wait(app.config["SWEEP_SECONDS"]):
        try:
            clean_old_tasks()
        except Exception:
            app.logger.exception("A sweep failed; the next one may succeed")


cleaner = None
starting = threading.Lock()


@app.before_request
def start_cleaner():
    """Start the cleaner with the first request, in each process that serves."""
    global cleaner
    with starting:  # two first requests can arrive at the same time
        if cleaner is None and not app.testing:
            cleaner = threading.Thread(target=keep_cleaning, daemon=True)
            cleaner.start()


def stop(signum, frame):
    limit = threading.Timer(app.config["GRACE_SECONDS"], os._exit, [1])
    limit.daemon = True
    limit.start()
    sys.exit()


if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
    signal.signal(signal.SIGTERM, stop)


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
