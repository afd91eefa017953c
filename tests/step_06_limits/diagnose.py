"""What is wrong with slots, a shutdown or headers: facts in, a Broken out."""

import signal

from tests.harness.expect import Broken
from tests.harness.load import described
from tests.harness.process import PROCESS_LIMIT

TRY_AGAIN = (
    "503 Service Unavailable tells the client to try again later. Nothing is wrong with its "
    "request."
)

# Slots


def no_slot(site, response, taken, workers, slots):
    """The Broken for a request that was not accepted, though slots were left."""
    unfinished = {0: "no unfinished task", 1: "1 unfinished task"}
    return Broken(
        f"WORKERS is {workers} and WAITING is {slots - workers}. With "
        f"{unfinished.get(taken, f'{taken} unfinished tasks')}, the next request returned "
        f"{response.status}.{site.last_words()}",
        f"There should be {slots} slots, so this request should have returned 202.",
        "How many slots does your code create, and does anything take one that it does not need?",
    )


def too_many_run(calls, workers):
    """The Broken for tasks that run at the same time: in a pool, in pools, or in threads?"""
    saw = f"WORKERS is {workers}, but {len(calls)} tasks ran at the same time."
    means = "Every thread takes memory and computing time, and the computer can run out of both."
    pools = {call.thread.name.rpartition("_")[0] for call in calls}
    if not all(pool.startswith("ThreadPoolExecutor-") for pool in pools):
        return Broken(
            saw,
            means,
            "A ThreadPoolExecutor never has more threads than you allow. pool.submit(task) gives "
            "it a task.",
            "thread-for-each-task",
        )
    if len(pools) == 1:
        return Broken(
            saw,
            means,
            "All of them run in one pool. Create it with the right number of threads: "
            'ThreadPoolExecutor(app.config["WORKERS"]).',
        )
    return Broken(
        saw,
        means,
        "All requests have to share one pool, so create it once, at the top of the file.",
        "pool-for-each-request",
    )


def done_again(calls, accepted):
    return Broken(
        f"{accepted} tasks were accepted, but the view was called {len(calls)} times.",
        "The work of an accepted task must be done exactly once.",
        "Does your code hand over a task twice, or can two threads take the same one?",
    )


def too_many_accepted(accepted, slots, workers):
    """The Broken for more accepted tasks than there are slots, by how many more there were."""
    saw = (
        f"There are {slots} slots, but {accepted} tasks were accepted, and none of them has ended."
    )
    if accepted == slots + workers:
        return Broken(
            saw,
            "A running task takes up no slot, so the server accepts more tasks than you meant to "
            "allow.",
            "Release the slot when the task ends, not when it starts.",
            "place-returned-at-the-start",
        )
    if accepted == 4 * slots:
        return Broken(
            saw,
            "A pool accepts any number of tasks. They wait in memory, longer than any client will.",
            "Take a slot before you accept a task. A semaphore counts slots: "
            "threading.BoundedSemaphore(number).",
            "no-limit",
        )
    return Broken(
        saw,
        "The server accepts more tasks than WORKERS and WAITING allow.",
        "Where does your code count the slots, and when does it take one?",
    )


def waits_for_a_slot(response):
    """The Broken for a request that waited; response: what it got once the tasks could end."""
    return Broken(
        "All slots were taken. The next request got no response until the check let the tasks end.",
        "A request that waits keeps one of the server's threads busy. Soon, none is left for other "
        "requests.",
        "acquire(blocking=False) does not wait. It returns True if it got a slot, and False if "
        "not.",
        "waits-for-a-place" if response.status_code == 202 else None,
    )


def not_a_503(site, response, what):
    """The Broken for a request that should have been refused, by its response."""
    means = TRY_AGAIN
    if response.status_code == 429:
        means = (
            "429 Too Many Requests blames this client for sending too many requests. In fact, the "
            "server is busy."
        )
    return Broken(
        f"{what} returned {response.status}.{site.last_words()}",
        means,
        "What does your code return when no slot is free? It must return a body, 503, and headers.",
        {500: "busy-is-500", 429: "busy-blames-the-client"}.get(response.status_code),
    )


def refused_but_done(calls, accepted, refused):
    return Broken(
        f"{accepted} requests were accepted and {refused} were refused, but the view was called "
        f"{len(calls)} times.",
        "The server did work that it had refused. The client will try again, and the work will be "
        "done twice.",
        "Return the 503 before you hand over the task.",
    )


