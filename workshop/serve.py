"""run: serve a step's app, and print commands that show what the step is about."""

import os
import re
import shlex
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

import click

from workshop import WINDOWS, lifeline
from workshop.arguments import step_argument
from workshop.screen import console, say
from workshop.steps import CACHE, TOP, shown
from workshop.worker import PATIENCE, Worker

STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"]  # Windows has SIGBREAK, not SIGHUP
STOP_SIGNALS = [getattr(signal, name) for name in STOP_SIGNALS if hasattr(signal, name)]
HOW_TO_SEND = {
    "curl": "Paste any of these lines into another terminal:",
    "PowerShell": "Or, if that terminal is a PowerShell, any of these:",
    "Python": "Start Python in another terminal, and paste these lines into it:",
}


@click.command()
@step_argument
@click.option(
    "--port",
    default=8000,
    show_default=True,
    help="Use this port or, if it is taken, the next free one.",
)
@click.option("--solutions", is_flag=True, help="Serve our solution instead of your code.")
def run(step, port, solutions):
    """Serve step N's app, and reload it at every save, until Ctrl-C.

    The command shows requests and tasks as they happen, from top to bottom.

    After Ctrl-C, steps 6 and 7 finish their tasks first, for up to 15 seconds. A second Ctrl-C ends
    the tasks. Either way, the exit status is 0. SIGTERM, SIGHUP and a closed terminal end
    everything immediately. The exit status is then 128 plus the signal's number, for example 143
    for SIGTERM.
    """
    stops = []
    on_stop_signals(lambda number, _: stops.append(number))
    lifeline.hold()
    app = TOP / ("solutions" if solutions else "steps") / step.folder / "app.py"
    wanted, port = port, free_port(port)
    say(f"Serving {shown(app)} at http://127.0.0.1:{port}. Press Ctrl-C to stop.")
    if port != wanted:
        console.print(f"(Port {wanted} is taken. Is another `run` still serving?)")
    lines = ways(curl_commands(step, port))
    for way in ways_here():
        console.print(HOW_TO_SEND[way])
        for line in lines[way]:
            console.print(f"  {line}", markup=False)
    console.print("From top to bottom: ┬ a request or a task begins, │ is in progress, ┴ ends.")
    flask = [sys.executable, "-m", "workshop.timeline", "--app", str(app)]
    flask += ["run", "--port", str(port), "--debug", "--no-debugger"]  # debug: to reload
    environment = celery_environment() if step.extra_groups else None
    web = lifeline.Process(flask, env=environment, cwd=TOP)
    return until_stopped(stops, web, Worker(app.parent, environment) if environment else None)


def on_stop_signals(handler):
    """Set the handler of all stop signals; return the handlers from before."""
    before = {each: signal.getsignal(each) for each in STOP_SIGNALS}
    for each in before:
        if before[each] != signal.SIG_IGN or each == signal.SIGINT:  # nohup ignores one
            signal.signal(each, handler)
    return before


def until_stopped(stops, web, worker=None):
    """Wait for a stop signal or the web server's end; end both processes; return the exit status.

    After Ctrl-C, they may first finish their tasks, until a second signal comes.
    stops: the numbers of the stop signals that have come
    """
    processes = [worker, web] if worker else [web]
    try:
        while not stops and web.poll() is None:
            time.sleep(0.1)
            if worker:
                worker.look()
        if not stops or stops == [signal.SIGINT]:
            finish(processes, stops)
    finally:
        for process in processes:
            process.end()
    if not stops:
        return web.returncode
    return 0 if stops[0] == signal.SIGINT else 128 + stops[0]


def finish(processes, stops):
    """Let these processes finish their tasks, for PATIENCE seconds or until a signal comes."""
    before, started, told = len(stops), time.monotonic(), False
    for process in processes:
        process.finish()
    while any(process.poll() is None for process in processes) and len(stops) == before:
        time.sleep(0.05)
        waited = time.monotonic() - started
        if waited > PATIENCE:
            break
        if waited > 1 and not told:
            told = True
            console.print(f"Waiting up to {PATIENCE} s for tasks to finish. Ctrl-C ends them now.")


