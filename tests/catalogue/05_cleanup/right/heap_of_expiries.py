"""The cleaner comes first, end times are in a heap, and the log has the time of day."""

import heapq
import threading
import uuid
from datetime import datetime
from functools import wraps
from io import BytesIO
from time import monotonic, sleep

from flask import Flask, Response, abort, g, got_request_exception, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError

app = Flask(__name__)
app.config.update(WORK_SECONDS=10, KEEP_SECONDS=5 * 60, SWEEP_SECONDS=60)
api = Api(app)

tasks = {}  # task id: the response to a poll, as (body, status, headers)
ends = []  # a heap of (end time, task id)
stop_cleaner = threading.Event()
lock = threading.RLock()


@app.before_request
def look_for_cleaner():
    with lock:
        if not app.testing and not hasattr(app, "cleaner"):
            app.cleaner = threading.Thread(target=clean_for_ever)
            app.cleaner.daemon = True
            app.cleaner.start()


def clean_for_ever():
    while not stop_cleaner.wait(app.config["SWEEP_SECONDS"]):
        try:
            forgotten = clean_old_tasks()
            app.logger.debug("%s: %s tasks forgotten", datetime.now(), forgotten)
        except Exception:
            app.logger.exception("A sweep failed")


def clean_old_tasks():
    count = 0
    with lock:
        while ends and monotonic() - ends[0][0] > app.config["KEEP_SECONDS"]:
            tasks.pop(heapq.heappop(ends)[1], None)
            count += 1
    return count


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        context = app.request_context(copy_environ())
        on_g = dict(vars(g))
        task_id = uuid.uuid4().hex
        location = url_for("gettaskstatus", task_id=task_id)
        accepted = tasks[task_id] = "accepted\n", 202, {"Location": location}

        def task():
            response, unhandled = Response(status=500), None
            try:
                context.push()
                vars(g).update(on_g)
                response = response_of(view, args, kwargs)
            except BaseException as error:
                app.logger.exception("A task failed")
                unhandled = error
                response = error_500(error)
            finally:
                tasks[task_id] = response.get_data(), response.status, list(response.headers)
                with lock:
                    heapq.heappush(ends, (monotonic(), task_id))
                context.pop(unhandled)  # this and closing come last, because they can fail
                response.close()

        threading.Thread(target=task, daemon=True).start()
        return Response(*accepted)

    return accept


def copy_environ():
    body = request.get_data()
    return request.environ | {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}


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


class CatchAll(Resource):
    @async_api
    def get(self, path=""):
        sleep(app.config["WORK_SECONDS"])
        return f"The answer is: {path}"

    @async_api
    def post(self, path=""):
        sleep(app.config["WORK_SECONDS"])
        return {"path": path, "received": request.get_json()}


api.add_resource(CatchAll, "/", "/<path:path>")
api.add_resource(GetTaskStatus, "/status/<task_id>")
