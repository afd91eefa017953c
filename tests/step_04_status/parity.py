"""Why a status URL's response is not the blocking endpoint's: facts in, a Broken out."""

from dataclasses import dataclass

from werkzeug.exceptions import HTTPException, InternalServerError

from tests.harness.endings import add_error_handlers
from tests.harness.expect import Broken
from tests.harness.load import described, described_value
from tests.harness.sent import Sent, difference, headers_in_words, sent
from tests.harness.site import Site
from tests.harness.watched import Watched
from tests.harness.work import Call
from tests.step_04_status import failed_tasks, scenes


@dataclass
class Task:
    """A task whose status URL sent something other than the blocking endpoint.

    kind, name: of its view, see scenes.KINDS and endings.ENDINGS; call: that of the view; by_kind:
    what the blocking endpoints send, of either kind of view; last_words: what the app had printed
    by then.
    """

    site: Site
    kind: str
    name: str
    call: Call
    seen: Sent
    by_kind: dict[str, Sent]

    def __post_init__(self):
        self.last_words = self.site.last_words()
        self.story = f"A {scenes.KINDS[self.kind]} {self.name}."
        self.expected = self.by_kind[self.kind]
        self.by_other_rules = self.by_kind["view" if self.kind == "resource" else "resource"]
        self.aborted = isinstance(self.call.error, HTTPException)
        self.is_500 = is_500(self.seen)


def tasks(site, names, wanted):
    """Let a task end in each of these ways, by either kind of view; yield a Task for each.

    wanted: says of a Sent of the blocking endpoint whether its task is wanted
    """
    add_error_handlers(site.app)
    views = {name: scenes.without_and_with_async_api(site, name) for name in names}
    for name, pairs in views.items():
        site.forget_printed()
        by_kind = {
            kind: sent(scenes.blocking_response(site, blocking))
            for kind, (blocking, _) in pairs.items()
        }
        for kind, (_, work) in pairs.items():
            if wanted(by_kind[kind]):
                seen = sent(scenes.finished(site, work))
                yield Task(site, kind, name, work.calls[0], seen, by_kind)


def is_500(response):
    """Whether a Sent is a 500. From a blocking endpoint: nothing handled what its view raised."""
    return response.status.startswith("500")


def another_response(task):
    """The Broken for this task: that of the first cause that fits."""
    causes = AFTER_A_202 if task.seen.status.startswith("202") else CAUSES
    return next(filter(None, (cause(task) for cause in causes)), None) or unexplained(task)


def unexplained(task):
    saw, expected = difference(task.seen, task.expected)
    return Broken(
        f"{task.story} The task's status URL sent {saw}.",
        f"The blocking endpoint sends {expected}.",
        "Build a finished response in the task, as Flask would, and keep its status, headers and "
        "body." + task.last_words,
    )


# What each of the causes below returns is a Broken, or None.


def failed_while_failing(task):
    crashes = task.site.threads.crashes
    error = crashes[-1][0] if task.call.error and crashes else None
    if error is None or error is task.call.error or not task.site.place(error):
        return None
    return Broken(
        f"{still_202(task)} Its thread failed with {described(error)}{task.site.place(error)}.",
        "The view had failed, and then the code that handles the failure failed as well.",
        "Fix that line first. Then see what your code does with the view's own exception.",
    )


def nothing_kept(task):
    if scenes.is_finished(task.site, lambda: "done"):
        return None
    return Broken(
        still_202(task),
        'The same happens after a view that returns "done": no client ever gets more than a 202.',
        "Once the view is done, put the status, headers and body of its response into the task's "
        "record.",
    )


def not_caught(task):
    failed = task.call.error or is_500(task.expected)
    if not failed or scenes.is_finished(task.site, scenes.fail):
        return None
    return Broken(
        still_202(task),
        "The task failed before it stored a response in its record, so the client polls forever.",
        "Catch the exception in the task, and store the response that you get with "
        "app.handle_user_exception(error). If that call raises an exception, too, store a 500.",
        "exception-not-caught",
    )


def counts_as_false(task):
    empty = not task.call.result or task.expected.body in (b"", b"null\n")
    if task.call.error or not empty or not scenes.is_finished(task.site, lambda: "done"):
        return None
    return Broken(
        still_202(task),
        'Your code works for a view that returns "done". The result of this view, or the body made '
        "from it, counts as false in Python, so your code seems to treat the response as missing.",
        "Test whether the task has ended, not whether its response counts as true.",
        "empty-is-never-finished",
    )


def still_202(task):
    return f"{task.story} The task is over, but its status URL still returns 202."


def leaked(task):
    if not task.is_500:
        return None
    return failed_tasks.leaked(task.site, task.seen.body, task.story, task.expected.body)


def exception_kept(task):
    kind = type(task.call.error).__name__
    if not (task.aborted and task.is_500 and f"{kind} is not JSON" in task.last_words):
        return None
    return Broken(
        f"{task.story} The task's status URL returned 500.{task.last_words}",
        "Flask-RESTful got the exception itself, and cannot turn an exception into JSON.",
        "In the task, call app.handle_user_exception(error), and turn what it returns into a "
        "response.",
        "exception-kept-as-it-is",
    )


def abort_taken_for_a_crash(task):
    if not task.aborted or not task.is_500 or is_500(task.expected):
        return None
    if "not JSON serializable" in task.last_words:  # then that is why it is a 500
        return None
    return Broken(
        f"{task.story} The task's status URL returned 500. The blocking endpoint returns "
        f"{task.expected.status}.",
        "abort() raises an HTTPException, which says what to send. Your code treated it as a "
        "crash.",
        "Call app.handle_user_exception(error) first. It is a crash only if that call raises an "
        "exception, too.",
        "abort-becomes-500",
    )


