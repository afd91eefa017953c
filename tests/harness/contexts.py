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
            f"copy_current_request_context was called in the task's thread{place}.",
            "It copies the context of the thread that calls it, and this thread has none.",
            "Call it in the request, before the thread starts. Its result is the thread's target.",
            "context-copied-in-thread",
        )
    used = proxy_used(error)
    if used == "app":
        return Broken(
            f"The task's thread used current_app, and there is none{place}.",
            "current_app looks into the context of the thread that uses it, and this one has none "
            "yet.",
            "The app itself needs no context: app, or what current_app._get_current_object() "
            "returns in the request.",
            "current-app-in-thread",
        )
    if used == "g":
        return Broken(
            f"The task's thread used g, and there is none{place}.",
            "g looks into the context of the thread that uses it, and this one has none yet.",
            "Copy what is on g in the request, before the thread starts.",
            "g-in-thread",
        )
    if used:
        return Broken(
            f"The task's thread used {used}, and there is none{place}.",
            f"{used} looks into the context of the thread that uses it, and this one has none yet.",
            "Copy the environ and read the body in the request, before the thread starts.",
            "request-in-thread",
        )
    return None


def proxy_used(error):
    """What is looked up in a context ("app", "g", "request", "session"), if error is its lack."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        get_name = frame.f_locals.get("get_name")  # of Werkzeug's LocalProxy
        if "LocalProxy" in frame.f_code.co_qualname and get_name:
            return repr(get_name).split("'")[1]
    return None
