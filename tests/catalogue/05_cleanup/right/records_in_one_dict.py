"""A record itself says when its task ended, and a sweep looks at all of them."""

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

tasks = {}  # task id: a record


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        body = request.get_data()
        environ = request.environ | {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        on_g = dict(vars(g))
        task_id = uuid.uuid4().hex
        record = tasks[task_id] = {"response": ("", 500, {}), "ended": None}

        def task():
            try:
                with app.request_context(environ):
                    vars(g).update(on_g)
                    do(record, view, args, kwargs)
            except BaseException:
                app.logger.exception("A task failed")
            finally:
                record["ended"] = time.monotonic()

        threading.Thread(target=task, daemon=True).start()
        return accepted(task_id)

    return accept


def accepted(task_id):
    location = url_for("gettaskstatus", task_id=task_id)
    return Response("accepted\n", 202, {"Location": location})


def do(record, view, args, kwargs):
    """Do the work and put its response into the record. Raise the error that nothing handles."""
    try:
        put(response_of(view, args, kwargs), record)
    except BaseException as error:
        put(error_500(error), record)
        raise


def put(response, record):
    record["response"] = response.get_data(), response.status, list(response.headers)
    try:
        response.close()
    except BaseException as error:
        app.logger.error("A response could not be closed: %s", error)


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
        record = tasks.get(task_id) or abort(404)
        if record["ended"] is None:
            return accepted(task_id)
        return Response(*record["response"])

    def post(self, task_id):
        abort(405)  # without this, CatchAll would start a task


def clean_old_tasks():
    now = time.monotonic()
    for task_id, record in list(tasks.items()):
        ended = record["ended"]
        if ended is not None and now - ended > app.config["KEEP_SECONDS"]:
            tasks.pop(task_id, None)


stop_cleaner = threading.Event()


def clean_until_stopped():
    while True:
        if stop_cleaner.wait(timeout=app.config["SWEEP_SECONDS"]):
            break
        try:
            clean_old_tasks()
        except Exception as error:
            app.logger.error("A sweep failed: %s", error)


cleaner = None
starting = threading.Lock()


@app.before_request
def ensure_cleaner():
    global cleaner
    if app.testing or cleaner:
        return
    with starting:
        if cleaner is None:
            cleaner = threading.Thread(target=clean_until_stopped, name="cleaner", daemon=True)
            cleaner.start()


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
