"""Step 6: no more is accepted than can be finished, and what was accepted is finished."""

import re
import signal
import sys

import pytest
from flask import g
from werkzeug.exceptions import HTTPException

from tests.harness.child import serve_until_stopped
from tests.harness.expect import Broken, expect
from tests.harness.load import described_value
from tests.harness.process import PROCESS_LIMIT, Process
from tests.step_05_cleanup.test_cleanup import *  # noqa: F403
from tests.step_05_cleanup.test_cleanup import expect_no_errors

BUSY = "503 Service Unavailable tells a client to come again. Nothing is wrong with its request."


def limit(site, key):
    """The number in app.config under a key of the lesson."""
    number = site.app.config.get(key)
    expect(
        isinstance(number, (int, float)) and number > 0,
        f'app.config["{key}"] is {described_value(number)}.',
        "Who runs the app knows how much the computer can do at a time.",
        f'Put a number there where the other keys are set: app.config["{key}"] = …',
    )
    return number


def workers(site):
    return int(limit(site, "WORKERS"))


def places(site):
    """How many tasks can be accepted and not yet ended."""
    return workers(site) + int(limit(site, "WAITING"))


def fill(site, work):
    """Have as many tasks accepted as there are places; return their addresses."""
    return [ask_for_a_place(site, work, number) for number in range(1, places(site) + 1)]


def ask_for_a_place(site, work, number):
    answer = site.get(work.url)
    expect(
        answer.status_code == 202,
        f"WORKERS and WAITING are {workers(site)} and {places(site) - workers(site)}. Of the "
        f"requests that came, number {number} was answered {answer.status}.",
        "There was a place for it, and it was sent away.",
        "How many places are there, and who takes one without need?" + site.last_words(),
    )
    return site.location(answer)


def let_go(site, work, number):
    """Have so many tasks of the work brought to their end."""
    work.release()
    for each in range(1, number + 1):
        site.done(site.call(work, each))


def test_so_many_at_a_time(site):
    """At most app.config["WORKERS"] tasks are worked on at a time; the others wait."""
    work = site.work()
    wanted = workers(site)
    fill(site, work)
    calls = work.calls
    site.call(work, wanted)
    if len(site.threads.own()) > wanted:  # does one of them come to call the view?
        site.changes.wait_until(lambda: len(calls) > wanted or len(site.threads.own()) <= wanted)
    if len(calls) > wanted:
        site.changes.wait_until(lambda: len(calls) == places(site))
        raise too_many_at_a_time(calls, wanted)
    let_go(site, work, places(site))
    expect(
        len(calls) == places(site),
        f"{places(site)} tasks were accepted, and the view was called {len(calls)} times.",
        "Work that was accepted is done once.",
        "Who takes a task, and when?",
    )


def too_many_at_a_time(calls, wanted):
    saw = f"WORKERS is {wanted}, and {len(calls)} tasks were worked on at the same time."
    means = "With each request there are more threads, until the computer has no more to give."
    if all(call.thread.name.startswith("ThreadPoolExecutor") for call in calls):
        return Broken(
            saw,
            means,
            "A pool of so many threads has to be the same one for all requests: make it once, at "
            "the top of the file.",
            "pool-for-each-request",
        )
    return Broken(
        saw,
        means,
        "A ThreadPoolExecutor has a number of threads that stays. pool.submit(task) hands it a "
        "task.",
        "thread-for-each-task",
    )


def one_more(site, work):
    """Ask for one more task, when there should be no place for it; return the answer."""
    exchange = site.start("GET", work.url)
    site.changes.wait_until(lambda: exchange.over() or site.threads.waits_in_vain())
    if not exchange.over():
        work.release()
        raise Broken(
            "All places were taken, and the next request was not answered at all: it waits.",
            "Requests that wait hold the server's own threads. Soon it answers nobody.",
            "acquire(blocking=False) does not wait: it returns whether there was a place.",
            "waits-for-a-place" if exchange.wait().status_code == 202 else None,
        )
    return exchange.wait()


def test_a_request_too_many_is_refused(site):
    """When all places are taken, the next request is answered 503, with Retry-After."""
    work = site.work()
    fill(site, work)
    answer = one_more(site, work)
    if answer.status_code == 202:
        raise accepted_too_many(site, work)
    expect_busy(site, answer, "All places were taken. The next request")


