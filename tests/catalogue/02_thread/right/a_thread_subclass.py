"""A subclass of Thread with a run() of its own, and names copied by hand."""

import threading
import time

import flask
from flask_restful import Api, Resource


class Task(threading.Thread):
    def __init__(self, view, args, kwargs):
        super().__init__(name=f"task of {view.__name__}", daemon=True)
        self.work = lambda: view(*args, **kwargs)

    def run(self):
        try:
            self.work()
        except Exception:
            app.logger.exception("A task failed")


def async_api(view):
    def accept(*args, **kwargs):
        Task(view, args, kwargs).start()
        return flask.Response("", status=202)

    accept.__name__, accept.__doc__ = view.__name__, view.__doc__
    return accept


app = flask.Flask(__name__)
app.config["WORK_SECONDS"] = 10
api = Api(app)


class CatchAll(Resource):
    def get(self, path=""):
        time.sleep(app.config["WORK_SECONDS"])
        return f"The answer is: {path}"

    get = async_api(get)


api.add_resource(CatchAll, "/", "/<path:path>")
