"""What an error about contexts, in a task's thread, says about the app's code."""

import inspect
import traceback

from tests.harness.expect import Broken
from tests.harness.words import described, described_value


def without_context(error, place):
    """The Broken for code that uses in the thread what is only there in the request, or that makes
    the task's context wrongly, or None.

    place: where in the learner's file it does.
    """
    if not isinstance(error, RuntimeError):
        return made_wrongly(error, place)
    if "copy_current_request_context" in str(error):
        return Broken(
            f"The task's thread called copy_current_request_context{place}.",
            "This function copies the context of the thread that calls it, and the task's thread "
            "had none.",
            "Call it in the request, and pass the function that it returns to Thread as target=.",
            "context-copied-in-thread",
        )
    used = proxy_used(error)
    if used is None:
        return None
    look, mistake = HOW_TO_GET.get(used, HOW_TO_GET["request"])
    return Broken(
        f"The task's thread used {NAMES.get(used, used)} outside a request context{place}.",
        f"When a thread uses {NAMES.get(used, used)}, Flask looks in that thread's context. A new "
        "thread doesn't have one.",
        look,
        mistake,
    )


def made_wrongly(error, place):
    """The Broken for a request context made from no environ, or for a g used as a dict, or None."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for values in (frame.f_locals for frame in frames):
        if isinstance(values.get("http_content_length"), int):  # in Werkzeug
            return Broken(
                f"The task's thread failed with {described(error)}{place}.",
                "In the task's environ, CONTENT_LENGTH is an int. WSGI requires a string.",
                "Turn the number into a string: str(len(body)).",
                "length-not-a-string",
            )
    made_from = [f.f_locals for f in frames if f.f_code.co_name == "request_context"]
    if made_from and not isinstance(made_from[-1].get("environ", {}), dict):
        return from_no_environ(made_from[-1]["environ"], place)
    last = frames[-1].f_locals.get("self") if frames else None
    of_g = type(last).__name__ == "_AppCtxGlobals" and str(error) == "update"
    if of_g or "'_AppCtxGlobals' object" in str(error):
        return Broken(
            f"The task's thread failed with {described(error)}{place}.",
            "g is not a dict. The values on it are its attributes, like g.user.",
            "vars(g) is the dict of these attributes: vars(g).update(values) adds more.",
            "g-is-no-dict",
        )
    return None


def from_no_environ(value, place):
    """The Broken for an app.request_context() that got this value."""
    saw = f"The task's thread called app.request_context(){place}. "
    means = "A request context is made from an environ, which is a dict."
    if value is None:
        return Broken(
            f"{saw}Its argument was None.",
            means,
            "A function without a return statement returns None. Does the function that copies the "
            "environ return the copy?",
            "environ-not-returned",
        )
    if inspect.isroutine(value):
        return Broken(
            f"{saw}Its argument was a function.",
            means,
            "Add parentheses to call this function. Call it before the thread starts, and pass on "
            "the environ that it returns.",
            "environ-not-called",
        )
    return Broken(
        f"{saw}Its argument was {described_value(value)}.",
        means,
        "In the request, dict(request.environ) is a copy of the environ.",
    )


NAMES = {"app": "current_app"}
HOW_TO_GET = {  # by what is used: where to look, and the mistake
    "app": (
        "Use the app itself, which needs no context: app, or the object that "
        "current_app._get_current_object() returns in the request.",
        "current-app-in-thread",
    ),
    "g": (
        "In the request, before the thread starts, copy what is on g. In the thread, put it on g "
        "inside the with block, where there is a request context.",
        "g-in-thread",
    ),
    "request": (
        "In the request, before the thread starts, copy the environ.",
        "request-in-thread",
    ),
}


def proxy_used(error):
    """What the code looked up without a context ("app", "g", "request", "session"), or None."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        get_name = frame.f_locals.get("get_name")  # of Werkzeug's LocalProxy
        if "LocalProxy" in frame.f_code.co_qualname and get_name:
            return repr(get_name).split("'")[1]
    return None
