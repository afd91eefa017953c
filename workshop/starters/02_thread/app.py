"""A slow endpoint: the client waits for all of the work."""

import time

from flask import Flask
from flask_restful import Api, Resource

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
api = Api(app)


# TODO 1: async_api, a decorator. The view it is put on is called in a new thread, with its own
# arguments; the client gets  "accepted", 202  at once. What does the thread need to be given?
#
# TODO 2: The view keeps its name under the decorator. What in functools is made for that?


class CatchAll(Resource):
    # TODO 3: CatchAll.get is the first view to go under async_api.
    def get(self, path=""):
        print(f"started /{path}")
        time.sleep(app.config["WORK_SECONDS"])  # stands for the slow work
        print(f"finished /{path}")
        return f"The answer is: {path}"


api.add_resource(CatchAll, "/", "/<path:path>")

if __name__ == "__main__":
    app.run(port=8000, debug=True)
