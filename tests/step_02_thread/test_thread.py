"""Step 2: 202 comes immediately, and the work goes on in a thread."""

import pytest

from tests.step_01_blocking import test_blocking
from tests.step_02_thread import diagnose


@pytest.mark.part("a")
def test_the_work_is_done_once(site):
    """For each request, the work runs exactly once."""
    work = site.work()
    work.release()
    site.expect_202(site.get(work.url), f"GET {work.url}")
    site.result(site.call(work))
    site.quiet()
    if len(work.calls) != 1:
        raise diagnose.called_more_than_once(work)


@pytest.mark.part("a")
def test_the_view_gets_its_own_arguments(site):
    """The view gets the arguments it would get without the decorator, self included."""
    method = site.work(url="/method/<int:a>/<b>", resource=True)
    view = site.work(url="/view/<int:a>/<b>")
    for work, url in (method, "/method/3/x"), (view, "/view/3/x"):
        work.release()
        site.expect_202(site.get(url), f"GET {url}")
        call = site.call(work)
        if (call.args, call.kwargs) != ((), {"a": 3, "b": "x"}):
            raise diagnose.other_arguments(call, work, "a=3 and b='x'")


@pytest.mark.part("b")
@pytest.mark.parametrize("resource", [False, True], ids=["view", "resource"])
def test_answers_202_while_the_work_goes_on(site, resource):
    """The client gets 202 Accepted while the work is still going on, in another thread."""
    work = site.work(resource=resource)
    site.accepted(work)
    site.call(work)


@pytest.mark.part("b")
def test_catch_all_is_asynchronous(site):
    """CatchAll.get is decorated with async_api: GET /<path> returns 202 while its work goes on."""
    exchange = site.start("GET", "/hello")
    sleep = site.slept(exchange)
    if site.threads.in_request(sleep):
        site.clock.advance(sleep.seconds)
        raise diagnose.catch_all_in_request(site, exchange)
    site.expect_202(site.response(exchange, [sleep]), "GET /hello")
    site.clock.advance(sleep.seconds)
    site.quiet()
    if site.threads.crashes:
        raise diagnose.unfinished(site, "GET /hello")


@pytest.mark.part("b")
def test_two_requests_work_at_the_same_time(site):
    """The work of two requests goes on at the same time."""
    work = site.work()
    site.accepted(work)
    site.accepted(work)
    site.call(work)
    site.changes.wait_until(lambda: len(work.calls) == 2 or site.threads.waits_for_lock())
    if len(work.calls) != 2:
        raise diagnose.one_after_the_other(site)


@pytest.mark.part("b")
def test_an_exception_in_the_work_is_logged(site):
    """An exception in the work is logged, and the server keeps serving requests."""

    def fail():
        raise ArithmeticError("seven is not a number today")

    failing, after = site.work(fail), site.work()
    site.accepted(failing)
    failing.release()
    call = site.call(failing)
    site.over(call)
    site.quiet()
    if "seven is not a number today" not in site.printed():
        raise diagnose.error_not_logged(call)
    site.accepted(after)


@pytest.mark.part("c")
def test_names_survive_decoration(site):
    """A decorated view keeps its name and docstring, so one app can have two decorated views."""

    def report():
        """Write the report."""

    def invoice():
        """Write the invoice."""

    for view, decorated in [(view, site.decorated(view)) for view in (report, invoice)]:
        if getattr(decorated, "__name__", None) != view.__name__:
            raise diagnose.another_name(view, decorated)
        if decorated.__doc__ != view.__doc__:
            raise diagnose.another_docstring(view, decorated)


# This promise of step 1 still holds. The one about the response's body returns in step 4, where
# clients can poll for it.
test_the_work_takes_as_long_as_configured = test_blocking.test_the_work_takes_as_long_as_configured
