"""What a RuntimeError about contexts, in a task's thread, says about the app's code."""

import traceback

from tests.harness.expect import Broken


def without_context(error, place):
    """The Broken for code that uses in the thread what is only there in the request, or None.

    place: where in the learner's file it does.
    """
    if not isinstance(error, RuntimeError):
        return None
    if "copy_current_request_context" in str(error):
        return Broken(
            f"The task's thread called copy_current_request_context{place}.",
            "This function copies the context of the thread that calls it, and the task's thread "
            "had none.",
            "Call the function in the request, and make its result the new thread's target.",
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


NAMES = {"app": "current_app"}
HOW_TO_GET = {  # by what is used: where to look, and the mistake
    "app": (
        "The app itself needs no context. Use app, or what current_app._get_current_object() "
        "returns in the request.",
        "current-app-in-thread",
    ),
    "g": ("In the request, before the thread starts, copy what is on g.", "g-in-thread"),
    "request": (
        "In the request, before the thread starts, copy the environ and read the body.",
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
