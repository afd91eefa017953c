"""Step 7 in real processes: gunicorn, Celery's workers, and a Redis if there is a redis-server.

Without one, what takes it is skipped. Nothing here is in-process: what is killed is gone.
"""

import base64
import contextlib
import http.client
import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.workshop.test_servers import LIMIT, Served
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


class Redis:
    """A redis-server of the test's own, which writes to disk what it is told."""

    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url, self._folder = f"redis://127.0.0.1:{self.port}/0", folder
        self.start()

    def start(self):
        options = f"--port {self.port} --appendonly yes --appendfsync always"
        self._process = subprocess.Popen(
            ["redis-server", *options.split(), "--save", "", "--dir", self._folder],
            stdout=subprocess.DEVNULL,
        )
        until(self._listens)

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @contextlib.contextmanager
    def silent(self):
        """It takes connections, and answers nobody."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop(self):
        self._process.kill()
        self._process.wait()


class Gate:
    """What holds tasks back: each connects to this port, says its process, and waits."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(2 * LIMIT)
        self.port = self._listener.getsockname()[1]
        self.held = []

    def next(self):
        """Wait for the next task that comes; return its process."""
        connection, _ = self._listener.accept()
        self.held.append(connection)
        return int(connection.makefile().readline())

    def open(self):
        """Let every task go on that has come, or comes later."""
        for connection in self.held:
            connection.close()
        threading.Thread(target=self._close_all, daemon=True).start()

    def _close_all(self):
        with contextlib.suppress(TimeoutError):
            while True:
                connection, _ = self._listener.accept()
                connection.makefile().readline()  # closed with this unread, it would be reset
                connection.close()


class Web(Served):
    """gunicorn, on a socket that stays open while it is started again, as systemd would keep it."""

    def __init__(self, listener, workers, folder, environment):
        self.port = listener.getsockname()[1]
        (folder / "served.py").write_text(SITE, encoding="utf-8")
        self.log = (folder / "web.log").open("a+", encoding="utf-8")
        command = GUNICORN.format(workers, f"fd://{listener.fileno()}")
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command.split()],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            pass_fds=[listener.fileno()],
        )

    def stop(self):
        self.process.terminate()
        self.process.wait(LIMIT)
        self.log.close()


class Site:
    """Web processes behind one port, and workers; over files, or over a Redis."""

    def __init__(self, folder, environment, processes=2):
        self._folder, self._number, self._processes = folder, 0, processes
        self._environment = {**os.environ, **environment}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.workers = []
        self.serve()

    def serve(self):
        self.web = Web(self._listener, self._processes, self._folder, self._environment)

    def restart_web(self):
        """Stop the web as a deployment does, and start it anew."""
        self.web.stop()
        self.serve()

    def start_worker(self):
        self._number += 1
        log = (self._folder / f"worker{self._number}.log").open("w+")
        options = f"-n w{self._number}@here -c 2 -l INFO --without-gossip --without-mingle"
        self.workers.append(
            subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "served:celery", "worker", *options.split()],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        )

    def kill_worker(self):
        """Kill the oldest worker, its pool and all, as by kill -9."""
        process = self.workers.pop(0)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def printed(self):
        """All that web processes and workers have logged."""
        return "".join(path.read_text(errors="replace") for path in self._folder.glob("*.log"))

    def close(self):
        for process in self.workers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.web.stop()
        self._listener.close()

    def accepted(self, url, body=b""):
        """Send a request until it is accepted; return the task's address."""
        while True:
            with contextlib.suppress(ConnectionError, http.client.HTTPException):
                status, headers, _ = self.web.ask("POST", url, body)
                if status == 202:
                    return headers["Location"]
                assert status == 503
            time.sleep(0.05)

    def answer(self, location):
        """Ask until there is an answer; return status and text."""
        give_up = time.monotonic() + 3 * LIMIT
        while time.monotonic() < give_up:
            with contextlib.suppress(ConnectionError, http.client.HTTPException):
                status, _, body = self.web.ask("GET", location)
                if status not in (202, 503):
                    return status, body.decode()
            time.sleep(0.05)
        raise AssertionError(f"No answer. {self.printed()[-3000:]}")


def until(condition):
    give_up = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.fixture
def redis(tmp_path):
    (tmp_path / "redis").mkdir()
    redis = Redis(tmp_path / "redis")
    yield redis
    redis.stop()


@pytest.fixture
def over_redis(redis, tmp_path):
    site = Site(tmp_path, {"REDIS_URL": redis.url}, processes=4)
    yield site
    site.close()


