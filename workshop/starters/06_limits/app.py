"""A slow endpoint that returns 202 Accepted immediately, with a URL to fetch the result from.

Each response is kept for five minutes and then forgotten, so that memory does not fill up.
"""

import threading
import time
import uuid
from collections import deque
from functools import wraps
from io import BytesIO

from flask import Flask, Response, abort, g, got_request_exception, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError, MethodNotAllowed

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
app.config["KEEP_SECONDS"] = 5 * 60  # how long a finished task's response is kept
app.config["SWEEP_SECONDS"] = 60  # how long the cleaner waits between two sweeps
app.config.from_prefixed_env()  # FLASK_WORK_SECONDS=3 in the environment overrides the 10
api = Api(app)

tasks = {}  # task id: the response to a poll, as (body, status, headers)
ended = deque()  # (end time, task id) of each finished task, oldest first
sweeping = threading.Lock()  # two sweeps at the same time could take each other's tasks
cleaner, starting = None, threading.Lock()  # two first requests can arrive at the same time
stop_cleaner = threading.Event()  # set it to end the cleaner immediately

# TODO (a): At most app.config["WORKERS"] tasks run at the same time, 8 by default. The others wait,
# and no request starts a thread anymore. What do all requests share?


def async_api(view):
    """Return 202 Accepted immediately, and do the view's work in a thread."""

    @wraps(view)
    def accept(*args, **kwargs):
        environ = copy_environ()
        from_hooks = dict(vars(g))  # what before_request functions put on g

        task_id = uuid.uuid4().hex  # random: no client can guess another's id
        location = url_for("gettaskstatus", task_id=task_id)
        accepted = "accepted\n", 202, {"Location": location, "Content-Type": "text/plain"}
        # TODO (b): At most app.config["WAITING"] tasks wait, 8 by default. Any further request gets
        # a 503 with Retry-After, and leaves nothing behind. Where does a task give its slot back?
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
                ended.append((time.monotonic(), task_id))

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


def clean_old_tasks():
    """Forget every task that ended more than KEEP_SECONDS ago. One call is one sweep."""
    with sweeping:
        horizon = time.monotonic() - app.config["KEEP_SECONDS"]
        while ended and ended[0][0] < horizon:
            _, task_id = ended.popleft()
            del tasks[task_id]


def keep_cleaning():
    while not stop_cleaner.wait(app.config["SWEEP_SECONDS"]):
        try:
            clean_old_tasks()
        except Exception:
            app.logger.exception("A sweep failed; the next one may succeed")


@app.before_request
def start_cleaner():
    """Start the cleaner with the first request, in each process that serves."""
    global cleaner
    with starting:
        if cleaner is None and not app.testing:
            cleaner = threading.Thread(target=keep_cleaning, daemon=True)
            cleaner.start()


# TODO (c): On SIGTERM or Ctrl-C, the server finishes the tasks that it accepted, and then ends with
# exit status 0. What if the server that imports this file has its own handlers?
#
# TODO (d): The server ends no later than app.config["GRACE_SECONDS"] after the signal, 30 by
# default. A second signal ends it immediately.
#
# TODO (e): A status URL's response may change any moment. Every 202 has Retry-After, and every
# response has Cache-Control: no-store, unless its view says otherwise.


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
