"""An exception in the learner's code: where to start looking for its cause."""

import functools
import re
import threading
import traceback

from tests.harness.words import line_in

WRAPS = "wraps needs to know the view: @wraps(view), with the view in parentheses."
UNEXPECTED = re.compile(r"(?:(\w+)\.)?([\w<>]+)\(\) got an unexpected keyword argument '(\w+)'")
TOO_MANY = re.compile(r"([\w<>]+)\(\) takes .*positional arguments? but .* given")
MISSING = re.compile(r"([\w<>]+)\(\) missing \d+ required ")
OF_A_WRONG_TYPE = {  # what a message has in it: what that may come from
    "'function' object": "Does a function's name stand there without the parentheses that call it?",
    "'NoneType' object": "Which value is None there? A function without a return statement returns "
    "None.",
    "'tuple' object has no attribute": "Does one variable hold both values that a function "
    "returns?",
}


def start(app, error, otherwise):
    """Where to start, for an exception that was named with its place in the learner's file.

    otherwise: where to start if it has no such place, and says nothing about arguments
    """
    if passed := passed_by_flask(error, app.module):
        return passed
    if line_in(error, app.path) is None:
        return (called_with_others(error) if about_arguments(error) else None) or otherwise
    return " ".join(filter(None, ["Start at that line.", hint(error, app.path, app.module)]))


def about_arguments(error):
    """Whether a function was called with other arguments than it takes."""
    if not isinstance(error, TypeError):
        return False
    return any(pattern.search(str(error)) for pattern in (UNEXPECTED, TOO_MANY, MISSING))


def refused_by_a_view(error):
    """Whether Flask called a view with other arguments than it takes."""
    frames = traceback.extract_tb(error.__traceback__)
    return about_arguments(error) and frames[-1].name == "dispatch_request"


def called_with_others(error):
    """Where to look if the target of a Thread was called with other arguments than it takes."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or (frames[-1].name, frames[-1].filename) != ("run", threading.__file__):
        return None
    if MISSING.search(str(error)):
        return "A new thread gets no arguments but those that you pass to it, as args= and kwargs=."
    return "Thread calls its target with args= and kwargs=. Does the target take these arguments?"


def hint(error, path, module):
    """A sentence or two on what an exception with a place in the learner's file says, or ""."""
    text = str(error)
    if isinstance(error, UnboundLocalError):
        return of_a_local(error, module)
    if isinstance(error, NameError) and error.name and "is not defined" in text:
        return f"Is {error.name} spelled right? Does your code define or import it?"
    if isinstance(error, KeyError):
        return of_a_key(error, path, module)
    if isinstance(error, (AttributeError, TypeError)):
        return of_g(error) or of_wraps(error) or of_arguments(text) or of_a_type(text)
    if isinstance(error, AssertionError) and "overwriting an existing endpoint" in text:
        return "Flask tells views apart by name. Do two decorated views have the same name?"
    return ""


def of_a_local(error, module):
    name = re.search(r"local variable '(\w+)'", str(error))
    if not name or not hasattr(module, name[1]):
        return ""
    return f"A function that assigns to a global variable needs the line: global {name[1]}"


def of_a_key(error, path, module):
    (key,) = error.args[:1] or [None]
    line = path.read_text(encoding="utf-8").splitlines()[line_in(error, path) - 1]
    config = getattr(getattr(module, "app", None), "config", {})
    if "config[" in line and isinstance(key, str) and key not in config:
        return (
            f"app.config has no key {key!r}. Is the key spelled right? Where does it get a value?"
        )
    return "A KeyError means that the key isn't there, or not anymore."


def of_g(error):
    name = getattr(error, "name", None)
    if "_AppCtxGlobals" in str(error) or (
        type(getattr(error, "obj", None)).__name__ == "_AppCtxGlobals" and hasattr(dict, name)
    ):
        return "Flask's g is not a dict: what is on it are attributes. vars(g) is the dict of them."
    return ""


def of_wraps(error):
    """For what wraps(view) would have prevented: a wraps() that got the inner function."""
    made_by = getattr(getattr(error, "obj", None), "func", None)
    given_nothing = str(error).startswith("wraps() missing")
    return WRAPS if made_by is functools.update_wrapper or given_nothing else ""


def of_arguments(text):
    if found := UNEXPECTED.search(text):
        return f"{found[2]}() was called with the argument {found[3]}, which it doesn't take."
    if found := TOO_MANY.search(text):
        return f"{found[1]}() was called with more arguments than it takes."
    if found := MISSING.search(text):
        return f"{found[1]}() was called without an argument that it needs."
    return ""


def passed_by_flask(error, module):
    """Where to look if a method of a resource doesn't take what its URL holds, or None."""
    found = UNEXPECTED.search(str(error)) if isinstance(error, TypeError) else None
    if not found or found[3] not in placeholders(module, found[1]):
        return None
    return (
        "Flask passes the view an argument that has the name of the placeholder in its URL. In the "
        f"signature of {found[2]}(), add {found[3]}."
    )


def placeholders(module, kind):
    """The names of the placeholders in the URLs of the resource of this name."""
    resource = getattr(module, kind or "", None)
    app = getattr(module, "app", None)
    found = set()
    for rule in app.url_map.iter_rules() if app and resource else ():
        if getattr(app.view_functions.get(rule.endpoint), "view_class", None) is resource:
            found |= rule.arguments
    return found


def of_a_type(text):
    return next((hint for part, hint in OF_A_WRONG_TYPE.items() if part in text), "")
