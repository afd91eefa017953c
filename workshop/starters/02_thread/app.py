"""A slow endpoint: the client waits for all of the work."""

import time

from flask import Flask
from flask_restful import Api, Resource

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
app.config.from_prefixed_env()  # FLASK_WORK_SECONDS=3 in the environment overrides the 10
api = Api(app)


# TODO (a): async_api, a decorator. The function that it returns calls the view, with the view's own
# arguments, and then sends the client  "accepted", 202  instead. Decorate CatchAll.get with it.
#
# TODO (b): A new thread calls the view, so that the client gets its 202 immediately.
#
# TODO (c): A decorated view keeps its name. What does functools have for that?


class CatchAll(Resource):
    def get(self, path=""):
        print(f"started /{path}")
        time.sleep(app.config["WORK_SECONDS"])  # stands in for the slow work
        print(f"finished /{path}")
        return f"The answer is: {path}"


api.add_resource(CatchAll, "/", "/<path:path>")

if __name__ == "__main__":
    app.run(port=8000, debug=True)
