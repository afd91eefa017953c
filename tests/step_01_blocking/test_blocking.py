"""Step 1: the answer comes, and only once the work is done."""

import json

import pytest

from tests.harness.expect import Broken, expect


@pytest.mark.parametrize("path", ["hello", "a/b", "été", ""])
def test_answers_with_the_path(site, path):
    """GET / and GET /<path> are answered 200, with the JSON string "The answer is: <path>"."""
    site.app.config["WORK_SECONDS"] = 0
    exchange = site.start("GET", f"/{path}")
    site.changes.wait_until(lambda: exchange.over() or any(s.seconds for s in site.clock.sleeps))
    expect_seconds(0, site.clock.sleeps)
    answer = site.final(exchange.wait())
    if answer.status_code == 404:
        raise unknown_url(site, path)
    expect(
        answer.status_code == 200,
        f"GET /{path} was answered {answer.status}.",
        "The view did not come to its end."
        if path
        else "CatchAll.get() was called without a path.",
        ("What does the view do?" if path else "A default in its head, path=..., would do.")
        + site.last_words(),
        None if path else "no-default-for-the-path",
    )
    said, promised = answer.get_data(as_text=True).strip(), f"The answer is: {path}"
    if answer.mimetype != "application/json" or answer.json != promised:
        raise another_answer(said, promised, answer.mimetype)


def unknown_url(site, path):
    """The Broken for a path that is answered 404, by the paths that are not."""
    found = [
        other for other in ("hello", "a/b", "") if site.send("GET", f"/{other}").status_code != 404
    ]
    seen = f"GET /{path} was answered 404 NOT FOUND."
    if not found:
        return Broken(
            seen,
            "So is every other path: nobody has told Flask which URLs belong to CatchAll.",
            "api.add_resource(CatchAll, ...) takes the class and then its URLs.",
            "resource-not-added",
        )
    if "hello" in found and "a/b" not in found:
        return Broken(
            seen,
            "A placeholder such as <path> ends at the next slash.",
            "A converter stands in front of the name: <path:path> takes slashes as well.",
            "path-ends-at-a-slash",
        )
    return Broken(
        seen,
        "CatchAll answers for some paths, and not for this one.",
        "api.add_resource takes several URLs, one after the other.",
        "root-not-added" if found == ["hello", "a/b"] else None,
    )


def another_answer(said, promised, mimetype):
    """The Broken for an answer that is not the promised string."""
    seen = f"The answer was {said}, sent as {mimetype}."
    if said == "null":
        return Broken(
            seen,
            "The view returned None. What it prints, the client does not see.",
            "The answer is what the view returns.",
            "printed-not-returned",
        )
    if "{path}" in said or "<path>" in said:
        return Broken(
            seen,
            "The path was not put in its place.",
            'An f in front of the string does it: f"... {path}".',
            "path-not-filled-in",
        )
    if said == json.dumps(json.dumps(promised)):
        return Broken(
            seen,
            "It was made JSON twice: there are quotes inside the quotes.",
            "Return the string itself. Flask-RESTful makes JSON of it.",
            "json-twice",
        )
    return Broken(
        seen,
        f'The client was promised the JSON string "{promised}".',
        "What does CatchAll.get return? Flask-RESTful makes JSON of a str by itself.",
    )


def test_the_work_takes_as_long_as_configured(site):
    """The work is time.sleep(), for app.config["WORK_SECONDS"] seconds."""
    site.app.config["WORK_SECONDS"] = 7.25
    exchange = site.start("GET", "/hello")
    sleep = site.slept(exchange)
    site.clock.advance(sleep.seconds)
    exchange.wait()
    expect_seconds(7.25, [sleep])


def expect_seconds(configured, sleeps):
    """Every Sleep is as long as configured, which the check has set after the import."""
    for sleep in sleeps:
        expect(
            sleep.seconds == configured,
            f"With WORK_SECONDS set to {configured}, the work slept for {sleep.seconds} seconds.",
            "How long the work takes is configuration, so that a test or a demo can set it.",
            'Sleep for app.config["WORK_SECONDS"], and read it inside the view.',
            "seconds-are-fixed" if sleep.seconds == 10 else None,
        )


def test_the_answer_waits_for_the_work(site):
    """The work is done in the thread that serves the request, and the answer waits for it."""
    exchange = site.start("GET", "/hello")
    sleep = site.slept(exchange)
    expect(
        site.threads.in_request(sleep),
        "The work began in another thread than the one that serves the request.",
        "Nothing makes the answer wait for it.",
        "In this step the view does the work itself, and then returns.",
        "thread-too-early",
    )
    site.clock.advance(sleep.seconds)
    exchange.wait()
