"""The notebooks run, fail when they are spoilt, leave nothing behind, and match their pictures."""

import ast
import html
import json
import re

import pytest
from click.testing import CliRunner
from jupyter_client import AsyncKernelManager
from jupyter_core.utils import run_sync

from notebooks import pictures
from notebooks.pictures import nbformat
from tests.catalogue import forked  # noqa: F401
from workshop import checks, opening, setup
from workshop.steps import STEPS

PATHS = {path.stem: path for path in pictures.notebooks()}
HEADINGS = ["Predict", "Run", "Picture", "What it means", "Break it on purpose"]
HEADINGS += ["Try it on your own code", "The step's checks"]
DRAWING = ["draw", "growth", "crowd", "responses", "written"]  # what drawing.py does
every_notebook = pytest.mark.parametrize("room", PATHS)


new_code_cell = nbformat.v4.new_code_cell


def read(room):
    return nbformat.read(PATHS[room], 4)


def code_cells(room):
    return [cell for cell in read(room).cells if cell.cell_type == "code"]


def test_each_notebook_is_a_steps():
    assert set(PATHS) == {step.folder for step in STEPS}


def test_lab_installs_what_its_step_takes(monkeypatch):
    installed = []
    monkeypatch.setattr(setup, "ensure", lambda *groups: installed.extend(groups))
    monkeypatch.setattr(opening, "call", lambda *_: 0)
    assert CliRunner().invoke(opening.lab, ["7"]).exit_code == 0
    assert {"core", "notebooks", "celery"} <= set(installed)


@every_notebook
def test_a_notebook_has_its_sections(room):
    cells = [cell.source for cell in read(room).cells if cell.cell_type == "markdown"]
    text = "\n".join(cells)
    assert text.startswith(f"# Step {int(room[:2])} in pictures: ")
    assert "**What you will see.** " in cells[0]
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert [heading for heading in headings if heading in HEADINGS] == HEADINGS


@every_notebook
def test_nothing_of_a_run_is_committed(room):
    notebook = read(room)
    for cell in code_cells(room):
        assert cell.execution_count is None
        assert cell.outputs == []
        assert cell.metadata == {}
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert re.findall(r"/(?:home|root|Users|tmp|work)/|[A-Z]:\\\\", PATHS[room].read_text()) == []


# Every notebook is run as a reader would: in a kernel, from top to bottom, and then each cell once
# more, from bottom to top. Before and after, the kernel counts its threads and open ports. To be
# quick, all run in the same kernel, which forgets all names in between. And of a step's checks only
# one runs: that the others tell what a starter lacks is test_steps.py's concern.

ONE_CHECK = "-k 'answers_with_the_path or catch_all_is_asynchronous'"
COUNT = """
%reset -f
import psutil, threading


def left():
    connections = psutil.Process().net_connections("tcp")
    listening = {c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN}
    # pyzmq starts a thread of its own when the kernel sends something long, such as a picture.
    threads = {t for t in threading.enumerate() if not type(t).__module__.startswith("zmq")}
    return threads | listening


before = left()
"""


@pytest.fixture(scope="module")
def kernel():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_ADDOPTS", ONE_CHECK)
        manager = AsyncKernelManager(kernel_name="python3")
        run_sync(manager.start_kernel)(cwd=str(pictures.HERE))
    yield manager
    run_sync(manager.shutdown_kernel)(now=True)


def there_and_back(room, kernel):
    notebook = read(room)
    cells = code_cells(room)
    again = [cell for cell in reversed(cells) if not cell.source.startswith("check(")]
    nothing_left = new_code_cell("assert left() <= before, left() - before")
    undrawn = new_code_cell(  # drawing takes most of the time
        f"{' = '.join(DRAWING)} = lambda *_, **__: None"
    )
    notebook.cells = [new_code_cell(COUNT), *cells, nothing_left, undrawn]
    notebook.cells += [new_code_cell(cell.source) for cell in again]
    notebook.cells += [new_code_cell(nothing_left.source)]
    return pictures.run(notebook, kernel)


@every_notebook
def test_a_notebook_runs_and_draws_what_is_committed(room, kernel):
    notebook = there_and_back(room, kernel)

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output for output in outputs if output.get("name") == "stderr"] == []
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert re.search(r"^\d+ (passed|failed)", printed, re.MULTILINE), "where are the step's checks?"

    again = "make them again: .venv/bin/python notebooks/pictures.py"
    drawn, number = pictures.drawn(notebook), room[:2]
    alt = json.loads((pictures.PICTURES / "alt.json").read_text(encoding="utf-8"))
    alt = {name: text for name, text in alt.items() if name.startswith(number)}
    assert {name: picture["alt"] for name, picture in drawn.items()} == alt, again
    assert [path.stem for path in sorted(pictures.PICTURES.glob(f"{number}*.svg"))] == sorted(alt)
    for name, picture in drawn.items():
        committed = (pictures.PICTURES / f"{name}.svg").read_text(encoding="utf-8")
        assert html.escape(picture["alt"]) in committed, again
        assert words(committed) == words(picture["svg"]), again