def accepted_too_many(site, work):
    """The Broken for a request that was accepted though all places were taken."""
    accepted, bound = places(site) + 1, places(site)
    while accepted < 4 * bound and one_more(site, work).status_code == 202:
        accepted += 1
    saw = f"There are {bound} places. {accepted} tasks were accepted, and none of them has ended."
    if accepted == bound + workers(site):
        return Broken(
            saw,
            "A task that is being worked on takes up no place. So there are more at a time than "
            "were to be.",
            "When is a place given back? Not when the task begins: when it ends.",
            "place-returned-at-the-start",
        )
    if accepted == 4 * bound:
        return Broken(
            saw,
            "A pool takes any number of tasks. They wait, in memory, longer than any client will.",
            "Take a place before the task is accepted. A semaphore counts them: "
            "threading.BoundedSemaphore(number).",
            "no-limit",
        )
    return Broken(saw, "There are more tasks than were to be.", "Who counts the places, and when?")


def expect_busy(site, answer, what):
    """Raise Broken unless the answer is a refusal that a client understands."""
    name = {500: "busy-is-500", 429: "busy-blames-the-client"}.get(answer.status_code)
    if answer.status_code == 429:
        means = "429 Too Many Requests says that this client has asked too often. It has not."
    else:
        means = BUSY
    expect(
        answer.status_code == 503,
        f"{what} was answered {answer.status}.",
        means,
        "What is returned where there is no place? A body, 503 and a header." + site.last_words(),
        name,
    )
    expect_retry_after(answer, f"{what} was answered 503")


def expect_retry_after(answer, story):
    value = answer.headers.get("Retry-After")
    expect(
        value is not None,
        f"{story}, without Retry-After.",
        "The client does not know when to come again. Some come again at once, and for ever.",
        'The header\'s value is a number of seconds, as text: "1".',
        "busy-without-retry-after" if answer.status_code == 503 else "202-without-retry-after",
    )
    expect(
        re.fullmatch(r"\d+|\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", value),
        f"{story}, with Retry-After: {value}.",
        "No client can read that. HTTP knows whole seconds here, or a date.",
        'The header\'s value is a whole number of seconds, as text: "1".',
        "retry-after-not-a-number",
    )


def test_a_refused_request_leaves_nothing(site):
    """A refused request does no work and leaves nothing in memory."""
    work = site.work()
    fill(site, work)
    tasks = site.named("tasks")
    records = len(tasks)
    for _ in range(3):
        one_more(site, work)
    kept = len(tasks) - records
    let_go(site, work, places(site))
    site.quiet()
    if len(work.calls) > places(site):
        expect(
            False,
            f"{places(site)} requests were accepted and 3 were not, and the view was called "
            f"{len(work.calls)} times.",
            "Work was done that was refused. Its client will come again, and it is done twice.",
            "Return the 503 before the task is handed to anybody.",
        )
    expect(
        not kept,
        f"Three requests were refused, and tasks has {kept} records more.",
        "No task will ever end them, so no sweep takes them away. Memory fills up, and just when "
        "there is too much to do.",
        "First take a place, then make the record.",
        "record-before-the-place",
    )


ENDS = {
    "one was done": lambda: "done",
    "one failed": lambda: 1 / 0,
    "one died of SystemExit": lambda: sys.exit(),
    "after one, a teardown function failed": lambda: setattr(g, "unfinished", True) or "done",
}


def test_a_place_is_free_again(site):
    """When a task has ended, however it ended, its place is free for another."""
    site.app.teardown_request(fail_in_task(site, lambda: g.get("unfinished")))
    works = {end: site.work(function) for end, function in ENDS.items()}
    other = site.work()
    for work in works.values():
        work.release()
        site.expect_202(site.get(work.url), f"GET {work.url}")
        site.done(site.call(work))
    free = 0
    while free < places(site) and site.get(other.url).status_code == 202:
        free += 1
    expect(
        free == places(site),
        f"Four tasks have ended: {'; '.join(ENDS)}. Then {free} tasks were accepted at a time, and "
        f"there are {places(site)} places.",
        "Places are lost, and in the end the server refuses everybody, for ever.",
        "Who gives the place back? It has to happen on every way out of the task: finally.",
        "place-never-returned" if places(site) - free == len(ENDS) else "place-lost-by-an-error",
    )


def fail_in_task(site, when=lambda: True):
    def fail(error):
        if not site.threads.in_request_thread() and when():
            raise OSError("the database went away")

    return fail


