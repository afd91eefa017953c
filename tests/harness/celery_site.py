"""The site of step 7. Its Celery talks to the broker in celery_broker.py, whatever the app says."""

from contextlib import contextmanager

import celery._state
import pytest
from celery.local import PromiseProxy

from tests.harness.celery_broker import Broker
from tests.harness.expect import Broken, expect
from tests.harness.load import described_value
from tests.harness.site import Site

FINALIZERS = celery._state._on_app_finalizers  # add each task to every app that is created later
CELERYS_OWN = set(FINALIZERS)


@contextmanager
def tasks_of_its_own(made=True):
    """Give the Celery apps that are created here their own tasks, and none of an earlier module.

    made: whether Celery creates those tasks now, and not when they are first used. An app without
    tasks, which only keeps results, is left alone: creating Celery's own tasks takes long.
    """
    FINALIZERS.intersection_update(CELERYS_OWN)
    earlier = set(celery._state._get_active_apps())
    yield
    apps = set(celery._state._get_active_apps()) - earlier
    if made:
        for app in [app for app in apps if app.finalized or app._pending] or apps:
            app.finalize(auto=True)


@contextmanager
def tasks_made_twice():
    """Until the block ends, Celery creates every task twice, as if two threads used it first.

    Both would see that it is not there yet, and both would create it. Yields a list of these tasks.
    """
    made, make = [], PromiseProxy.__evaluate__

    def make_twice(task):
        made.append(task)
        make(task)
        return make(task)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PromiseProxy, "__evaluate__", make_twice)
        yield made


class CelerySite(Site):
    """What a check does with the learner's app; broker: the Broker that its Celery talks to."""

    def __init__(self, *args):
        self.broker = Broker(self)
        with tasks_of_its_own():
            super().__init__(*args)

    def expect_celery(self):
        """Return the Celery app in the learner's module."""
        app = self.named("celery")
        expect(
            hasattr(app, "tasks") and hasattr(app, "conf"),
            f"celery is {described_value(app)}.",
            'The checks and the command "celery" look for a Celery app under this name.',
            "Put celery = Celery(…) at the top level of the file.",
        )
        return app

    def another(self, **how):
        """Import the file once more, as another process would; return the module."""
        with tasks_of_its_own(**how):
            return self.load()[0]

    def message(self):
        """Return the Delivery of the message that an accepted request has sent."""
        self.expect_celery()
        expect(
            self.broker.sent,
            "A request was accepted, but no message was sent to the broker.",
            "A message is how a worker learns that there is work. Without one, no worker does it.",
            "To send a message, call apply_async() on a Celery task.",
            "nothing-is-sent",
        )
        return self.broker.sent[0]

    def put(self, payload):
        """Put a message into the broker, and wait until a worker is done with it."""
        self.broker.put(payload)
        self.quiet()

    def finish(self, work):
        """Have one task of the work done from beginning to end; return its status URL."""
        location = self.location(self.accepted(work))
        work.release()
        self.done(self.call(work, len(self.locations)))
        self.poll(location)
        return location

    def expect_202(self, response, what):
        self.expect_not_busy(response, what)
        return super().expect_202(response, what)

    def expect_not_busy(self, response, what):
        expect(
            response.status_code != 503 or self.broker.down,
            f"The broker was reachable, but {what} returned {response.status}.",
            "In this step, a 503 means that the broker or the result store is unreachable. Here, "
            "something else went wrong.",
            "If an except clause returns the 503, let it catch OperationalError and RedisError, "
            "and nothing else. Then Flask logs any other error with its traceback.",
            "any-error-is-busy",
        )

    def works_in_request(self, work, exchange):
        app = getattr(self.module, "celery", None)
        if not (app and app.conf.task_always_eager):
            return super().works_in_request(work, exchange)
        if work:
            work.release()
            exchange.wait()
        return Broken(
            "The view's work began in the request thread.",
            "With task_always_eager, Celery calls the Celery task like any other function. There "
            "is no message and no worker, and the client waits until the work is done.",
            "task_always_eager is meant for tests. Leave it out.",
            "always-eager",
        )
