"""A slow endpoint that answers 202 Accepted at once and says where to ask for its answer.

The work is done by Celery's workers: other processes, on this computer or on others. Any process
that serves can say how a task went. An answer is kept for five minutes.
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
from flask import Flask, Response, abort, g, request, url_for
from flask_restful import Api, Resource
from kombu.exceptions import OperationalError
from kombu.utils import json
from redis.exceptions import RedisError
from werkzeug.exceptions import InternalServerError, MethodNotAllowed

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
app.config["KEEP_SECONDS"] = 5 * 60  # how long a finished task can still be asked for
app.config["WAIT_SECONDS"] = 24 * 60 * 60  # how long one that is not finished can
app.config["TAKEOVER_SECONDS"] = 60 * 60  # then a worker with a task is taken to be dead
app.config["MAX_CONTENT_LENGTH"] = 16 * 2**20  # Flask answers 413 to a longer body
api = Api(app)

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
celery = Celery("async_api", broker=REDIS_URL, backend=REDIS_URL)
celery.conf.update(
    accept_content=["json"],  # never pickle: to read a pickle is to run what is in it
    task_acks_late=True,  # the broker keeps a task until it is done
    task_reject_on_worker_lost=True,  # then another worker does it
    worker_prefetch_multiplier=1,  # a worker that is busy leaves the rest to the others
    result_expires=app.config["KEEP_SECONDS"],
    result_backend_always_retry=True,  # a worker keeps its answer until the store takes it
    result_backend_transport_options={"retry_policy": {"timeout": 1}},
    task_publish_retry=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": app.config["TAKEOVER_SECONDS"],
        "unacked_restore_throttle": 1,  # look every 10 seconds for what nobody has finished
        "max_retries": 0,
    },
)
# What the web processes see of the tasks. A task is noted here before it is sent, for longer than
# its answer will be. Nobody is kept waiting if the store is not there.
tasks = Celery("tasks", backend=REDIS_URL)
tasks.conf.update(
    result_expires=app.config["WAIT_SECONDS"],
    redis_socket_connect_timeout=1,
    redis_socket_timeout=1,
    result_backend_transport_options={"retry_policy": {"timeout": 1}},
)
unreachable = OperationalError, RedisError
soon = {"Retry-After": "1", "Content-Type": "text/plain"}  # ask again in a second
busy = "busy\n", 503, soon


def async_api(view):
    """Answer 202 Accepted at once, and have the view's work done by a worker."""

    @celery.task(name=view.__qualname__, resultrepr_maxsize=5)
    def work(environ, body, from_hooks, kwargs):
        with app.request_context(whole_environ(environ, b64decode(body))):
            vars(g).update(from_hooks)
            endpoint = app.view_functions[request.endpoint]
            args = [endpoint.view_class()] if hasattr(endpoint, "view_class") else []
            body, status, headers = answer_of(view, args, kwargs)
        return status, headers, b64encode(body).decode()

    @wraps(view)
    def accept(*args, **kwargs):
        body = b64encode(request.get_data()).decode()
        message = only_json(request.environ), body, only_json(vars(g)), only_json(kwargs)
        task_id = uuid.uuid4().hex  # random: nobody can guess somebody else's
        try:
            tasks.backend.store_result(task_id, None, "ACCEPTED")  # it may end at once
            work.apply_async(message, task_id=task_id, argsrepr="-")
        except unreachable:
            return Response(*busy)
        return accepted(task_id)

    return accept


def only_json(values):
    """Return those that JSON gives back as they are. What else there is stays in this process."""
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


def whole_environ(environ, body):
    """Return a WSGI environ again, with the body and what JSON could not hold."""
    if len(body) > app.config["MAX_CONTENT_LENGTH"]:
        raise ValueError("No web process has accepted such a body.")
    environ = {**environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    environ.pop("HTTP_TRANSFER_ENCODING", None)  # no longer chunked: its length is known
    return {**environ, "wsgi.errors": sys.stderr}


def answer_of(view, args, kwargs):
    """Do the work; return the body, status and headers the blocking endpoint would send."""
    try:
        if api.owns_endpoint(request.endpoint):  # Flask-RESTful has rules of its own
            response = api.output(view)(*args, **kwargs)
        else:
            response = app.make_response(view(*args, **kwargs))
        response.make_sequence()  # a file or a generator is read here, where it may still fail
    except BaseException as error:  # SystemExit too: a task that died is not running
        if terminate_handler_fired():  # but this worker was told to end: another one does it
            raise
        response = error_response(error)
    return response.get_data(), response.status, list(response.headers)


def error_response(error):
    """Return what Flask makes of the error; of one that nobody handles, a plain 500."""
    try:
        return app.make_response(app.handle_user_exception(error))
    except BaseException as unhandled:
        app.logger.exception("A task failed: %s %s", request.method, request.path)
        failed = InternalServerError(original_exception=unhandled)
        return app.make_response(app.handle_user_exception(failed))


class GetTaskStatus(Resource):
    def get(self, task_id):
        try:
            task = tasks.backend.get_task_meta(task_id)
        except unreachable:
            return Response(*busy)
        if task["status"] == "PENDING":  # Celery says so of what it has never heard of
            abort(404)
        if task["status"] == "SUCCESS":
            status, headers, body = task["result"]
            return Response(b64decode(body), status, headers)
        if task["status"] == "FAILURE":  # not of the view: that is an answer
            abort(500)
        return accepted(task_id)

    def post(self, task_id):
        # Without this, CatchAll would take the POST for new work.
        raise MethodNotAllowed(["GET", "HEAD", "OPTIONS"])


@app.after_request
def not_to_be_stored(response):
    """What a task's address answers is true for now only: no cache may keep it."""
    response.headers.setdefault("Cache-Control", "no-store")
    return response


class CatchAll(Resource):
    @async_api
    def get(self, path=""):
        print(f"started /{path}")
        time.sleep(app.config["WORK_SECONDS"])  # stands for the slow work
        print(f"finished /{path}")
        return f"The answer is: {path}"

    @async_api
    def post(self, path=""):
        time.sleep(app.config["WORK_SECONDS"])
        print(f"received {len(request.get_data())} bytes for /{path}")
        return {"path": path, "received": request.get_json()}


api.add_resource(CatchAll, "/", "/<path:path>")
api.add_resource(GetTaskStatus, "/status/<task_id>")
celery.finalize()

if __name__ == "__main__":
    app.run(port=8000, debug=True)
