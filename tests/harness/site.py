"""What a check does with the learner's app. If the app does not do its part, Broken says why."""

import functools
import re
import time
from urllib.parse import urlsplit

from tests.harness import diagnose
from tests.harness.app import App
from tests.harness.expect import LIMIT, expect
from tests.harness.lockstep import Lockstep


class Site(App):
    """An App, and its client. Each method waits for what it needs, or raises Broken.

    locations: the path of every Location that it has sent.
    """

    def __init__(self, *args):
        self.locations = []
        super().__init__(*args)

    # Views

    def decorated(self, view):
        """Return async_api(view)."""
        decorator = self.named("async_api")
        try:
            result = decorator(view)
        except Exception as error:
            raise diagnose.decorator_failed(self, error) from None
        if not callable(result) or getattr(result, "func", None) is functools.update_wrapper:
            raise diagnose.not_a_view(result)
        return result

    def work(self, function=lambda **_: "done", *, decorate=True, **how):
        """Serve function as a view that the check holds back, see App.serve; return its Work.

        decorate: put it under async_api.
        """
        return self.serve(function, self.decorated if decorate else lambda view: view, **how)

    # Requests

    def start(self, method, url, **request):
        """Send a request without waiting for its response; see Server.start."""
        return self.server.start(method, url, **request)

    def send(self, method, url, **request):
        """Send a request and return its response once the request is over."""
        return self.response(self.start(method, url, **request))

    def get(self, url):
        return self.send("GET", url)

    def response(self, exchange, work=()):
        """Return the response to a request; raise Broken if it waits for work that is held back.

        work: the Calls or the Sleeps that the request has led to.
        """
        threads = self.threads
        self.changes.wait_until(
            lambda: (
                exchange.over()
                or threads.held_in_request()
                or any(map(threads.in_request, work))
                or any(threads.joins(thread, work) for thread in threads.serving())
            )
        )
        if (held := threads.held_in_request()) or any(map(threads.in_request, work)):
            raise self.works_in_request(held, exchange)
        if work and not exchange.over() and threads.serving():
            raise diagnose.waits_for_its_task(self)
        return exchange.wait()

    def works_in_request(self, work, exchange):
        return diagnose.works_in_request(self, work, exchange)

    def accepted(self, work, method="GET", url=None, **request):
        """Send a request to a Work that is held back; return its response, which must be a 202."""
        url = url or work.url
        response = self.response(self.start(method, url, **request), work.calls)
        return self.expect_202(response, f"{method} {url}")

    def expect_202(self, response, what):
        if response.status_code != 202:
            raise diagnose.not_a_202(self, response, what)
        return response

    # The work

    def slept(self, exchange, number=1):
        """Wait until requests have led to this number of Sleeps; return the last one."""

        def sleeps():
            by_import = self.threads.from_import
            return [s for s in list(self.clock.sleeps) if s.thread not in by_import]

        def in_vain():
            if not exchange.over():
                return False
            return exchange.wait().status_code != 202 or self.threads.at_rest()

        crashes = self.threads.crashes
        self.changes.wait_until(lambda: len(sleeps()) >= number or crashes or in_vain())
        if len(sleeps()) >= number:
            return sleeps()[number - 1]
        if crashes:
            means = "The thread ended before its work reached time.sleep()."
            raise diagnose.crashed(self, crashes[-1][0], means)
        raise diagnose.no_work(self, exchange.wait())

    def call(self, work, number=1):
        """Wait until this number of calls of the work have begun; return the last of them."""
        self.changes.wait_until(
            lambda: (
                len(work.calls) >= number or self.crashed_before_a_view() or self.threads.at_rest()
            )
        )
        if len(work.calls) >= number:
            return work.calls[number - 1]
        if errors := self.crashed_before_a_view():
            raise diagnose.crashed(self, errors[-1])
        raise diagnose.never_called(self, work, number)

    def over(self, call):
        """Wait until a released call is over."""
        expect(
            self.changes.wait_until(lambda: call.ended),
            "The check held the view back and then let it go on, but the view never returned.",
            "The task hangs.",
            "Does the view wait for something that its own request holds?",
        )

    def done(self, call):
        """Wait until the thread of a released call has ended, or an executor has it back."""
        self.over(call)
        self.threads.done(call.thread)

    def result(self, call):
        """Wait until a released call is over; return what the view returned."""
        self.over(call)
        if call.error:
            raise diagnose.failed_view(call)
        return call.result

    def in_task(self, function, method="GET", **request):
        """Call function in a task, once its request is over; return what it returned."""
        found = []

        def view():
            found.append(function())
            return "done"

        work = self.work(view)
        self.accepted(work, method, **request)
        work.release()
        self.result(self.call(work))
        return found[0]

    # Status URLs

    def location(self, response):
        """Return the path in the Location of a 202."""
        location = response.headers.get("Location")
        if location is None:
            in_body = re.search(r"/status/\w+", response.get_data(as_text=True))
            raise diagnose.no_location(response, in_body)
        self.locations.append(urlsplit(location).path)
        return self.locations[-1]

    def settled(self, location):
        """Poll until the response is not a 202 with this Location, or can no longer change."""
        give_up = time.monotonic() + LIMIT
        while True:
            running = self.threads.own()
            response = self.get(location)
            again = urlsplit(response.headers.get("Location", "")).path
            waiting = response.status_code == 202 and again == location
            if not (waiting and running and time.monotonic() < give_up):
                return response

    def poll(self, location):
        """Poll until the response is no longer a 202 with a Location; return it."""
        response = self.settled(location)
        if response.status_code == 202 and "Location" in response.headers:
            raise diagnose.never_finished(self, location)
        return response

    def outcome(self, method, url, **request):
        """Send a request; return its response, or the one that its task has in the end."""
        return self.final(self.send(method, url, **request))

    def final(self, response):
        """Return this response or, if it is a 202, what its Location returns in the end."""
        return self.poll(self.location(response)) if response.status_code == 202 else response

    def lockstep(self, *functions):
        """Run functions at the same time, in step with each other; see Lockstep.run."""
        return Lockstep(self.code, self.changes, self.threads.waits.for_locks).run(*functions)