def call(command):
    """Run a command, which ends on a stop signal to this process; return its exit status."""
    stops, process = [], None

    def stop(number, _):
        stops.append(number)
        if process and number != signal.SIGINT:  # the process gets Ctrl-C itself
            process.terminate()

    before = on_stop_signals(stop)
    try:
        with lifeline.Process(command, cwd=TOP) as process:
            if stops:  # it may have been too early to reach the process
                process.terminate()
            status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 + stops[0] if stops else status


def celery_environment():
    """The environment for Celery: with a broker on files, unless REDIS_URL is set."""
    from workshop import file_broker

    redis = "REDIS_URL" in os.environ
    folder = Path(os.environ.get("WORKSHOP_FILES", CACHE / "celery"))
    place = shown(folder) if folder.is_relative_to(TOP) else folder
    where = "at REDIS_URL" if redis else f"files in {place}"
    console.print("This also starts a worker.")
    say(f"The broker and the result store are {where}.")
    return {**os.environ, **({} if redis else file_broker.environment(folder))}


def curl_commands(step, port):
    """The first three curl commands of the step's lesson, for this port, without those with an id.

    Each task has a different id: the timeline shows the command for it.
    """
    lesson = step.lesson.read_text(encoding="utf-8")
    found = re.findall(r"^\$ (curl .*)$", lesson, re.MULTILINE)
    lines = [line for line in dict.fromkeys(found) if not re.search(r"\b[0-9a-f]{32}\b", line)]
    return [line.replace(":8000", f":{port}") for line in lines[:3]]


def ways(lines):
    """Commands that send the requests of these curl commands, for curl, PowerShell and Python."""
    requests = list(dict.fromkeys(request(line) for line in lines))
    curl = "curl.exe" if WINDOWS else "curl"  # without .exe, PowerShell has another command
    return {
        "curl": [folded(line.replace("curl", curl, 1)) for line in lines],
        "PowerShell": [powershell(*each) for each in requests],
        "Python": ["import urllib.request as r", *(python(*each) for each in requests)],
    }


def folded(line):
    """A curl command, with its URL on a line of its own if both are too long for one line."""
    if WINDOWS or len(line) <= 76:  # Windows' shells don't agree on how to continue a line
        return line
    return " \\\n    ".join(line.rsplit(" ", 1))


def ways_here():
    """Which of these ways people have on a system like this one."""
    if WINDOWS:
        return "curl", "PowerShell"
    return ("curl" if shutil.which("curl") else "Python",)


def request(line):
    """The request that a curl command sends: method, URL, headers and body."""
    words = shlex.split(line)[1:]
    options = {"-X": [], "-H": [], "-d": []}
    url = ""
    while words:
        word = words.pop(0)
        if word in options:
            options[word].append(words.pop(0))
        elif not word.startswith("-"):
            url = word
    body = "&".join(options["-d"]) or None
    method = (options["-X"] or ["POST" if body else "GET"])[0]
    return method, url, tuple(tuple(header.split(": ", 1)) for header in options["-H"]), body


def powershell(method, url, headers, body):
    line = f"Invoke-WebRequest -UseBasicParsing {url}"
    line += f" -Method {method}" if method != "GET" else ""
    for name, value in headers:
        line += f" -ContentType '{value}'" if name == "Content-Type" else ""
    return line + (f" -Body '{body}'" if body else "")


def python(method, url, headers, body):
    argument = repr(url)
    if body or headers or method != "GET":
        data = f", {body.encode()!r}" if body else ", None"
        argument = f"r.Request({url!r}{data}, {dict(headers)!r}, method={method!r})"
    return f"a = r.urlopen({argument}); print(a.status, a.headers, a.read().decode())"


def free_port(wanted):
    """This port or, if it is taken, the next free one."""
    for port in range(wanted, min(wanted + 100, 65536)):
        with socket.socket() as probe:
            if not WINDOWS:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise click.ClickException(f"There is no free port between {wanted} and {wanted + 99}.")
