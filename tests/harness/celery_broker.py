"""A broker and a result store for Celery inside this process, for a check to look into.

A message that is sent starts a thread, which does with it what a worker does: it takes what JSON
holds, and has Celery run the task. So the checks of the earlier steps see what they know, a task in
a thread. Nothing is eager: what cannot go through JSON does not arrive.
"""

import threading

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

    headers: as they were sent; acknowledged: whether the broker may forget it; returned: how often
    a worker gave it back; refused: the error with which a worker refused to begin.
    """

    def __init__(self, payload, channel):
        self.payload, self.headers = payload, payload["headers"]
        self.acknowledged, self.returned, self.refused = False, 0, None
        self._channel = channel
        self.request = None

    def work(self, celery):
        """Do what a worker of this Celery app does with it."""
        accept = prepare_accept_content(celery.conf.accept_content)
        message = self._channel.Message(self.payload, channel=self._channel, accept=accept)
        try:
            self.request = Request(
                message, app=celery, on_ack=self._acknowledge, on_reject=self._reject
            )
        except Exception as error:
            self.refused = error
            return
        self.request.execute()

    def _acknowledge(self, *_):
        self.acknowledged = True

    def _reject(self, logger, errors, requeue):
        self.returned += requeue
        self.acknowledged = not requeue


class Broker:
    """The one that the check's app talks to.

    sent: every Delivery so far; held: no worker is there, and what is sent waits; down: neither
    broker nor store can be reached; worker: the module that workers have imported, if it is not the
    site's; before_noting: called when a request writes to the store.
    """

    now = None  # there is one at a time

    def __init__(self):
        self.sent, self.results = [], {}
        self.held = self.down = False
        self.site = self.worker = None
        self.before_noting = lambda: None
        Broker.now = self

    def take(self, payload, channel):
        self.expect_up()
        self.sent.append(Delivery(payload, channel))
        if not self.held:
            self.deliver(self.sent[-1])

    def deliver(self, delivery):
        """Hand it to a worker, which begins at once."""
        celery = self.worker.celery if self.worker else self.site.named("celery")
        threading.Thread(target=delivery.work, args=[celery], daemon=True).start()

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
    """Forgets as Redis does: so many seconds after a result was written, on the check's clock."""

    supports_autoexpire = True

    def get(self, key):
        Broker.now.expect_up()
        value, until = Broker.now.results.get(key, (None, 0))
        return value if until > Broker.now.site.clock.steady else None

    def mget(self, keys):
        return [self.get(key) for key in keys]

    def set(self, key, value):
        broker = Broker.now
        broker.expect_up()
        if broker.site.threads.in_request_thread():
            broker.before_noting()
        seconds = self.expires or float("inf")  # None: for ever
        broker.results[key] = value, broker.site.clock.steady + seconds

    def delete(self, key):
        Broker.now.results.pop(key, None)
