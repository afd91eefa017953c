"""Flask's own copy of the context, with a request of the task's own put into it.

The copy alone would share one request, whose files the request closes once they are parsed.
"""

import threading
import time
from functools import wraps
from io import BytesIO

from flask import Flask, copy_current_request_context, g, request
from flask.globals import request_ctx
from flask_restful import Api, Resource

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
api = Api(app)


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        body = request.get_data()
        environ = request.environ | {
            "wsgi.input": BytesIO(body),
            "wsgi.input_terminated": True,
            "CONTENT_LENGTH": str(len(body)),
        }
        own = app.request_class(environ, populate_request=False)
        own.url_rule, own.view_args = request.url_rule, request.view_args
        values = {name: g.get(name) for name in g}

        @copy_current_request_context
        def task():
            request_ctx.request = own
            for name, value in values.items():
                setattr(g, name, value)
            view(*args, **kwargs)

        threading.Thread(target=task, daemon=True).start()
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
        print(request.content_length, "bytes")
        return {"path": path, "received": request.get_json()}


api.add_resource(CatchAll, "/", "/<path:path>")
