"""A record is an object with a method for each thing it does. Its event is set at its end."""

import threading
import time
import uuid
from functools import wraps
from io import BytesIO

from flask import Flask, Response, abort, g, got_request_exception, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
api = Api(app)

tasks = {}  # task id: its Task


class Task(threading.Thread):
    def __init__(self, view, args, kwargs):
        super().__init__(daemon=True)
        self.id = str(uuid.uuid4())
        self.work = lambda: app.ensure_sync(view)(*args, **kwargs)
        body = request.get_data()
        own = {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        self.environ = request.environ | own
        self.on_g = dict(vars(g))
        self.parts = b"", 500, []
        self.done = threading.Event()

    def run(self):
        try:
            with app.request_context(self.environ):
                vars(g).update(self.on_g)
                self.run_in_context()
        except BaseException:
            app.logger.exception("A task failed")
        finally:
            self.done.set()

    def run_in_context(self):
        try:
            response = self.response()
        except BaseException as error:
            with self.failure(error) as response:
                self.keep(response)
            raise  # so that teardown functions get it
        with response:  # closes it
            self.keep(response)

    def response(self):
        """Return the response without the decorator. Raise the error that nothing handles."""
        try:
            if api.owns_endpoint(request.endpoint):
                return whole(api.output(self.work)())
            return whole(self.work())
        except Exception as error:
            return whole(app.handle_user_exception(error))

    def failure(self, error):
        got_request_exception.send(app, exception=error)
        server_error = InternalServerError(original_exception=error)
        return whole(app.handle_user_exception(server_error))

    def keep(self, response):
        self.parts = response.get_data(), response.status, list(response.headers)

    def status(self):
        if self.done.is_set():
            return Response(*self.parts)
        location = url_for("gettaskstatus", task_id=self.id, _external=True)
        return Response(status=202, headers={"Location": location})


def whole(result):
    """Return the response that Flask makes of the result, with its body in memory."""
    response = app.make_response(result)
    response.make_sequence()
    return response


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        task = Task(view, args, kwargs)
        tasks[task.id] = task
        accepted = task.status()
        task.start()
        return accepted

    return accept


class GetTaskStatus(Resource):
    def get(self, task_id):
        if task_id not in tasks:
            abort(404)
        return tasks[task_id].status()

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
