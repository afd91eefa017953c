"""Step 6 behind real servers: no more threads than were meant, and nothing accepted is lost."""

import http.client
import importlib.util
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.harness.running import LIMIT
from tests.workshop import test_servers
from tests.workshop.test_servers import SERVERS, get_and_rest
from workshop.steps import STEPS, TOP

SITE = f"""
import concurrent.futures.thread, os, socket, sys, threading
sys.path[:0] = {[str(TOP / "solutions" / STEPS[5].folder), str(TOP)]}
from app import app, async_api
from tests.harness import thread_starts

app.config.update(GRACE_SECONDS=int(os.environ["GRACE"]))
done = os.open("done", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
most = [0]


def count(thread, starter):
    most.append(max(most.pop(), threading.active_count()))


thread_starts.observe(thread_starts.ignore, count)


@app.get("/threads/<int:bound>")
def most_threads(bound):
    return str(*most), 200 if most[0] <= bound else 500


@app.get("/tell-when-stopping")
def tell_when_stopping():
    def look():
        while not concurrent.futures.thread._shutdown:
            threading.Event().wait(0.01)
        print("The server has ended.", flush=True)
    threading.Thread(target=look, daemon=True).start()
    return "yes"


refused = threading.Event()


@app.after_request
def note_a_refusal(response):
    if response.status_code == 503:
        refused.set()
    return response


@app.get("/quick/<name>")
@async_api
def quick(name):
    refused.wait({LIMIT})  # however slow the clients are, there is a crowd
    threading.Event().wait(0.02)
    os.write(done, f"{{name}}\\n".encode())
    return f"quick {{name}}"


@app.get("/held/<name>/<int:port>")
@async_api
def held(name, port):
    with socket.create_connection(("127.0.0.1", port)) as gate:
        gate.recv(1)  # until the other side closes
    os.write(done, f"{{name}}\\n".encode())
    return f"held {{name}}"
"""
posix = pytest.mark.skipif(sys.platform == "win32", reason="Signals cannot be sent there.")
every_server = pytest.mark.parametrize("server", SERVERS)
every_signal = pytest.mark.parametrize(
    "signum", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"]
)


