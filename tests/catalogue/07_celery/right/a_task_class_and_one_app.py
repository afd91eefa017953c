"""A subclass of Celery's Task does the work, and one Celery app has two backends."""

import os
import sys
import time
import uuid
from base64 import b64decode, b64encode
from functools import wraps
from io import BytesIO

from billiard.common import terminate_handler_fired
from celery import Celery, Task
from flask import Flask, Response, abort, g, got_request_exception, request, url_for
from flask_restful import Api, Resource
from kombu.exceptions import OperationalError
from kombu.utils import json
from redis.exceptions import RedisError
from werkzeug.exceptions import InternalServerError

app = Flask(__name__)
app.config.update(WORK_SECONDS=10, KEEP_SECONDS=5 * 60, WAIT_SECONDS=24 * 60 * 60)
app.config.update(TAKEOVER_SECONDS=60 * 60, MAX_CONTENT_LENGTH=16 * 2**20)
api = Api(app)

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
celery = Celery("async_api", broker=REDIS_URL, backend=REDIS_URL)
celery.conf.update(
    accept_content=["json"],
    worker_prefetch_multiplier=1,
    result_expires=app.config["KEEP_SECONDS"],
    result_backend_transport_options={"retry_policy": {"timeout": 1}},
    task_publish_retry=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": app.config["TAKEOVER_SECONDS"],
        "unacked_restore_throttle": 1,
        "max_retries": 0,
    },
)


def notes():
    """Return a backend for the same store, in which notes of tasks stay for longer."""
    backend = type(celery.backend)
    return backend(app=celery, url=celery.conf.result_backend, expires=app.config["WAIT_SECONDS"])


unreachable = OperationalError, RedisError
soon = {"Retry-After": "1", "Content-Type": "text/plain"}
busy = "busy\n", 503, soon
views = {}  # name: view


def async_api(view):
    name = view.__qualname__
    if name in views:
        raise ValueError(f"Two views are named {name}.")
    views[name] = view

    @wraps(view)
    def accept(*args, **kwargs):
        body = b64encode(request.get_data()).decode()
        message = name, only_json(request.environ), body, only_json(vars(g)), only_json(kwargs)
        task_id = uuid.uuid4().hex
        try:
            notes().store_result(task_id, None, "ACCEPTED")  # first: it may end immediately
            work.apply_async(message, task_id=task_id, shadow=name, argsrepr="…")
        except unreachable:
            return Response(*busy)
        return accepted(task_id)

    return accept


def only_json(values):
    """Return the values that survive JSON unchanged."""
    kept = {}
    for name, value in values.items():
        try:
            if json.loads(json.dumps(value)) == value:
                kept[name] = value
        except (TypeError, ValueError, RecursionError):
            pass
    return kept


def accepted(task_id):
    location = url_for("gettaskstatus", task_id=task_id)
    return Response("accepted\n", 202, {"Location": location, **soon})


class Work(Task):
    name = "work"
    resultrepr_maxsize = 10
    acks_late = reject_on_worker_lost = True

    def run(self, name, environ, body, on_g, kwargs):
        context = app.request_context(whole_environ(environ, b64decode(body)))
        context.push()
        unhandled = None
        try:
            vars(g).update(on_g)
            response, unhandled = self.respond(views[name], kwargs)
            body = b64encode(response.get_data()).decode()
            record = response.status, list(response.headers), body
        except BaseException as error:
            unhandled = error
            raise
        finally:
            self.tidy_up(context.pop, unhandled)
        self.tidy_up(response.close)
        return record

    def respond(self, view, kwargs):
        """Do the work; return the response, and the error if nothing handles it."""
        endpoint = app.view_functions[request.endpoint]
        resource = [endpoint.view_class()] if hasattr(endpoint, "view_class") else []
        try:
            view = app.ensure_sync(view)
            if api.owns_endpoint(request.endpoint):
                view = api.output(view)
            return whole(view(*resource, **kwargs)), None
        except BaseException as error:
            if terminate_handler_fired():  # another worker does the task
                raise
            return self.respond_to(error)

    def respond_to(self, error):
        try:
            return whole(app.handle_user_exception(error)), None
        except BaseException as unhandled:
            app.logger.exception("A task failed")
            got_request_exception.send(app, exception=unhandled)
            failed = InternalServerError(original_exception=unhandled)
            return whole(app.handle_user_exception(failed)), unhandled

    def tidy_up(self, function, *args):
        """Call a function whose error must not cost the response."""
        try:
            function(*args)
        except BaseException:
            app.logger.exception("A task failed after its view")


work = celery.register_task(Work())


def whole_environ(environ, body):
    if len(body) > app.config["MAX_CONTENT_LENGTH"]:
        raise ValueError("No web process accepts a body of this length.")
    own = {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body)), "wsgi.errors": sys.stderr}
    return environ | own


def whole(result):
    """Return the response that Flask makes of the result, with its body in memory."""
    response = app.make_response(result)
    response.make_sequence()
    return response


class GetTaskStatus(Resource):
    def get(self, task_id):
        try:
            task = celery.backend.get_task_meta(task_id)
        except unreachable:
            return Response(*busy)
        if task["status"] == "PENDING":  # to Celery, an unknown task
            abort(404)
        if task["status"] == "SUCCESS":
            status, headers, body = task["result"]
            return Response(b64decode(body), status, headers)
        if task["status"] == "FAILURE":  # the task itself failed, not only its view
            abort(500)
        return accepted(task_id)

    def post(self, task_id):
        abort(405)  # without this, CatchAll would start a task


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
