"""A lock and a number count the taken slots, and only SIGTERM has a handler."""

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
taken, counting = 0, threading.Lock()
soon = {"Retry-After": "1", "Cache-Control": "no-store", "Content-Type": "text/plain"}


def take_slot():
    """Return whether a slot was free."""
    global taken
    with counting:
        free = taken < app.config["WORKERS"] + app.config["WAITING"]
        taken += free
        return free


def release_slot():
    global taken
    with counting:
        taken -= 1


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
            try:
                with app.request_context(environ):
                    vars(g).update(on_g)
                    do(task_id, view, args, kwargs)
            except BaseException:
                app.logger.exception("A task failed")
            finally:
                if tasks[task_id] is accepted:
                    tasks[task_id] = "", 500, {}
                ended.append((time.monotonic(), task_id))
                release_slot()

        if not take_slot():
            return Response("busy\n", 503, soon)
        tasks[task_id] = accepted
        try:
            pool.submit(task)
        except RuntimeError:
            return Response("stopping\n", 503, soon)
        return Response(*accepted)

    return accept


def do(task_id, view, args, kwargs):
    """Do the work and keep its response. Raise the error that nothing handles."""
    try:
        keep(task_id, response_of(view, args, kwargs))
    except BaseException as error:
        keep(task_id, error_500(error))
        raise


def keep(task_id, response):
    tasks[task_id] = response.get_data(), response.status, list(response.headers)
    try:
        response.close()
    except BaseException:
        app.logger.exception("A response could not be closed")


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
        parts = tasks.get(task_id)
        if parts is None:
            return {"message": "no such task"}, 404, {"Cache-Control": "no-store"}
        response = Response(*parts)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

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
    limit = threading.Timer(app.config["GRACE_SECONDS"], os._exit, [1])
    limit.daemon = True
    limit.start()
    sys.exit()


if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
    signal.signal(signal.SIGTERM, stop)


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
