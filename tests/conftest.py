"""Which app.py is checked, and how a broken promise is explained."""

import re
import sys
from pathlib import Path

import pytest

from tests.harness.expect import Broken, part_of, promise_of
from tests.harness.load import CannotLoad
from tests.harness.site import Site

TOP = Path(__file__).parent.parent


def pytest_addoption(parser):
    group = parser.getgroup("workshop")
    group.addoption(
        "--apps",
        metavar="DIR",
        default="steps",
        help="check DIR/NN_slug/app.py; without this option, steps/NN_slug/app.py",
    )
    group.addoption(
        "--solutions",
        action="store_const",
        const="solutions",
        dest="apps",
        help="check the solutions",
    )
    group.addoption(
        "--thorough",
        action="store_true",
        help="hold every wrong solution to every check, the earlier steps' as well (some minutes)",
    )


@pytest.fixture
def kind_of_site():
    return Site


@pytest.fixture
def site(kind_of_site, request, caplog, capsys):
    """The app of the step in whose folder the test was collected, imported afresh."""
    folder = request.path.parent.name.removeprefix("step_")
    path = (TOP / request.config.getoption("apps") / folder / "app.py").resolve()
    shown = path.relative_to(TOP).as_posix() if path.is_relative_to(TOP) else str(path)
    site = kind_of_site(path, shown, lambda: (capsys.readouterr().err, caplog.text))
    yield site
    site.close()


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("first") is None)
    for item in items:
        item.user_properties.append(("promise", promise_of(item.function)))
        item.user_properties.append(("part", part_of(item.function, item.module.__name__)))


def pytest_collection_finish(session):
    """What starts processes for checks is there before an app is loaded, or a thread started."""
    if "tests.harness.process" in sys.modules:
        sys.modules["tests.harness.process"].get_ready()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Explain a broken promise; show the harness's traceback only with an explicit --tb."""
    report = yield
    promise = dict(item.user_properties)["promise"]
    error = call.excinfo and call.excinfo.value
    if isinstance(error, Broken):
        explanation = {
            "Promised": promise,
            "Seen": error.saw,
            "Means": error.means,
            "Look at": error.look,
        }
        if error.mistake:
            explanation["Mistake"] = error.mistake
    elif isinstance(error, CannotLoad):
        explanation = {"Seen": error.sentence, "Look at": error.look}
    else:
        return report
    report.user_properties.append(("explanation", explanation))
    if item.config.option.tbstyle == "auto":
        report.sections.clear()
        report.longrepr = "\n".join(f"{what + ':':9} {text}" for what, text in explanation.items())
    return report


# What these have in common takes long to make: figures, a clone that is set up, built slides that a
# browser has looked at, a kernel, replayed lessons, the collected checks of a step. So `pytest -n`
# gives each group to one process. (xdist's own groups, 3.8, do not work with pytest 9.2.)
TOGETHER = re.compile(
    r"tests/workshop/test_(bench|setup|slides|lessons.py::test_quoted_commands"
    r"|notebooks.py::test_a_(notebook_runs|spoilt)|(catalogue|parts).py::\w+\[(?P<step>\d\d))"
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            together = TOGETHER.match(nodeid)
            return (together["step"] or together[0]) if together else nodeid

    return Scheduling(config, log)
