"""What is wrong with a task that did not begin, or not in a thread: facts in, a Broken out."""

from tests.harness.contexts import without_context
from tests.harness.expect import Broken
from tests.harness.load import described, described_value


def decorator_failed(app, error):
    return Broken(
        f"async_api(view) raised {described(error)}{app.place(error)}.",
        "A decorator is called once for each view, when the app is put together.",
        "There is no request at that time. Move anything that needs one into the inner function.",
    )


def not_a_view(decorated):
    """The Broken for what async_api(view) returned, if that cannot take the view's place."""
    if callable(decorated):
        return Broken(
            "async_api(view) returned what wraps() returns: a decorator, not your function.",
            "That decorator still waits for the function whose name it should replace.",
            "wraps needs to know the view: @wraps(view), with the view in parentheses.",
            "wraps-without-view",
        )
    return Broken(
        f"async_api(view) returned {described_value(decorated)}.",
        "A decorator returns the function that takes the view's place.",
        "Does async_api end by returning its inner function?",
        "decorator-returns-nothing" if decorated is None else None,
    )


def works_in_request(app, work, exchange):
    """The Broken for work that began in the request's thread: how did it get there?

    work: the Work that is held back there, or None.
    """
    by_run = work and any(call.by_run for call in work.calls)
    if work:
        work.release()
        exchange.wait()
    if by_run:
        return Broken(
            "Thread.run() called the view, in the thread that serves the request.",
            "run() is what a new thread does. If you call it, it is a call like any other, and the "
            "client waits for it.",
            "start() makes the new thread, which then calls run().",
            "run-not-start",
        )
    if any(not callable(target) for target in app.threads.targets):
        return Broken(
            "The view was called in the thread that serves the request. Then a thread was started "
            "with nothing to call.",
            "view() calls the view right there and hands over its result, so the client waits.",
            "Thread(target=view) hands over the view itself. The thread will call it.",
            "called-not-passed",
        )
    return Broken(
        "The view's work began in the thread that serves the request.",
        "So the client has to wait until the work is done.",
        "Where is the view called? The new thread has to call it, after it has been started.",
        "no-thread",
    )


def waits_for_its_task(app):
    """The Broken for a request that gets no response while its task is held back."""
    places = [app.at(thread) for thread in app.threads.serving()]
    return Broken(
        f"The task is running, and its request waits for it{''.join(places[-1:])}.",
        "The client waits as long as it did without the thread.",
        "join() waits until a thread has ended. Don't call it in a request.",
        "joined-in-request",
    )


def not_a_202(app, response, what):
    """The Broken for a request that should have started a task, by its response."""
    saw = f"{what} returned {response.status}."
    if response.status_code == 415:
        return Broken(
            saw,
            "request.get_json() rejects a request without JSON, and many requests have none.",
            "Keep the body as bytes, whatever it contains: request.get_data().",
            "json-demanded",
        )
    if response.status_code == 500 and app.errors and app.place(app.errors[-1]):
        return Broken(
            f"In a request, {described(app.errors[-1])}{app.place(app.errors[-1])}.",
            saw,
            "The error came before the work, in async_api's inner function.",
        )
    return Broken(
        saw,
        "A request whose work goes on in the background gets a 202 Accepted.",
        "What does async_api's inner function return?" + app.last_words(),
        "answers-200" if response.status_code == 200 else None,
    )


def no_work(app, response):
    """The Broken for a request to CatchAll that never reached time.sleep()."""
    what_for = "The slow work stands in for what your users wait for, so it has to happen."
    if busy := app.threads.busy():
        return Broken(
            f"The request returned {response.status}, but its work has not reached time.sleep()"
            f"{app.at(busy[0])}.",
            what_for,
            "What keeps it busy, or what is it waiting for?",
        )
    if response.status_code in (200, 202):
        return Broken(
            f"The request returned {response.status}, but its work was never done.",
            what_for,
            'Does your code reach time.sleep(app.config["WORK_SECONDS"])? Is the thread started?'
            + app.last_words(),
            "no-work",
        )
    return Broken(
        f"The request returned {response.status}.{app.last_words()}",
        "It did not get as far as the work.",
        "405 and 404 are about methods and URLs, 400 and 415 about the body; 500 is an error in "
        "the code.",
    )


def never_called(app, work, number):
    """The Broken for requests that were accepted, but whose view was not called."""
    requests = "1 request was" if number == 1 else f"{number} requests were"
    times = {0: "never", 1: "only once"}.get(len(work.calls), f"only {len(work.calls)} times")
    return Broken(
        f"{requests} accepted, but the view was {times} called.",
        "The accepted work has not started, though it had time to.",
        "Is the thread started? Is the view called in it?" + app.last_words(),
        None if app.threads.targets else "never-started",
    )


def crashed(app, error, means="The thread never called the view, so the work is not done."):
    """The Broken for a task's thread that ended before it called the view, or in CatchAll."""
    if isinstance(error, TypeError) and "required positional argument" in str(error):
        return Broken(
            f"The view was called without its arguments: {described(error)}.",
            "The work cannot start, and its client never hears about it.",
            "Thread takes the arguments for its target as args= and kwargs=.",
            "arguments-dropped",
        )
    if missing := without_context(error, app.place(error)):
        return missing
    return Broken(
        f"The task's thread failed with {described(error)}{app.place(error)}.",
        means,
        "A thread has only what it is given. What does it use that it was not given?",
    )


def failed_view(call):
    """The Broken for a view that raised an exception in its task, and would not in a request."""
    if tuple(map(type, call.args)) == (tuple, dict):
        return Broken(
            f"The view was called with two arguments: {call.args[0]} and {call.args[1]}.",
            "The first is the tuple of its arguments, the second is the dict of its keywords.",
            "Pass the tuple itself as Thread's args=, args=args, and the dict as kwargs=kwargs.",
            "arguments-in-a-list",
        )
    return Broken(
        f"In the task, the view failed with {described(call.error)}",
        "A view must be able to do in its task whatever it can do in a request.",
        "The task runs in another thread, and by then the request is over.",
    )


def no_location(response, in_body):
    """The Broken for a 202 without a Location header; in_body: whether its body names the URL."""
    if in_body:
        return Broken(
            "The 202 has its status URL in the body, but no Location header.",
            "Clients that know HTTP look for the URL in Location. The body is for people.",
            "A view can return headers as the third part: body, status, headers.",
            "location-only-in-body",
        )
    return Broken(
        "The 202 has no Location header.",
        "The client does not know where to poll for the response.",
        "A view can return headers as the third part: body, status, headers.",
    )


def never_finished(app, location):
    return Broken(
        f"The task is over, but GET {location} still returns 202.",
        "The client polls for ever.",
        "Is the record finished however the task ends, and does nothing overwrite it "
        "afterwards?" + app.last_words(),
    )
