"""The plain view, the solutions and the original listing, all with the same few methods."""

import importlib.util
import pickle
import threading
import time
import uuid

import psutil
from flask import Flask, abort, url_for
from flask_restful import Api, Resource

from workshop.steps import TOP

DONE = "The answer is: x"  # the result of every task


def work():
    return DONE


def view(self, path=""):
    """What a client waits for. Every subject does this work and no other."""
    return work()


class Plain:
    """A view that only returns a 202, and a view that only returns a result."""

    finished = "/status"  # the status URL of a finished task
    sweep = None

    def __init__(self):
        self.app = make_app(lambda: None, lambda task_id: DONE)

    def remember(self, count):
        """Remember this many more finished tasks."""

    def used(self):
        """Return the bytes in use by the process that remembers the finished tasks."""
        return psutil.Process().memory_info().rss


def make_app(submit, result):
    """Return an app whose view hands work over with submit(), which returns an id for result()."""
    app = Flask("bench")
    api = app.api = Api(app)

    class CatchAll(Resource):
        def get(self, path=""):
            task_id = submit()
            if task_id is None:
                return "accepted", 202
            return "accepted", 202, {"Location": url_for("status", task_id=task_id)}

    class Status(Resource):
        def get(self, task_id=None):
            value = result(task_id)
            if value is None:
                abort(404)
            return value

    api.add_resource(CatchAll, "/", "/<path:path>")
    api.add_resource(Status, "/status", "/status/<task_id>")
    return app


def imported(file):
    spec = importlib.util.spec_from_file_location("app", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Solution(Plain):
    """The solution of a step. What it remembers are copies of the record of a real task."""

    def __init__(self, file):
        self.module = imported(file)
        self.module.CatchAll.get = self.module.async_api(view)
        self.app = self.module.app
        self.app.config.update(WORK_SECONDS=0, SWEEP_SECONDS=10**6)
        self.finished = None
        if isinstance(getattr(self.module, "tasks", None), dict):
            client = self.app.test_client()
            self.finished = client.get("/x").headers["Location"]
            while client.get(self.finished).status_code == 202:
                time.sleep(0.001)
        if hasattr(self.module, "clean_old_tasks"):
            self.sweep = self._sweep

    def remember(self, count):
        record = pickle.dumps(self.module.tasks[self.finished.rpartition("/")[2]])
        for _ in range(count):
            task_id = uuid.uuid4().hex
            self.module.tasks[task_id] = pickle.loads(record)
            if self.sweep:
                self.module.ended.append((time.monotonic(), task_id))

    def _sweep(self, count):
        """Remove this many tasks in a sweep: those that ended first."""
        ended = self.module.ended
        newest, _ = ended[min(count, len(ended)) - 1]
        self.app.config["KEEP_SECONDS"] = time.monotonic() - newest
        self.module.clean_old_tasks()


class Seed(Solution):
    def __init__(self):
        super().__init__(TOP / "tests" / "bench" / "seed.py")

    def remember(self, count):
        for _ in range(count):
            thread = threading.Thread()
            del (
                thread._target,
                thread._args,
                thread._kwargs,
            )  # a thread that has run has none of these
            record = {"task_thread": thread, "return_value": "".join(list(DONE))}
            record["completion_timestamp"] = time.time()
            self.module.tasks[uuid.uuid4().hex] = record

    def _sweep(self, count):
        """Go through all tasks, as each of its sweeps does even if only a few are old."""
        self.module.clean_old_tasks()
