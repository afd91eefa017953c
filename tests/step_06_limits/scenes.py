"""What the checks of step 6 do again and again: take slots, send one request more, finish tasks."""

import re

from werkzeug.exceptions import HTTPException

from tests.harness.expect import expect
from tests.harness.load import described_value
from tests.step_06_limits import diagnose


def configured(site, key):
    """Return the number that the lesson puts into app.config under this key."""
    number = site.app.config.get(key)
    expect(
        isinstance(number, (int, float)) and number > 0,
        f'app.config["{key}"] is {described_value(number)}.',
        "The person who runs the app has to be able to choose this number.",
        f'Set it to a number, next to the other keys: app.config["{key}"] = …',
    )
    return number


def workers(site):
    """How many tasks may run at the same time."""
    return int(configured(site, "WORKERS"))


def slots(site):
    """How many tasks may be accepted and not yet ended."""
    return workers(site) + int(configured(site, "WAITING"))


def crowd(site, work):
    """Send twice as many requests as tasks may run, or until one is refused; return how many tasks
    there are.

    Nothing is refused before part (b), which limits how many tasks may wait.
    """
    for accepted in range(2 * workers(site)):
        response = site.get(work.url)
        if response.status_code == 503 and accepted >= workers(site):
            return accepted
        site.expect_202(response, f"GET {work.url}")
    return 2 * workers(site)


def fill(site, work, free=0):
    """Send requests until only that many slots are free; return the 202s."""
    return [take_slot(site, work, taken) for taken in range(slots(site) - free)]


def take_slot(site, work, taken):
    """Send a request that needs a slot, when that many are taken; return its 202."""
    response = site.get(work.url)
    if response.status_code != 202:
        raise diagnose.no_slot(site, response, taken, workers(site), slots(site))
    site.location(response)
    return response


def one_more(site, work):
    """Send one more request, when all slots should be taken; return its response."""
    exchange = site.start("GET", work.url)
    site.changes.wait_until(lambda: exchange.over() or site.threads.waits_in_vain())
    if not exchange.over():
        work.release()
        raise diagnose.waits_for_a_slot(exchange.wait())
    return exchange.wait()


def refused(site, work):
    """Send one more request, when all slots should be taken; return its response, no 202."""
    response = one_more(site, work)
    if response.status_code != 202:
        return response
    accepted, bound = slots(site) + 1, slots(site)
    while accepted < 4 * bound and one_more(site, work).status_code == 202:
        accepted += 1
    raise diagnose.too_many_accepted(accepted, bound, workers(site))


def running(site, work, accepted):
    """How many of the accepted tasks run at the same time, once as many run as ever will."""
    most = workers(site)
    site.call(work, most)
    if len(site.threads.own()) > most:  # will the others call the view as well?
        site.changes.wait_until(lambda: len(work.calls) > most or len(site.threads.own()) <= most)
    if len(work.calls) > most:
        site.changes.wait_until(lambda: len(work.calls) == accepted)
    return len(work.calls)


def finish(site, work, number):
    """Release the work, and wait until that many tasks of it have ended."""
    work.release()
    for each in range(1, number + 1):
        site.done(site.call(work, each))


def failing_teardown(site, when=lambda: True):
    """Return a teardown function that raises an exception in tasks, never in requests."""

    def fail(error):
        if not site.threads.in_request_thread() and when():
            raise OSError("the database went away")

    return fail


def send_in_lockstep(site, work):
    """Call the work's view for two requests, in step with each other; return their status codes.

    Nothing but the view is called: in a hook before it, one thread could get ahead of the other.
    """
    view = site.app.view_functions[work.url.removeprefix("/")]
    statuses = []

    def send():
        with site.app.test_request_context(work.url):
            try:
                response = site.app.make_response(view())
            except HTTPException as error:
                response = error.get_response()
        statuses.append(response.status_code)

    for error in filter(None, site.lockstep(send, send)):
        raise diagnose.failed_for_the_last_slot(site, error)
    return sorted(statuses)


def expect_busy(site, response, what):
    """Raise Broken unless the response is a 503 with Retry-After.

    what: the request that got it, to put before a verb.
    """
    if response.status_code != 503:
        raise diagnose.not_a_503(site, response, what)
    expect_retry_after(response, f"{what} returned 503")


def expect_retry_after(response, story):
    """Raise Broken unless the response has a Retry-After that a client can read.

    story: what happened so far, a sentence without its full stop.
    """
    value = response.headers.get("Retry-After")
    if value is None:
        raise diagnose.no_retry_after(response, story)
    if not re.fullmatch(r"\d+|\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", value):
        raise diagnose.unreadable_retry_after(value, story)
