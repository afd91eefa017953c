"""What is wrong with a task that fails: facts in, a Broken out."""

import re
from textwrap import shorten

from tests.harness.expect import Broken
from tests.harness.words import described, described_value
from tests.step_04_status import scenes


def failed_but_not_500(site, response):
    saw = f"A task failed with an ArithmeticError, and its status URL returned {response.status}."
    if response.status_code == 202:
        return Broken(
            saw,
            "The task is over, but its client polls forever. It should get a 500 Internal Server "
            "Error.",
            "What does the record hold if an exception leaves your code? Which part of a try "
            "statement runs even then?" + site.last_words(),
        )
    return Broken(
        saw,
        "The work failed, and not because of the client. So the client should get a 500 Internal "
        "Server Error.",
        "What does your code do with an exception that is not an HTTPException?"
        + site.last_words(),
    )


def leaked(site, body, story, expected=b""):
    """The Broken for a response that tells the client how the program failed, or None.

    expected: the body that the blocking endpoint sends.
    """
    text = body.decode(errors="replace")
    look = "Send the client a 500 without details, and write the traceback to the log."
    if "Traceback (most recent call last)" in text:
        return Broken(
            f"{story} The client got a traceback.",
            "A traceback shows strangers how your program works inside.",
            look,
            "traceback-to-client",
        )
    for message in re.findall(r"^\w*(?:Error|Exception): (.{9,}?)\.?$", site.printed(), re.M):
        if message in text and message.encode() not in expected:
            return Broken(
                f"{story} The client got the text of an exception: "
                + shorten(message, 70, placeholder="…"),
                "That text is for you. It can contain the names of files and tables, and other "
                "people's data.",
                look,
                "error-text-to-client",
            )
    return None


def says_too_much(body):
    return Broken(
        f"A task failed with an ArithmeticError. Its client got {described_value(body)}.",
        "It shows strangers how your program works inside.",
        "Send the client a 500 without details, and write the traceback to the log.",
    )


def traceback_not_logged(site):
    if "NoneType: None" in site.printed():
        return Broken(
            "A task failed with an ArithmeticError. The log has no traceback of it, but a line "
            "NoneType: None.",
            "app.logger.exception() logs the exception that is being handled. Outside an except "
            "block, there is none.",
            "Raise the exception inside the with block, and call app.logger.exception() in the "
            "except block that catches it.",
            "logged-without-traceback",
        )
    return Broken(
        "A task failed with an ArithmeticError, and its traceback was neither logged nor printed.",
        "Nobody who looks for the error will know where it is.",
        "In an except block, app.logger.exception(...) writes the traceback to the log. Does the "
        "exception reach such a block?",
    )


def not_500_after(site, exception, response):
    """The Broken for a task whose view raised this kind of exception."""
    name = exception.__name__
    if response.status_code == 202 and scenes.is_finished(site, scenes.fail):
        return Broken(
            f"The view raised {name}. The task is over, but its status URL still returns 202.",
            "The client gets a response if the view raises ArithmeticError, but not here, because "
            f"{name} is not a subclass of Exception. The client polls forever.",
            "An except BaseException clause catches everything.",
            "only-exception-caught",
        )
    return Broken(
        f"The view raised {name}, and the task's status URL returned {response.status}.",
        "The work was not done, so the client should get a 500 Internal Server Error.",
        f"{name} is not a subclass of Exception. An except BaseException clause catches it, and a "
        "finally block runs however the task ends.",
    )


def teardown_failed(site, response):
    """The Broken for a task after which a teardown function raised an OSError."""
    uncaught = any(isinstance(error, OSError) for error, _ in site.threads.crashes)
    return Broken(
        "A teardown function failed after the view, and the task's status URL returned "
        f"{response.status}.",
        "The task is over, and its status URL has to say so.",
        "Is the with statement inside the try? Leaving a context can raise an exception, too.",
        "with-outside-the-try" if response.status_code == 202 and uncaught else None,
    )


def error_handler_failed(site, response):
    story = (
        "The view divided by zero, and the app's own error handler for 500 failed as well. The "
        f"task's status URL returned {response.status}."
    )
    means = (
        "There is no response left to keep, but the task is over. So the client should get a 500 "
        "Internal Server Error."
    )
    error = site.threads.crashes[-1][0] if site.threads.crashes else None
    if isinstance(error, UnboundLocalError) and site.place(error):
        return Broken(
            f"{story} Its thread failed with {described(error)}{site.place(error)}.",
            means,
            "When that line ran, the variable had no value yet. Give it a plain 500 before the try "
            "statement.",
            "no-plain-500",
        )
    crash = f" Its thread failed with {described(error)}{site.place(error)}." if error else ""
    return Broken(
        story + crash,
        means,
        "If the error handler fails, so does the starter's response_of(), which calls the handler. "
        "Before you call response_of(), put a plain 500 into the variable that your code stores in "
        "the end.",
    )
