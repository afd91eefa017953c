"""The status address is a plain view, and answers are kept apart from what is running."""

import os
import threading
import time
from functools import wraps
from io import BytesIO

from flask import Flask, Response, abort, g, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
api = Api(app)

running = set()
answers = {}


@app.get("/status/<task_id>")
def status(task_id):
    if task_id in answers:
        return Response(*answers[task_id])
    if task_id in running:
        return redirect_later(task_id)
    if task_id in answers:  # it ended just now, between the two questions
        return Response(*answers[task_id])
    abort(404)


@app.route("/status/<task_id>", methods=["POST", "PUT", "PATCH", "DELETE"])
def only_to_be_asked(task_id):
    abort(405)


def redirect_later(task_id):
    return Response("not yet\n", 202, {"Location": url_for("status", task_id=task_id)})


def async_api(view):
    """Answer 202 Accepted immediately, and do the view's work in a thread."""

    @wraps(view)
    def accept(*args, **kwargs):
        environ = copy_environ()
        from_hooks = dict(vars(g))  # what before_request functions put on g

        task_id = os.urandom(12).hex()
        running.add(task_id)

        def task():
            try:
                with app.request_context(environ):
                    vars(g).update(from_hooks)
                    answers[task_id] = response_of(view, args, kwargs)
            finally:
                answers.setdefault(task_id, (b"", 500, {}))
                running.discard(task_id)

        threading.Thread(target=task, daemon=True).start()
        return redirect_later(task_id)

    return accept


def copy_environ():
    """Return the request's WSGI environ with its body in memory.

    The server closes its own wsgi.input as soon as the request is over.
    """
    body = request.get_data()
    environ = {**request.environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    environ.pop("HTTP_TRANSFER_ENCODING", None)  # no longer chunked: its length is known
    return environ


def response_of(view, args, kwargs):
    kind = getattr(app.view_functions[request.endpoint], "view_class", None)
    if kind and issubclass(kind, Resource):
        view = api.output(view)
    try:
        response = app.make_response(view(*args, **kwargs))
        body = b"".join(response.iter_encoded())
    except BaseException as error:
        try:
            response, body = handled(error)
        except BaseException as unhandled:
            app.logger.error("A task failed", exc_info=unhandled)
            response, body = handled(InternalServerError(original_exception=unhandled))
    headers = [pair for pair in response.headers if pair[0] != "Content-Length"]
    return body, response.status, headers


def handled(error):
    response = app.make_response(app.handle_user_exception(error))
    return response, response.get_data()


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

if __name__ == "__main__":
    app.run(port=8000, debug=True)
