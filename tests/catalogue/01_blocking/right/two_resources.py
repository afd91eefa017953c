"""Two resources, each with its URL as a decorator, and the configuration put in later."""

from time import sleep

from flask import Flask, current_app
from flask_restful import Api, Resource

app = Flask(__name__)
api = Api(app)


def slow(path):
    sleep(current_app.config["WORK_SECONDS"])
    return "The answer is: " + path


@api.resource("/<path:path>")
class CatchAll(Resource):
    def get(self, path):
        return slow(path)


@api.resource("/")
class Root(Resource):
    def get(self):
        return slow("")


app.config.from_mapping(WORK_SECONDS=10)
