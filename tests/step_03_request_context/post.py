"""What is wrong with POST /<path>, or with its work: facts in, a Broken out."""

import re

from tests.harness.expect import Broken
from tests.harness.words import described, shortened


def without_work(site, exchange):
    """The Broken for a POST whose work has not begun, or None if the cause is not post() itself."""
    errors = [*site.errors, *site.task_errors, *(error for error, _ in site.threads.crashes)]
    if errors and "post() got an unexpected keyword argument 'path'" in str(errors[-1]):
        return Broken(
            f"The work of POST /hello failed with {described(errors[-1])}.",
            "As with get(), Flask takes the path from the URL and passes it to post().",
            "Give post() the same parameters as get().",
            "post-without-path",
        )
    if exchange.over() and exchange.wait().status_code == 405:
        return Broken(
            "POST /hello returned 405 METHOD NOT ALLOWED.",
            "No view handles POST at this URL. In a resource, the method post() does that.",
            "Add the method post() to CatchAll.",
            "post-forgotten",
        )
    return None


def failed(site):
    """The Broken for a POST whose work has led to a traceback."""
    means = "The client sent JSON. The work should read it, and end without an exception."
    if not site.threads.crashes:
        return Broken(
            f"The app printed a traceback during the work of POST /hello.{site.last_words()}",
            means,
            "post() should return a dict with the path and the JSON from request.get_json().",
        )
    error, _ = site.threads.crashes[-1]
    place = site.place(error)
    return Broken(
        f"The work of POST /hello failed with {described(error)}{place}.",
        means,
        "Start at that line." if place else "Start with the traceback in the server's terminal.",
    )


def json_not_read():
    """The Broken for a POST whose work has not decoded the JSON that came with it."""
    return Broken(
        "The work of POST /hello ended without reading the JSON that the client had sent.",
        "post() should return the JSON from the request, together with the path.",
        "request.get_json() reads the JSON. The parentheses call the method. Without them, nothing "
        "is read.",
        "json-not-read",
    )


def bytes_not_printed(body, items, printed):
    """The Broken for a POST whose work has not printed how many bytes the body has.

    body: the bytes that were sent; items: how many items are in their JSON; printed: what the app
    printed, with what it logged.
    """
    sent = f"The body of POST /hello had {len(body)} bytes"
    if not printed.strip():
        return Broken(
            f"{sent}. The work printed nothing.",
            "In this step, what the work prints is the only trace of its result.",
            "After the sleep, print the number of bytes: len(request.get_data()).",
            "bytes-not-printed",
        )
    saw = f"{sent}. The app printed {shortened(printed.strip().splitlines()[-1])!r}."
    look = "request.get_data() returns the body as bytes, so its length is the number of bytes."
    characters = len(body.decode())
    if has_number(printed, items):
        return Broken(saw, f"The JSON is a list of {items} items.", look, "items-counted")
    if has_number(printed, characters):
        return Broken(
            saw,
            f"As text, the body has {characters} characters. A character can take several bytes.",
            look,
            "characters-counted",
        )
    return Broken(saw, "The work should print how many bytes it received.", look)


def has_number(printed, number):
    return re.search(rf"(?<!\d){number}(?!\d)", printed)
