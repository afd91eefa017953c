"""What a broken promise of step 7 says: facts in, a Broken out."""

import re

from tests.harness.expect import Broken
from tests.harness.load import described, described_value

# Messages and workers


ONLY_THE_MESSAGE = "A worker is another process. All it knows about the request is in the message."
SEND_IT = "Anything that the task needs from the request has to be among the message's arguments."


def sent_again(number):
    """number: how many messages one request has sent."""
    return Broken(
        f"1 request sent {number} messages.",
        "To workers, each message is a task of its own.",
        "Is apply_async() called once for each request?",
    )


def sent_as(kind):
    return Broken(
        f"The message was sent as {kind}.",
        "The message must be JSON. A worker that loads pickles runs whatever code is in them, so "
        "anyone who can write to the broker could run code on your workers.",
        "Leave task_serializer and result_serializer at their default, which is JSON.",
        "pickle-is-sent",
    )


def stored(value):
    return Broken(
        f"The result store holds {described_value(value)}.",
        "That is not JSON. A web process that loads pickles runs whatever code is in them, so "
        "anyone who can write to the store could run code in your web processes.",
        "Leave result_serializer at its default, which is JSON.",
        "pickle-is-stored",
    )


def pickle_accepted(loaded):
    """loaded: whether the worker has loaded the pickle."""
    what = "A worker loaded it, so the code in it ran." if loaded else "No worker refused it."
    return Broken(
        f"The check put a pickle into the broker. {what}",
        "If a worker accepts pickles, anyone who can write to the broker can run code in that "
        "worker.",
        'accept_content lists what workers accept. Set it to ["json"].',
        "pickle-is-accepted",
    )


def called_for_a_broken_message():
    return Broken(
        "The check put a message into the broker that no request could have sent, and a view was "
        "called for it.",
        "Anyone who can write to the broker could have your views do what no request can.",
        "What does the task do if its arguments are not the expected ones?",
    )


def failed_before_the_view(site, response):
    return Broken(
        "The check put a broken message into the broker, and no worker could do its task. The "
        f"task's status URL returned {response.status}.{site.last_words()}",
        "The task will never have a result, and its client needs to know that.",
        "When a task fails, Celery reports FAILURE, and stores the exception as its result.",
        "failure-is-running" if response.status_code == 202 else None,
    )


def not_reached_in_worker(site, delivery, what):
    """what: what the task did not do, with its verb."""
    return Broken(
        f"A worker that had imported the same file got the message, but the task {what}."
        f"{why(site, delivery)}",
        ONLY_THE_MESSAGE,
        SEND_IT,
        "kept-in-the-web-process",
    )


def other_request_in_worker(found):
    """found: the path, the argument q and the JSON of the request, each time the view was called"""
    calls = f"called {len(found)} times" if len(found) > 1 else "called"
    path, q, sent = found[0]
    return Broken(
        f"In a worker, the view of POST /read?q=1 was {calls}. It saw the path {path!r}, "
        f"q={q!r} and the JSON {described_value(sent)}.",
        ONLY_THE_MESSAGE,
        SEND_IT,
    )


def other_result_from_worker(site, response):
    return Broken(
        "Another process did the work of POST /hello. In the end, the status URL returned "
        f"{response.status} with {described_value(response.get_data(as_text=True))}."
        f"{site.last_words()}",
        ONLY_THE_MESSAGE,
        SEND_IT,
    )


def why(site, delivery):
    """A sentence with what went wrong in the worker, to put after another."""
    if delivery.refused:
        return f" The worker refused the message: {described(delivery.refused)}."
    return re.sub("[0-9a-f]{32}", "…", site.last_words())


def made_twice(site, response, made):
    """made: whether Celery created the task twice, as two first requests may have it do."""
    if not made:
        return Broken(
            f"The first request to a new process returned {response.status}.{site.last_words()}",
            "A process has to accept its first request, like any other.",
            "Does a request need something that only an earlier request creates?",
        )
    return Broken(
        "The check made Celery create one Celery task (the object with apply_async) twice. This "
        "can happen if the first two requests to a process arrive at the same time. After that, a "
        f"request returned {response.status}.{site.last_words()}",
        "Celery creates a Celery task when your code first uses it, and fails if two threads first "
        "use it at the same time.",
        "Call celery.finalize() below the last Celery task's function. It creates all Celery tasks "
        "before a request arrives.",
        "made-at-first-use" if response.status_code == 500 else None,
    )


def one_view_for_two(site, called):
    """called: by request, the names of the views that were called"""
    views = {name: " and ".join(f"/{view}" for view in called[name]) for name in called}
    got = [f"For GET /{name}, the view of {views[name] or 'neither'} was called" for name in called]
    saw = (
        "The check added two resources, each with a get() method: one at /report, the other at "
        f"/invoice. {'. '.join(got)}."
    )
    first, second = called.values()
    if first == second and len(first) == 1:
        return Broken(
            saw,
            "A worker finds a view by its name. The views of both resources are named get, so a "
            "worker finds only one of them under that name.",
            "A view's __qualname__ also contains its class. For CatchAll's view, __name__ is get, "
            "but __qualname__ is CatchAll.get.",
            "one-name-for-two",
        )
    return Broken(
        f"{saw}{site.last_words()}",
        "A worker has to call the view of the request's own URL, once.",
        "How does the worker find the view?",
    )


def put_on_g(value):
    return f"A before_request function put a lock, a list that contains itself, and {value} on g."


