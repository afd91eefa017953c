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
app.config["WORKERS"] = 8  # how many tasks are worked on at a time
app.config["WAITING"] = 8  # how many more may wait for their turn
app.config["GRACE_SECONDS"] = 30  # how long a server that stops works on what it has accepted
app.config["KEEP_SECONDS"] = 5 * 60  # how long a finished task can still be asked for
app.config["SWEEP_SECONDS"] = 60  # the cleaner's rest between two sweeps
api = Api(app)

tasks = {}  # task id: what to answer whoever asks now, as body, status, headers
ended = deque()  # (when, task id) of the finished tasks, the oldest on the left
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
    """Answer 202 Accepted at once, and do the view's work in the pool; 503 if there is no room."""

    @wraps(view)
    def accept(*args, **kwargs):
        environ = copy_environ()
        from_hooks = dict(vars(g))  # what before_request functions put on g

        task_id = uuid.uuid4().hex  # random: nobody can guess somebody else's
        location = url_for("gettaskstatus", task_id=task_id)
        accepted = "accepted\n", 202, {"Location": location, **soon}

        def task():
            answer = "", 500, {}  # in case the task dies without one
            try:
                with app.request_context(environ):
                    vars(g).update(from_hooks)
                    answer = answer_of(view, args, kwargs)
            except BaseException:  # a pool does not say what its tasks die of
                app.logger.exception("A task died after its answer: %s", location)
            finally:
                tasks[task_id] = answer
                ended.append((time.monotonic(), task_id))
                return_place()

        if not take_place():
            return "busy\n", 503, soon
        tasks[task_id] = accepted  # before the task starts, for it may end first
        try:
            pool.submit(task)
        except RuntimeError:  # the server is stopping
            return "stopping\n", 503, soon
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
            return {"message": "no such task"}, 404, {"Cache-Control": "no-store"}
        response = Response(*answer)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def post(self, task_id):
        # Without this, CatchAll would take the POST for new work.
        raise MethodNotAllowed(["GET", "HEAD", "OPTIONS"])


sweeping = threading.Lock()


def clean_old_tasks():
    """Forget every task that ended more than KEEP_SECONDS ago. One call is one sweep."""
    with sweeping:  # two sweeps at once could each take what the other has looked at
        horizon = time.monotonic() - app.config["KEEP_SECONDS"]
        while ended and ended[0][0] < horizon:
            _, task_id = ended.popleft()
            del tasks[task_id]


stop_cleaner = threading.Event()  # set it, and the cleaner ends at once


def keep_cleaning():
    while not stop_cleaner.wait(app.config["SWEEP_SECONDS"]):
        try:
            clean_old_tasks()
        except Exception:
            app.logger.exception("A sweep failed; the next one may not")


cleaner = None
starting = threading.Lock()


@app.before_request
def start_cleaner():
    """Start the cleaner with the first request, in each process that serves."""
    global cleaner
    with starting:  # first requests can come two at a time
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
