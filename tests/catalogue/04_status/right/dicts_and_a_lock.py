"""Records are dicts, and a lock is around whatever looks at them or changes them."""

import threading
import time
import uuid
from contextlib import ExitStack
from functools import wraps
from io import BytesIO

from flask import Flask, Response, g, got_request_exception, request, url_for
from flask_restful import Api, Resource, abort
from werkzeug.exceptions import InternalServerError

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
api = Api(app)

tasks = {}  # task id: a dict with what is to be said of the task
lock = threading.Lock()


def async_api(view):
    view = app.ensure_sync(view)  # runs an async def view to its end

    @wraps(view)
    def accept(*args, **kwargs):
        body = request.get_data()
        environ = request.environ | {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        on_g = dict(vars(g))
        task_id = uuid.uuid4().hex

        def change(**values):
            with lock:
                tasks[task_id].update(values)

        def keep(response):
            parts = response.get_data(), response.status, list(response.headers)
            change(response=Response(*parts))

        def task():
            try:
                with ExitStack() as stack:
                    stack.enter_context(app.request_context(environ))
                    vars(g).update(on_g)
                    try:
                        response = stack.enter_context(response_of(view, args, kwargs))
                    except BaseException as unhandled:
                        keep(stack.enter_context(error_500(unhandled)))
                        raise
                    keep(response)
            finally:  # the thread prints the error
                change(running=False)

        with lock:
            tasks[task_id] = {"running": True, "response": Response("the task died", 500)}
        threading.Thread(target=task, daemon=True).start()
        location = url_for("gettaskstatus", task_id=task_id)
        return {"status": location}, 202, {"Location": location}

    return accept


def response_of(view, args, kwargs):
    """Return the response without the decorator. Raise the error that nothing handles."""
    try:
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
            record = tasks.get(task_id)
            if record is None:
                abort(404, message="no such task")
            if record["running"]:
                return None, 202, {"Location": url_for("gettaskstatus", task_id=task_id)}
            return record["response"]

    def post(self, task_id):
        abort(405)  # without this, CatchAll would start a task


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
