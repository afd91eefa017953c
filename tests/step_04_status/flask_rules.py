"""What Flask does around a view, and a task did not."""

from tests.harness.expect import Broken
from tests.harness.words import described_value


def async_view_not_run(site, response):
    body = described_value(response.get_data(as_text=True).strip())
    ran = "was never awaited" in site.printed() or "coroutine" in site.last_words()
    return Broken(
        "An async def view should return the response 'done'. In the end, its client got "
        f"{response.status}: {body}.{site.last_words()}",
        "Calling an async def function runs none of its code. The call returns a coroutine, which "
        "an event loop has to run.",
        "app.ensure_sync(view) returns a plain function that runs the view to its end, as Flask "
        "does in a request.",
        "async-view-not-run" if ran else None,
    )


def teardown_not_told(function, given):
    told = f"called with {', then with '.join(map(repr, given))}" if given else "not called"
    none = given and not any(given)
    return Broken(
        f"One view returned, and another raised ArithmeticError. In their tasks, a {function} "
        f"function was {told}.",
        "Such a function may commit or roll back a database transaction. If it gets None although "
        "the view failed, it commits half-written work.",
        "Raise the exception again inside the with block of the request context, once you have the "
        "response.",
        "teardown-not-told" if none and len(given) == 2 else None,
    )


def signal_not_sent(errors):
    kinds = ", then ".join(type(error).__name__ for error in errors)
    sent = f"with: {kinds}" if errors else "0 times"
    return Broken(
        f"A view raised ArithmeticError, and nothing handled it. In the task, Flask's signal "
        f"got_request_exception was sent {sent}.",
        "Error trackers listen to that signal. Flask sends it in handle_exception(), which a task "
        "does not call."
        if not errors
        else "Error trackers report the exception of each such signal. So a task should send one "
        "signal, with the exception that the view raised.",
        "Call got_request_exception.send(app, exception=error) where you build the 500.",
        "signal-not-sent" if not errors else None,
    )


def not_closed_once(after_a_poll, after_another):
    """Closed after one poll of a finished task: so many times; after another poll: so many."""
    if after_another > after_a_poll:
        return Broken(
            "The view passed a function to its response's call_on_close(). Every poll of the "
            "finished task calls this function again.",
            "Polls send the view's own Response object. The server closes each response that it "
            "has sent, so it closes this object again and again.",
            "Keep plain values instead: response.get_data(), response.status and "
            "list(response.headers). Then call response.close(). For each poll, make a new "
            "Response from these values.",
            "response-object-kept",
        )
    if after_another:
        return Broken(
            f"The response was closed {after_another} times.",
            "Functions from call_on_close(), for example one that deletes a file, then run again.",
            "Where does your code call response.close()?",
        )
    return Broken(
        "The view passed a function to its response's call_on_close(). The task is over, but "
        "nothing has called the function.",
        "A server closes each response that it has sent. That is when an app can delete temporary "
        "files, for example.",
        "Call response.close() once the record has the response's status, headers and body.",
        "response-not-closed",
    )


def lost_on_closing(site, response):
    return Broken(
        "The view passed a function to its response's call_on_close(), and that function raised an "
        f"exception. The client got {response.status} instead of the view's response.",
        "In a request, the server first sends a response, and then closes it.",
        "First store the response's status, headers and body, then close it.",
        "closed-before-it-is-kept" if response.status_code == 500 else None,
    )
