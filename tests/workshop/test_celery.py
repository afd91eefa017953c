"""Step 7 in real processes: gunicorn, Celery's workers, and a Redis if there is a redis-server.

Without one, what takes it is skipped. Nothing here is in-process: what is killed is gone.
"""

import base64
import contextlib
import http.client
import json
import os
import pickle
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.harness.redis_server import RedisServer
from tests.harness.running import LIMIT, Child
from tests.harness.servers import ServerProcess, unused_port
from tests.workshop import test_servers
from workshop import file_broker
from workshop.steps import STEPS, TOP

posix = sys.platform != "win32"
pytestmark = pytest.mark.skipif(not posix, reason="These tests send signals.")
takes_redis = pytest.mark.skipif(
    not shutil.which("redis-server"), reason="There is no redis-server on this computer."
)
CLIENTS = 16
DOWN = 5  # seconds
SITE = f"""
import os, socket, sys, time
if "WORKSHOP_FILES" in os.environ:
    sys.path.insert(0, {str(TOP)!r})
    import workshop.file_broker
sys.path.insert(0, {str(TOP / "solutions" / STEPS[6].folder)!r})
from app import app, async_api, celery
from flask import request

celery.conf.broker_transport_options |= {{"visibility_timeout": 2, "unacked_restore_interval": 1}}


@app.post("/quick/<name>")
@async_api
def quick(name):
    time.sleep(0.01)
    return f"{{name}}: {{request.get_data(as_text=True)}}"


@app.post("/held/<int:port>")
@async_api
def held(port):
    with socket.create_connection(("127.0.0.1", port)) as gate:
        gate.sendall(b"%d\\n" % os.getpid())
        gate.recv(1)  # until the other side closes
    return "held"
"""
GUNICORN = "gunicorn --preload --threads 4 -w {} -b {} served:app"


class Gate:
    """Holds tasks back: each connects to this port, sends the id of its process, and waits."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(2 * LIMIT)
        self.port = self._listener.getsockname()[1]
        self.held = []

    def next(self):
        """Wait for the next task to connect; return the id of its process."""
        connection, _ = self._listener.accept()
        self.held.append(connection)
        return int(connection.makefile().readline())

    def open(self):
        """Let all tasks go on: those that have connected, and those that connect later."""
        for connection in self.held:
            connection.close()
        threading.Thread(target=self._close_all, daemon=True).start()

    def _close_all(self):
        with contextlib.suppress(TimeoutError):
            while True:
                connection, _ = self._listener.accept()
                connection.makefile().readline()  # closed with this unread, it would be reset
                connection.close()


class Site:
    """Web processes behind one port, and Celery workers, with files or with Redis between them."""

    def __init__(self, folder, environment, processes=2):
        (folder / "served.py").write_text(SITE, encoding="utf-8")
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        # Like systemd, it keeps the socket open while gunicorn restarts.
        gunicorn = GUNICORN.format(processes, f"fd://{self._listener.fileno()}")
        self._gunicorn = gunicorn.split()
        self._options = {"cwd": folder, "env": {**os.environ, **environment}}
        self._started, self.workers = [], []
        self.serve()

    def serve(self):
        fds = [self._listener.fileno()]
        self.web = ServerProcess(*self._gunicorn, pass_fds=fds, **self._options)
        self._started.append(self.web)

    def restart_web(self):
        """Stop the web processes as a deployment does, and start new ones."""
        self.web.process.terminate()
        self.web.wait()
        self.serve()

    def start_worker(self):
        options = f"-n w{len(self._started)}@here -c 2 -l INFO --without-gossip --without-mingle"
        command = [sys.executable, "-m", "celery", "-A", "served:celery", "worker"]
        worker = Child([*command, *options.split()], **self._options)
        self.workers.append(worker)
        self._started.append(worker)

    def kill_worker(self):
        """Kill the oldest worker with all processes of its pool, as kill -9 does."""
        self.workers.pop(0).end()

    def printed(self):
        """Everything that web processes and workers have logged."""
        return "".join(child.printed for child in self._started)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for child in self._started:
            child.end()
        self._listener.close()

    def accepted(self, url, body=b""):
        """Send a request again and again until it is accepted; return the status URL."""
        while True:
            with contextlib.suppress(ConnectionError, http.client.HTTPException):
                status, headers, _ = self.web.send("POST", url, body)
                if status == 202:
                    return headers["Location"]
                assert status == 503
            time.sleep(0.05)

    def response(self, location):
        """Poll until the task is finished; return the response's status code and text."""
        give_up = time.monotonic() + 3 * LIMIT
        while time.monotonic() < give_up:
            with contextlib.suppress(ConnectionError, http.client.HTTPException):
                status, _, body = self.web.send("GET", location)
                if status not in (202, 503):
                    return status, body.decode()
            time.sleep(0.05)
        raise AssertionError(f"The task does not finish. {self.printed()[-3000:]}")


