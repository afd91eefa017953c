"""Messages that no request has sent: a request's own message, with changes that do harm."""

import base64
import json
import pickle


class Trap:
    """Something that springs when a pickle of it is loaded: a pickle may have any code run."""

    sprung = False

    def __reduce__(self):
        return spring, ()


def spring():
    Trap.sprung = True


def pickled(payload):
    """The message, with a Trap in a pickle as its body."""
    Trap.sprung = False
    return {
        **payload,
        "content-type": "application/x-python-serialize",
        "content-encoding": "binary",
        "body": base64.b64encode(pickle.dumps([Trap(), {}, {}])).decode(),
    }


def broken(payload):
    """The message three times: without arguments, with null arguments, for an unknown task.

    Each has a task id of its own.
    """
    changes = [
        {"body": encoded([[], {}, {}])},
        {"body": encoded([[None] * 5, {}, {}])},
        {"headers": {**payload["headers"], "task": "os.system"}},
    ]
    for number, change in enumerate(changes):
        message = {**payload, **change}
        message["headers"] = {**message["headers"], "id": f"{number:032x}"}
        yield message


def encoded(body):
    return base64.b64encode(json.dumps(body).encode()).decode()
