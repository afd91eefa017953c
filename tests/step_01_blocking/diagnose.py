"""What is wrong with a response of step 1, or with its work: facts in, a Broken out."""

import json
import re

from tests.harness.errors import start
from tests.harness.expect import Broken
from tests.harness.words import described, shortened


def not_200(site, path, response):
    """The Broken for a path that does not return 200."""
    if response.status_code == 404:
        return unknown_url(site, path)
    error = site.errors[-1] if site.errors else None
    if not path and "missing 1 required positional argument" in str(error):
        return Broken(
            f"GET / returned {response.status}: {described(error)}.",
            "The URL / has no placeholder, so Flask calls the view without a path.",
            "In the view's signature, give path a default value.",
            "no-default-for-the-path",
        )
    unexpected = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if unexpected and any(unexpected[1] in rule.arguments for rule in rules(site)):
        return Broken(
            f"GET /{path} returned {response.status}: {described(error)}.",
            "Flask passes the view an argument that has the name of the placeholder.",
            "Give the placeholder in the URL and the argument in the view's signature the same "
            "name.",
            "placeholder-has-another-name",
        )
    if error and site.place(error):
        return Broken(
            f"GET /{path} returned {response.status}. It failed with {described(error)}"
            f"{site.place(error)}.",
            "The client should get 200 OK.",
            start(site, error, "What does the view return, or raise?"),
        )
    return Broken(
        f"GET /{path} returned {response.status}.",
        "The client should get 200 OK.",
        "What does the view return, or raise?" + site.last_words(),
    )


def rules(site):
    """The URL rules of the learner's views."""
    return [rule for rule in site.app.url_map.iter_rules() if rule.endpoint != "static"]


def unknown_url(site, path):
    """The Broken for a path that returns 404, by the paths that do not."""
    found = [other for other in ("hello", "a/b", "") if site.get(f"/{other}").status_code != 404]
    urls = [rule.rule for rule in rules(site)]
    saw = f"GET /{path} returned 404 NOT FOUND."
    if not found:
        return Broken(
            saw,
            f"Your app has these URLs: {', '.join(urls)}."
            if urls
            else "Every path returns 404, because Flask doesn't know yet which URLs belong to "
            "CatchAll.",
            "api.add_resource(CatchAll, ...) takes the class and then its URLs.",
            None if urls else "resource-not-added",
        )
    placeholder = any(rule.arguments for rule in rules(site))
    if placeholder and "hello" in found and "/" in path:
        return Broken(
            saw,
            "A placeholder such as <path> ends at the next slash.",
            "Put a converter before the name: <path:path> accepts slashes too.",
            "path-ends-at-a-slash",
        )
    if placeholder and "hello" in found and not path:
        return Broken(
            saw,
            "A placeholder never matches an empty path, so / has to be listed as well.",
            "api.add_resource takes as many URLs as you like, one after the other.",
            "root-not-added",
        )
    return Broken(
        saw,
        f"GET /{found[0]} did not return 404, so a view handles some paths, but not this one.",
        "Which paths do the URLs of your app accept? Does the view itself return 404?",
    )


def another_body(response, path, printed):
    """The Broken for a 200 without the promised string. printed: what the view has printed."""
    body, promised = response.get_data(as_text=True).strip(), f"The answer is: {path}"
    saw = f"GET /{path} returned {shortened(body) or 'no body'}, sent as {response.mimetype}."
    if body == "null" and "answer is" in printed:
        return Broken(
            f"{saw} The view printed the string.",
            "null is JSON for None, which a function returns if it has no return statement.",
            "The client gets what the view returns. It never sees what the view prints.",
            "printed-not-returned",
        )
    if body == "null":
        return Broken(
            saw,
            "null is JSON for None, which a function returns if it has no return statement.",
            f'The client gets what the view returns, and should get "{promised}".',
            "nothing-returned",
        )
    if "{path}" in body or "<path>" in body:
        return Broken(
            saw,
            "The response has the name of the variable where it should have the path.",
            'Put an f before the string: f"... {path}".',
            "path-not-filled-in",
        )
    if body == json.dumps(json.dumps(promised)):
        return Broken(
            saw,
            "There are quotes inside the quotes: what the view returned was JSON already.",
            "Return the string itself, without quotes inside it. Flask-RESTful turns it into JSON.",
            "json-twice",
        )
    return Broken(
        saw,
        f'The client should get the JSON string "{promised}".',
        "What does the view return? In a resource, Flask-RESTful turns a string into JSON.",
    )


def another_length(sleep, configured):
    """The Broken for a Sleep that is not as long as the check has configured after the import."""
    return Broken(
        f"With WORK_SECONDS set to {configured}, the work called time.sleep({sleep.seconds}).",
        "WORK_SECONDS is a setting, so that a test or a demo can change how long the work takes.",
        'Sleep for app.config["WORK_SECONDS"], and read it inside the view.',
        "seconds-are-fixed" if sleep.seconds == 10 else None,
    )


def in_another_thread():
    """The Broken for work that the request thread does not do itself."""
    return Broken(
        "The work began in another thread, not in the request thread.",
        "In this step, the client waits because the request thread does the work itself.",
        "Do the work in the view, without a thread. Threads come in step 2.",
        "thread-too-early",
    )
