"""A pool of threads, which keeps an exception to itself unless it is asked for it."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import wraps

from flask import Flask
from flask_restful import Api, Resource

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
api = Api(app)
pool = ThreadPoolExecutor(max_workers=32)


def log_failure(future):
    if error := future.exception():
        app.logger.error("A task failed", exc_info=error)


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        pool.submit(view, *args, **kwargs).add_done_callback(log_failure)
        return "accepted", 202

    return accept


class CatchAll(Resource):
    @async_api
    def get(self, path=""):
        time.sleep(app.config["WORK_SECONDS"])
        return f"The answer is: {path}"


api.add_resource(CatchAll, "/", "/<path:path>")
