"""The task's request is built anew from all its parts; the context is pushed and popped by hand."""

import time
from functools import wraps
from threading import Thread

from flask import Flask, g, request
from flask_restful import Api, Resource
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
api = Api(app)


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        headers = Headers(request.headers.items())
        headers.remove("Transfer-Encoding")
        headers.remove("Content-Length")
        builder = EnvironBuilder(
            path=request.path,
            base_url=request.root_url,
            query_string=request.query_string.decode("latin-1"),
            method=request.method,
            headers=headers,
            data=request.get_data(),
        )
        context = app.request_context(builder.get_environ())
        on_g = dict(g.__dict__)

        def task():
            context.push()
            try:
                g.__dict__.update(on_g)
                view(*args, **kwargs)
            finally:
                context.pop()

        Thread(target=task, daemon=True).start()
        return "accepted", 202

    return accept


class CatchAll(Resource):
    @async_api
    def get(self, path=""):
        time.sleep(app.config["WORK_SECONDS"])
        return f"The answer is: {path}"

    @async_api
    def post(self, path=""):
        time.sleep(app.config["WORK_SECONDS"])
        print(len(request.get_data()), "bytes")
        return {"path": path, "received": request.get_json()}


api.add_resource(CatchAll, "/", "/<path:path>")
