"""run: lines to paste that do the same in three ways, and what happens, as it happens."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from textwrap import wrap
from urllib.request import urlopen

import psutil
import pytest

from tests.harness.running import LIMIT, Child
from tests.harness.servers import ServerProcess, unused_port
from workshop import lifeline
from workshop.serve import HOW_TO_SEND, call, curl_commands, free_port, request, ways
from workshop.steps import STEPS, TOP
from workshop.timeline import Timeline
from workshop.worker import Worker

posix = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process.")


@pytest.fixture
def serve(tmp_path):
    """Start `run N` of a step's solution, or with an app the server behind it."""
    servers = ExitStack()

    def serve(number=None, app=None, command=()):
        if app:
            command = ["workshop.timeline", "--app", str(app), "run", "--port=0"]
        elif number:
            command = run_command(number)
        return servers.enter_context(ServerProcess(*command, cwd=TOP, env=environment(tmp_path)))

    with servers:
        yield serve


def run_command(number):
    return ["workshop", "run", str(number), "--solutions", f"--port={unused_port()}"]


def environment(folder):
    files = {"WORKSHOP_FILES": str(folder / "files")}
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", **files}


@posix
def test_requests_and_tasks_are_shown_and_the_line_to_ask_with(serve):
    served = serve(4)
    assert re.search("┬ a request .*, │ is in progress, ┴ ends", served.printed)
    with urlopen(served.url("/hello")) as response:
        location = response.headers["Location"]
    served.until(r" s  ┬  GET /hello\n")
    served.until(r" s  . ┬  thread: task\n")
    shown = served.until(r" s  ┴ .?  202 ACCEPTED +poll: (curl .*)\n")[1]
    assert shown == f"curl {served.url(location)}"
    assert subprocess.run([*shlex.split(shown), "-s"], capture_output=True).stdout == b"accepted\n"
    assert re.search(r"started /hello", served.printed)


@posix
def test_ctrl_c_ends_it_quietly_though_a_task_runs(serve):
    served = serve(2)
    urlopen(served.url("/hello")).close()
    served.until("thread: get")
    served.interrupt()
    assert served.wait() in (0, 130)
    assert "Traceback" not in served.printed


@posix
def test_ctrl_c_before_there_is_a_process_ends_it_all_the_same(monkeypatch):
    started = []

    class Late(lifeline.Process):
        def __init__(self, *args, **options):
            signal.raise_signal(signal.SIGINT)
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(lifeline, "Process", Late)
    assert call([sys.executable, "-c", f"import time; time.sleep({LIMIT})"]) == 130
    assert started[0].returncode == -signal.SIGTERM


CALLS = """
import sys
from workshop.serve import call
inner = "import time; print('started', flush=True); time.sleep(3600)"
sys.exit(call([sys.executable, "-c", inner]))
"""


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_stop_signal_reaches_what_was_called(name):
    number = getattr(signal, name)
    with Child([sys.executable, "-c", CALLS], cwd=TOP) as outer:
        outer.until("started")
        (inner,) = psutil.Process(outer.process.pid).children()
        outer.process.send_signal(number)
        assert outer.process.wait(LIMIT) == 128 + number
        assert not inner.is_running()


TERMINAL = """
import os, pty, sys
os.dup2(2, 9)  # what the command writes to stderr does not go to the terminal
pty.spawn(["sh", "-c", 'exec "$@" 2>&9', "sh", sys.executable, "-m", *sys.argv[1:]])
"""
SOON = 2  # seconds
ENDINGS = {"SIGINT": 0, "SIGTERM": 143, "SIGHUP": 129, "SIGKILL": -9, "a closed terminal": -9}