def test_one_gets_the_last_place(site):
    """Of two requests at the same time, one gets the last place, and the other 503."""
    other, work, answers = site.work(), site.work(), []
    fill(site, other)
    one_more(site, other)  # a request that waits for a place is told here
    let_go(site, other, places(site))
    for number in range(1, places(site)):
        ask_for_a_place(site, work, number)
    view = site.app.view_functions[work.url.removeprefix("/")]

    def ask():  # the view alone: in a hook before it, one thread may get ahead of the other
        with site.app.test_request_context(work.url):
            try:
                answer = site.app.make_response(view())
            except HTTPException as error:
                answer = error.get_response()
        answers.append(answer.status_code)

    expect_no_errors(site, site.lockstep(ask, ask), "Two requests went on")
    expect(
        sorted(answers) != [202, 202] or one_more(site, work).status_code == 202,
        "One place was left. Two requests came at the same time, and both were accepted.",
        "Both looked whether there was a place, and there was. Then both took it.",
        "Looking and taking have to be one action. A semaphore's acquire() is one.",
        "place-taken-twice",
    )
    expect(
        sorted(answers) == [202, 503],
        f"One place was left. Two requests came at the same time, and were answered {answers}.",
        "The place goes to one of them. The other one is told to come again.",
        "Does looking for a place and taking it happen in one step?" + site.last_words(),
    )


def test_every_202_says_when_to_ask(site):
    """Every 202 says Retry-After: the first one, and those of the task's address."""
    work = site.work()
    answer = site.accepted(work)
    expect_retry_after(answer, "The request was accepted")
    location = site.location(answer)
    expect_retry_after(site.get(location), "The running task's address answered 202")


def test_no_cache_keeps_what_is_true_for_now(site):
    """Every 202, 503 and answer of a task's address says Cache-Control: no-store."""
    work = site.work()
    accepted = site.accepted(work)
    location = site.location(accepted)
    unknown = f"{location.rpartition('/')[0]}/{'0' * 32}"
    answers = {
        "An accepted request": accepted,
        "A running task's address": site.get(location),
    }
    answers["An unknown task's address"] = site.get(unknown)
    for _ in range(places(site) - 1):
        site.get(work.url)
    answers["A refused request"] = one_more(site, work)
    let_go(site, work, places(site))
    answers["A finished task's address"] = site.settled(location)
    lacking = [what for what, answer in answers.items() if not answer.cache_control.no_store]
    name = None
    if len(lacking) == len(answers):
        name = "no-store-forgotten"
    elif lacking == ["An unknown task's address"]:
        name = "unknown-may-be-stored"
    first = lacking and lacking[0]
    expect(
        not lacking,
        f"{first} was answered {lacking and answers[first].status}, without Cache-Control: "
        "no-store.",
        "A cache on the way may keep that, a 404 above all, and tell clients what was true a "
        "minute ago.",
        "A function under @app.after_request gets every response, and returns it.",
        name,
    )


def test_a_view_may_allow_a_cache(site):
    """A view that says Cache-Control itself is not overruled."""
    work = site.work(lambda: ("done", 200, {"Cache-Control": "max-age=60"}))
    work.release()
    answer = site.outcome("GET", work.url)
    expect(
        answer.headers.get_all("Cache-Control") == ["max-age=60"],
        "The view said Cache-Control: max-age=60. Its task's address said "
        f"{', '.join(answer.headers.get_all('Cache-Control')) or 'nothing'}.",
        "The blocking endpoint would send what the view says.",
        "headers.setdefault() sets a header only where there is none.",
        "overrules-the-view",
    )


def test_what_a_task_dies_of_is_logged(site):
    """What a task dies of after its view is done is in the log."""
    site.app.teardown_request(fail_in_task(site))
    work = site.work()
    site.accepted(work)
    let_go(site, work, 1)
    site.quiet()
    expect(
        "the database went away" in site.printed(),
        "A teardown function failed after the task, and nothing was logged about it.",
        "A thread prints what it dies of. A pool puts it into a Future, and nobody looks there.",
        "except BaseException around all that the task does, and app.logger.exception(...) in it.",
        "died-unseen",
    )


# The end, in a process of its own.


def serve_and_stop(site, signum, count, **config):
    """Have the app served, and stopped; see serve_until_stopped(). Return status and lines.

    The status is None if the process did not end.
    """
    process = Process(serve_until_stopped, site.path.parent, signum, count, config)
    status = process.ends(PROCESS_LIMIT)
    return status, process.kill().splitlines()


SIGNALS = pytest.mark.parametrize(
    "signum", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"]
)


