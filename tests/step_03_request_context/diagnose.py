"""What a task of step 3 lacks of its request, and why: facts in, a Broken out.

A Task is the one in scenes.py. Its docstring says which facts it has.
"""

from flask import request

from tests.harness.expect import Broken
from tests.harness.words import described, described_value

# The request


def without_request(task):
    """The Broken for a Task whose view was called without a request context."""
    if task.has_app:
        return Broken(
            f"The task has an app context, but no request context: {described(task.error)}.",
            "An app context provides current_app and g. Only a request context provides request.",
            "app.request_context(environ) creates a request context from an environ.",
            "app-context-only",
        )
    return Broken(
        f"The task has no request context: {described(task.error)}.",
        "When a thread uses request, Flask looks in that thread's context. A new thread doesn't "
        "have one.",
        "Before the thread starts, copy what came with the request. In the thread, call the view "
        "in a request context made from the copy.",
        "no-context",
    )


def another_request(found, sent):
    """The Broken for a task whose request has another method, path, argument or header."""
    method, path, argument, _ = sent
    saw = f"In the task, the method, the path, the argument q and the header X-Color were {found}."
    what = f"The client sent {sent}."
    if found == ("GET", "/", None, None):
        return Broken(
            saw,
            f"This is a made-up request, with nothing from the real one. {what}",
            "Create the task's context from a copy of the request's own environ.",
            "empty-request",
        )
    if found == (method, path, None, None):
        return Broken(
            saw,
            f"The task's request has only the method and the path of the real one. {what}",
            "The environ holds the arguments and the headers as well. Copy all of it.",
            "arguments-and-headers-lost",
        )
    if found == (method, path, argument, None):
        return Broken(
            saw,
            f"The task's request has the method, the path and q, but not the header. {what}",
            "The environ holds the headers as well. Copy all of it.",
            "headers-lost",
        )
    return Broken(saw, what, "Is the task's environ a copy of its own request's?")


# The body


def without_body(task, sent, expected):
    """The Broken for a Task that did not find the body as the client sent it.

    sent: what kind of body that was, as in BODIES.
    """
    if not task.has_request:
        return without_request(task)
    for cause in (
        unreadable_environ,
        servers_stream,
        one_request_for_both,
        parsed_first,
        read_as_text,
        still_chunked,
        not_read,
        without_content_type,
    ):
        if broken := cause(task, sent):
            return broken
    return Broken(
        f"Reading the body in the task gave {task.came}.",
        f"The client sent {described_value(expected)}.",
        "The server closes the body's stream when the request is over. Read the body before that.",
    )


# Each of these returns the Broken for a cause of a missing body, or None if that is not the cause.


def unreadable_environ(task, sent):
    stream = task.environ.get("wsgi.input")
    if isinstance(task.environ.get("CONTENT_LENGTH"), int) and task.error:
        return Broken(
            "In the task's environ, CONTENT_LENGTH is an int. Reading the body failed with "
            f"{task.came}.",
            "WSGI requires CONTENT_LENGTH to be a string.",
            "Turn the number into a string: str(len(body)).",
            "length-not-a-string",
        )
    if isinstance(stream, bytes) and task.error:
        return Broken(
            "In the task's environ, wsgi.input is the body itself. Reading it failed with "
            f"{task.came}.",
            "Flask reads wsgi.input as it would read a file, and bytes have no read().",
            "io.BytesIO(body) is a stream over these bytes.",
            "body-not-a-stream",
        )
    return None


def servers_stream(task, sent):
    if task.own_stream:
        return None
    too_late = f"Nothing read the body during the request, and the task came too late: {task.came}."
    if not task.read and not task.own_request:
        return Broken(
            too_late,
            "Both threads share one request, and the server has closed the stream of its body. "
            "copy_current_request_context does not copy the body.",
            "Give the task a request of its own. Before the thread starts, copy the environ, with "
            "BytesIO(request.get_data()) as its wsgi.input. In the thread, call the view in "
            "app.request_context(environ).",
            "context-without-body",
        )
    if not task.read:
        return Broken(
            too_late,
            "An environ holds a stream instead of the body, and the server has closed that stream.",
            "Read the body before the thread starts. In a copy of the environ, set wsgi.input to a "
            "new stream: BytesIO(body).",
            "body-not-read",
        )
    if task.own_request:
        return Broken(
            f"The request thread read the body, but the task didn't get it: {task.came}.",
            "The task's environ still holds the server's stream, which the server has closed.",
            "In the copy of the environ, set wsgi.input to a new stream: BytesIO(body).",
            "body-not-handed-on",
        )
    return None


