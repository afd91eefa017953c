"""Step 2: 202 at once, and the work in a thread."""

import pytest

from tests.harness import diagnose
from tests.harness.expect import Broken, expect
from tests.step_01_blocking import test_blocking


@pytest.mark.parametrize("resource", [False, True], ids=["view", "resource"])
def test_answers_202_while_the_work_goes_on(site, resource):
    """The client gets 202 Accepted while the work is still going on, in another thread."""
    work = site.work(resource=resource)
    site.accepted(work)
    site.call(work)


def test_catch_all_is_asynchronous(site):
    """CatchAll is under async_api: GET /<path> is answered 202 while its work goes on."""
    exchange = site.start("GET", "/hello")
    sleep = site.slept(exchange)
    if site.threads.in_request(sleep):
        raise Broken(
            "CatchAll does its work in the thread that serves the request.",
            "So the client has to wait until the work is done.",
            "async_api is there. Is it on CatchAll.get?",
            "catch-all-not-decorated",
        )
    site.expect_202(site.response(exchange, [sleep]), "GET /hello")
    site.clock.advance(sleep.seconds)
    site.quiet()
    if site.threads.crashes:
        error, _ = site.threads.crashes[-1]
        raise diagnose.crashed(site, error, "The work of GET /hello did not finish.")


def test_the_work_is_done_once(site):
    """One request does the work exactly once."""
    work = site.work()
    site.accepted(work)
    work.release()
    site.result(site.call(work))
    site.quiet()
    expect(
        len(work.calls) == 1,
        f"One request called the view {len(work.calls)} times.",
        "The work is done twice: an e-mail is sent twice, a card is charged twice.",
        "Is the view called here and there? Thread(target=view) calls it, start() starts that.",
        "done-twice",
    )


def test_the_view_gets_its_own_arguments(site):
    """The view gets the arguments it would get without the decorator, self included."""
    view = site.work(url="/view/<int:a>/<b>")
    method = site.work(url="/method/<int:a>/<b>", resource=True)
    for work, url in (view, "/view/3/x"), (method, "/method/3/x"):
        work.release()
        site.accepted(work, url=url)
        call = site.call(work)
        expect(
            (call.args, call.kwargs) == ((), {"a": 3, "b": "x"}),
            f"The view was called with {call.args} and {call.kwargs}.",
            "Without the decorator it is called with a=3 and b='x'.",
            "Hand on *args and **kwargs, all of them. Thread takes args= and kwargs=.",
            None if call.kwargs or call.args else "keywords-dropped",
        )


def test_two_requests_work_at_the_same_time(site):
    """The work of two requests goes on at the same time."""
    work = site.work()
    site.accepted(work)
    site.accepted(work)
    site.call(work)
    site.changes.wait_until(lambda: len(work.calls) == 2 or site.threads.waits_for_lock())
    expect(
        len(work.calls) == 2,
        "Two requests were accepted, and the second one's work waits for the first one's.",
        "The second client waits as if there were no threads.",
        "Do two tasks share a thread, or a lock?",
        "one-after-the-other",
    )


def test_names_survive_decoration(site):
    """A decorated view keeps its name and docstring, so one app can have two of them."""

    def report():
        """Write the report."""
        return "report"

    def invoice():
        """Write the invoice."""
        return "invoice"

    views = [site.decorated(report), site.decorated(invoice)]
    names = [getattr(view, "__name__", None) for view in views]
    expect(
        names == ["report", "invoice"],
        f"Under async_api, the views report and invoice are named {names[0]} and {names[1]}.",
        "Flask knows views by name. A second one of the same name stops the app with an error.",
        "functools.wraps gives the inner function the name and docstring of the view.",
        "no-wraps",
    )
    expect(
        [view.__doc__ for view in views] == [report.__doc__, invoice.__doc__],
        f"Under async_api, the docstring of a view is {views[0].__doc__!r}.",
        "help() and generated documentation show the decorator's text, not the view's.",
        "functools.wraps gives the inner function the name and docstring of the view.",
    )


def test_an_exception_in_the_work_is_logged(site):
    """An exception in the work is logged, and the server goes on serving."""

    def fail():
        raise ArithmeticError("seven is not a number today")

    failing, after = site.work(fail), site.work()
    site.accepted(failing)
    failing.release()
    site.over(site.call(failing))
    site.quiet()
    expect(
        "seven is not a number today" in site.printed(),
        "The work raised an exception, and nothing was logged or printed about it.",
        "Whoever runs the app will never know that work is not being done.",
        "A thread prints what it dies of, unless that is caught. app.logger.exception() logs it.",
        "error-swallowed",
    )
    site.accepted(after)


# Of step 1, this goes on. What the answer says comes back in step 4, where one can ask for it.
test_the_work_takes_as_long_as_configured = test_blocking.test_the_work_takes_as_long_as_configured
