"""The status URL is a plain view, and responses are kept apart from what is running."""

import os
import threading
import time
from functools import wraps
from io import BytesIO

from flask import Flask, Response, abort, g, got_request_exception, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
api = Api(app)

running = set()  # task ids
responses = {}  # task id: (body, status, headers)


@app.get("/status/<task_id>")
def status(task_id):
    if task_id in running:
        return not_yet(task_id)
    if task_id in responses:
        return Response(*responses[task_id])
    abort(404)


@app.post("/status/<task_id>")
def nothing_to_post(task_id):
    abort(405)  # without this, CatchAll would start a task


def not_yet(task_id):
    return Response("not yet\n", 202, {"Location": url_for("status", task_id=task_id)})


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        environ, on_g = copy_environ(), dict(vars(g))
        task_id = os.urandom(12).hex()
        running.add(task_id)

        def task():
            try:
                with app.request_context(environ):
                    vars(g).update(on_g)
                    do(task_id, view, args, kwargs)
            except BaseException:
                app.logger.exception("A task failed")
            finally:
                responses.setdefault(task_id, ("", 500, {}))
                running.discard(task_id)

        threading.Thread(target=task, daemon=True).start()
        return not_yet(task_id)

    return accept


def copy_environ():
    body = request.get_data()
    return request.environ | {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}


def do(task_id, view, args, kwargs):
    """Do the work and keep its response. Raise the error that nothing handles."""
    try:
        keep(task_id, response_of(view, args, kwargs))
    except BaseException as error:
        keep(task_id, error_500(error))
        raise


def keep(task_id, response):
    responses[task_id] = response.get_data(), response.status, list(response.headers)
    try:
        response.close()
    except BaseException:
        app.logger.exception("A response could not be closed")


def response_of(view, args, kwargs):
    """Return the response without the decorator. Raise the error that nothing handles."""
    kind = getattr(app.view_functions[request.endpoint], "view_class", object)
    try:
        view = app.ensure_sync(view)
        if issubclass(kind, Resource):
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