def one_request_for_both(task, sent):
    if task.own_request:
        return None
    if sent == "file" and task.parsed and "closed file" in str(task.error):
        return Broken(
            "The request thread parsed the uploaded file, and the task found it closed: "
            f"{task.came}.",
            "When a request ends, Flask closes the files that it has parsed.",
            "Keep the bytes of the body, and let the task parse them in a request of its own.",
            "files-closed",
        )
    if sent == "stream" and task.read and task.found == b"":
        return Broken(
            "In the task, request.stream was empty, because the request thread had read it to the "
            "end.",
            "Both threads have the same request, and a stream can be read only once.",
            "Give the task a request of its own: a copied environ with a new stream.",
            "one-request-for-both",
        )
    return None


def parsed_first(task, sent):
    if not (task.parsed and task.read and isinstance(task.error, KeyError)):
        return None
    if sent == "file" and finds(task.endpoint, lambda: request.form["name"], data={"name": "Ada"}):
        return Broken(
            f"A task got the text fields of a form, but not an uploaded file: {task.came}.",
            "request.form holds only the text fields. Files come in the same body, and Flask keeps "
            "them in request.files.",
            "Keep the bytes of the body, whatever they contain: request.get_data().",
            "files-lost",
        )
    return Broken(
        f"The request thread parsed the form, and in the task the {sent} was missing: {task.came}.",
        'Parsing a form uses up the stream. If your code calls get_data() after that, it gets b"".',
        "Call request.get_data() before anything that uses request.form or request.files.",
        "form-parsed-first",
    )


def read_as_text(task, sent):
    if sent != "file" or task.error or b"\xef\xbf\xbd" not in task.found[1]:
        return None
    return Broken(
        "In the task, some bytes of the file had become U+FFFD, the replacement character.",
        "Your code decoded the body as text. A photo is not text, so decoding it loses bytes.",
        "request.get_data() returns bytes. as_text=True and decode() corrupt them.",
        "body-kept-as-text",
    )


def still_chunked(task, sent):
    chunked = "chunked" in sent and "HTTP_TRANSFER_ENCODING" in task.environ
    ends_by_itself = task.environ.get("wsgi.input_terminated")
    if not chunked or ends_by_itself or not task.read or task.found:
        return None
    return Broken(
        f"The request thread read a chunked body, but the task could not: {task.came}.",
        "HTTP_TRANSFER_ENCODING is still in the task's environ, so Flask ignores the body's length "
        "and treats the body as empty.",
        "The task's copy of the body is no longer chunked. In the task's environ, remove "
        "HTTP_TRANSFER_ENCODING, and set CONTENT_LENGTH.",
        "still-chunked",
    )


def not_read(task, sent):
    if task.read or not task.own_stream or not task.own_request:
        return None
    if sent == "json" or not finds(task.endpoint, lambda: request.get_json(), json={"name": "Ada"}):
        return Broken(
            f"Nothing read the body during the request, and the task didn't find it: {task.came}.",
            "If your code doesn't read the body, it has nothing to pass to the task.",
            "request.get_data() reads the body. Call it before the thread starts.",
            "made-without-body",
        )
    kind = sent if sent in ("form", "file") else "body"
    return Broken(
        f"One task got the JSON that its client sent. Another task didn't get the {kind} that its "
        f"client sent: {task.came}.",
        "Your code keeps only JSON, but clients also send forms, files and other bytes.",
        "Keep the bytes of the body, whatever they contain: request.get_data().",
        "only-json-kept",
    )


def without_content_type(task, sent):
    if sent in ("stream", "2 MiB chunked") or task.environ.get("CONTENT_TYPE"):
        return None
    return Broken(
        f"The task's request has no Content-Type, and reading the body gave {task.came}.",
        "Without that header, Flask doesn't know that the body is JSON or a form.",
        "The environ holds the headers as well. Copy all of it.",
        "headers-lost",
    )


def finds(endpoint, look, **sent):
    """Whether look finds anything in a task of one more request."""
    return not endpoint.task(look, **sent).error


# The app, and what is on g

FROM_G_TO_G = (
    "A new context begins with an empty g. Before the thread starts, copy what is on g: "
    "values = dict(vars(g)). In the task's context, vars(g).update(values) puts it on the task's g."
)


def another_app(found, expected):
    """The Broken for a task with another current_app, or another URL from url_for."""
    what = "current_app and url_for('static', filename='a.css')"
    return Broken(
        f"In the task, {what} were {found}.",
        f"In a request, they are {expected}.",
        "Does the task run in a request context of the same app?",
    )


