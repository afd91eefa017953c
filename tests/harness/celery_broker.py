"""A broker and a result store for Celery, inside this process, where a check can see them.

Each message that is sent starts a thread, which does with it what a worker does: it reads the
message and has Celery run the task. So the checks of earlier steps see what they know, a task in a
thread. Nothing is eager: whatever can't go through JSON does not reach the task.
"""

import threading

import billiard.common
from billiard.einfo import ExceptionInfo
from billiard.exceptions import WorkerLostError
from celery.backends.base import KeyValueStoreBackend
from celery.worker.request import Request
from kombu.serialization import prepare_accept_content
from kombu.transport import TRANSPORT_ALIASES, virtual
from redis.exceptions import ConnectionError as CannotConnect

ENVIRONMENT = {
    "CELERY_BROKER_URL": "checks://",
    "CELERY_RESULT_BACKEND": f"{__name__}.Store://",
}
TRANSPORT_ALIASES["checks"] = f"{__name__}:Transport"


class Delivery:
    """A message, and what became of it.

    payload: the message as a dict, headers included; acknowledged: whether the broker may forget
    it; returned: how often a worker gave it back; refused: the error with which a worker refused
    it before the task, or None.
    """

    def __init__(self, payload, channel):
        self.payload, self.channel = payload, channel
        self.acknowledged, self.returned, self.refused = False, 0, None
        self._request = None

    def work(self, celery):
        """Do what a worker of this Celery app does with the message."""
        accept = prepare_accept_content(celery.conf.accept_content)
        message = self.channel.Message(self.payload, channel=self.channel, accept=accept)
        try:
            self._request = Request(
                message, app=celery, on_ack=self._acknowledge, on_reject=self._reject
            )
        except Exception as error:
            self.refused = error
            return
        self._request.execute()

    def lose_process(self):
        """Tell Celery, as a worker does, that the process which ran the task was killed."""
        try:
            raise WorkerLostError("Worker exited prematurely: signal 9 (SIGKILL).")
        except WorkerLostError:
            self._request.on_failure(ExceptionInfo())

    def _acknowledge(self, *_):
        self.acknowledged = True

    def _reject(self, logger, errors, requeue):
        self.returned += requeue
        self.acknowledged = not requeue


def told_to_stop(patch):
    """Do what a process of a worker's pool does on SIGTERM; patch: a MonkeyPatch."""
    patch.setattr(billiard.common, "_should_have_exited", [True])
    raise SystemExit(-241)


class Broker:
    """The broker that the app talks to.

    sent: every Delivery so far; has_workers: without workers, messages wait; down: neither broker
    nor store can be reached; worker: the module that workers have imported, if it is not the
    site's; before_noting: called when a request is about to write to the store.
    """

    now = None  # there is one at a time

    def __init__(self, site):
        self.site, self.worker = site, None
        self.sent, self.stored = [], {}
        self.has_workers, self.down = True, False
        self.before_noting = lambda: None
        Broker.now = self

    def take(self, payload, channel):
        """Accept a message; if there are workers, hand it to one."""
        self.expect_up()
        self.sent.append(Delivery(payload, channel))
        if self.has_workers:
            self.deliver(self.sent[-1])

    def put(self, payload):
        """Accept a message that no request has sent."""
        self.take(payload, self.sent[0].channel)

    def deliver(self, delivery):
        """Hand the message to a worker, which begins immediately."""
        celery = self.worker.celery if self.worker else self.site.named("celery")
        threading.Thread(target=delivery.work, args=[celery], daemon=True).start()

    def results(self):
        """Everything that the store holds, as it was written."""
        return [value for value, _ in self.stored.values()]

    def expect_up(self):
        if self.down:
            raise CannotConnect("Error 111 connecting to localhost:6379. Connection refused.")


class Channel(virtual.Channel):
    do_restore = False

    def _put(self, queue, message, **kwargs):
        Broker.now.take(message, self)

    def _size(self, queue):
        return 0


class Transport(virtual.Transport):
    Channel = Channel
    connection_errors = (CannotConnect,)
    driver_type = driver_name = "checks"

    def driver_version(self):
        return "1"


class Store(KeyValueStoreBackend):
    """Like Redis, it forgets each value some seconds after it was written; by the check's clock."""

    supports_autoexpire = True

    def get(self, key):
        Broker.now.expect_up()
        value, until = Broker.now.stored.get(key, (None, 0))
        return value if until > Broker.now.site.clock.steady else None

    def mget(self, keys):
        return [self.get(key) for key in keys]

    def set(self, key, value):
        broker = Broker.now
        broker.expect_up()
        if broker.site.threads.in_request_thread():
            broker.before_noting()
        seconds = self.expires or float("inf")  # None: for ever
        broker.stored[key] = value, broker.site.clock.steady + seconds

    def delete(self, key):
        Broker.now.stored.pop(key, None)
