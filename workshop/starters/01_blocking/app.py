"""A slow endpoint: the client waits for all of the work."""

import time

from flask import Flask
from flask_restful import Api, Resource

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
app.config.from_prefixed_env()  # FLASK_WORK_SECONDS=3 in the environment overrides the 10
api = Api(app)


class CatchAll(Resource):
    def get(self, path=""):
        print(f"started /{path}")
        # TODO (c): The slow work: sleep for as many seconds as app.config["WORK_SECONDS"] says.
        print(f"finished /{path}")
        # TODO (b): The client gets the string "The answer is: <path>".


# TODO (a): CatchAll handles "/" and every other path.

if __name__ == "__main__":
    app.run(port=8000, debug=True)
