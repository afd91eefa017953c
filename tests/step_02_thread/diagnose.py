"""What is wrong with a task of step 2, once it has begun: facts in, a Broken out."""

from tests.harness import diagnose
from tests.harness.expect import Broken
from tests.harness.words import described_value


def not_decorated(method, mistake):
    """The Broken for a method of CatchAll ("GET", "POST") whose work is done in the request."""
    return Broken(
        f"{method} /hello does its work in the request thread.",
        "So the client has to wait until the work is done.",
        f"Is CatchAll.{method.lower()} decorated with async_api?",
        mistake,
    )


def catch_all_in_request(site, exchange):
    """The Broken for a GET /hello whose work was done in the request thread."""
    if exchange.wait().status_code != 202:
        return not_decorated("GET", "catch-all-not-decorated")
    return site.works_in_request(None, exchange)


def unfinished(site, request):
    """The Broken for a task of CatchAll whose thread has crashed."""
    error, _ = site.threads.crashes[-1]
    return diagnose.crashed(site, error, f"The work of {request} did not finish.")


def called_more_than_once(work):
    """The Broken for a view that a single request has called several times."""
    return Broken(
        f"One request called the view {len(work.calls)} times.",
        "Repeated work does harm: a customer gets the same e-mail twice, or pays twice.",
        "Does your code call the view in more than one place? Or does it start the thread twice?",
        "done-twice",
    )


def other_arguments(call, work, expected):
    """The Broken for a Call with wrong arguments. expected: the right ones, in words."""
    return Broken(
        f"The check added a view with the URL {work.url}. It was called with the arguments "
        f"{call.args} and the keyword arguments {call.kwargs}.",
        f"Without the decorator, the view gets {expected}.",
        "Pass all of *args and **kwargs on to the view. Thread takes them as args= and kwargs=.",
        None if call.kwargs or call.args else "keywords-dropped",
    )


def one_after_the_other(site):
    """The Broken for two requests, of which the second one's work has not begun."""
    if errors := site.crashed_before_a_view():
        return diagnose.crashed(site, errors[-1])
    return Broken(
        "Two requests were accepted. The work of the first went on, but the work of the second did "
        "not begin.",
        "The second request's work has to wait, as if there were no threads.",
        "Do the two tasks share a thread, or a lock?",
        "one-after-the-other",
    )


def another_name(view, decorated):
    """The Broken for a decorated view that has lost its name."""
    name = getattr(decorated, "__name__", None)
    return Broken(
        f"async_api decorated a view named {view.__name__}, and returned a function "
        + (f"named {name}." if name else "without a name."),
        "Flask tells views apart by name. If a second view has the name of the first, the app "
        "stops with an error.",
        "functools.wraps gives the inner function the name and docstring of the view.",
        "no-wraps",
    )


def another_docstring(view, decorated):
    """The Broken for a decorated view that has lost its docstring."""
    return Broken(
        f"async_api decorated a view named {view.__name__}, and returned a function with the "
        f"docstring {described_value(decorated.__doc__)}.",
        "help() and generated documentation don't show the view's own text.",
        "functools.wraps gives the inner function the name and docstring of the view.",
    )


def error_not_logged(call):
    """The Broken for a Call that was to raise an ArithmeticError, of which nothing is heard."""
    if not isinstance(call.error, ArithmeticError):
        return diagnose.failed_view(call)
    return Broken(
        "The work raised an exception, and its message was neither logged nor printed.",
        "You would never find out that the work is not being done.",
        "Python prints an exception that ends a thread. It prints nothing if an except block or a "
        "pool has caught the exception, or if a function returns it to you. Then log the exception "
        "in an except block with app.logger.exception(), or raise it again.",
        "error-swallowed",
    )
