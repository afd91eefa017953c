"""The original listing, rewritten in our own words.

It does what the original does. Each request makes a thread for its task and starts it. The record
is a dict with that thread, and later also with the returned value and the time of day. The task
serves the request's own environ once more. Each request calls url_for twice, and prints. A sweep
goes through all tasks, and copies those that it keeps into a new dict.

Two things are fixed. The cleaner started in before_first_request, which Flask 2.3 removed; here it
does not start, and one call is one sweep. And utcnow() is deprecated, so time() gives the time of
day. The work takes WORK_SECONDS instead of ten. The other mistakes are all still there.
"""

import threading
import time
import uuid
from functools import wraps

from flask import Flask, abort, current_app, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import HTTPException, InternalServerError

app = Flask(__name__)
app.config["KEEP_SECONDS"] = 5 * 60
api = Api(app)
tasks = {}


def clean_old_tasks():
    global tasks
    horizon = time.time() - app.config["KEEP_SECONDS"]
    tasks = {
        task_id: task
        for task_id, task in tasks.items()
        if "completion_timestamp" not in task or task["completion_timestamp"] > horizon
    }


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        task_id = uuid.uuid4().hex

        def work(flask_app, environ):
            task = tasks[task_id]
            with flask_app.request_context(environ):
                try:
                    task["return_value"] = view(*args, **kwargs)
                except HTTPException as error:
                    task["return_value"] = current_app.handle_http_exception(error)
                except Exception:
                    task["return_value"] = InternalServerError()
                finally:
                    task["completion_timestamp"] = time.time()

        given = current_app._get_current_object(), request.environ
        tasks[task_id] = {"task_thread": threading.Thread(target=work, args=given)}
        tasks[task_id]["task_thread"].start()
        print(url_for("gettaskstatus", task_id=task_id))
        return "accepted", 202, {"Location": url_for("gettaskstatus", task_id=task_id)}

    return accept


class GetTaskStatus(Resource):
    def get(self, task_id):
        task = tasks.get(task_id)
        if task is None:
            abort(404)
        if "return_value" not in task:
            return "", 202, {"Location": url_for("gettaskstatus", task_id=task_id)}
        return task["return_value"]


class CatchAll(Resource):
    @async_api
    def get(self, path=""):
        print(f"starting task for {path!r}")
        time.sleep(app.config["WORK_SECONDS"])
        print(f"completed task for {path!r}")
        return f"The answer is: {path}"


api.add_resource(CatchAll, "/<path:path>", "/")
api.add_resource(GetTaskStatus, "/status/<task_id>")