@posix
@pytest.mark.parametrize("number", [5, 7])
@pytest.mark.parametrize("ending", ENDINGS)
def test_everything_that_it_started_ends_with_it(number, ending, serve, tmp_path, monkeypatch):
    """SIGKILL and the closed terminal: those processes notice that the command has ended."""
    if ending == "a closed terminal":
        (tmp_path / "terminal.py").write_text(TERMINAL, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        served = serve(command=["terminal", *run_command(number)])
    else:
        served = serve(number)
    assert served.send("GET", "/status/nobody")[0] == 404
    if number == 7:
        served.until(r" ready\.")
        if ending != "SIGINT":  # which lets the worker finish
            urlopen(served.url("/hello")).close()
            served.until("started /hello")
    family = psutil.Process(served.process.pid).children(recursive=True)
    assert len(family) == {5: 2, 7: 5}[number] + ("terminal" in ending)
    try:
        number = getattr(signal, ending, signal.SIGKILL)  # here, only the terminal is killed
        served.process.send_signal(number)
        assert served.is_gone(SOON), "Some process goes on."
        assert served.wait() == ENDINGS[ending]
        socket.create_server(("127.0.0.1", served.port)).close()
    finally:
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.kill()


@posix
def test_what_does_not_react_is_killed(serve, tmp_path):
    """A process that is stopped runs none of its code."""
    served = serve(5)
    assert served.send("GET", "/status/nobody")[0] == 404
    reloader = psutil.Process(served.process.pid).children()[0]
    reloader.children()[0].suspend()
    served.process.terminate()
    assert served.is_gone(SOON)


APP = """
import threading
from flask import Flask
app, go = Flask(__name__), threading.Event()

@app.get("/wait")
def wait():
    return f"{go.wait()}"

@app.get("/go")
def set_go():
    return f"{go.set()}"

@app.get("/fail")
def fail():
    threading.Thread(target=lambda: 1 / 0).start()
    return ""
"""


def test_a_response_that_reaches_nobody_says_so(serve, tmp_path):
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    served = serve(app=tmp_path / "app.py")
    with socket.create_connection(("127.0.0.1", served.port)) as client:
        client.sendall(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
        served.until("GET /wait")
    urlopen(served.url("/go")).close()
    served.until(r"┴ .* 200 OK, but the client has gone\n")
    served.until(r"┴  200 OK\n")


def test_a_traceback_of_a_task_has_no_lines_of_the_timeline(serve, tmp_path):
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    served = serve(app=tmp_path / "app.py")
    urlopen(served.url("/fail")).close()
    served.until("ZeroDivisionError: division")
    assert "app.py" in served.printed
    assert "timeline.py" not in served.printed


@posix
def test_step_7_has_a_worker_which_finishes_what_it_has_begun(serve):
    served = serve(7)
    with urlopen(served.url("/hello")) as response:
        location = response.headers["Location"]
    served.until("started /hello")
    served.interrupt()
    assert served.wait() in (0, 130)
    assert "finished /hello" in served.printed
    assert "Traceback" not in served.printed
    assert location


@posix
def test_a_killed_worker_is_replaced_and_its_tasks_are_done(serve):
    served = serve(7)
    served.until(r" ready\.")
    for name in "abc":  # c waits: a worker does two tasks at a time
        urlopen(served.url(f"/{name}")).close()
    served.until("started /a")
    served.until("started /b")
    children = psutil.Process(served.process.pid).children()
    worker = next(child for child in children if "workshop.worker" in child.cmdline())
    before = len(served.printed)
    worker.kill()
    served.until(r"The worker was killed by SIGKILL\. Starting another one\.\n", before)
    for name in "cab":
        served.until(f"started /{name}", before)


@posix
def test_a_killed_process_of_the_pool_is_replaced_before_the_other_one_is_done(serve):
    served = serve(7)
    served.until(r" ready\.")
    for name in "abc":
        urlopen(served.url(f"/{name}")).close()
    served.until("started /a")
    served.until("started /b")
    children = psutil.Process(served.process.pid).children()
    worker = next(child for child in children if "workshop.worker" in child.cmdline())
    worker.children()[0].kill()
    served.until("started /c")
    assert "finished" not in served.printed


@posix
def test_a_worker_that_cannot_start_is_reported_once_and_started_at_the_next_save(laptop):
    laptop.solve(7)
    good = laptop.app(7).read_text(encoding="utf-8")
    options = ["run", "7", f"--port={unused_port()}"]
    environment = {**laptop.environment, "PYTHONUNBUFFERED": "1"}
    command = [laptop.python, "-m", "workshop", *options]
    with Child(command, cwd=laptop.top, env=environment) as served:
        served.until(r" ready\.")
        laptop.app(7).write_text(good + "\nthis is no Python\n", encoding="utf-8")
        told = r"The worker exited with status \d before it was ready\. The next save .*\n"
        end = served.until(told).end()
        laptop.app(7).write_text(good, encoding="utf-8")
        served.until(r" ready\.", end)
        assert len(re.findall(told, served.printed)) == 1


def test_a_worker_that_cannot_start_is_left_alone_until_then(tmp_path, monkeypatch, capsys):
    started = []

    class Failing(lifeline.Process):
        def __init__(self, command, **options):
            super().__init__([sys.executable, "-c", "raise SystemExit(2)"], **options)
            started.append(self)

    monkeypatch.setattr(lifeline, "Process", Failing)
    worker = Worker(tmp_path, environment(tmp_path))
    for _ in range(5):
        started[-1].wait(LIMIT)
        worker.look()
    assert len(started) == 1
    assert capsys.readouterr().out.count("The worker exited with status 2") == 1
    (tmp_path / "app.py").write_text("", encoding="utf-8")
    worker.look()
    assert len(started) == 2
    worker.end()


@posix
def test_a_save_says_what_it_cuts_off(laptop):
    laptop.solve(2)
    command = [laptop.python, "-m", "workshop", "run", "2", f"--port={(port := unused_port())}"]
    with Child(command, cwd=laptop.top, env=laptop.environment) as served:
        served.until("Restarting with")
        urlopen(f"http://127.0.0.1:{port}/hello").close()
        laptop.solve(2)
        served.until(r" s .* │  this server process ends, and with it: thread: get\n")


def test_a_browsers_request_for_an_icon_reaches_no_app(serve, tmp_path):
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    served = serve(app=tmp_path / "app.py")
    assert served.send("GET", "/favicon.ico")[0] == 404
    assert served.send("GET", "/go")[0] == 200
    served.until("GET /go")
    assert "favicon" not in served.printed


@posix
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.folder)
def test_the_url_is_among_the_last_lines_and_all_fits_on_a_screen(step, serve):
    served = serve(step.number)
    served.until(r" ready\." if step.number == 7 else "Restarting with")
    assert served.printed.startswith(f"Serving solutions/{step.folder}/app.py at http://127.0.0.1:")
    rows = [part for line in served.printed.splitlines() for part in wrap(line, 80) or [""]]
    assert len(rows) <= 22
    assert "Running on http://127.0.0.1:" in "".join(rows[-10:])


def test_a_taken_port_gives_way_to_the_next_free_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port


# The lines to paste


@pytest.mark.parametrize("step", STEPS[:5], ids=lambda step: step.folder)
def test_no_line_to_paste_has_an_id_in_it(step):
    lines = curl_commands(step, 8123)
    assert lines
    assert not re.search(r"/status/(?!nobody)|…|:8000", "\n".join(lines))


def test_the_same_request_in_three_ways():
    line = 'curl -i -H "Content-Type: application/json" -d "[1]" http://127.0.0.1:8000/a'
    expected = "POST", "http://127.0.0.1:8000/a", (("Content-Type", "application/json"),), "[1]"
    assert request(line) == expected
    assert ways([line])["PowerShell"] == [
        "Invoke-WebRequest -UseBasicParsing http://127.0.0.1:8000/a -Method POST "
        "-ContentType 'application/json' -Body '[1]'"
    ]


@posix
def test_each_line_between_what_to_do_and_the_timeline_is_a_command_or_the_rest_of_one(serve):
    served = serve(3)
    served.until("From top to bottom")
    lines = served.printed.partition("From top")[0].splitlines()
    assert lines.pop(0).startswith("Serving ")
    assert set(HOW_TO_SEND) == set(ways([]))
    assert lines.pop(0) in HOW_TO_SEND.values()
    assert lines
    assert all(re.match(r"  (curl|import|a =) ?|    http", line) for line in lines)


@posix
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.folder)
def test_a_line_to_paste_is_folded_before_its_url_if_it_is_too_long(step):
    long = False
    for line in curl_commands(step, 8000):
        (shown,) = ways([line])["curl"]
        assert shlex.split(shown.replace("\\\n", "")) == shlex.split(line)
        assert all(len(row) <= 76 for row in shown.splitlines())
        long = long or "\n" in shown
    assert long == (step.number in (3, 7))


@posix
def test_the_lines_for_curl_and_python_work(serve, capsys):
    served = serve(3)
    lines = ways(curl_commands(STEPS[2], served.port))
    exec("\n".join(lines["Python"]))
    assert capsys.readouterr().out.startswith("202 ")
    for line in lines["curl"]:
        done = subprocess.run(["sh", "-c", f"{line} -s"], capture_output=True, text=True)
        assert done.stdout.strip() == '"accepted"'
    served.until(r"(?s)POST /hello.*POST /hello")


# The timeline by itself


def test_the_timeline_gives_each_its_column_and_frees_it():
    lines = []
    timeline = Timeline(lines.append)
    for what, text in ("a", "first"), ("b", "second"):
        timeline.begin(what, text)
    timeline.end("a", "over")
    timeline.begin("c", "third")
    timeline.end("b", "over")
    assert [re.sub(r"^ +\d\.\d s  |\n", "", line) for line in lines] == [
        "┬  first",
        "│ ┬  second",
        "┴ │  over",
        "┬ │  third",
        "│ ┴  over",
    ]
