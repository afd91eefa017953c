"""The listing that the workshop grew out of, retold: how it works, with our words.

What it does as the original does: a thread for each task, made and started in the request; the
record is a dict with the thread itself, then the value and the time of day at which it came; the
request's own environ serves the task once more; two calls of url_for and a print in each request;
a sweep copies what is to be kept into a new dict, and goes through all of it.
What is mended: the cleaner began in before_first_request, which Flask 2.3 has removed, and is not
started here: one call is one sweep. utcnow() is deprecated, so the time of day comes from time().
The work takes WORK_SECONDS and not ten. What else is wrong with it, was left wrong.
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
