"""What is wrong with a task that did not begin, or not in a thread: facts in, a Broken out."""

import re

from werkzeug.exceptions import HTTPException

from tests.harness import errors
from tests.harness.contexts import proxy_used, without_context
from tests.harness.expect import LIMIT, Broken
from tests.harness.words import described, described_value, shortened


def decorator_failed(app, error):
    """The Broken for an exception that async_api(view) raised."""
    return Broken(
        f"async_api(view) raised {described(error)}{app.place(error)}.",
        "A decorator runs once for each view, when the view is defined. There is no request then.",
        "Move the code that needs a request into the inner function."
        if proxy_used(error)
        else "async_api takes one argument, the view, and returns the function that replaces it.",
    )


def not_a_view(decorated):
    """The Broken for what async_api(view) returned, if that cannot take the view's place."""
    if callable(decorated):
        return Broken(
            "async_api(view) returned what wraps() returns: a decorator, not your inner function.",
            "That decorator copies a name to another function. It does not call the view.",
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
            "Thread.run() called the view in the request thread.",
            "run() is the method that a new thread calls. If your code calls run() itself, that is "
            "an ordinary call, and the client waits for it.",
            "start() creates the new thread, which then calls run().",
            "run-not-start",
        )
    if any(not callable(target) for target in app.threads.targets):
        return Broken(
            "The request thread called the view. Then it started a thread with no function to "
            "call.",
            "view() calls the view right there, so the client waits, and the thread gets the "
            "view's result instead of a function.",
            "target= takes the function itself, without parentheses, and the new thread calls it. "
            "If it needs arguments, they go into args= and kwargs=.",
            "called-not-passed",
        )
    return Broken(
        "The view's work began in the request thread.",
        "So the client has to wait until the work is done.",
        "Where does your code call the view? Only the new thread should call it.",
        "no-thread",
    )


def waits_for_its_task(app):
    """The Broken for a request that gets no response while its task is held back."""
    waiting = app.threads.serving()
    tasks = [*app.calls(), *app.clock.sleeps]
    where = app.at(waiting[-1]) if waiting else ""
    if any(app.threads.joins(thread, tasks) for thread in waiting):
        return Broken(
            f"The task is running, and its request waits for it{where}.",
            "The client waits as long as it did without the thread.",
            "join() waits until a thread has ended. Don't call it in a request.",
            "joined-in-request",
        )
    still = f" Its thread is still running{where}." if waiting else ""
    return Broken(
        f"{LIMIT:.0f} seconds after the request was sent, it still has no response.{still}",
        "A 202 doesn't wait for the work.",
        "What does the request wait for? The result of a task, or a lock?",
    )


def not_a_202(app, response, what):
    """The Broken for a request that should have started a task, by its response."""
    saw = f"{what} returned {response.status}."
    if added_by_the_check(app, what):
        saw += " (The check added this view, decorated with async_api.)"
    accepted = "The client should get 202 Accepted, and the work should go on in the background."
    returns = "What does async_api's inner function return?"
    if response.status_code == 415:
        return Broken(
            saw,
            "request.get_json() rejects a request without JSON, and many requests have none.",
            "Keep the body as bytes, whatever it contains: request.get_data().",
            "json-demanded",
        )
    if failed := failed_in_request(app, response, saw, accepted, returns):
        return failed
    if response.status_code == 200:
        body = response.get_data(as_text=True).strip().strip('"')
        if body in [call.result for call in app.calls()]:
            saw += f' Its body is what the view returned: "{shortened(body)}".'
            returns += (
                " It should be the 202, even if the view has returned by then. Does that"
                " function call the view, or return an object that the task later changes?"
            )
        else:
            returns += " If there is no status code after the body, the client gets a 200."
        return Broken(saw, accepted, returns, "answers-200")
    return Broken(saw, accepted, returns + app.last_words())


def added_by_the_check(app, what):
    """Whether this request, a method and a path, leads to a view that the check has added."""
    method, _, path = what.partition(" ")
    try:
        endpoint, _ = app.app.url_map.bind("").match(path.partition("?")[0], method)
    except HTTPException:
        return False
    return bool(re.fullmatch(r"(.*\.)?work\d+", endpoint))


def failed_in_request(app, response, saw, means, look):
    """The Broken for a 500 whose exception is known, or None.

    look: where to look if the exception has no place in the learner's file
    """
    if response.status_code != 500 or not app.errors:
        return None
    error = app.errors[-1]
    saw += f" It failed with {described(error)}{app.place(error)}."
    if errors.refused_by_a_view(error) and re.search(r"\bwork\d+\b|<locals>", str(error)):
        return Broken(
            saw,
            "Flask calls the function that async_api returns as it would call the view.",
            "That function has to take the arguments of any view: (*args, **kwargs).",
            "arguments-not-accepted",
        )
    return Broken(saw, means, errors.start(app, error, look))


