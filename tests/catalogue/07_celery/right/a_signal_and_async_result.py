"""A signal handler notes each task before it is sent, and a poll asks an AsyncResult."""

import os
import sys
import time
import uuid
from base64 import b64decode, b64encode
from functools import wraps
from io import BytesIO

from billiard.common import terminate_handler_fired
from celery import Celery, states
from celery.signals import before_task_publish
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
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    result_expires=app.config["KEEP_SECONDS"],
    result_backend_always_retry=True,
    result_backend_transport_options={"retry_policy": {"timeout": 1}},
    task_publish_retry=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": app.config["TAKEOVER_SECONDS"],
        "unacked_restore_throttle": 1,
        "max_retries": 0,
    },
)
# The same store, in which notes of tasks stay for longer
tasks = Celery("tasks", backend=REDIS_URL)
tasks.conf.update(
    result_expires=app.config["WAIT_SECONDS"],
    redis_socket_connect_timeout=1,
    redis_socket_timeout=1,
    result_backend_transport_options={"retry_policy": {"timeout": 1}},
)
unreachable = OperationalError, RedisError
soon = {"Retry-After": "1", "Content-Type": "text/plain"}
busy = "busy\n", 503, soon
views = {}  # name: view


def async_api(view):
    name = view.__qualname__
    if name in views:
        raise ValueError(f"Two views are named {name}.")
    views[name] = app.ensure_sync(view)

    @wraps(view)
    def accept(*args, **kwargs):
        body = b64encode(request.get_data()).decode()
        message = {"view": name, "environ": only_json(request.environ), "body": body}
        message |= {"on_g": only_json(vars(g)), "kwargs": only_json(kwargs)}
        task_id = uuid.uuid4().hex
        try:
            celery.send_task("do", kwargs={"packed": message}, task_id=task_id, kwargsrepr="")
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


@before_task_publish.connect
def note(headers, **_):
    tasks.backend.store_result(headers["id"], {"accepted": True}, "WAITING")


@celery.task(name="do", resultrepr_maxsize=8)
def do(packed):
    return work(**packed)


def work(view, environ, body, on_g, kwargs):
    kept = {}
    try:
        with app.request_context(whole_environ(environ, b64decode(body))):
            vars(g).update(on_g)
            resource = getattr(app.view_functions[request.endpoint], "view_class", None)
            args = [resource()] if resource else []
            do_view(views[view], args, kwargs, kept)
    except BaseException:
        if not kept:
            raise
        app.logger.exception("A task failed")
    return kept


def whole_environ(environ, body):
    if len(body) > app.config["MAX_CONTENT_LENGTH"]:
        raise ValueError("No web process accepts a body of this length.")
    own = {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body)), "wsgi.errors": sys.stderr}
    return environ | own


def do_view(view, args, kwargs, kept):
    """Do the work, and keep the response that there would be without the decorator."""
    try:
        if api.owns_endpoint(request.endpoint):
            view = api.output(view)
        response = whole(view(*args, **kwargs))
    except BaseException as error:
        if terminate_handler_fired():  # another worker does the task
            raise
        handle(error, kept)
    else:
        keep(response, kept)


def handle(error, kept):
    """Keep the response to an error. Raise it again if nothing handles it."""
    try:
        response = whole(app.handle_user_exception(error))
    except BaseException as unhandled:
        got_request_exception.send(app, exception=unhandled)
        failed = InternalServerError(original_exception=unhandled)
        keep(whole(app.handle_user_exception(failed)), kept)
        raise
    keep(response, kept)


def keep(response, kept):
    with response:  # closes it
        body = b64encode(response.get_data()).decode()
        kept.update(status=response.status, headers=list(response.headers), body=body)


def whole(result):
    """Return the response that Flask makes of the result, with its body in memory."""
    response = app.make_response(result)
    response.make_sequence()
    return response


class GetTaskStatus(Resource):
    def get(self, task_id):
        try:
            task = tasks.AsyncResult(task_id)
            state = task.state
            kept = task.result if state == states.SUCCESS else None
        except unreachable:
            return Response(*busy)
        if state == states.PENDING:  # to Celery, an unknown task
            abort(404)
        if kept:
            return Response(b64decode(kept["body"]), kept["status"], kept["headers"])
        if state in states.READY_STATES:  # the task itself failed, not only its view
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