def not_on_g(put, found):
    """The Broken for a task that has not found on g.user what a before_request function put."""
    return Broken(
        f"A before_request function put {put!r} on g.user. In the task, g.user was {found!r}.",
        "Hooks put values on g that views need, for example the user who is signed in.",
        FROM_G_TO_G,
        "g-not-copied" if found is None else None,
    )


def hooks_ran_again(times):
    """The Broken for a before_request function that ran several times for a single request."""
    return Broken(
        f"A before_request function ran {times} times for one request.",
        "The function then does its work again for the task. If it counts visits, for example, it "
        "counts this one more than once.",
        "In the task, call only the view. preprocess_request() and full_dispatch_request() run the "
        "hooks as well.",
        "hooks-run-twice",
    )


def shared_g(by_its_request, by_another_task):
    """The Broken for a task's change to g.user that its request or another task sees."""
    return Broken(
        "A before_request function put 'ada' on g.user, and a task set g.user to 'eve'. Then the "
        f"request that started this task saw {by_its_request!r}, and another task saw "
        f"{by_another_task!r}.",
        "The request and the other task should both see 'ada', but one thread changes what another "
        "one is reading.",
        "Copy what is on g. Don't give the same g, or the same context, to two threads.",
        "g-shared" if (by_its_request, by_another_task) == ("eve", "ada") else None,
    )


def removed_from_g(put, user, language):
    """The Broken for a task that does not find on g.user what was there during its request.

    language: what it finds on g.language, from where nobody has removed anything.
    """
    saw = (
        f"A before_request function put {put!r} on g.user, and a teardown function removed it when "
        f"the request ended. In the task, g.user was {user!r}."
    )
    if language is None:
        return Broken(
            saw,
            "In the task, g.language was missing as well. The same before_request function had set "
            "it, and nothing had removed it.",
            FROM_G_TO_G,
            "g-not-copied" if user is None else None,
        )
    return Broken(
        saw,
        "vars(g) is not a copy, but the dict of g itself, which can change until the request is "
        "over.",
        "dict(vars(g)) is a copy that nobody else changes. Make it before the thread starts.",
        "g-kept-and-not-copied" if user is None else None,
    )


# Many tasks, and their end


def mixed_up(found, other=None):
    """The Broken for tasks that found these, and not those of their requests.

    found: a tuple for each task: n and, if there is an other, the body or g.user.
    """
    requests, *others = (set(seen) for seen in zip(*found, strict=True))
    saw = f"Each of {len(found)} requests started a task, and "
    look = "Keep a task's data in a local variable of the inner function, not in a global one."
    if len(requests) == 1 and requests != {None}:
        return Broken(
            f"{saw}all {len(found)} tasks saw the same request.",
            "A task does one client's work with another client's request.",
            look,
            "one-copy-for-all",
        )
    if other == "g.user" and len(others[0]) == 1 and others != [{None}]:
        return Broken(
            f"{saw}each request put its own number on g.user. All {len(found)} tasks saw the same "
            "number.",
            "A task does one client's work in the name of another client.",
            look,
            "one-g-for-all",
        )
    if mixed := [seen for seen in found if seen != seen[:1] * len(seen)]:
        seen = f"One of the tasks saw {mixed[0]}, in this order."
    else:
        seen = f"The tasks saw {', '.join(str(n) for n, *_ in found)}."
    return Broken(
        f"{saw}each request had its own number as {f'n and {other}' if other else 'n'}. {seen}",
        "One client's work is done with another client's data, or without its own.",
        "Each task needs its own context, its own environ and its own copy of what is on g."
        if other == "g.user"
        else "Each task needs its own context, and its own copy of the environ.",
    )


def not_torn_down(in_task, call):
    """The Broken for a task whose thread ran no teardown functions, or too many, or too early."""
    means = "Teardown functions close what a view has opened, for example a database session."
    if in_task == ["the view"] and call.error:
        return Broken(
            "The view raised an exception, and no teardown function ran after it in the task.",
            means,
            "An exception skips the lines that follow. A with statement or a finally block ends "
            "the context even then.",
            "popped-only-on-success",
        )
    if in_task == ["the view"]:
        return Broken(
            "Only the view ran in the task's thread. No teardown function did.",
            means,
            "Teardown functions run when a context ends. Put app.request_context(environ) into a "
            "with statement, and call the view in its block: the context ends with the block.",
            "never-popped",
        )
    return Broken(
        f"The task's thread ran {', '.join(in_task)}, in this order.",
        f"After the view, teardown_request and teardown_appcontext should run once each. {means}",
        "Teardown functions run when a context ends. End the task's context once, after the view.",
    )
