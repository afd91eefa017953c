"""The finished app behind real servers: Flask's own, gunicorn and waitress."""

import http.client
import importlib.util
import json
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from workshop.steps import STEPS, TOP

LIMIT = 30  # seconds
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
    "flask": "flask --app served run --port {port}",
    "gunicorn": "gunicorn -w 1 --threads 8 -b 127.0.0.1:{port} served:app",
    "gunicorn --preload": "gunicorn --preload -w 1 --threads 8 -b 127.0.0.1:{port} served:app",
    "waitress": "waitress --listen 127.0.0.1:{port} served:app",
}


class Served:
    """A site behind one server, in a process of its own, and a client for it."""

    def __init__(self, command, folder, site=SITE):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (folder / "served.py").write_text(site, encoding="utf-8")
        self.log = (folder / "log").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command.format(port=self.port).split()],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        give_up = time.monotonic() + LIMIT
        while time.monotonic() < give_up and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError(self.printed())

    def printed(self):
        self.log.seek(0)
        return self.log.read()

    def ask(self, method, url, body=None, headers=None):
        """Return status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        connection.request(method, url, body, headers or {})
        answer = connection.getresponse()
        result = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return result

    def outcome(self, method, url, body=None, headers=None):
        """Return the statuses on the way, and the last answer: status, Content-Type and body."""
        status, answer_headers, answer = self.ask(method, url, body, headers)
        statuses, give_up = [status], time.monotonic() + LIMIT
        location = answer_headers.get("Location")
        while status == 202 and time.monotonic() < give_up:
            time.sleep(0.02)
            status, answer_headers, answer = self.ask("GET", location)
            statuses.append(status)
        return statuses, (status, answer_headers["Content-Type"], answer)


@pytest.fixture(params=SERVERS)
def served(request, tmp_path):
    command = SERVERS[request.param]
    if not importlib.util.find_spec(command.split()[0]):
        pytest.skip(f"{command.split()[0]} is not installed here.")
    served = Served(command, tmp_path)
    yield served
    served.process.kill()
    served.process.wait()
    served.log.close()


def test_a_served_app_keeps_its_promises(served):
    text = "x" * 2**21
    body = json.dumps({"text": text})
    statuses, last = served.outcome("POST", "/a", body, {"Content-Type": "application/json"})
    assert statuses[:2] == [202, 202]
    assert last[0] == 200
    assert json.loads(last[2]) == {"path": "a", "received": {"text": text}}

    for name in "missing", "broken":
        blocking = served.ask("GET", f"/blocking/{name}")
        assert served.outcome("GET", f"/{name}")[1] == (
            blocking[0],
            blocking[1]["Content-Type"],
            blocking[2],
        )
    assert blocking[0] == 500
    assert b"Traceback" not in blocking[2]
    assert re.search(r"Traceback.*ZeroDivisionError", served.printed(), re.DOTALL)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there.")
def test_ctrl_c_stops_it_while_a_task_runs(served):
    start_endless_task(served.port)  # the cleaner runs from now on as well
    served.process.send_signal(signal.SIGINT)
    served.process.wait(LIMIT)
    assert served.process.returncode in (0, 1, 130, -signal.SIGINT)


def start_endless_task(port):
    assert get_and_rest(port, "/endless") == 202


def get_and_rest(port, url):
    """Send a GET; return the status once the server has closed the connection and is at rest.

    gunicorn's worker hangs if it is told to quit while it hands a connection to one of its threads:
    its signal handler then waits for the lock that ThreadPoolExecutor.submit() holds, in the same
    thread. (17 times in 240 with both cores loaded, whatever the app.)
    """
    with socket.create_connection(("127.0.0.1", port), LIMIT) as client:
        client.sendall(f"GET {url} HTTP/1.0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    return int(answer.split()[1])
