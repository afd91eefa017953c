"""The handler itself waits for the futures, and the set of futures counts the taken slots."""

import os
import signal
import threading
import time
import uuid
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from functools import wraps
from io import BytesIO

from flask import Flask, Response, abort, g, got_request_exception, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError

app = Flask(__name__)
app.config.update(WORK_SECONDS=10, WORKERS=8, WAITING=8, GRACE_SECONDS=30)
app.config.update(KEEP_SECONDS=5 * 60, SWEEP_SECONDS=60)
api = Api(app)

tasks = {}  # task id: the response to a poll, as (body, status, headers)
ended = deque()  # (end time, task id) of each finished task, oldest first
sweeping, starting = threading.Lock(), threading.Lock()
cleaner, stop_cleaner = None, threading.Event()
pool = ThreadPoolExecutor(app.config["WORKERS"])
unfinished, changing = set(), threading.Lock()  # unfinished: futures
stopping = False
soon = {"Retry-After": "1", "Content-Type": "text/plain"}


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        body = request.get_data()
        environ = request.environ | {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        on_g = dict(vars(g))
        task_id = uuid.uuid4().hex
        location = url_for("gettaskstatus", task_id=task_id)
        accepted = "accepted\n", 202, {"Location": location, **soon}

        def task():
            tasks[task_id] = done(environ, on_g, view, args, kwargs)
            ended.append((time.monotonic(), task_id))

        with changing:
            if stopping or len(unfinished) >= app.config["WORKERS"] + app.config["WAITING"]:
                return Response("busy\n", 503, soon)
            tasks[task_id] = accepted
            future = pool.submit(task)
            unfinished.add(future)
        future.add_done_callback(forget)
        return Response(*accepted)

    return accept


def forget(future):
    with changing:
        unfinished.discard(future)


def done(environ, on_g, view, args, kwargs):
    """Do the work, whatever happens; return the body, status and headers of the response."""
    parts = "", 500, {}
    try:
        with app.request_context(environ):
            vars(g).update(on_g)
            try:
                response = response_of(view, args, kwargs)
            except BaseException as unhandled:
                with error_500(unhandled) as response:
                    parts = parts_of(response)
                raise
            with response:  # closes it
                parts = parts_of(response)
    except BaseException:
        app.logger.exception("A task failed")
    return parts


def parts_of(response):
    return response.get_data(), response.status, list(response.headers)


def response_of(view, args, kwargs):
    """Return the response without the decorator. Raise the error that nothing handles."""
    try:
        view = app.ensure_sync(view)
        if api.owns_endpoint(request.endpoint):
            view = api.output(view)
        return whole(view(*args, **kwargs))
    except Exception as error:
        return whole(app.handle_user_exception(error))


def error_500(unhandled):
    """Return the 500 for an error that nothing handles, once error trackers are told of it."""
    got_request_exception.send(app, exception=unhandled)
    return whole(app.handle_user_exception(InternalServerError(original_exception=unhandled)))


def whole(result):
    """Return the response that Flask makes of the result, with its body in memory."""
    response = app.make_response(result)
    response.make_sequence()
    return response


class GetTaskStatus(Resource):
    def get(self, task_id):
        return Response(*(tasks.get(task_id) or abort(404)))

    def post(self, task_id):
        abort(405)  # without this, CatchAll would start a task


def clean_old_tasks():
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
            app.logger.exception("A sweep failed")


@app.before_request
def start_cleaner():
    global cleaner
    with starting:
        if cleaner is None and not app.testing:
            cleaner = threading.Thread(target=keep_cleaning, daemon=True)
            cleaner.start()


def stop(signum, frame):
    global stopping
    stopping = True
    left = wait(set(unfinished), timeout=app.config["GRACE_SECONDS"]).not_done
    os._exit(1 if left else 0)


if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


@app.after_request
def not_to_be_stored(response):
    response.headers.setdefault("Cache-Control", "no-store")
    return response


class CatchAll(Resource):
    @async_api
    def get(self, path=""):
        time.sleep(app.config["WORK_SECONDS"])
        return f"The answer is: {path}"

    @async_api
    def post(self, path=""):
        time.sleep(app.config["WORK_SECONDS"])
        return {"path": path, "received": request.get_json()}


api.add_resource(CatchAll, "/", "/<path:path>")
api.add_resource(GetTaskStatus, "/status/<task_id>")
