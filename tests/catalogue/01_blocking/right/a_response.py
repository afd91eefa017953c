"""The resource makes the response itself; the URLs come one at a time."""

import json
import time

from flask import Flask, Response
from flask_restful import Api, Resource

api = Api()


class CatchAll(Resource):
    def get(self, **placeholders):
        path = placeholders.get("path", "")
        time.sleep(app.config["WORK_SECONDS"])
        return Response(json.dumps(f"The answer is: {path}"), mimetype="application/json")


api.add_resource(CatchAll, "/", endpoint="root")
api.add_resource(CatchAll, "/<path:path>", endpoint="path")

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
api.init_app(app)