class Gate:
    """What holds tasks back: each connects to this port, and goes on when it is closed."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]

    def open(self):
        """Let every task go on that has come, or comes later."""
        threading.Thread(target=self._close_all, daemon=True).start()

    def _close_all(self):
        while True:
            self._listener.accept()[0].close()


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """serve(name, grace): the site of step 6 behind the server of that name."""
    servers = ExitStack()

    def serve(name, grace=LIMIT):
        command = SERVERS[name]
        if not importlib.util.find_spec(command.split()[0]):
            pytest.skip(f"{command.split()[0]} is not installed here.")
        monkeypatch.setenv("GRACE", str(grace))
        command = command.replace("gunicorn ", f"gunicorn --graceful-timeout {grace} ", 1)
        command = command.replace("waitress ", "waitress --threads 8 ", 1)
        return servers.enter_context(test_servers.serve(command, tmp_path, SITE))

    with servers:
        yield serve


def done(tmp_path):
    """How often each task has come to its end."""
    return Counter((tmp_path / "done").read_text().split())


@posix
@every_signal
@every_server
def test_a_stopped_server_finishes_what_it_accepted(serve, server, signum, tmp_path):
    served, gate = serve(server), Gate()
    names = [f"task{number}" for number in range(12)]  # 8 at work, 4 that wait
    for name in names:
        assert get_and_rest(served.port, f"/held/{name}/{gate.port}") == 202
    get_and_rest(served.port, "/tell-when-stopping")
    served.process.send_signal(signum)
    served.until("The server has ended.")
    gate.open()
    assert served.wait() == 0
    assert done(tmp_path) == Counter(names)


@posix
@every_signal
@every_server
def test_a_task_that_never_ends_is_given_up(serve, server, signum):
    served, gate = serve(server, grace=1), Gate()
    assert get_and_rest(served.port, f"/held/for-ever/{gate.port}") == 202
    served.process.send_signal(signum)
    status = served.wait()
    if "gunicorn" not in server:  # whose arbiter ends its worker without a word
        assert status == 1
        assert "in held" in served.printed  # what it hung at


CLIENTS, REQUESTS = 200, 10  # of each client
BOUND = 1 + 8 + 8 + 1  # the main thread, the server's, the pool's, the cleaner


class Crowd:
    """Clients that send requests at the same time, and fetch the response to each accepted one.

    statuses: how often each came; accepted: the names of the tasks; responses: the last one of each
    task.
    """

    def __init__(self, served, enough=None):
        self.statuses, self.accepted, self.responses = Counter(), [], {}
        self.enough = threading.Event()  # set when so many are accepted
        self._served, self._number = served, enough
        self._counting = threading.Lock()
        with ThreadPoolExecutor(CLIENTS) as self._pool:
            self._clients = [self._pool.submit(self._client, n) for n in range(CLIENTS)]
            if enough:
                assert self.enough.wait(LIMIT)
                served.process.send_signal(signal.SIGTERM)
        for client in self._clients:
            client.result()

    def _client(self, client):
        try:
            for number in range(REQUESTS):
                self._ask(f"{client}-{number}")
        except (OSError, http.client.HTTPException):
            assert self._number, "The connection broke off."

    def _ask(self, name):
        status, headers, _ = self._served.send("GET", f"/quick/{name}")
        with self._counting:
            self.statuses[status] += 1
            if status == 202:
                self.accepted.append(name)
                if len(self.accepted) == self._number:
                    self.enough.set()
        if status == 202:
            while (response := self._served.send("GET", headers["Location"]))[0] == 202:
                time.sleep(0.02)
            self.responses[name] = response[0], response[2]
        else:
            time.sleep(0.02)


crowded = pytest.mark.parametrize("server", ["gunicorn", "waitress"])


@crowded
def test_a_crowd_is_served_by_a_limited_number_of_threads(serve, server, tmp_path):
    served = serve(server)
    crowd = Crowd(served)
    assert set(crowd.statuses) == {202, 503}
    assert crowd.statuses.total() == CLIENTS * REQUESTS
    assert crowd.responses == {name: (200, f"quick {name}".encode()) for name in crowd.accepted}
    assert done(tmp_path) == Counter(crowd.accepted)
    assert served.send("GET", f"/threads/{BOUND}")[0] == 200


@posix
@crowded
def test_a_server_that_is_stopped_in_a_crowd_loses_nothing(serve, server, tmp_path):
    served = serve(server)
    crowd = Crowd(served, enough=100)
    assert served.wait() == 0
    assert set(crowd.statuses) == {202, 503}
    assert all(crowd.responses[name] == (200, f"quick {name}".encode()) for name in crowd.responses)
    finished = done(tmp_path)
    assert finished == Counter(set(finished))  # none twice
    assert set(crowd.accepted) <= set(finished)  # none lost


SWEEP = """
import sys, time
sys.path.insert(0, sys.argv[1])
from app import app, clean_old_tasks, ended, tasks
app.config["KEEP_SECONDS"] = -1
ended.extend((time.monotonic(), number) for number in range(1000))
tasks.update((number, None) for number in range(1000))
sleeps, time.sleep = [], lambda seconds: sleeps.append(seconds)
clean_old_tasks()
print(len(tasks), sleeps)
"""


def test_a_long_sweep_lets_requests_go_first():
    """Python has another thread go on at a sleep; how long it takes otherwise, bench measures."""
    command = [sys.executable, "-c", SWEEP, TOP / "solutions" / STEPS[5].folder]
    assert subprocess.check_output(command, text=True) == f"0 {[0] * 10}\n"
