"""An executor does the work, and a record is its Future, which closes the response."""

import secrets
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import wraps
from io import BytesIO

from flask import Flask, Response, abort, g, got_request_exception, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
api = Api(app)

pool = ThreadPoolExecutor(max_workers=32)
tasks: dict[str, Future] = {}


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        task_id = secrets.token_urlsafe(16)
        future = pool.submit(task, copy_environ(), dict(vars(g)), view, args, kwargs)
        tasks[task_id] = future
        future.add_done_callback(close)
        return "accepted", 202, {"Location": url_for("gettaskstatus", task_id=task_id)}

    return accept


def copy_environ():
    body = request.get_data()
    return request.environ | {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}


def task(environ, on_g, view, args, kwargs):
    """Return the response to the request. Teardown functions are told of an error."""
    context = app.request_context(environ)
    context.push()
    unhandled = None
    try:
        vars(g).update(on_g)
        return response_of(view, args, kwargs)
    except BaseException as error:
        unhandled = error
        return error_500(error)
    finally:
        context.pop(unhandled)


def close(future):
    """Close the response. If there is none, or closing it fails, the executor logs the error."""
    future.result().close()


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
    """Return the 500 for an error that nothing handles, once the log and error trackers have it."""
    app.logger.error("A task failed", exc_info=unhandled)
    got_request_exception.send(app, exception=unhandled)
    return whole(app.handle_user_exception(InternalServerError(original_exception=unhandled)))


def whole(result):
    """Return the response that Flask makes of the result, with its body in memory."""
    response = app.make_response(result)
    response.make_sequence()
    return response


class GetTaskStatus(Resource):
    def get(self, task_id):
        future = tasks.get(task_id) or abort(404)
        if not future.done():
            return "running", 202, {"Location": request.script_root + request.path}
        if future.exception():
            return {"message": "Internal Server Error"}, 500
        response = future.result()
        return Response(response.get_data(), response.status, list(response.headers))

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
