"""One lock is around all that touches tasks, and each sweep makes a new dict."""

import threading
import time
import uuid
from functools import wraps
from io import BytesIO

from flask import Flask, Response, abort, g, got_request_exception, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError

app = Flask(__name__)
app.config.update(WORK_SECONDS=10, KEEP_SECONDS=5 * 60, SWEEP_SECONDS=60)
api = Api(app)

tasks = {}  # task id: the response to a poll, as (body, status, headers)
ends = {}  # task id: when it ended
lock = threading.Lock()


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        body = request.get_data()
        environ = request.environ | {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        on_g = dict(vars(g))
        task_id = uuid.uuid4().hex
        location = url_for("gettaskstatus", task_id=task_id)
        accepted = "accepted\n", 202, {"Location": location}
        with lock:
            tasks[task_id] = accepted

        def task():
            parts = done(environ, on_g, view, args, kwargs)
            with lock:
                tasks[task_id] = parts
                ends[task_id] = time.monotonic()

        threading.Thread(target=task, daemon=True).start()
        return Response(*accepted)

    return accept


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
        with lock:
            parts = tasks.get(task_id)
        return Response(*parts) if parts else abort(404)

    def post(self, task_id):
        abort(405)  # without this, CatchAll would start a task


def clean_old_tasks():
    global tasks, ends
    with lock:
        keep = app.config["KEEP_SECONDS"]
        now = time.monotonic()
        ends = {task_id: when for task_id, when in ends.items() if now - when <= keep}
        # A running task's record is the 202.
        tasks = {
            task_id: parts for task_id, parts in tasks.items() if task_id in ends or parts[1] == 202
        }


stop_cleaner = threading.Event()


def keep_cleaning():
    while not stop_cleaner.is_set():
        try:
            clean_old_tasks()
        except Exception:
            app.logger.exception("A sweep failed")
        stop_cleaner.wait(app.config["SWEEP_SECONDS"])


started = False


@app.before_request
def start_cleaner():
    global started
    with lock:
        if started or app.config["TESTING"]:
            return
        started = True
    threading.Thread(target=keep_cleaning, daemon=True).start()


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
