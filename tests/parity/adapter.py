"""A pytest plugin that runs other people's tests on a solution's async_api.

It imports nothing of ours, because it runs in a virtual environment of its own. Each view of each
Flask app goes under the async_api of the app.py that PARITY_APP names. When a test's client gets
that 202, the client polls its Location, so that the test sees the final response. Without
PARITY_APP, everything stays as it is. The outcomes are written to the file in PARITY_OUTCOMES.

What the adapter must take on itself, because a solution is written for its own app:

- Each Flask app gets a run of the solution's source for itself, in which `app` is that app. What
  async_api does not need is left out: hooks, signal handlers, and the solution's own views.
- A plain view is decorated above everything else. A Flask-RESTful resource is decorated on its
  methods, as the lessons do it.
- In step 7, Celery's message goes through JSON, but to a thread instead of a broker.
"""

import ast
import json
import os
import re
import sys
import threading
import time
from functools import wraps
from inspect import iscoroutinefunction
from io import BytesIO
from itertools import count
from pathlib import Path
from urllib.parse import unquote, urlsplit

import flask
import flask_restful
import pytest
from werkzeug.test import Client

PATIENCE = 10  # seconds that a task may take
STATUS_PATH = re.compile(r"/status/[0-9a-f]{32}$")
flask.signals.signals_available = True  # Flask-RESTful's tests ask; Flask 3 no longer says


def without_its_own_app(path):
    """The solution's code, without the statements that make its app, hooks, routes and signals."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    tree.body = [statement for statement in tree.body if not its_own(statement)]
    return compile(tree, str(path), "exec")


def its_own(statement):
    match statement:
        case ast.Assign(targets=[ast.Name("app" | "api")]):
            return True
        case ast.FunctionDef(decorator_list=[decorator]):
            return ast.unparse(decorator).startswith("app.")
        case ast.ClassDef(name="CatchAll") | ast.If():
            return True
        case ast.Expr(ast.Call(function)):
            return ast.unparse(function).startswith(("api.", "signal."))
    return False


class Solution:
    """The solution as one Flask app has it: async_api, with which it decorates the app's views."""

    code = None  # set for the whole run

    def __init__(self, app):
        self.app = app
        self.decorated = {}  # endpoint: its view under async_api
        self.names = count()
        apis = getattr(app, "parity_apis", [])
        self.names_of = {"__name__": "app", "app": app, "api": [*apis, flask_restful.Api()][0]}
        configured = {key: value for key, value in app.config.items() if value is not None}
        only_tasks_of_its_own()
        exec(self.code, self.names_of)
        app.config.update(configured)
        if "celery" in self.names_of:
            through_json(self.names_of["work"])
        view = self.names_of["GetTaskStatus"].as_view("gettaskstatus")
        app.view_functions["gettaskstatus"] = view
        options = {"endpoint": "gettaskstatus", "methods": ["GET"]}
        app.url_map.add(app.url_rule_class("/status/<task_id>", **options))

    def decorate_views(self):
        """Decorate what was registered since the last request."""
        apis = getattr(self.app, "parity_apis", [])
        for endpoint, view in list(self.app.view_functions.items()):
            if endpoint == "gettaskstatus" or view is self.decorated.get(endpoint):
                continue
            if not any(api.owns_endpoint(endpoint) for api in apis):
                self.app.view_functions[endpoint] = self.decorated[endpoint] = self.decorate(view)

    def decorate(self, view):
        if "celery" in self.names_of:  # step 7 finds a view by its name, and makes a resource anew

            def named(*resource, **kwargs):
                return view(**kwargs)

            async def named_async(*resource, **kwargs):
                return await view(**kwargs)

            named = wraps(view)(named_async if iscoroutinefunction(view) else named)
            named.__qualname__ = f"view {next(self.names)}"
            return counted(self.names_of["async_api"](named))
        return counted(self.names_of["async_api"](view))


def counted(accept):
    @wraps(accept)
    def counted_accept(*args, **kwargs):
        accepted.append(accept)
        return accept(*args, **kwargs)

    return counted_accept


def only_tasks_of_its_own():
    """Keep Celery from giving the tasks of one app's solution to the next one's."""
    if "celery" in sys.modules:
        import celery._state

        finalizers = celery._state._on_app_finalizers
        ours = [each for each in finalizers if each.__module__ == "celery.app.base"]
        finalizers.difference_update(ours)


def through_json(work):
    """Have Celery do the work in a thread, with a message and a result that went through JSON."""
    from kombu.utils import json as celery_json

    def apply_async(message, task_id, **options):
        message = celery_json.loads(celery_json.dumps(message))
        how = {"args": (message,), "kwargs": {"task_id": task_id}, "daemon": True}
        threading.Thread(target=work.apply, **how).start()

    work.store_eager_result = True
    work.apply_async = apply_async