def words(svg):
    """What is written in a picture, but for the numbers on an axis: those depend on the run."""
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", svg)
    return {text for text in texts if not re.fullmatch(r"\d{1,2}(\.\d+)?", text)}


# A notebook spoilt on purpose: what is replaced in it, by what, and the cell that has to object.

START = "threading.Thread(target=view, args=args, kwargs=kwargs, daemon=True).start()"
NOTE = 'tasks.backend.store_result(task_id, None, "ACCEPTED")'
JOINED = f"(thread := {START.removesuffix('.start()')}).start(); thread.join()"
SPOILT = {
    "the server is not threaded": (
        "01_blocking",
        "Recording(folder, threaded=threaded)",
        "Recording(folder, threaded=False)",
        "claims",
    ),
    "the server has many threads after all": (
        "01_blocking",
        'five_clients("solutions/01_blocking", threaded=False)',
        'five_clients("solutions/01_blocking")',
        "break-claims",
    ),
    "the clients do not wait": (
        "01_blocking",
        'many = five_clients("solutions/01_blocking")',
        'many = five_clients("solutions/02_thread")',
        "claims",
    ),
    "the task is joined in the request": (
        "02_thread",
        "Recording(folder, instead)",
        f"Recording(folder, {{{START!r}: {JOINED!r}}})",
        "claims",
    ),
    "there is no task": (
        "02_thread",
        'five_clients("solutions/02_thread")',
        'five_clients("solutions/01_blocking")',
        "claims",
    ),
    "what breaks it is not broken": (
        "02_thread",
        'five_clients("solutions/02_thread", {start: join})',
        'five_clients("solutions/02_thread")',
        "break-claims",
    ),
    "the task that computes waits": ("02_thread", "beside(compute)", "beside(wait)", "free-claims"),
    "the task that waits computes": ("02_thread", "beside(wait)", "beside(compute)", "free-claims"),
    "there is a request in the thread": (
        "03_request_context",
        'task_reads_its_body("solutions/02_thread")',
        'task_reads_its_body("solutions/03_request_context")',
        "claims",
    ),
    "the body is read late": (
        "03_request_context",
        'copied, copied_received = task_reads_its_body("solutions/03_request_context")',
        'copied, copied_received = task_reads_its_body("solutions/03_request_context",'
        " {'\"wsgi.input\": BytesIO(body),': ''})",
        "copied-claims",
    ),
    "the body is read in time after all": (
        "03_request_context",
        'task_reads_its_body("solutions/03_request_context", late)',
        'task_reads_its_body("solutions/03_request_context")',
        "break-claims",
    ),
    "no hook reads the form": (
        "03_request_context",
        "read_before=True",
        "read_before=False",
        "empty-claims",
    ),
    "what a hook put on g is dropped": (
        "03_request_context",
        "def two_tasks(folder):\n    saw = {}\n    with Recording(folder)",
        "def two_tasks(folder):\n    saw = {}\n    with Recording(folder, "
        '{"vars(g).update(from_hooks)": "pass"})',
        "g-claims",
    ),
    "the endpoint blocks and then answers 202": (
        "04_status",
        "Recording(folder, instead)",
        'Recording(folder, {"threading.Thread(target=task, daemon=True).start()": "task()"})',
        "claims",
    ),
    "the answer is not kept": (
        "04_status",
        "Recording(folder, instead)",
        'Recording(folder, {"                tasks[task_id] = record": "                pass"})',
        "claims",
    ),
    "the race is won": (
        "04_status",
        'lost_responses = poll_until_done("solutions/04_status", record_late, ',
        'lost_responses = poll_until_done("solutions/04_status", None, ',
        "break-claims",
    ),
    "the sweep takes nothing": (
        "05_cleanup",
        'swept, while_running = two_waves("solutions/05_cleanup")',
        'swept, while_running = two_waves("solutions/04_status")',
        "claims",
    ),
    "the sweep takes what still runs": (
        "05_cleanup",
        "with Recording(folder) as recording:",
        "end = 'ended.append((time.monotonic(), task_id))'\n"
        "    with Recording(folder, {end: 'pass', 'location =': end + '; location ='} "
        "if '05' in folder else None) as recording:",
        "claims",
    ),
    "the sweep loses nothing": (
        "05_cleanup",
        "        tasks = kept\n",
        "        pass\n",
        "break-claims",
    ),
    "there is no pool": (
        "06_limits",
        'pool = a_hundred_clients("solutions/06_limits")',
        'pool = a_hundred_clients("solutions/05_cleanup")',
        "claims",
    ),
    "a pool for each task": (
        "06_limits",
        "def a_hundred_clients(folder):\n    with Recording(folder)",
        "def a_hundred_clients(folder):\n    with Recording(folder, {'pool.submit(task)': "
        "'ThreadPoolExecutor(1).submit(task)'} if '06' in folder else None)",
        "claims",
    ),
    "nobody is sent away": (
        "06_limits",
        "clients_arrive(5, {})",
        "clients_arrive(5, {'BoundedSemaphore(': 'BoundedSemaphore(100 + '})",
        "places-claims",
    ),
    "no place gets free": (
        "06_limits",
        "clients_arrive(5, {})",
        "clients_arrive(5, {'                slots.release()\\n': ''})",
        "places-claims",
    ),
    "a queue with an end after all": (
        "06_limits",
        "clients_arrive(10, no_bound)",
        "clients_arrive(10, {})",
        "break-claims",
    ),
    "what waits is dropped": (
        "06_limits",
        'shut_down("solutions/06_limits", two_and_two,',
        'shut_down("solutions/06_limits", two_and_two | {"    raise KeyboardInterrupt": '
        '"    pool.shutdown(wait=False, cancel_futures=True); raise KeyboardInterrupt"},',
        "stop-claims",
    ),
    "a stopped server does not wait": (
        "06_limits",
        'shut_down("solutions/06_limits", two_and_two,',
        'shut_down("solutions/06_limits", two_and_two | {"signal.signal(signal.SIGTERM, stop)": '
        '"pass"},',
        "stop-claims",
    ),
    "one process is asked twice": (
        "06_limits",
        "process=process)",
        "process=1)",
        "two-claims",
    ),
    "the task is not noted": (
        "07_celery",
        "folder, count=2, workers",
        f"folder, count=2, instead={{{NOTE!r}: 'None'}} if '07' in folder else None, workers",
        "claims",
    ),
    "nothing is sent": (
        "07_celery",
        "one_message({})",
        'one_message({\'accept_content=["json"],\': \'accept_content=["json"], '
        "task_always_eager=True, task_store_eager_result=True,'})",
        "message-claims",
    ),
    "hooks run in the worker too": (
        "07_celery",
        "one_message({})",
        "one_message({'vars(g).update(from_hooks)': "
        "'vars(g).update(from_hooks); app.preprocess_request()'})",
        "message-claims",
    ),
    "what was accepted is in a variable": (
        "07_celery",
        "killed_and_started_again({})",
        "killed_and_started_again({'views = {}': 'views, here = {}, set()', "
        "'task_id = uuid.uuid4().hex': 'here.add(task_id := uuid.uuid4().hex)', "
        "'if task[\"status\"] == \"PENDING\":': 'if task_id not in here:'})",
        "killed-claims",
    ),
    "the process that is killed does the work": (
        "07_celery",
        'Processes("solutions/07_celery", count=2',
        'Processes("solutions/05_cleanup", count=2',
        "killed-claims",
    ),
    "the note is there after all": (
        "07_celery",
        'poll_throughout({note: ""})',
        "poll_throughout({})",
        "break-claims",
    ),
}