@SIGNALS
def test_a_stopped_server_finishes_what_it_accepted(site, signum):
    """On SIGTERM or Ctrl-C the server ends, and what it accepted is finished. Exit status: 0."""
    count = workers(site) + 2
    status, lines = serve_and_stop(site, signum, count)
    what = "SIGTERM" if signum == signal.SIGTERM else "Ctrl-C"
    story = f"{count} tasks were accepted, then came {what}."
    last = f" It printed: {lines[-1]}" if lines else ""
    within = f" within {PROCESS_LIMIT} seconds" if status is None else ""
    expect(
        lines.count("asked 202") == count,
        f"Of {count} requests, {lines.count('asked 202')} were accepted{within}.{last}",
        "This is a process that serves the app, and nothing else.",
        "Is the computer busy with something else? If not, try it yourself: "
        "flask --app steps/06_limits/app run",
    )
    expect(
        status is not None,
        f"{story} {PROCESS_LIMIT} seconds later the process was still there.",
        "Whoever restarts the server waits for it, and then kills it, with all its tasks.",
        "What keeps the process? Do the pool's threads come to an end?",
    )
    done = lines.count("done")
    if signum == signal.SIGTERM and (status == -signum or (status and not done)):
        raise Broken(
            f"{story} The process was gone at once, and no task was finished.",
            "SIGTERM is how a server is told to stop. Without a handler, Python dies of it on the "
            "spot.",
            "signal.signal(signal.SIGTERM, stop) has stop(signum, frame) called in the main "
            "thread. What it raises ends the server.",
            "sigterm-not-handled",
        )
    late = next((line.split()[1] for line in lines if line.startswith("late ")), "503")
    expect(
        late != "500",
        f"{story} A request that came while it was stopping was answered 500.",
        "A pool that is stopping takes no more: submit() raises RuntimeError.",
        "Tell the client to come again: 503. By then, another server may be there.",
        "stopping-is-500",
    )
    expect(
        late == "503",
        f"{story} A request that came while it was stopping was answered {late}.",
        BUSY,
        "What does the request do when submit() raises RuntimeError?",
    )
    if done < count:
        raise unfinished(story, done, count, workers(site), status)
    expect(
        status == 0,
        f"{story} All were finished, and the process ended with status {status}.{last}",
        "Whoever started the server takes any other status than 0 for a failure.",
        "What does the handler raise, or exit with?",
    )


def unfinished(story, done, count, at_work, status):
    saw = f"{story} The process ended with status {status}, and {done} of them were done."
    if done == at_work:
        return Broken(
            saw,
            "What was being worked on was finished, and what waited was dropped. It had a 202, "
            "too.",
            "Does somebody cancel what waits? Left alone, a pool does all it was given.",
            "waiting-dropped",
        )
    if not done and status == 0:
        return Broken(
            saw,
            "The clients have a 202, and nobody does the work.",
            "End the server and not the process: raise KeyboardInterrupt, and Python waits for "
            "the pool.",
            "ends-at-once",
        )
    return Broken(
        saw, "The clients have a 202, and nobody does the work.", "Who waits for the pool?"
    )


def test_a_task_that_never_ends_is_given_up(site):
    """A task that never ends holds a stopped server for app.config["GRACE_SECONDS"] at most."""
    limit(site, "GRACE_SECONDS")
    status, lines = serve_and_stop(site, signal.SIGTERM, 1, GRACE_SECONDS=0.05)
    expect(
        status is not None,
        f"GRACE_SECONDS was 0.05. {PROCESS_LIMIT} seconds after SIGTERM, the process was still "
        "there: a task does not end.",
        "Python waits for the pool for as long as it takes. Whoever restarts the server has to "
        "kill it.",
        "Start a limit in the handler. faulthandler.dump_traceback_later(seconds, exit=True) ends "
        "the process, and says what it hung at.",
        "no-grace",
    )


def test_a_server_keeps_its_own_handlers(site):
    """A server that has a SIGTERM handler of its own, as gunicorn has, keeps it."""

    def own(signum, frame):
        """What a server does."""

    before = signal.signal(signal.SIGTERM, own), signal.getsignal(signal.SIGINT)
    try:
        site.load()
        kept = signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    expect(
        kept,
        "There was a handler for SIGTERM before the file was imported, and after it another one.",
        "gunicorn imports the app in a process that knows how to stop. It does not, any more: "
        "requests on their way are cut off.",
        "signal.getsignal(signal.SIGTERM) is signal.SIG_DFL where nobody has a handler.",
        "handler-replaced",
    )
