"""A class in place of closures. As a method's decorator it has to bind the resource itself."""

import time
from functools import partial, update_wrapper
from threading import Thread

from flask import Flask
from flask_restful import Api, Resource


class async_api:  # noqa: N801  (the name in the lesson)
    def __init__(self, view):
        update_wrapper(self, view)
        self.view = view

    def __get__(self, resource, owner=None):
        return partial(self, resource)

    def __call__(self, *args, **kwargs):
        Thread(target=partial(self.view, *args, **kwargs), daemon=True).start()
        return {"status": "accepted"}, 202


app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
api = Api(app)


@api.resource("/", "/<path:path>")
class CatchAll(Resource):
    @async_api
    def get(self, path=""):
        time.sleep(app.config["WORK_SECONDS"])
        return f"The answer is: {path}"
