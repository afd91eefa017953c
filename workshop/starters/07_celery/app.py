"""A slow endpoint that returns 202 Accepted immediately, with a URL to fetch the result from.

Responses are kept for five minutes, tasks are limited, and each accepted task is finished.
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

from flask import Flask, Response, abort, g, got_request_exception, request, url_for
from flask_restful import Api, Resource
from kombu.utils import json
from werkzeug.exceptions import InternalServerError, MethodNotAllowed

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
app.config["WORKERS"] = 8  # how many tasks run at the same time
app.config["WAITING"] = 8  # how many more may wait
app.config["GRACE_SECONDS"] = 30  # how long accepted tasks may take after a stop signal
app.config["KEEP_SECONDS"] = 5 * 60  # how long a finished task's response is kept
app.config["SWEEP_SECONDS"] = 60  # how long the cleaner waits between two sweeps
app.config.from_prefixed_env()  # FLASK_WORK_SECONDS=3 in the environment overrides the 10
api = Api(app)

tasks = {}  # task id: the response to a poll, as (body, status, headers)
ended = deque()  # (end time, task id) of each finished task, oldest first
sweeping = threading.Lock()  # two sweeps at the same time could take each other's tasks
cleaner, starting = None, threading.Lock()  # two first requests can arrive at the same time
stop_cleaner = threading.Event()  # set it to end the cleaner immediately
pool = ThreadPoolExecutor(app.config["WORKERS"])
slots = threading.BoundedSemaphore(app.config["WORKERS"] + app.config["WAITING"])
soon = {"Retry-After": "5", "Content-Type": "text/plain"}  # half as long as the work takes
busy = "busy\n", 503, soon

# TODO (a): A worker, another process, does the view's work. Create Celery's app here, and call it
# celery. Its broker and its result store are at REDIS_URL. Which code do you no longer need?
#
# TODO (e): The store keeps a response for KEEP_SECONDS, and a note for WAIT_SECONDS: a day. How
# many lifetimes does a Celery app have?
#
# TODO (f): If a worker is killed or told to stop during a task, another worker does the task. When
# may the broker forget the message?
#
# TODO (g): While Redis is unreachable, requests and polls get a 503.
#
# TODO (h): No body is longer than app.config["MAX_CONTENT_LENGTH"], 16 MiB. Neither the log nor a
# monitor shows a header, a body or a response.


def async_api(view):
    """Accept the request and do the view's work in the pool; 503 if every slot is taken."""

    @wraps(view)
    def accept(*args, **kwargs):
        # TODO (b): In the worker, the task sees its request, as in step 3. What else has to be in
        # the message, in a form that JSON can hold?
        environ = copy_environ()
        from_hooks = dict(vars(g))  # what before_request functions put on g
        task_id = uuid.uuid4().hex  # random: no client can guess another's id
        location = url_for("gettaskstatus", task_id=task_id)
        accepted = "accepted\n", 202, {"Location": location, **soon}

        def task():
            if task_id not in tasks:  # submit() failed, but left it in the pool's queue
                return slots.release()
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
                slots.release()

        if not slots.acquire(blocking=False):
            return Response(*busy)
        tasks[task_id] = accepted  # before the task starts, because the task replaces it
        try:
            pool.submit(task)
        except RuntimeError:  # the server is stopping, or has no thread for it
            del tasks[task_id]
            return Response(*busy)
        return Response(*accepted)

    return accept


def only_json(values):
    """Return the values that survive JSON unchanged. The others stay in this process."""
    kept = {}
    for name, value in values.items():
        try:
            if json.loads(json.dumps(value)) == value:
                kept[name] = value
        except (TypeError, ValueError, RecursionError):
            pass
    return kept


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


# TODO (c): Any web process returns a 202 for a task that was accepted, and a 404 for any other.
# Celery reports PENDING for a waiting task and for an unknown one: how do you tell them apart?
#
# TODO (d): A poll of a finished task gets the response. What does a worker return, so that Celery
# stores the status, the headers and the body?
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
            if len(ended) % 100 == 0:
                time.sleep(0)  # in a long sweep, let requests go first


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


def stop(signum, frame):
    """End the server. Accepted tasks get GRACE_SECONDS to finish; a second signal ends them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if tasks:  # otherwise there is nothing to finish
        faulthandler.dump_traceback_later(app.config["GRACE_SECONDS"], exit=True)
    raise KeyboardInterrupt  # ends the server; Python then waits for the pool


in_main_thread = threading.current_thread() is threading.main_thread()  # only it can set handlers
if in_main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # gunicorn has its own
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


@app.after_request
def not_to_be_stored(response):
    """A status URL's response may change any moment, so no cache may keep it."""
    response.headers.setdefault("Cache-Control", "no-store")
    return response


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
