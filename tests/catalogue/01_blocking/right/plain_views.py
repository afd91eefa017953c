"""Plain view functions, and jsonify in place of Flask-RESTful."""

import time

from flask import Flask, jsonify
from flask_restful import Api

app = Flask(__name__)
app.config["WORK_SECONDS"] = 10
api = Api(app)


@app.get("/<path:path>")
def catch_all(path):
    seconds = app.config["WORK_SECONDS"]
    time.sleep(seconds)
    return jsonify(f"The answer is: {path}")


@app.get("/")
def root():
    return catch_all("")
