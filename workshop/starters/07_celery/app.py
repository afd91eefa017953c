"""A slow endpoint that answers 202 Accepted at once and says where to ask for its answer.

An answer is kept for five minutes. Only so many tasks are accepted at a time; what was accepted is
finished, also if the server is told to stop.
"""

import faulthandler
import signal
import threading
import time
import uuid
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from io import BytesIO

from flask import Flask, Response, abort, g, request, url_for
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

# TODO 1: Celery's application stands here, under the name celery. Its broker and its result store
# are at REDIS_URL. A second one, for the web processes, has another result_expires. What do
# workers have to do with a message when they begin, when they end, and when they are killed?

tasks = {}  # task id: what to answer whoever asks now, as body, status, headers
ended = deque()  # (when, task id) of the finished tasks, the oldest on the left
pool = ThreadPoolExecutor(app.config["WORKERS"])
room = threading.BoundedSemaphore(app.config["WORKERS"] + app.config["WAITING"])
soon = {"Retry-After": "1", "Content-Type": "text/plain"}  # ask again in a second
busy = "busy\n", 503, soon


def async_api(view):
    """Answer 202 Accepted at once, and do the view's work in the pool; 503 if there is no room."""

    @wraps(view)
    def accept(*args, **kwargs):
        environ = copy_environ()
        from_hooks = dict(vars(g))  # what before_request functions put on g

        task_id = uuid.uuid4().hex  # random: nobody can guess somebody else's
        location = url_for("gettaskstatus", task_id=task_id)
        accepted = "accepted\n", 202, {"Location": location, **soon}

        # TODO 2: A Celery task does this, in another process. So all that it needs goes along as
        # JSON: the environ, the body, what is on g, the view's name. The task is noted before it is
        # sent. If the broker cannot be reached, the answer is 503. What becomes superfluous?
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
                room.release()

        if not room.acquire(blocking=False):
            return Response(*busy)
        tasks[task_id] = accepted  # before the task starts, for it may end first
        try:
            pool.submit(task)
        except RuntimeError:  # the server is stopping
            return Response(*busy)
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
        # TODO 3: Any web process can say, because it asks the result store. What does Celery say
        # of a task that it has never heard of? Which other states are there?
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
            if len(ended) % 100 == 0:
                time.sleep(0)  # a long sweep lets requests go first


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
    """End the server. What was accepted has GRACE_SECONDS to end, whoever says stop again."""
    if cleaner is not None:  # before the first request there is nothing to finish
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        faulthandler.dump_traceback_later(app.config["GRACE_SECONDS"], exit=True)
    raise KeyboardInterrupt  # servers end by it, and Python ends when the pool is done


if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # gunicorn has handlers of its own
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


@app.after_request
def not_to_be_stored(response):
    """What a task's address answers is true for now only: no cache may keep it."""
    response.headers.setdefault("Cache-Control", "no-store")
    return response


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
