"""A class with __call__ in place of closures; the context is made in the request."""

import time
from functools import wraps
from io import BytesIO
from threading import Thread

from flask import Flask, g, request
from flask_restful import Api, Resource

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
api = Api(app)


class Task:
    def __init__(self, view, args, kwargs):
        self.view, self.args, self.kwargs = view, args, kwargs
        body = request.get_data(cache=False)
        environ = request.environ.copy()
        environ.pop("werkzeug.request", None)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = f"{len(body)}"
        self.context = app.request_context(environ)
        self.on_g = vars(g).copy()

    def __call__(self):
        with self.context:
            for name in self.on_g:
                setattr(g, name, self.on_g[name])
            self.view(*self.args, **self.kwargs)


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        Thread(None, Task(view, args, kwargs), daemon=True).start()
        return {"status": "accepted"}, 202

    return accept


class CatchAll(Resource):
    @async_api
    def get(self, path=""):
        time.sleep(app.config["WORK_SECONDS"])
        return f"The answer is: {path}"

    @async_api
    def post(self, path=""):
        time.sleep(app.config["WORK_SECONDS"])
        print(request.content_length, "bytes")
        return {"path": path, "received": request.get_json()}


api.add_resource(CatchAll, "/", "/<path:path>")
