"""A slow endpoint that returns 202 Accepted immediately, with a URL to fetch the result from.

Celery's workers do the work: other processes, on this computer or on others. Any web process can
say how a task went. Each response is kept for five minutes.
"""

import os
import sys
import time
import uuid
from base64 import b64decode, b64encode
from functools import wraps
from io import BytesIO

from billiard.common import terminate_handler_fired
from celery import Celery
from flask import Flask, Response, abort, g, got_request_exception, request, url_for
from flask_restful import Api, Resource
from kombu.exceptions import OperationalError
from kombu.utils import json
from redis.exceptions import RedisError
from werkzeug.exceptions import InternalServerError, MethodNotAllowed

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
app.config["KEEP_SECONDS"] = 5 * 60  # how long a finished task's response is kept
app.config["WAIT_SECONDS"] = 24 * 60 * 60  # how long an unfinished task is remembered
app.config["TAKEOVER_SECONDS"] = 60 * 60  # a worker that needs longer for a task counts as dead
app.config["MAX_CONTENT_LENGTH"] = 16 * 2**20  # Flask returns 413 for a longer body
app.config.from_prefixed_env()  # FLASK_WORK_SECONDS=3 in the environment overrides the 10
api = Api(app)

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
celery = Celery("async_api", broker=REDIS_URL, backend=REDIS_URL)
celery.conf.update(
    accept_content=["json"],  # never pickle: loading a pickle can run any code
    task_acks_late=True,  # the broker keeps a task until it is done
    task_reject_on_worker_lost=True,  # another worker then does it
    worker_prefetch_multiplier=1,  # a busy worker leaves the rest to the others
    result_expires=app.config["KEEP_SECONDS"],
    result_backend_always_retry=True,  # a worker keeps its result until the store accepts it
    result_backend_transport_options={"retry_policy": {"timeout": 1}},
    task_publish_retry=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": app.config["TAKEOVER_SECONDS"],
        "unacked_restore_throttle": 1,  # look for tasks of killed workers every 10 s, not every 100
        "max_retries": 0,
    },
)
# Here, the web processes note each task before they send it. A note lasts longer than a response.
# If the store is unreachable, no request waits long for it.
tasks = Celery("tasks", backend=REDIS_URL)
tasks.conf.update(
    result_expires=app.config["WAIT_SECONDS"],
    redis_socket_connect_timeout=1,
    redis_socket_timeout=1,
    result_backend_transport_options={"retry_policy": {"timeout": 1}},
)
unreachable = OperationalError, RedisError
soon = {"Retry-After": "5", "Content-Type": "text/plain"}  # half as long as the work takes
busy = "busy\n", 503, soon
views = {}  # name: view. The worker has them too, because it imports this file


def async_api(view):
    """Return 202 Accepted immediately, and have a worker do the view's work."""
    name = view.__qualname__
    if name in views:
        raise ValueError(f"Two views are named {name}: a worker could not tell them apart.")
    views[name] = view

    @wraps(view)
    def accept(*args, **kwargs):
        body = b64encode(request.get_data()).decode()
        message = name, only_json(request.environ), body, only_json(vars(g)), only_json(kwargs)
        task_id = uuid.uuid4().hex  # random: no client can guess another's id
        try:
            tasks.backend.store_result(task_id, None, "ACCEPTED")  # first: it may end immediately
            work.apply_async(message, task_id=task_id, shadow=name, argsrepr="…")
        except unreachable:
            return Response(*busy)
        return accepted(task_id)

    return accept


def only_json(values):
    """Return the values that survive JSON unchanged. The others stay in this process."""
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


@celery.task(name="work", resultrepr_maxsize=10)  # keeps responses out of the log
def work(name, environ, body, from_hooks, kwargs):
    """Do one request's work in a worker; return its response in a form that JSON can hold."""
    record = None
    try:
        with app.request_context(whole_environ(environ, b64decode(body))):
            vars(g).update(from_hooks)
            resource = getattr(app.view_functions[request.endpoint], "view_class", None)
            args = [resource()] if resource else []  # self: a new one for each request
            response, unhandled = response_of(views[name], args, kwargs)
            body = b64encode(response.get_data()).decode()
            record = response.status, list(response.headers), body
            response.close()
            if unhandled:
                raise unhandled  # teardown functions have to know
    except BaseException:
        if record is None:
            raise
        app.logger.exception("A task failed: %s", name)
    return record


celery.finalize()  # now: if it came later, two first requests at the same time could fail


def whole_environ(environ, body):
    """Return a complete WSGI environ: with the body, and with what JSON could not hold."""
    if len(body) > app.config["MAX_CONTENT_LENGTH"]:
        raise ValueError("No web process accepts a body of this length.")
    environ = {**environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    environ.pop("HTTP_TRANSFER_ENCODING", None)  # no longer chunked: its length is known
    return {**environ, "wsgi.errors": sys.stderr}


def response_of(view, args, kwargs):
    """Do the work; return the response, and the error if nothing handles it."""
    try:
        view = app.ensure_sync(view)  # runs an async def view to its end
        if api.owns_endpoint(request.endpoint):  # Flask-RESTful has its own rules
            response = api.output(view)(*args, **kwargs)
        else:
            response = app.make_response(view(*args, **kwargs))
        response.make_sequence()  # read a file or a generator now, while an error can be caught
        return response, None
    except BaseException as error:  # even SystemExit ends the task
        if terminate_handler_fired():  # this worker was told to end: another does the task
            raise
        return error_response(error)


def error_response(error):
    """Return Flask's response to the error, and the error if nothing handles it."""
    try:
        return app.make_response(app.handle_user_exception(error)), None
    except BaseException as unhandled:
        got_request_exception.send(app, exception=unhandled)  # error trackers listen to it
        failed = InternalServerError(original_exception=unhandled)
        return app.make_response(app.handle_user_exception(failed)), unhandled


class GetTaskStatus(Resource):
    def get(self, task_id):
        try:
            task = tasks.backend.get_task_meta(task_id)
        except unreachable:
            return Response(*busy)
        if task["status"] == "PENDING":  # Celery's word for a task that it does not know
            abort(404)
        if task["status"] == "SUCCESS":
            status, headers, body = task["result"]
            return Response(b64decode(body), status, headers)
        if task["status"] == "FAILURE":  # the task itself failed: a failed view is a SUCCESS here
            abort(500)
        return accepted(task_id)

    def post(self, task_id):  # without this, CatchAll would start a new task
        raise MethodNotAllowed(["GET", "HEAD", "OPTIONS"])


@app.after_request
def not_to_be_stored(response):
    """A status URL's response may change any moment, so no cache may keep it."""
    response.headers.setdefault("Cache-Control", "no-store")
    return response


class CatchAll(Resource):
    @async_api
    def get(self, path=""):
        print(f"started /{path}")
        time.sleep(app.config["WORK_SECONDS"])  # stands in for the slow work
        print(f"finished /{path}")
        return f"The answer is: {path}"

    @async_api
    def post(self, path=""):
        time.sleep(app.config["WORK_SECONDS"])
        print(f"received {len(request.get_data())} bytes for /{path}")
        return {"path": path, "received": request.get_json()}


api.add_resource(CatchAll, "/", "/<path:path>")
api.add_resource(GetTaskStatus, "/status/<task_id>")

if __name__ == "__main__":
    app.run(port=8000, debug=True)
