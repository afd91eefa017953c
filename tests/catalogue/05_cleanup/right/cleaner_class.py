"""The cleaner is a class of its own, started with the first accepted task."""

import threading
import time
import uuid
from functools import wraps
from io import BytesIO
from queue import Empty, SimpleQueue

from flask import Flask, Response, abort, g, got_request_exception, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError

app = Flask(__name__)
app.config.update(WORK_SECONDS=10, KEEP_SECONDS=5 * 60, SWEEP_SECONDS=60)
api = Api(app)

tasks = {}  # task id: the response to a poll, as (body, status, headers)
waiting = SimpleQueue()  # (end time, task id) of finished tasks that no sweep has seen yet


class Cleaner(threading.Thread):
    def __init__(self):
        super().__init__(name="cleaner", daemon=True)
        self.stopping = threading.Event()
        self.begun = False
        self.looking = threading.RLock()
        self.ends = []

    def start_once(self):
        with self.looking:
            if not self.begun:
                self.begun = True
                self.start()

    def run(self):
        while not self.stopping.wait(app.config["SWEEP_SECONDS"]):
            try:
                clean_old_tasks()
            except Exception:
                app.logger.warning("A sweep failed", exc_info=True)

    def sweep(self):
        with self.looking:
            try:
                while True:
                    self.ends.append(waiting.get_nowait())
            except Empty:
                pass
            keep = app.config["KEEP_SECONDS"] * 1_000_000_000
            oldest = time.monotonic_ns() - keep
            old = [end for end in self.ends if end[0] < oldest]
            self.ends = [end for end in self.ends if end[0] >= oldest]
            for _, task_id in old:
                tasks.pop(task_id)


cleaner = Cleaner()
stop_cleaner = cleaner.stopping
clean_old_tasks = cleaner.sweep


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        body = request.get_data()
        environ = request.environ | {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        on_g = dict(vars(g))
        task_id = uuid.uuid4().hex
        location = url_for("gettaskstatus", task_id=task_id)
        accepted = tasks[task_id] = "accepted\n", 202, {"Location": location}

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
            except BaseException:
                app.logger.exception("A task failed")
            finally:
                tasks[task_id] = response.get_data(), response.status, list(response.headers)
                waiting.put((time.monotonic_ns(), task_id))
                response.close()  # if this fails, the thread prints the error

        if not app.testing:
            cleaner.start_once()
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
        return Response(*(tasks.get(task_id) or abort(404)))

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