@pytest.fixture
def redis(tmp_path):
    """A Redis that writes every change to disk."""
    (tmp_path / "redis").mkdir()
    options = ["--appendonly", "yes", "--appendfsync", "always"]
    with RedisServer(tmp_path / "redis", *options, port=unused_port()) as redis:
        yield redis


@pytest.fixture
def over_redis(redis, tmp_path):
    with Site(tmp_path, {"REDIS_URL": redis.url}, processes=4) as site:
        yield site


@pytest.fixture
def over_files(tmp_path):
    with Site(tmp_path, file_broker.environment(tmp_path / "files")) as site:
        yield site


def crowd(site, number, at):
    """Have many clients start so many tasks; return the response for each.

    at: by how many responses have come, what to do then.
    """
    responses, counting, at = {}, threading.Lock(), dict(at)

    def client(first):
        for n in range(first, number, CLIENTS):
            location = site.accepted(f"/quick/{n}", f"body {n}".encode())
            response = site.response(location)
            with counting:
                responses[n] = response
                happening = at.pop(len(responses), None)
            if happening:
                happening()

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    return responses


def right(number):
    return {n: (200, f"{n}: body {n}") for n in range(number)}


@takes_redis
def test_each_response_comes_though_workers_are_killed_and_the_web_restarted(
    over_redis, pytestconfig
):
    """With --thorough, of 500 tasks."""
    site, tasks = over_redis, 500 if pytestconfig.getoption("thorough") else 150
    for _ in range(2):
        site.start_worker()

    def kill_and_replace():
        """Kill a worker that has its hands full, and so is not about to take another message.

        One that it has just taken out of Redis, and not yet noted there as its own, would be lost.
        """
        gate = Gate()
        held = [site.accepted(f"/held/{gate.port}") for _ in range(4)]  # 2 workers do 2 at a time
        for _ in held:
            gate.next()
        site.kill_worker()
        site.start_worker()
        gate.open()
        assert [site.response(location) for location in held] == 4 * [(200, "held")]

    happenings = {tasks // 5: kill_and_replace, 2 * tasks // 5: site.restart_web}
    happenings[3 * tasks // 5] = kill_and_replace
    assert crowd(site, tasks, happenings) == right(tasks)


def test_over_files_each_response_comes_though_the_web_is_restarted(over_files):
    site = over_files
    for _ in range(2):
        site.start_worker()
    assert crowd(site, 50, {20: site.restart_web}) == right(50)


@takes_redis
@pytest.mark.parametrize("what", ["the worker", "a process of its pool"])
def test_a_killed_worker_has_its_task_done_by_another(over_redis, what):
    site, gate = over_redis, Gate()
    site.start_worker()
    location = site.accepted(f"/held/{gate.port}")
    first = gate.next()
    if what == "the worker":
        site.kill_worker()
        site.start_worker()
    else:
        os.kill(first, signal.SIGKILL)
    assert gate.next() != first
    assert site.web.send("GET", location)[0] == 202
    gate.open()
    assert site.response(location) == (200, "held")


@takes_redis
def test_while_redis_is_away_clients_get_a_503_and_nothing_is_lost(over_redis, redis):
    site, gate = over_redis, Gate()
    site.start_worker()
    held = [site.accepted(f"/held/{gate.port}") for _ in range(2)]
    for _ in held:  # its hands are full: it is not about to take a message, which would be lost
        gate.next()
    waiting = [site.accepted(f"/quick/{n}", f"body {n}".encode()) for n in range(10)]
    with redis.silent():
        responses = [site.web.send("POST", "/quick/late"), site.web.send("GET", waiting[0])]
    assert [status for status, _, _ in responses] == [503, 503]
    redis.stop()
    gate.open()  # the worker is done, and cannot say so
    responses, back = [], time.monotonic() + DOWN
    while time.monotonic() < back:
        responses += [site.web.send("POST", "/quick/late"), site.web.send("GET", waiting[0])]
        responses.append(site.web.send("GET", f"/status/{'0' * 32}"))
        time.sleep(0.1)
    assert {(status, headers.get("Retry-After")) for status, headers, _ in responses} == {
        (503, "5")
    }
    redis.start()
    assert [site.response(location) for location in waiting] == list(right(10).values())
    assert [site.response(location) for location in held] == 2 * [(200, "held")]


@takes_redis
def test_hostile_messages_are_refused_and_nothing_in_them_is_run(over_redis, redis, tmp_path):
    from redis import Redis as Client

    site = over_redis
    secret, body = "open sesame", "what the client wrote"
    headers = {"Authorization": secret}
    status, received, _ = site.web.send("POST", "/quick/good", body, headers)
    assert status == 202
    good = received["Location"]
    client = Client.from_url(redis.url)
    whole = json.loads(client.lindex("celery", 0))
    args = json.loads(base64.b64decode(whole["body"]))[0]

    def put(kind="application/json", content=None, **headers):
        message = json.loads(json.dumps(whole))
        message["content-type"] = kind
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        message["body"] = base64.b64encode(content).decode()
        number = client.llen("celery")
        message["headers"] |= {"id": f"{number:032x}", **headers}
        message["properties"]["delivery_tag"] = str(number)
        client.lpush("celery", json.dumps(message))

    trap = tmp_path / "the pickle was run"
    put("application/x-python-serialize", pickle.dumps([[Trap(str(trap))], {}, {}]))
    put(content=[[], {}, {}])
    put(content=[[None] * 5, {}, {}])
    put(content=[["echo"], {}, {}], task="os.system")
    put(content=[["os.system", *args[1:]], {}, {}])
    put(content=[[*args[:2], "x" * 50_000_000, *args[3:]], {}, {}])
    client.lpush("celery", client.rpop("celery"))  # the good one comes last
    site.start_worker()
    assert site.response(good) == (200, f"good: {body}")
    assert not trap.exists()
    assert site.workers[0].process.poll() is None
    for number in 2, 3, 5, 6:
        assert site.response(f"/status/{number:032x}")[0] in (404, 500)
    site.workers[0].until("succeeded in")
    log = site.printed()
    for said in secret, body, base64.b64encode(body.encode()).decode():
        assert said not in log


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return open, (self._path, "w")


@takes_redis
def test_who_can_read_redis_can_read_the_headers_as_the_lesson_shows(over_redis, redis):
    lesson = STEPS[6].lesson.read_text(encoding="utf-8")
    shown = re.search(r"^```text\n(\$ curl .+?)^```$", lesson, re.DOTALL | re.MULTILINE)[1]
    shown = shown.replace(":8000", f":{over_redis.web.port}")
    shown = shown.replace("redis-cli", f"redis-cli -u {redis.url}")
    send, accepted, read, decoded = shown.splitlines()
    for command, expected in (send, accepted), (read, decoded):
        done = subprocess.run(["bash", "-c", command.removeprefix("$ ")], capture_output=True)
        assert re.match(re.escape(expected).replace("…", ".+"), done.stdout.decode())


def test_over_files_only_their_owner_can_read_what_clients_sent(over_files, tmp_path):
    over_files.start_worker()
    gate = Gate()
    held = over_files.accepted(f"/held/{gate.port}")
    gate.next()
    written = {path.parent for path in tmp_path.glob("files/**/*") if path.is_file()}
    assert {path.name for path in written} == {"celery", "results"}
    assert {path.stat().st_mode & 0o777 for path in written} == {0o700}
    gate.open()
    assert over_files.response(held) == (200, "held")


STEP_5 = f"""
import sys
sys.path.insert(0, {str(TOP / "solutions" / STEPS[4].folder)!r})
from app import app
app.config["WORK_SECONDS"] = 0
"""


def share_of_404(web, location, polls=200):
    return [web.send("GET", location)[0] for _ in range(polls)].count(404) / polls


def test_two_processes_of_step_5_do_not_know_each_others_tasks(tmp_path):
    with test_servers.serve(GUNICORN.format(2, "127.0.0.1:0"), tmp_path, STEP_5) as web:
        location = web.send("GET", "/hello")[1]["Location"]
        assert share_of_404(web, location) > 0.1  # half of them, or so


def test_two_processes_of_step_7_do(over_files):
    location = over_files.accepted("/quick/1", b"body 1")
    assert share_of_404(over_files.web, location, polls=100) == 0
    over_files.start_worker()
    assert over_files.response(location) == (200, "1: body 1")
    assert share_of_404(over_files.web, location, polls=100) == 0