def records_left(before, after, refused):
    return Broken(
        f"The server refused {refused} requests. The dict named tasks had {before} records before "
        f"that, and {after} afterwards.",
        "No sweep ever removes a record that belongs to no task. Memory fills up just when the "
        "server is busiest.",
        "Take a slot first, and then make the record.",
        "record-before-the-place",
    )


def slots_lost(ends, free, slots):
    """The Broken for slots that are not free though their tasks have ended, in these ways."""
    requests = {0: "no request", 1: "only 1 request"}
    *others, last = ends
    return Broken(
        f"These tasks ended: {', '.join(others)}, and {last}. After that, all {slots} slots should "
        f"have been free, but the server accepted {requests.get(free, f'only {free} requests')}.",
        "A lost slot never comes back. In the end, the server refuses every request.",
        "Where does your code release the slot? A finally block runs however the task ends, so "
        "release the slot there.",
        "place-never-returned" if slots - free == len(ends) else "place-lost-by-an-error",
    )


LAST = "One slot was left. Two requests arrived at the same time"


def failed_for_the_last_slot(site, error):
    saw = f"{LAST}, and one failed with {described(error)}{site.place(error)}."
    if "during iteration" in str(error):
        return Broken(
            saw,
            "One request looped over something, and the other request changed it.",
            "With a lock, only one request at a time can count the tasks and take a slot.",
            "loops-over-what-others-change",
        )
    return Broken(
        saw,
        "A request that gets no slot has to return 503. An exception that nothing catches becomes "
        "a 500.",
        "What does your code do when another request has just taken the last slot?",
    )


def last_slot_taken_twice():
    return Broken(
        f"{LAST}, and both were accepted.",
        "Both requests looked for a free slot, and both saw the same one. Then both took it.",
        "Looking for a slot and taking it must be a single action, like a semaphore's acquire().",
        "place-taken-twice",
    )


def last_slot(site, statuses):
    return Broken(
        f"{LAST}, and returned {statuses[0]} and {statuses[1]}.{site.last_words()}",
        "One of them gets the slot, and a 202. The other one gets a 503.",
        "Does your code look for a slot and take it in a single step?",
    )


# Headers


def no_retry_after(response, story):
    """The Broken for a 202 or a 503 without Retry-After."""
    what = "try" if response.status_code == 503 else "poll"
    names = {202: "202-without-retry-after", 503: "busy-without-retry-after"}
    return Broken(
        f"{story} without Retry-After.",
        f"The client does not know when to {what} again. Some clients {what} again immediately, "
        "over and over.",
        'Add the header "Retry-After". Its value is a number of seconds, as a string: "1".',
        names.get(response.status_code),
    )


def unreadable_retry_after(value, story):
    return Broken(
        f"{story}, with Retry-After: {value}.",
        "Clients cannot read that. HTTP allows a whole number of seconds, or a date in its own "
        "format.",
        'Set the header to a whole number of seconds, as a string: "1".',
        "retry-after-not-a-number",
    )


def may_be_stored(responses):
    """The Broken for responses, by what returned them, of which some lack no-store."""
    lacking = [what for what, each in responses.items() if not each.cache_control.no_store]
    name = None
    if len(lacking) == len(responses):
        name = "no-store-forgotten"
    elif lacking == ["The status URL of an unknown task"]:
        name = "unknown-may-be-stored"
    return Broken(
        f"{lacking[0]} returned {responses[lacking[0]].status} without Cache-Control: no-store.",
        "A cache between server and client may store a response, especially a 404, and send it "
        "when it is no longer true.",
        "Flask passes every response to a function decorated with @app.after_request. Set the "
        "header there.",
        name,
    )


def view_overruled(values):
    """The Broken for a view's Cache-Control; values: those that came instead."""
    return Broken(
        "The view set Cache-Control: max-age=60, but its response has "
        + (f"Cache-Control: {', '.join(values)}." if values else "no Cache-Control."),
        "The blocking endpoint would send the view's own value.",
        "headers.setdefault() sets a header only if there is none yet.",
        "overrules-the-view",
    )


def failure_not_logged():
    return Broken(
        "A teardown function failed after the view had returned, but the log has nothing about it.",
        "Python prints an exception that ends a thread, but a pool prints nothing. Nobody hears of "
        "an exception that your code doesn't log.",
        "Put everything that the task does into a try block. Under except BaseException, call "
        "app.logger.exception(...).",
        "died-unseen",
    )


# Shutdown; see tests/harness/shutdown.py


