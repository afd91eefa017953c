"""What the checks of step 4 do again and again."""

from contextlib import contextmanager

from tests.harness.endings import ENDINGS
from tests.harness.thread_starts import ignore, observe

KINDS = {"view": "plain view", "resource": "Flask-RESTful resource"}
FAILURE = "seven is not a number today"
SORRY = b"sorry"


def fail():
    raise ArithmeticError(FAILURE)


def fail_on_the_way():
    yield "one"
    fail()


def run_coroutine(function):
    """Return a function that runs an async def function which waits for nothing."""

    def run(*args, **kwargs):
        try:
            function(*args, **kwargs).send(None)
        except StopIteration as stop:
            return stop.value

    return run


def a_status_url(site):
    """Return the status URL of a task that runs; of none, while a 202 does not say where it is."""
    accepted = site.accepted(site.work())
    return site.location(accepted) if "Location" in accepted.headers else "/status/nobody"


def catch_all_begins(site):
    """Whether the request that just got a 202 has started CatchAll's work."""
    return site.changes.wait_until(lambda: site.clock.sleeps, 1)


def finished(site, work):
    """Send a request to work and let its task end; return what its status URL then returns.

    The view goes on once the 202 is there, and the poll comes once the task's thread is done. So
    a race ends the same way each time. A check that needs another outcome forces it.
    """
    number = len(work.calls) + 1
    location = site.location(site.accepted(work))
    work.release()
    site.done(site.call(work, number))
    return site.settled(location)


def is_finished(site, function):
    """Whether a task that does what function does is finished, whatever its response."""
    return finished(site, one_more_work(site, function)).status_code != 202


def body_of_500(site):
    """Return the body that a failed task's client gets, and whether the task read SORRY.

    SORRY is the body of the response that the app's error handler for 500 now returns.
    """
    read = []

    class Response(site.app.response_class):
        def get_data(self, *args, **kwargs):
            if not site.threads.in_request_thread():
                read.append(self)
            return super().get_data(*args, **kwargs)

    site.app._got_first_request = False
    site.app.register_error_handler(500, lambda error: Response(SORRY, 500))
    return finished(site, site.work(fail)).data, bool(read)


def from_catch_all(site, method, path, **request):
    """Send a request to CatchAll, and let its work end; return what its status URL then returns."""
    exchange = site.start(method, path, **request)
    sleep = site.slept(exchange)
    location = site.location(site.expect_202(site.response(exchange, [sleep]), f"{method} {path}"))
    site.clock.advance(sleep.seconds)
    site.quiet()
    return site.poll(location)


def one_more_work(site, function):
    """Return site.work(function), although Flask takes no more views after the first request."""
    site.app._got_first_request = False
    return site.work(function)


def next_location(site, work):
    """Send a request to work that is released, and wait for its task; return its Location."""
    location = site.location(site.expect_202(site.get(work.url), f"GET {work.url}"))
    site.over(site.call(work, len(site.locations)))
    return location


@contextmanager
def tasks_end_first(site):
    """Until the block ends, a request that starts a task goes on only after that has ended."""

    def wait_in_request(thread, starter):
        if site.threads.in_request_thread():
            site.quiet()

    stop = observe(ignore, wait_in_request)
    try:
        yield
    finally:
        stop()


def without_and_with_async_api(site, name):
    """Serve what ENDINGS has by this name, as either kind of view; return a dict by kind.

    Its values are pairs: the Work of the blocking endpoint, and that of the one under async_api.
    """
    return {
        kind: tuple(
            site.work(ENDINGS[name], resource=kind == "resource", decorate=decorate)
            for decorate in (False, True)
        )
        for kind in KINDS
    }


def blocking_response(site, work):
    """Return the response of an endpoint that is not under async_api."""
    work.release()
    return site.get(work.url)