def no_work(app, response):
    """The Broken for a request to CatchAll that never reached time.sleep()."""
    what_for = "time.sleep() stands in for your slow work, so your code has to call it."
    if busy := app.threads.busy():
        return Broken(
            f"When the request returned {response.status}, its work had not reached time.sleep(). "
            f"One of the app's threads was still running{app.at(busy[0])}.",
            what_for,
            "What keeps this thread busy, or what is it waiting for?",
        )
    if response.status_code in (200, 202):
        threaded = response.status_code == 202 and hasattr(app.module, "async_api")
        return Broken(
            f"The request returned {response.status}, but its work never reached time.sleep().",
            what_for,
            'Which line calls time.sleep(app.config["WORK_SECONDS"])? Does your code reach that '
            f"line?{' Does it start the thread?' if threaded else ''}" + app.last_words(),
            "no-work",
        )
    saw, means = f"The request returned {response.status}.", "It did not get as far as the work."
    look = "Flask calls the view with the placeholders of its URL. Does the view take them?"
    if failed := failed_in_request(app, response, saw, means, look):
        return failed
    return Broken(
        saw + app.last_words(),
        means,
        "405 and 404 are about methods and URLs, 400 and 415 about the body. 500 is an error in "
        "the code.",
    )


def never_called(app, work, number):
    """The Broken for requests that were accepted, but whose view was not called."""
    requests = "1 request was" if number == 1 else f"{number} requests were"
    calls = len(work.calls)
    called = {0: "never called", 1: "called only once"}.get(calls, f"called only {calls} times")
    has_thread = "Thread" in app.path.read_text(encoding="utf-8")
    look = (
        "Does your code start the thread? Does the thread call the view?"
        if has_thread
        else "Which line calls the view, and does your code reach it?"
    )
    return Broken(
        f"{requests} accepted, but the view was {called}.",
        f"The {'other' if calls else 'accepted'} work has not started, although it had time to.",
        look + app.last_words(),
        "never-started" if has_thread and not app.threads.targets else None,
    )


def crashed(app, error, means="The thread never called the view, so the work is not done."):
    """The Broken for a task's thread that ended before it called the view, or in CatchAll."""
    if re.match(r"(work\d+|CatchAll)\.\w+\(\) missing .* required positional arg", str(error)):
        return Broken(
            f"The view was called without its arguments: {described(error)}.",
            "The work cannot start without them.",
            "Thread takes the arguments for its target as args= and kwargs=.",
            "arguments-dropped",
        )
    if missing := without_context(error, app.place(error)):
        return missing
    return Broken(
        f"The task's thread failed with {described(error)}{app.place(error)}.",
        means,
        errors.start(app, error, "Which function does your code start the thread with?"),
    )


def failed_view(call):
    """The Broken for a view that raised an exception in its task, and would not in a request."""
    if tuple(map(type, call.args)) == (tuple, dict):
        return Broken(
            f"The view was called with two arguments: {call.args[0]} and {call.args[1]}.",
            "The first is the tuple of all positional arguments, and the second is the dict of all "
            "keyword arguments.",
            "Pass the tuple itself to Thread as args=, and the dict itself as kwargs=. In an "
            "ordinary call, write *args and **kwargs.",
            "arguments-in-a-list",
        )
    return Broken(
        f"In the task, the view failed with {described(call.error)}.",
        "A view must be able to do in its task whatever it can do in a request.",
        "The task runs in another thread, with what your code has given it. What does the view use "
        "that is missing or different there?",
    )


def no_location(response, in_body):
    """The Broken for a 202 without a Location header; in_body: whether its body names the URL."""
    if in_body:
        return Broken(
            "The 202 has its status URL in the body, but no Location header.",
            "Clients that know HTTP look for the URL in Location. The body is for people.",
            "A view can return a tuple with headers at its end: body, status, headers.",
            "location-only-in-body",
        )
    return Broken(
        "The 202 has no Location header.",
        "The client does not know where to poll.",
        "A view can return a tuple with headers at its end: body, status, headers.",
    )


def never_finished(app, location):
    """The Broken for a status URL that still returns 202 when the task is over."""
    return Broken(
        f"The task is over, but GET {location} still returns 202.",
        "The client polls forever.",
        "Does your code finish the record however the task ends? Does anything overwrite it "
        "afterwards?" + app.last_words(),
    )
