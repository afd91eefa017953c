"""A slow endpoint whose work still sees its request, although it runs in another thread."""

import threading
import time
from functools import wraps
from io import BytesIO

from flask import Flask, g, got_request_exception, request
from flask_restful import Api, Resource
from werkzeug.exceptions import InternalServerError

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
app.config.from_prefixed_env()  # FLASK_WORK_SECONDS=3 in the environment overrides the 10
api = Api(app)

# TODO (a): The dict tasks, which is empty for now. GetTaskStatus, a resource at /status/<task_id>,
# sends the record that tasks holds under this id, or returns 404. A POST to it returns 405.


def async_api(view):
    """Return 202 Accepted immediately, and do the view's work in a thread."""

    @wraps(view)
    def accept(*args, **kwargs):
        environ = copy_environ()
        from_hooks = dict(vars(g))  # what before_request functions put on g

        # TODO (b): The 202 has a Location header with the task's status URL, which nobody can
        # guess. A poll gets the same 202 again. When does the record have to be there?

        def task():
            with app.request_context(environ):
                vars(g).update(from_hooks)
                # TODO (c): response_of(), below, calls the view. Then the record holds the
                # response: body, status and headers. Why not the response object itself?
                view(*args, **kwargs)
            # TODO (d): Whatever fails, the record holds a response in the end, and the log shows
            # the traceback. Which clause of a try statement always runs?

        # A daemon thread: Ctrl-C does not wait for it.
        threading.Thread(target=task, daemon=True).start()
        return "accepted", 202

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
        return error_response(error)


def error_response(error):
    """Return Flask's response to the error, and the error if nothing handles it."""
    try:
        return app.make_response(app.handle_user_exception(error)), None
    except BaseException as unhandled:
        got_request_exception.send(app, exception=unhandled)  # error trackers listen to it
        failed = InternalServerError(original_exception=unhandled)
        return app.make_response(app.handle_user_exception(failed)), unhandled


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
