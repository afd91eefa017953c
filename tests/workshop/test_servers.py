"""The finished app behind real servers: Flask's own, gunicorn and waitress."""

import importlib.util
import json
import signal
import socket
import sys
import time

import pytest

from tests.harness.running import LIMIT, Child
from tests.harness.servers import ServerProcess
from workshop.steps import STEPS, TOP

posix = pytest.mark.skipif(sys.platform == "win32", reason="Signals cannot be sent there.")
SITE = f"""
import sys
import threading
sys.path.insert(0, {str(TOP / "solutions" / STEPS[4].folder)!r})
from flask_restful import Resource, abort
from app import api, app, async_api

app.config["WORK_SECONDS"] = 0.2


def missing(self):
    abort(404, message="no such thing", colour="green")


def broken(self):
    return 1 / 0


def endless(self):
    threading.Event().wait()


for name, view in {{"missing": missing, "broken": broken, "endless": endless}}.items():
    api.add_resource(type(name, (Resource,), {{"get": async_api(view)}}), f"/{{name}}")
    twin = type(f"blocking_{{name}}", (Resource,), {{"get": view}})
    api.add_resource(twin, f"/blocking/{{name}}")
"""
SERVERS = {
    "flask": "flask --app served run --port 0",
    "gunicorn": "gunicorn -w 1 --threads 8 -b 127.0.0.1:0 served:app",
    "gunicorn --preload": "gunicorn --preload -w 1 --threads 8 -b 127.0.0.1:0 served:app",
    "waitress": "waitress --listen 127.0.0.1:0 served:app",
}


def serve(command, folder, site=SITE):
    """Start a server of a site in this folder."""
    (folder / "served.py").write_text(site, encoding="utf-8")
    return ServerProcess(*command.split(), cwd=folder)


def outcome(served, method, path, body=None, headers=()):
    """Return all status codes up to the last response; of that, status, Content-Type and body."""
    status, received, content = served.send(method, path, body, headers)
    statuses, give_up = [status], time.monotonic() + LIMIT
    location = received.get("Location")
    while status == 202 and time.monotonic() < give_up:
        time.sleep(0.02)
        status, received, content = served.send("GET", location)
        statuses.append(status)
    return statuses, (status, received["Content-Type"], content)


@pytest.fixture(params=SERVERS)
def served(request, tmp_path):
    command = SERVERS[request.param]
    if not importlib.util.find_spec(command.split()[0]):
        pytest.skip(f"{command.split()[0]} is not installed here.")
    with serve(command, tmp_path) as served:
        yield served


def test_a_served_app_keeps_its_promises(served):
    text = "x" * 2**21
    body = json.dumps({"text": text})
    statuses, last = outcome(served, "POST", "/a", body, {"Content-Type": "application/json"})
    assert statuses[:2] == [202, 202]
    assert last[0] == 200
    assert json.loads(last[2]) == {"path": "a", "received": {"text": text}}

    for name in "missing", "broken":
        status, headers, content = served.send("GET", f"/blocking/{name}")
        last = status, headers["Content-Type"], content
        assert outcome(served, "GET", f"/{name}")[1] == last
    assert status == 500
    assert b"Traceback" not in content
    served.until(r"(?s)Traceback.*ZeroDivisionError")


@posix
def test_ctrl_c_stops_it_while_a_task_runs(served):
    assert get_and_rest(served.port, "/endless") == 202  # now the cleaner runs as well
    served.process.send_signal(signal.SIGINT)
    assert served.wait() in (0, 1, 130, -signal.SIGINT)


PARENT = """
import os, signal
from tests.harness.running import Child
Child(["sleep", "1000"], stdout=None)  # it has the parent's stdout, which is open until it ends
os.kill(os.getpid(), signal.SIGKILL)
"""


@posix
def test_a_child_ends_when_its_parent_is_killed():
    with Child([sys.executable, "-c", PARENT], cwd=TOP) as parent:
        assert parent.wait() == -signal.SIGKILL
        assert parent.complete


def get_and_rest(port, path):
    """Send a GET; return the status code once the server has closed the connection and is at rest.

    A gunicorn worker hangs if it is told to quit while it hands a connection to one of its threads:
    its signal handler then waits for the lock that ThreadPoolExecutor.submit() holds, in the same
    thread. (That happened 17 times in 240 with both cores loaded, whatever the app.)
    """
    with socket.create_connection(("127.0.0.1", port), LIMIT) as client:
        client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        response = b"".join(iter(lambda: client.recv(4096), b""))
    return int(response.split()[1])
