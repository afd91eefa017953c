"""View functions in place of the resource, a subclass of Thread, and another order."""

import threading
import time
from functools import wraps
from io import BytesIO

import flask
import flask_restful

app = flask.Flask(__name__)
app.config.from_mapping(WORK_SECONDS=10)
api = flask_restful.Api(app)


def async_api(view):
    @wraps(view)
    def accept(*args, **kwargs):
        thread = Task(lambda: app.ensure_sync(view)(*args, **kwargs))
        thread.start()
        return "accepted", 202

    return accept


@app.get("/", defaults={"path": ""})
@app.get("/<path:path>")
@async_api
def catch_all(path):
    time.sleep(app.config["WORK_SECONDS"])
    return flask.jsonify(f"The answer is: {path}")


@app.post("/", defaults={"path": ""})
@app.post("/<path:path>")
@async_api
def receive(path):
    time.sleep(app.config["WORK_SECONDS"])
    print(f"{path}: {len(flask.request.data)}")
    return flask.jsonify(path=path, received=flask.request.json)


class Task(threading.Thread):
    """Work in a copy of the request in which it is made."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work = work
        self.on_g = [(name, flask.g.get(name)) for name in flask.g]
        self.environ = {
            key: value
            for key, value in flask.request.environ.items()
            if key not in ("werkzeug.request", "HTTP_TRANSFER_ENCODING", "CONTENT_LENGTH")
        }
        self.environ["wsgi.input"] = BytesIO(flask.request.get_data())
        self.environ["wsgi.input_terminated"] = True  # it ends where the body ends

    def run(self):
        with app.request_context(self.environ):
            vars(flask.g).update(self.on_g)
            self.work()
