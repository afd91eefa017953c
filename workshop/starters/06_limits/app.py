"""A slow endpoint that answers 202 Accepted at once and says where to ask for its answer.

An answer is kept for five minutes. Then it is forgotten, so that memory does not fill up.
"""

import threading
import time
import uuid
from collections import deque
from functools import wraps
from io import BytesIO

from flask import Flask, Response, abort, g, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError, MethodNotAllowed

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
app.config["KEEP_SECONDS"] = 5 * 60  # how long a finished task can still be asked for
app.config["SWEEP_SECONDS"] = 60  # the cleaner's rest between two sweeps
api = Api(app)

tasks = {}  # task id: what to answer whoever asks now, as body, status, headers
ended = deque()  # (when, task id) of the finished tasks, the oldest on the left

# TODO 1: At most app.config["WORKERS"] tasks are worked on at a time, and at most
# app.config["WAITING"] more wait: 8 and 8. Past that, a request is answered 503, with Retry-After,
# and leaves nothing behind. What do all requests share, and who gives a place back?


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
                ended.append((time.monotonic(), task_id))

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


# TODO 2: On SIGTERM or Ctrl-C, the server ends, and what it has accepted is finished. That takes
# app.config["GRACE_SECONDS"] at most, which is 30. What if the server has handlers of its own?
#
# TODO 3: What a task's address answers is true for now only. Every 202 says Retry-After, and every
# answer Cache-Control: no-store, unless its view says otherwise.


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
