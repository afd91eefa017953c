"""The site of step 7: its Celery talks to the broker in celery_broker.py, whatever its app says."""

from contextlib import contextmanager

import celery._state

from tests.harness.celery_broker import Broker
from tests.harness.expect import Broken, expect
from tests.harness.site import Site

FINALIZERS = celery._state._on_app_finalizers  # put each task into each app that is made later
CELERYS_OWN = set(FINALIZERS)


@contextmanager
def tasks_of_its_own(made=True):
    """Let the Celery apps that are made here have their own tasks, and no earlier module's.

    made: whether Celery makes those tasks now, which otherwise their first use does. An app
    without tasks, which only keeps results, is left alone: Celery's own take long to make.
    """
    FINALIZERS.intersection_update(CELERYS_OWN)
    earlier = set(celery._state._get_active_apps())
    yield
    apps = set(celery._state._get_active_apps()) - earlier
    if made:
        for app in [app for app in apps if app.finalized or app._pending] or apps:
            app.finalize(auto=True)


class CelerySite(Site):
    """What a check works with; broker: what its app has sent."""

    def __init__(self, *args):
        self.broker = Broker()
        self.broker.site = self
        with tasks_of_its_own():
            super().__init__(*args)

    def another(self, **how):
        """Return the file imported once more, as another process does."""
        with tasks_of_its_own(**how):
            return self.load()[0]

    def expect_202(self, response, what):
        self.expect_not_busy(response, what)
        return super().expect_202(response, what)

    def expect_not_busy(self, response, what):
        expect(
            response.status_code != 503 or self.broker.down,
            f"The broker could be reached, and {what} was answered {response.status}.",
            "Something else went wrong in the request, and an except answered 503 for it.",
            "Catch OperationalError and RedisError there, and nothing else. Then any other error "
            "is told with its line.",
            "any-error-is-busy",
        )

    def works_in_request(self, work, exchange):
        celery = getattr(self.module, "celery", None)
        if celery and celery.conf.task_always_eager:
            if work:
                work.release()
                exchange.wait()
            return Broken(
                "The view's work began in the process that serves the request, and in its thread.",
                "task_always_eager has Celery call the task as a function. There is no message, no "
                "worker and no waiting: the client waits for all of it.",
                "It is a setting for tests, which then see nothing of what Celery does. Leave it "
                "out.",
                "always-eager",
            )
        return super().works_in_request(work, exchange)