def replaced_by_another_500(task):
    """The task read the response to its exception, and then kept another."""
    if not task.is_500 or not is_500(task.expected):
        return None
    body, read = scenes.body_of_500(task.site)
    if not read or body == scenes.SORRY:
        return None
    return Broken(
        f"{task.story} The body of the 500 from its status URL was "
        f"{described_value(task.seen.body)}.",
        f"The blocking endpoint sends {described_value(task.expected.body)}. (The check has added "
        "error handlers.) If a view fails, your code gets the right response and reads its body, "
        "but in the end the record holds a different one.",
        "Does an except block replace the response that you have kept? Set the plain 500 before "
        "the try statement, so that a better response replaces it, and not the other way around.",
        "kept-response-replaced",
    )


def handlers_forgotten(task):
    """The response is the page that an exception has by itself, and no error handler's."""
    page = (task.call.error if task.aborted else InternalServerError()).get_response()
    seen, expected = task.seen, task.expected
    if (seen.status, seen.body) != (page.status, page.data):
        return None
    if expected.status != page.status or expected.body == page.data:
        return None
    return Broken(
        f"{task.story} The task's status URL sent the default page for {page.status}.",
        "The blocking endpoint passes the exception to the error handlers, and sends "
        f"{described_value(expected.body)}.",
        "app.handle_user_exception(error) calls the error handlers, and returns what they return."
        if task.aborted
        else "app.handle_user_exception(InternalServerError(original_exception=error)) calls the "
        "error handler for 500, and returns what it returns.",
        "error-handlers-forgotten",
    )


def built_at_the_poll(task):
    """Nothing looks at the view's result in the task."""
    if task.call.error:
        return None
    value = Watched()
    work = scenes.one_more_work(task.site, lambda: value)
    scenes.finished(task.site, work)
    if value.looked_at_by & {call.thread for call in work.calls}:
        return None
    return Broken(
        f"{task.story} Its result was turned into a response only when the client polled.",
        "By then, the original request was over. A poll is another request, so the response can "
        "come out differently.",
        "Build the response in the task, inside its request context. Keep its status, headers and "
        "body.",
        "made-when-asked",
    )


def built_by_other_rules(task):
    """The response is the one that the other kind of view would have sent."""
    if task.seen != task.by_other_rules:
        return None
    if task.kind == "resource":
        return Broken(
            f"{task.story} Its response was built by Flask's rules for plain views.",
            "Flask-RESTful has its own rules for resources, and sends "
            f"{described_value(task.expected.body)}.",
            "api.output(view) is a function that calls the view and applies Flask-RESTful's rules "
            "to its result. api.owns_endpoint(request.endpoint) is true for a resource, and "
            "false for a plain view.",
            "resource-taken-for-a-view",
        )
    return Broken(
        f"{task.story} Its response was built by Flask-RESTful's rules.",
        "Those rules are for resources. For a plain view, Flask sends "
        f"{described_value(task.expected.body)}.",
        "api.owns_endpoint(request.endpoint) is true for a resource, and false for a plain view. "
        "For a plain view, call app.make_response(value).",
        "view-taken-for-a-resource",
    )


def record_sent_as_json(task):
    """Only the poll's 500 says that bytes are not JSON: nothing that the view did."""
    if not task.is_500 or is_500(task.expected) or task.call.error:
        return None
    if "bytes is not JSON serializable" not in task.last_words:
        return None
    return Broken(
        f"{task.story} The task's status URL returned 500.{task.last_words}",
        "Flask-RESTful turns what a resource returns into JSON, unless it is a response. Bytes "
        "cannot be turned into JSON.",
        "Does GetTaskStatus return the record itself? It should return Response(*record).",
        "record-sent-as-json",
    )


def body_as_text(task):
    """The response was made, but its body is not text."""
    try:
        task.expected.body.decode()
    except UnicodeDecodeError as error:
        if task.is_500 and type(error).__name__ in task.last_words:
            return Broken(
                f"{task.story} The task's status URL returned 500.{task.last_words}",
                f"The blocking endpoint sends {described_value(task.expected.body)}. That isn't "
                "text, so it can't be decoded.",
                "Keep the body as bytes: response.get_data().",
                "body-as-text",
            )
    return None


def reason_dropped(task):
    seen, expected = task.seen.status, task.expected.status
    if seen == expected or seen.split()[0] != expected.split()[0]:
        return None
    return Broken(
        f"{task.story} The task's status URL sent the status {seen!r}.",
        f"The blocking endpoint sends {expected!r}: the code, and then a reason of its own.",
        "response.status is the code with its reason, and response.status_code is the code alone.",
        "reason-dropped",
    )


def headers_dropped(task):
    seen, expected = task.seen, task.expected
    if (seen.status, seen.body) != (expected.status, expected.body):
        return None
    fewer = len(seen.headers) < len(expected.headers)
    same_names = {name for name, _ in seen.headers} == {name for name, _ in expected.headers}
    default_type = ("Content-Type", "text/html; charset=utf-8") in seen.headers
    if not fewer and not (same_names and default_type):
        return None
    return Broken(
        f"{task.story} The task's status URL sent the right body with these headers: "
        f"{headers_in_words(seen.headers)}.",
        f"The blocking endpoint sends {headers_in_words(expected.headers)}.",
        "Keep list(response.headers) as well, and pass it to the Response that you send.",
        "headers-dropped",
    )


AFTER_A_202 = [failed_while_failing, nothing_kept, not_caught, counts_as_false]
CAUSES = [
    leaked,
    exception_kept,
    abort_taken_for_a_crash,
    replaced_by_another_500,
    handlers_forgotten,
    record_sent_as_json,
    built_at_the_poll,
    built_by_other_rules,
    body_as_text,
    reason_dropped,
    headers_dropped,
]
