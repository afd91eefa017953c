"""What Flask does around a view, and a task did not."""

from tests.harness.expect import Broken
from tests.harness.words import described_value


def async_view_not_run(site, response):
    body = described_value(response.get_data(as_text=True).strip())
    ran = "was never awaited" in site.printed() or "coroutine" in site.last_words()
    return Broken(
        "An async def view returned the response 'done'. In the end, its client got "
        f"{response.status}: {body}.{site.last_words()}",
        "Calling an async def function runs none of it. It returns a coroutine, which somebody "
        "has to run.",
        "app.ensure_sync(view) returns the view as a plain function that runs it to its end, as "
        "Flask does in a request.",
        "async-view-not-run" if ran else None,
    )


def teardown_not_told(function, given):
    told = ", then ".join(repr(error) for error in given) or "nothing"
    none = given and not any(given)
    return Broken(
        f"One view returned, another raised ArithmeticError. In their tasks, a {function} function "
        f"was called with: {told}.",
        "Such functions commit or roll back. One that gets None commits half-written work.",
        "The exception has to leave the with block of the request context: raise it there, once "
        "you have the response.",
        "teardown-not-told" if none and len(given) == 2 else None,
    )


def signal_not_sent(errors):
    return Broken(
        f"A view raised ArithmeticError, and nothing handled it. In the task, Flask's signal "
        f"got_request_exception was sent {len(errors)} times.",
        "Error trackers listen to that signal. Flask sends it in handle_exception(), which a task "
        "does not call."
        if not errors
        else "Error trackers listen to that signal, and report each one.",
        "got_request_exception.send(app, exception=error), where you build the 500.",
        "signal-not-sent" if not errors else None,
    )


def not_closed(closed):
    if closed:
        return Broken(
            f"The response was closed {len(closed)} times.",
            "Functions that run when it is closed, such as those that delete a file, run again.",
            "Where does your code call response.close()?",
        )
    return Broken(
        "The view put a function on its response with call_on_close(). The task is over, and the "
        "function was not called.",
        "A server closes each response that it has sent. Temporary files are deleted then.",
        "Call response.close() once its parts are in the record.",
        "response-not-closed",
    )


def lost_on_closing(site, response):
    return Broken(
        "A function that runs when the response is closed raised an exception. The client got "
        f"{response.status} instead of the view's response.",
        "In a request, the response has been sent by the time it is closed.",
        "First take the parts of the response, then close it.",
        "closed-before-it-is-kept" if response.status_code == 500 else None,
    )