def adapt():
    """Put the adapter's functions in the place of Flask's, Flask-RESTful's and the clients'."""
    call, init_app = flask.Flask.__call__, flask_restful.Api._init_app
    dispatch_request = flask_restful.Resource.dispatch_request

    def decorate_and_call(app, environ, start_response):
        if "parity" not in vars(app):
            app.parity = Solution(app)
        app.parity.decorate_views()
        return call(app, environ, start_response)

    def remember_api(api, app):
        vars(app).setdefault("parity_apis", []).append(api)
        return init_app(api, app)

    def dispatch_to_decorated(resource, *args, **kwargs):
        app = flask.current_app._get_current_object()
        apis = getattr(app, "parity_apis", [])
        if any(api.owns_endpoint(flask.request.endpoint) for api in apis):
            decorators = resource.method_decorators
            if isinstance(decorators, dict):
                decorators = decorators.get(flask.request.method.lower(), [])
            resource.method_decorators = [*decorators, app.parity.decorate]
        return dispatch_request(resource, *args, **kwargs)

    flask.Flask.__call__ = decorate_and_call
    flask_restful.Api._init_app = remember_api
    flask_restful.Resource.dispatch_request = dispatch_to_decorated
    Client.run_wsgi_app = polling(Client.run_wsgi_app)
    try:
        import webtest
    except ImportError:
        return
    webtest.TestApp.do_request = polling_webtest(webtest.TestApp.do_request)


def until_done(response, parts, poll):
    """Poll until the task is done; return the final response.

    parts: a function that returns a response's status and headers; poll: one that sends a GET
    """
    deadline = time.monotonic() + PATIENCE
    pause = 0.001
    while location := status_url(*parts(response)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"The task took longer than {PATIENCE} seconds.")
        time.sleep(pause)
        pause = min(2 * pause, 0.1)
        response = poll(location)
    return response


def status_url(status, headers):
    """The parts of the URL to poll, if this is async_api's 202."""
    location = urlsplit(headers.get("Location", ""))
    return location if status.startswith("202") and STATUS_PATH.search(location.path) else None


def poll_of(environ, location):
    """The environ of a GET to the status URL, by the client that sent the first request."""
    environ = environ | {"QUERY_STRING": "", "wsgi.input": BytesIO(), "CONTENT_LENGTH": "0"}
    environ["REQUEST_METHOD"] = "HEAD" if environ["REQUEST_METHOD"] == "HEAD" else "GET"
    prefix = environ.get("SCRIPT_NAME", "").rstrip("/")
    environ["PATH_INFO"] = unquote(location.path).removeprefix(prefix)
    if location.netloc:  # from a subdomain, the status URL is on the app's own domain
        environ["HTTP_HOST"] = location.netloc
    for key in "CONTENT_TYPE", "HTTP_TRANSFER_ENCODING", "HTTP_COOKIE", "werkzeug.request":
        environ.pop(key, None)
    environ.pop("werkzeug.debug.preserve_context", None)  # tests look at the first request's
    return environ


def polling(run_wsgi_app):
    def run_and_poll(client, environ, buffered=False):
        def poll(location):
            return run_wsgi_app(client, poll_of(environ, location), buffered)

        response = run_wsgi_app(client, environ, buffered)
        return until_done(response, lambda response: response[1:], poll)

    return run_and_poll


def polling_webtest(do_request):
    def request_and_poll(client, request, status=None, expect_errors=None):
        def poll(location):
            again = type(request)(poll_of(request.environ, location))
            return do_request(client, again, status, expect_errors)

        response = do_request(client, request, status, expect_errors)
        return until_done(response, lambda response: (response.status, response.headers), poll)

    return request_and_poll


# What pytest calls

accepted = []  # the views whose work the running test's apps have accepted
outcomes = {}  # test id: how it ended, how many tasks it started, and why it failed


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    if path := os.environ.get("PARITY_APP"):
        Solution.code = without_its_own_app(Path(path))
        adapt()


def pytest_runtest_logreport(report):
    entry = outcomes.setdefault(report.nodeid, {"outcome": "passed", "tasks": 0})
    if report.outcome != "passed" and entry["outcome"] != "failed":
        entry["outcome"] = report.outcome
        crash = getattr(report.longrepr, "reprcrash", None)
        entry["why"] = crash.message[:500] if crash else str(report.longrepr)[-500:]
    if report.when == "teardown":
        entry["tasks"] = len(accepted)
        accepted.clear()


def pytest_sessionfinish():
    Path(os.environ["PARITY_OUTCOMES"]).write_text(json.dumps(outcomes), encoding="utf-8")