def given(cells):
    """The names that these cells give to what they make, and those that they use."""
    made, used = set(), set()
    for node in ast.walk(ast.parse("\n".join(cell.source for cell in cells))):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            made.add(node.name)
        elif isinstance(node, ast.alias):
            made.add(node.asname or node.name)
    return made, used


def needed(before, after):
    """The cells among those before that make something which those after, or such a cell, use."""
    chosen = []
    for cell in reversed(before):
        if given([cell])[0] & given([*chosen, *after])[1]:
            chosen.insert(0, cell)
    return chosen


@pytest.fixture
def small(monkeypatch):
    """A notebook's work is short, and it draws nothing."""
    checks.start_server()  # from this folder, it finds what tests.catalogue.forked has it import
    monkeypatch.chdir(pictures.HERE)
    monkeypatch.syspath_prepend(pictures.HERE)
    monkeypatch.setattr("recording.WORK_SECONDS", 0.02)
    for how in DRAWING:
        monkeypatch.setattr(f"drawing.{how}", lambda *_, **__: None)


@pytest.mark.parametrize(("room", "old", "new", "objects"), SPOILT.values(), ids=SPOILT)
def test_a_spoilt_notebook_fails_its_own_assertions(room, old, new, objects, small, monkeypatch):
    cells = code_cells(room)
    (spoilt,) = [cell for cell in cells if old in cell.source]
    assert spoilt.source.count(old) == 1
    first, last = cells.index(spoilt), [cell.id for cell in cells].index(objects)
    names = {}
    for cell in needed(cells[:first], cells[first : last + 1]):
        exec(cell.source, names)
    monkeypatch.setattr("recording.LIMIT", 3)
    for cell in cells[first:]:
        try:
            exec(cell.source.replace(old, new), names)
        except AssertionError:
            assert cell.id == objects
            return
    pytest.fail("No assertion of its own objected.")