def story(stopped):
    """A sentence on how the shutdown began."""
    tasks = "1 task was" if stopped.sent == 1 else f"{stopped.sent} tasks were"
    ctrl_c = " (Ctrl-C)" if stopped.signum == signal.SIGINT else ""
    return f"{tasks} accepted, and then {stopped.signum.name}{ctrl_c} arrived."


def last_line(stopped):
    return f" The last line that the app printed: {stopped.last_line}" if stopped.last_line else ""


def not_accepted(stopped):
    within = f" within {PROCESS_LIMIT} seconds" if stopped.exit_status is None else ""
    requests = "1 request" if stopped.sent == 1 else f"{stopped.sent} requests"
    return Broken(
        f"In a process of its own, the app accepted {stopped.accepted} of {requests}{within}."
        f"{last_line(stopped)}",
        "The shutdown can only be checked when every request has been accepted.",
        "Is the computer busy with something else? If not, serve the app with Flask's own command, "
        'as in the lesson\'s "Run it".',
    )


def still_there(stopped):
    return Broken(
        f"{story(stopped)} The process was still running {PROCESS_LIMIT} seconds after its start.",
        "Whatever restarts the server, for example systemd, waits for it, and finally has to kill "
        "it.",
        "What keeps the process alive? Do the pool's threads end?",
    )


def killed(stopped):
    name = stopped.signum.name
    return Broken(
        f"{story(stopped)} The signal killed the process immediately, and no task was finished.",
        f"{name} tells a server to stop. Without a handler, it kills a Python process on the spot.",
        "Write a function stop(signum, frame) that raises an exception, and call "
        f"signal.signal(signal.{name}, stop). When {name} arrives, Python then calls stop in the "
        "main thread, and the exception ends the server.",
        "sigterm-not-handled" if name == "SIGTERM" else None,
    )


def late_request(stopped):
    """The Broken for a request that came while the server was stopping, by its status code."""
    saw = f"{story(stopped)} A request that came during the shutdown returned {stopped.late}."
    if stopped.late == 500:
        return Broken(
            saw,
            "A pool that is shutting down accepts no tasks: submit() raises RuntimeError.",
            "Catch the RuntimeError, and return a 503. When the client tries again, another server "
            "may be there.",
            "stopping-is-500",
        )
    return Broken(
        saw,
        TRY_AGAIN,
        "What does your code return when submit() raises RuntimeError?",
    )


def unfinished(stopped, workers):
    """The Broken for accepted tasks that were not finished, by how many were."""
    saw = (
        f"{story(stopped)} The process ended with exit status {stopped.exit_status}, and "
        f"{stopped.done} of the {stopped.sent} tasks were finished."
    )
    if stopped.done == workers:
        return Broken(
            saw,
            "The server finished the running tasks, but dropped the waiting ones. The clients of "
            "those tasks have a 202, too.",
            "Does your code cancel the waiting tasks? If nothing cancels them, a pool finishes all "
            "of them.",
            "waiting-dropped",
        )
    means = "Every 202 is a promise, so the server has to finish all of the tasks."
    if not stopped.done and stopped.exit_status == 0:
        return Broken(
            saw,
            means,
            "In the handler, raise KeyboardInterrupt, which ends only the server. Python then "
            "waits for the pool before it ends the process.",
            "ends-at-once",
        )
    return Broken(saw, means, "What waits until the pool has finished its tasks?")


def failed_exit(stopped):
    return Broken(
        f"{story(stopped)} All of them were finished, but the process ended with exit status "
        f"{stopped.exit_status}.{last_line(stopped)}",
        "To the program that started the server, any exit status but 0 means a failure.",
        "Which exception does your handler raise, or which status does it exit with?",
    )


def never_given_up(grace):
    return Broken(
        f"GRACE_SECONDS was {grace}, and a task never ended. SIGTERM arrived, but the "
        f"process was still running {PROCESS_LIMIT} seconds after its start.",
        "Without a time limit, Python waits for a pool as long as it takes. The program that "
        "restarts the server has to kill it.",
        "Set a time limit in the handler: faulthandler.dump_traceback_later(seconds, exit=True) "
        "ends the process, and prints what each thread was doing.",
        "no-grace",
    )


def handler_replaced():
    return Broken(
        "SIGTERM had a handler before your file was imported. Now it has another one.",
        "By default, gunicorn sets its own handler before it imports the app. If your handler "
        "replaces gunicorn's, it cuts off requests that are in progress.",
        "Set your handlers only if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, which means "
        "that nothing else has set one.",
        "handler-replaced",
    )
