"""A slow endpoint that returns 202 Accepted immediately and does its work in a thread."""

import threading
import time
from functools import wraps

from flask import Flask
from flask_restful import Api, Resource

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
app.config.from_prefixed_env()  # FLASK_WORK_SECONDS=3 in the environment overrides the 10
api = Api(app)


def async_api(view):
    """Return 202 Accepted immediately, and do the view's work in a thread."""

    @wraps(view)
    def accept(*args, **kwargs):
        # TODO (a): The task sees the request that started it: its method, path, arguments and
        # headers. Copy the environ, and run the view in a request context made from the copy.
        # Which of the two has to happen before the thread starts?
        #
        # TODO (b): The task can read the whole body, although the request is over by then.
        #
        # TODO (c): The task's g has what before_request functions put on the request's g.

        # A daemon thread: Ctrl-C does not wait for it.
        threading.Thread(target=view, args=args, kwargs=kwargs, daemon=True).start()
        return "accepted", 202

    return accept


class CatchAll(Resource):
    @async_api
    def get(self, path=""):
        print(f"started /{path}")
        time.sleep(app.config["WORK_SECONDS"])  # stands in for the slow work
        print(f"finished /{path}")
        return f"The answer is: {path}"

    # TODO (d): POST /<path> does slow work too. It prints how many bytes it received, and returns
    # {"path": ..., "received": ...}, the path and the JSON that came with the request.


api.add_resource(CatchAll, "/", "/<path:path>")

if __name__ == "__main__":
    app.run(port=8000, debug=True)
