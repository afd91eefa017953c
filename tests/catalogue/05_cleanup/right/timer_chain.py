"""Each sweep sets a timer for the next one."""

import threading
import time
import uuid
from collections import deque
from contextlib import ExitStack
from functools import wraps
from io import BytesIO

from flask import Flask, Response, abort, g, got_request_exception, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError

app = Flask(__name__)
app.config.update(WORK_SECONDS=10, KEEP_SECONDS=5 * 60, SWEEP_SECONDS=60)
api = Api(app)

tasks = {}  # task id: the response to a poll, as (body, status, headers)
ended = deque()  # (end time, task id) of each finished task, oldest first


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        body = request.get_data()
        environ = request.environ | {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        on_g = dict(vars(g))
        task_id = uuid.uuid4().hex
        location = url_for("gettaskstatus", task_id=task_id)
        accepted = tasks[task_id] = "accepted\n", 202, {"Location": location}
        parts = [("", 500, {})]

        def end():
            tasks[task_id] = parts[-1]
            ended.append((time.monotonic(), task_id))

        def task():
            with ExitStack() as stack:  # what enters it first is left last

                def keep(response):
                    stack.enter_context(response)
                    parts.append((response.get_data(), response.status, list(response.headers)))

                stack.callback(end)
                stack.enter_context(app.request_context(environ))
                vars(g).update(on_g)
                try:
                    keep(response_of(view, args, kwargs))
                except BaseException as unhandled:
                    keep(error_500(unhandled))
                    raise  # the thread prints it

        threading.Thread(target=task, daemon=True).start()
        return Response(*accepted)

    return accept


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
            abort(404)
        return Response(*parts)

    def post(self, task_id):
        abort(405)  # without this, CatchAll would start a task


sweeping = threading.Lock()


def clean_old_tasks():
    with sweeping:
        now = time.monotonic()
        while ended and now - ended[0][0] > app.config["KEEP_SECONDS"]:
            tasks.pop(ended.popleft()[1], None)


class Chain:
    """A timer that starts the next one, until set() is called."""

    def __init__(self):
        self.lock = threading.Lock()
        self.timer = None
        self.stopped = False

    def start_once(self):
        with self.lock:
            if self.timer is None:
                self.next()

    def next(self):
        self.timer = threading.Timer(app.config["SWEEP_SECONDS"], self.sweep)
        self.timer.daemon = True
        self.timer.start()

    def sweep(self):
        try:
            clean_old_tasks()
        except Exception:
            app.logger.exception("A sweep failed")
        with self.lock:
            if not self.stopped:
                self.next()

    def set(self):
        with self.lock:
            self.stopped = True
            if self.timer:
                self.timer.cancel()


stop_cleaner = Chain()


@app.before_request
def start_cleaner():
    if not app.testing:
        stop_cleaner.start_once()


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