def not_sent_with_g(site, response, value):
    return Broken(
        f"{put_on_g(value)} The request returned {response.status}.{site.last_words()}",
        "Hooks put all kinds of values on g, such as database connections.",
        "Send the values that JSON can hold, and leave out the others.",
        "not-json-is-500" if response.status_code == 500 else None,
    )


def not_read_with_g(site, delivery, value):
    return Broken(
        f"{put_on_g(value)} The request was accepted, but no view was called.{why(site, delivery)}",
        "The client has a 202, but no worker does the work.",
        "Celery writes and reads messages with the module kombu.utils.json. Write each "
        "value with that module's dumps(), read it with its loads(), and send it only if it comes "
        "back unchanged.",
        "plain-json-is-asked" if delivery.refused else None,
    )


def other_values_on_g(user, roles, has_lock, has_loop):
    saw = f"In the task, g.user was {described_value(user)}, and g.roles {described_value(roles)}."
    others = [name for name, there in (("g.lock", has_lock), ("g.loop", has_loop)) if there]
    if others:
        saw += f" {' and '.join(others)} {'were' if len(others) > 1 else 'was'} there, too."
    return Broken(
        saw,
        "In the request, g.user was 'ada', and g.roles {'editor': [None, 2.5]}. JSON can hold both "
        "of them. A lock and a list that contains itself belong to the process they are in.",
        "Which values come back from JSON unchanged?",
    )


# The status URL


NOTE = (
    "Celery reports PENDING for a task that was accepted, and also for one that it has never heard "
    "of."
)


def unfinished_without_202(response, story, noted=True):
    """The Broken for a task that is not over and whose status URL did not return a 202.

    story: how far the task is; noted: whether the status URL has returned a 202 before.
    """
    saw = f"{story} Its status URL returned {response.status}."
    if response.status_code == 404 and not noted:
        return Broken(
            saw,
            NOTE,
            "Before you send the task, note in the result store that it exists. Use a state with "
            "a name of your own.",
            "pending-is-404",
        )
    return Broken(
        saw,
        "The task is neither finished nor unknown, whatever Celery calls its state. So its client "
        "should get a 202, and keep polling.",
        "For which of Celery's states does your status resource return a 202?",
    )


def forgotten_unfinished(response, story):
    """The same, hours after the status URL has returned a 202."""
    if response.status_code != 404:
        return unfinished_without_202(response, story)
    return Broken(
        f"{story} Its status URL returned {response.status}.",
        "The task is not over, but the note that it was accepted is gone.",
        "result_expires counts from the moment when Celery stores something, and a Celery app uses "
        "one value for everything it stores. Store the notes through a second Celery app, with a "
        "longer result_expires.",
        "note-expires",
    )


def unknown_elsewhere(running, done):
    """running, done: two responses each, of another process and of the one that got the request."""
    saw = (
        "After a task was accepted, another web process started. It returned "
        f"{running[0].status} for the status URL while the task was running, and {done[0].status} "
        "when the task was done."
    )
    means = "Servers run several processes, and restart them. A client may reach any of them."
    if any(there.status_code == 404 != here.status_code for there, here in (running, done)):
        return Broken(
            saw,
            means,
            "No other process can see what one process keeps in a dict. Look the task up in the "
            "result store.",
            "remembered-in-one-process",
        )
    return Broken(saw, means, "What does the result store hold about the task at that time?")


def never_noted():
    return Broken(
        "A request was accepted without writing anything to the result store.",
        NOTE,
        "Before you send the task, note in the result store that it exists.",
    )


def ended_unfinished(response, sent_first):
    """sent_first: whether the task ended before its request noted it."""
    if not sent_first or response.status_code != 202:
        return Broken(
            f"A task ended immediately. Its status URL returned {response.status}.",
            "The task is finished, so the client should get its response.",
            "What does the worker write to the result store, and does anything overwrite it?",
        )
    return Broken(
        "A task ended before its request noted that the task was accepted. From then on, the "
        f"task's status URL returned {response.status}.",
        "The note overwrote the result.",
        "Write the note first, then send the message.",
        "noted-after-sending",
    )


def not_forgotten(response):
    saw = (
        f"A task ended five minutes and one second ago. Its status URL returned {response.status}."
    )
    if response.status_code == 200:
        return Broken(
            saw,
            "Each result takes up memory in Redis. By default, Celery keeps it for a day.",
            "result_expires is the number of seconds for which Celery keeps a result.",
            "kept-for-a-day",
        )
    return Broken(
        saw,
        "Results are kept for five minutes. After that, a 404 tells the client not to poll again.",
        "What does your status resource return if the result store knows nothing about a task?",
    )


def forgotten_early(response, seconds):
    """seconds: how long after the task's end and after a first poll."""
    ended = "ended less than five minutes ago" if seconds else "has just ended"
    return Broken(
        f"A task {ended}, and its client has polled since. The next poll returned "
        f"{response.status}.",
        "Networks lose responses, and people reload pages.",
        "Does a poll remove the result? What is result_expires?",
        None if seconds or response.status_code != 404 else "gone-once-read",
    )


def aged_while_running(response):
    return Broken(
        "A task ran for three hours, and ended less than five minutes ago. Its status URL returned "
        f"{response.status}.",
        "Its client has five minutes to fetch the response, however long the task took.",
        "Does the result replace the note, and is it kept for five minutes from then on?",
    )