@pytest.fixture
def over_files(tmp_path):
    site = Site(tmp_path, file_broker.environment(tmp_path / "files"))
    yield site
    site.close()


def crowd(site, number, at):
    """Have so many tasks done by many clients; return what each was answered.

    at: by how many answers are there, what to do then.
    """
    answers, counting, at = {}, threading.Lock(), dict(at)

    def client(first):
        for n in range(first, number, CLIENTS):
            location = site.accepted(f"/quick/{n}", f"body {n}".encode())
            answer = site.answer(location)
            with counting:
                answers[n] = answer
                happening = at.pop(len(answers), None)
            if happening:
                happening()

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    return answers


def right(number):
    return {n: (200, f"{n}: body {n}") for n in range(number)}


@takes_redis
def test_each_answer_comes_though_workers_are_killed_and_the_web_restarted(
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
        assert [site.answer(location) for location in held] == 4 * [(200, "held")]

    happenings = {tasks // 5: kill_and_replace, 2 * tasks // 5: site.restart_web}
    happenings[3 * tasks // 5] = kill_and_replace
    assert crowd(site, tasks, happenings) == right(tasks)


def test_over_files_each_answer_comes_though_the_web_is_restarted(over_files):
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
    assert site.web.ask("GET", location)[0] == 202
    gate.open()
    assert site.answer(location) == (200, "held")


@takes_redis
def test_while_redis_is_away_clients_are_told_and_nothing_is_lost(over_redis, redis):
    site, gate = over_redis, Gate()
    site.start_worker()
    held = [site.accepted(f"/held/{gate.port}") for _ in range(2)]
    for _ in held:  # its hands are full: it is not about to take a message, which would be lost
        gate.next()
    waiting = [site.accepted(f"/quick/{n}", f"body {n}".encode()) for n in range(10)]
    with redis.silent():
        responses = [site.web.ask("POST", "/quick/late"), site.web.ask("GET", waiting[0])]
    assert [status for status, _, _ in responses] == [503, 503]
    redis.stop()
    gate.open()  # the worker is done, and cannot say so
    responses, back = [], time.monotonic() + DOWN
    while time.monotonic() < back:
        responses += [site.web.ask("POST", "/quick/late"), site.web.ask("GET", waiting[0])]
        responses.append(site.web.ask("GET", f"/status/{'0' * 32}"))
        time.sleep(0.1)
    assert {(status, headers.get("Retry-After")) for status, headers, _ in responses} == {
        (503, "1")
    }
    redis.start()
    assert [site.answer(location) for location in waiting] == list(right(10).values())
    assert [site.answer(location) for location in held] == 2 * [(200, "held")]


@takes_redis
def test_hostile_messages_are_refused_and_nothing_in_them_is_run(over_redis, redis, tmp_path):
    from redis import Redis as Client

    site = over_redis
    secret, body = "open sesame", "what the client wrote"
    headers = {"Authorization": secret}
    status, answer, _ = site.web.ask("POST", "/quick/good", body, headers)
    assert status == 202
    good = answer["Location"]
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
    assert site.answer(good) == (200, f"good: {body}")
    assert not trap.exists()
    assert site.workers[0].poll() is None
    for number in 2, 3, 5, 6:
        assert site.answer(f"/status/{number:032x}")[0] in (404, 500)
    log = site.printed()
    assert "succeeded in" in log
    for said in secret, body, base64.b64encode(body.encode()).decode():
        assert said not in log


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return open, (self._path, "w")


STEP_5 = f"""
import sys
sys.path.insert(0, {str(TOP / "solutions" / STEPS[4].folder)!r})
from app import app
app.config["WORK_SECONDS"] = 0
"""


def share_of_404(web, location, polls=200):
    return [web.ask("GET", location)[0] for _ in range(polls)].count(404) / polls


def test_two_processes_of_step_5_do_not_know_each_others_tasks(tmp_path):
    web = Served(GUNICORN.format(2, "127.0.0.1:{port}"), tmp_path, STEP_5)
    try:
        location = web.ask("GET", "/hello")[1]["Location"]
        assert share_of_404(web, location) > 0.1  # half of them, or so
    finally:
        web.process.kill()
        web.process.wait()
        web.log.close()


def test_two_processes_of_step_7_do(over_files):
    location = over_files.accepted("/quick/1", b"body 1")
    assert share_of_404(over_files.web, location, polls=100) == 0
    over_files.start_worker()
    assert over_files.answer(location) == (200, "1: body 1")
    assert share_of_404(over_files.web, location, polls=100) == 0
