"""Step 1: the response comes, but only once the work is done."""

import pytest

from tests.step_01_blocking import diagnose


@pytest.mark.parametrize("path", ["hello", "a/b", "été", ""])
def test_answers_with_the_path(site, path):
    """GET / and GET /<path> return 200 with the JSON string "The answer is: <path>"."""
    site.app.config["WORK_SECONDS"] = 0
    exchange = site.start("GET", f"/{path}")
    sleeps = site.clock.sleeps
    site.changes.wait_until(lambda: exchange.over() or any(sleep.seconds for sleep in sleeps))
    for sleep in sleeps:
        if sleep.seconds != 0:
            raise diagnose.another_length(sleep, configured=0)
    response = site.final(exchange.wait())
    if response.status_code != 200:
        raise diagnose.not_200(site, path, response)
    body = response.mimetype, response.get_json(silent=True)
    if body != ("application/json", f"The answer is: {path}"):
        raise diagnose.another_body(response, path)


def test_the_work_takes_as_long_as_configured(site):
    """The work sleeps for app.config["WORK_SECONDS"] seconds, with time.sleep()."""
    site.app.config["WORK_SECONDS"] = 7.25
    exchange = site.start("GET", "/hello")
    sleep = site.slept(exchange)
    site.clock.advance(sleep.seconds)
    exchange.wait()
    if sleep.seconds != 7.25:
        raise diagnose.another_length(sleep, configured=7.25)


def test_the_response_waits_for_the_work(site):
    """The view does its work in the request thread, and the response waits for it."""
    exchange = site.start("GET", "/hello")
    sleep = site.slept(exchange)
    if not site.threads.in_request(sleep):
        raise diagnose.in_another_thread()
    site.clock.advance(sleep.seconds)
    exchange.wait()
