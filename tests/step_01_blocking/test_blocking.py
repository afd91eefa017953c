"""Step 1: the response comes, but only once the work is done."""

import pytest

from tests.step_01_blocking import diagnose

every_path = pytest.mark.parametrize("path", ["hello", "a/b", "été", ""])


@every_path
@pytest.mark.part("a")
def test_every_path_is_handled(site, path):
    """GET / and GET /<path> return 200, even if the path has slashes in it."""
    site.clock.skip_sleeps()
    response = site.get(f"/{path}")
    if response.status_code != 200:
        raise diagnose.not_200(site, path, response)


@every_path
@pytest.mark.part("b")
def test_answers_with_the_path(site, path, capsys):
    """GET / and GET /<path> return 200 with the JSON string "The answer is: <path>"."""
    site.clock.skip_sleeps()
    response = site.get(f"/{path}")
    if response.status_code != 200:
        raise diagnose.not_200(site, path, response)
    body = response.mimetype, response.get_json(silent=True)
    if body != ("application/json", f"The answer is: {path}"):
        raise diagnose.another_body(response, path, printed=capsys.readouterr().out)


@pytest.mark.part("c")
def test_the_work_takes_as_long_as_configured(site):
    """The work sleeps for app.config["WORK_SECONDS"] seconds, with time.sleep()."""
    site.app.config["WORK_SECONDS"] = 7.25
    exchange = site.start("GET", "/hello")
    sleep = site.slept(exchange)
    site.clock.advance(sleep.seconds)
    exchange.wait()
    if sleep.seconds != 7.25:
        raise diagnose.another_length(sleep, configured=7.25)


@pytest.mark.part("c")
def test_the_response_waits_for_the_work(site):
    """The view does its work in the request thread, and the response waits for it."""
    exchange = site.start("GET", "/hello")
    sleep = site.slept(exchange)
    if not site.threads.in_request(sleep):
        raise diagnose.in_another_thread()
    site.clock.advance(sleep.seconds)
    exchange.wait()
