"""Threads take the tasks from a queue, and end when it is empty."""

import os
import signal
import threading
import time
import uuid
from collections import deque
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
waiting = deque()  # tasks that nobody works on yet
workers, changing, stopping = 0, threading.Lock(), threading.Event()
slots = threading.BoundedSemaphore(app.config["WORKERS"] + app.config["WAITING"])
soon = {"Retry-After": "1", "Content-Type": "text/plain"}
busy = "busy\n", 503, soon


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        global workers
        body = request.get_data()
        environ = request.environ | {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        on_g = dict(vars(g))
        task_id = uuid.uuid4().hex
        location = url_for("gettaskstatus", task_id=task_id)
        accepted = "accepted\n", 202, {"Location": location, **soon}

        def task():
            response = Response(status=500)
            try:
                with app.request_context(environ):
                    vars(g).update(on_g)
                    try:
                        response = response_of(view, args, kwargs)
                    except BaseException as error:
                        response = error_500(error)
                        raise
            finally:
                tasks[task_id] = response.get_data(), response.status, list(response.headers)
                ended.append((time.monotonic(), task_id))
                slots.release()
                response.close()

        if not slots.acquire(blocking=False):
            return Response(*busy)
        with changing:
            if stopping.is_set():
                return Response(*busy)
            tasks[task_id] = accepted
            waiting.append(task)
            one_more = workers < app.config["WORKERS"]
            workers += one_more
        if one_more:
            threading.Thread(target=keep_working, daemon=False).start()
        return Response(*accepted)

    return accept


def keep_working():
    global workers
    while True:
        with changing:
            if not waiting:
                workers -= 1
                return
            task = waiting.popleft()
        try:
            task()
        except BaseException:
            app.logger.exception("A task failed")


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
    stopping.set()
    limit = threading.Timer(app.config["GRACE_SECONDS"], os._exit, [1])
    limit.daemon = True
    limit.start()
    raise KeyboardInterrupt


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
