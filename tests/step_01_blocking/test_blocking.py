"""Step 1: the answer comes, and only once the work is done."""

import pytest

from tests.expect import expect


@pytest.mark.parametrize("path", ["", "hello", "a/b", "été"])
def test_answers_with_the_path(site, path):
    """GET / and GET /<path> are answered 200, with the JSON string "The answer is: <path>"."""
    site.app.config["WORK_SECONDS"] = 0
    answer = site.outcome("GET", f"/{path}")
    expect(
        answer.status_code == 200,
        f"GET /{path} was answered {answer.status}.",
        "A client that asks for any path gets an answer.",
        "Has CatchAll a get()? For which URLs is it added to api?" + site.last_words(),
    )
    expect(
        answer.mimetype == "application/json" and answer.json == f"The answer is: {path}",
        f"GET /{path} brought {answer.get_data(as_text=True)!r} as {answer.mimetype}.",
        f'The client was promised the JSON string "The answer is: {path}".',
        "What does CatchAll.get return? Flask-RESTful makes JSON of a str by itself.",
    )


def test_the_work_takes_as_long_as_configured(site):
    """The work is time.sleep(), for app.config["WORK_SECONDS"] seconds."""
    site.app.config["WORK_SECONDS"] = 7.25
    exchange = site.start("GET", "/hello")
    sleep = site.slept(exchange)
    site.clock.advance(sleep.seconds)
    exchange.wait()
    expect(
        sleep.seconds == 7.25,
        f"With WORK_SECONDS at 7.25, the work slept for {sleep.seconds} seconds.",
        "How long the work takes is configuration, so that a test or a demo can set it.",
        'Sleep for app.config["WORK_SECONDS"], and read it inside the view.',
    )


def test_the_answer_waits_for_the_work(site):
    """The work is done in the thread that serves the request, and the answer waits for it."""
    exchange = site.start("GET", "/hello")
    sleep = site.slept(exchange)
    expect(
        site.in_request(sleep),
        "The work began in another thread than the one that serves the request.",
        "Nothing makes the answer wait for it.",
        "In this step the view does the work itself, and then returns.",
    )
    site.clock.advance(sleep.seconds)
    exchange.wait()
