"""What the checks of step 7 do again and again, and what they put into an app."""

import json
import threading

import flask_restful
from flask import g

from tests.step_07_celery import diagnose, failures

LOOP = []
LOOP.append(LOOP)
SPECIAL = {"__type__": "nonsense", "__value__": 1}  # Celery's JSON can write it, but not read it


def sign_in():
    """Put values on g, as a before_request function does: some that JSON can hold, and others."""
    g.user, g.roles = "ada", {"editor": [None, 2.5]}
    g.lock, g.special, g.loop = threading.Lock(), SPECIAL, LOOP


def add_two_resources(site, calls):
    """Add two resources whose views are both named get; each notes its calls by its own name."""

    class Report(flask_restful.Resource):
        @site.decorated
        def get(self):
            calls.append("report")

    class Invoice(flask_restful.Resource):
        @site.decorated
        def get(self):
            calls.append("invoice")

    site.named("api").add_resource(Report, "/report")
    site.named("api").add_resource(Invoice, "/invoice")


def is_json(value):
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def wait_for_a_worker(site, work):
    """Send a request while no worker runs; return its status URL, which returns a 202."""
    site.broker.has_workers = False
    location = site.location(site.expect_202(site.get(work.url), f"GET {work.url}"))
    if (response := site.get(location)).status_code != 202:
        story = "A task has just been accepted, and no worker has begun it yet."
        raise diagnose.unfinished_without_202(response, story, noted=False)
    return location


def begun(site, work):
    """Wait until a worker has begun the task; return the Delivery of its message.

    The broker must still have the message.
    """
    site.call(work)
    delivery = site.message()
    if delivery.acknowledged:
        raise failures.acknowledged_early()
    return delivery


def end(site, work):
    """Release the work, and wait until its first task has ended."""
    work.release()
    site.done(site.call(work))
