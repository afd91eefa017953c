"""What step 7 says about killed workers, an unreachable Redis, long bodies and secrets."""

from tests.harness.expect import Broken
from tests.harness.leaks import leaked
from tests.harness.load import described_value

# The messages of a worker that is killed


def takes_more_than_it_does(each):
    """each: worker_prefetch_multiplier."""
    return Broken(
        f"worker_prefetch_multiplier is {each}. A worker that does two tasks at a time takes "
        f"{f'up to {2 * each}' if each else 'all'} messages at the same time.",
        "While the worker does two tasks, the other messages wait, even if another worker is idle. "
        "If the worker is killed, their tasks may be done late, or never.",
        "With a multiplier of 1, a worker that does two tasks at a time takes two messages.",
        "takes-more-than-it-does",
    )


def acknowledged_early():
    return Broken(
        "While the task was running, its message was already acknowledged.",
        "The broker has forgotten the message. If the worker is killed now, the task is lost.",
        "With task_acks_late, a worker acknowledges a message only when its task is done.",
        "acknowledged-at-the-start",
    )


def never_acknowledged(site):
    return Broken(
        "The task is done, but its message was not acknowledged.",
        "The broker will deliver the message again, and a worker will do the task again.",
        "Does the task raise an exception at its end?" + site.last_words(),
    )


def lost_with_its_process():
    return Broken(
        "The check told Celery that the process running the task had been killed, but Celery did "
        "not return the message to the broker.",
        "Celery counts the task as failed, so no other process does it.",
        "With task_reject_on_worker_lost, Celery returns the message, and another process does the "
        "task.",
        "lost-with-its-worker",
    )


def over_though_returned(response):
    return Broken(
        "The process running the task was lost, and the message went back to the broker. After "
        f"that, the task's status URL returned {response.status}.",
        "The task is not over: another process is going to do it.",
        "What is in the result store after Celery has lost a process?",
    )


def stopped_worker_finished(response, acknowledged):
    saw = (
        "A worker was told to stop (SIGTERM) in the middle of a task. After that, the task's "
        f"status URL returned {response.status}, and the message was "
        f"{'' if acknowledged else 'not '}acknowledged."
    )
    look = (
        "billiard.common.terminate_handler_fired() tells you whether the worker was told to stop. "
        "If so, raise the exception again."
    )
    if response.status_code == 500:
        return Broken(
            saw,
            "To stop a process, Celery raises SystemExit in it. Your code took that for the view's "
            "own error, so the task counts as finished, and no worker does it.",
            look,
            "taken-for-the-views-own",
        )
    return Broken(
        saw,
        "The task is not done. Its message has to stay, so that another worker does the task.",
        look,
    )


# An unreachable broker, and caches


def unreachable_not_told(site, what, response):
    """what: "request" or "poll"."""
    return Broken(
        f"While Redis was unreachable, a {what} returned {response.status}.{site.last_words()}",
        f"Nothing is wrong with the {what}. A 503 tells the client to try again later.",
        "If Redis is unreachable, you get a redis.exceptions.RedisError or a "
        "kombu.exceptions.OperationalError.",
        "unreachable-is-500" if response.status_code == 500 else None,
    )


def forgotten_while_unreachable(what, response):
    """what: "request" or "poll"."""
    return Broken(
        f"A task was finished. Redis was then unreachable for one {what}. After that, the task's "
        f"status URL returned {response.status}.",
        "No task may be forgotten because the store was unreachable.",
        "What does your code do about the task when the store is unreachable?",
    )


def may_be_cached(responses, lacking):
    """responses: all of them, by what was asked; lacking: those without no-store."""
    return Broken(
        f"The response to {lacking[0]} had no Cache-Control: no-store.",
        "A cache between server and client may keep this response, and send it when it is no "
        "longer true.",
        "Flask passes every response to a function decorated with @app.after_request. Set the "
        "header there.",
        "no-store-forgotten" if len(lacking) == len(responses) else None,
    )


# The body's length


def no_maximum(most):
    return Broken(
        f'app.config["MAX_CONTENT_LENGTH"] is {described_value(most)}.',
        "On its way, a message takes up memory several times: in the web process, in Redis, and in "
        "the worker. So its length needs a limit.",
        'Flask refuses longer bodies if you set this limit: app.config["MAX_CONTENT_LENGTH"] = …',
        "any-length",
    )


def too_long_not_refused(response, sent):
    """sent: how many messages the request has sent."""
    return Broken(
        "MAX_CONTENT_LENGTH was 1000. A request with a body of 1001 bytes returned "
        f"{response.status}, and sent {sent} message{'' if sent == 1 else 's'}.",
        "The client should get 413 Content Too Large, and nothing should go to the broker.",
        "request.get_data() checks the length, and raises the exception for a 413.",
    )


def too_long_in_worker():
    return Broken(
        "MAX_CONTENT_LENGTH was 1000. A worker got a message with a body of 1001 bytes, and called "
        "the view.",
        "Anyone who can write to the broker could fill your workers' memory.",
        "Compare len(body) with MAX_CONTENT_LENGTH in the worker, too, before you call the view.",
        "worker-takes-any-length",
    )


def longest_refused_in_worker(site):
    return Broken(
        "MAX_CONTENT_LENGTH was 1001. A worker got a message with a body of 1001 bytes, and did "
        f"not call the view.{site.last_words()}",
        "A web process accepts a body of that length. Its client has a 202, but no worker does the "
        "work.",
        "Refuse a body that is longer than MAX_CONTENT_LENGTH, and no other.",
    )


# The log


def secret_in_the_log(log, secrets):
    returned = [line for line in log.splitlines() if "succeeded in" in line]
    if found := leaked(secrets, "\n".join(returned)):
        return Broken(
            f"The worker's log contains {found[0]!r}.",
            "Celery logs the beginning of what a task returns. Many people read logs, and logs are "
            "kept for a long time.",
            "resultrepr_maxsize limits how many characters Celery logs: "
            "@celery.task(resultrepr_maxsize=10). Put the status code first in the "
            "value that the task returns, so that the log shows little else.",
            "answer-in-the-log",
        )
    return Broken(
        f"The log contains {secrets[0]!r}.",
        "Many people read logs, and logs are kept for a long time.",
        "Does your code print or log what it was given? What a task prints goes to the log, too.",
    )


def secret_for_monitors(secret):
    return Broken(
        f"The message's headers contain {secret!r}.",
        "Celery puts the arguments into the headers as well, as text, for logs and monitors.",
        'To put another text there, pass argsrepr="…" to apply_async(), and kwargsrepr="…" if the '
        "message has keyword arguments.",
        "arguments-in-the-headers",
    )
