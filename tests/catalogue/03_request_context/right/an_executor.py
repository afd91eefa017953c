"""A pool of threads, with fewer threads than there may be tasks."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from io import BytesIO

from flask import Flask, g, request
from flask_restful import Api, Resource

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
api = Api(app)
pool = ThreadPoolExecutor(max_workers=2)


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        body = request.get_data()
        environ = dict(request.environ)
        environ.update({"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))})
        pool.submit(run, environ, g.__dict__.copy(), view, args, kwargs)
        return "accepted", 202

    return accept


def run(environ, on_g, view, args, kwargs):
    try:
        with app.request_context(environ):
            g.__dict__.update(on_g)
            view(*args, **kwargs)
    except Exception:
        app.logger.exception("A task failed")


class CatchAll(Resource):
    @async_api
    def get(self, path=""):
        time.sleep(app.config["WORK_SECONDS"])
        return f"The answer is: {path}"

    @async_api
    def post(self, path=""):
        time.sleep(app.config["WORK_SECONDS"])
        print(len(request.data), "bytes")
        return {"path": path, "received": request.get_json()}


api.add_resource(CatchAll, "/", "/<path:path>")
