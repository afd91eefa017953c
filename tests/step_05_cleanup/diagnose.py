"""Why a check of step 5 fails: what it saw, and sometimes one more try, tell the mistake.

For failures inside a scene, such as a sweep that raises an exception, see failures.py.
"""

from tests.harness.cleaner import cleaners, holds_its_process, is_there_a_cleaner
from tests.harness.expect import Broken
from tests.harness.load import described_value
from tests.harness.process import PROCESS_LIMIT
from tests.step_05_cleanup.failures import (
    DEFAULTS,
    ONE_STEP,
    OWN_LOCK,
    after_a_sweep,
    gone_too_early,
    no_cleaner,
    not_gone,
)
from tests.step_05_cleanup.scenes import KEEP, finish, found, serve, sweep

FIRST_REQUEST = "Start the cleaner with the first request, unless app.testing is set."


def runs_after_import(site):
    saw = "A thread is still running after the module was imported."
    means = (
        "Each test that imports the app gets a thread that it does not need. If a server forks "
        "after the import, its new processes have no cleaner."
    )
    if not is_there_a_cleaner(site):
        return Broken(saw, means, "Which line starts a thread while the file is being imported?")
    return Broken(saw, means, FIRST_REQUEST, "cleaner-at-import")


def runs_under_testing(site):
    saw = "A thread is still running after a request, although TESTING is set."
    means = "Each test that sends a request gets a thread that it does not need."
    if not is_there_a_cleaner(site):
        return Broken(saw, means, "Which thread does a request start, besides its task's?")
    return Broken(saw, means, FIRST_REQUEST, "cleaner-under-testing")


BY_DEFAULT = {
    "KEEP_SECONDS": "tasks are kept for five minutes",
    "SWEEP_SECONDS": "the cleaner sweeps once a minute",
}


def not_the_default(key, value):
    default = DEFAULTS[key]
    means = f"Anyone who runs the app may choose another value. By default, {BY_DEFAULT[key]}."
    if value is None:
        look = f"Set it to {default} where your file sets WORK_SECONDS."
        return Broken(f"There is no {key} in app.config.", means, look)
    return Broken(
        f'app.config["{key}"] is {described_value(value)}.',
        means,
        f"The lesson sets it to {default}. Did you change it to try something?",
    )


# What a sweep forgets, and what it keeps


def not_forgotten(site, work, polls):
    """The Broken for two old tasks that one sweep should have forgotten: what does it forget?

    polls: the responses to polls after the sweep, by their status URLs.
    """
    saw = "A task ended five minutes and one second ago, and there was a sweep."
    left = [location for location, response in polls.items() if response.status_code == 200]
    wrong = next(response for response in polls.values() if response.status_code != 404)
    if not left:
        return not_gone(site, wrong, saw)
    sweep(site)
    if len(left) < len(polls) and not found(site, left[0]):
        return one_for_each_sweep()
    site.clock.advance(-KEEP)
    sweep(site)
    if not any(found(site, location) for location in polls):
        return Broken(
            f"{saw} The task is still there. When the check set the clock back to one second after "
            "the task's end, a sweep forgot the task.",
            "The sweep forgets young tasks and keeps old ones.",
            "Is your comparison the wrong way around? The longer ago a task ended, the smaller its "
            "end time.",
            "compared-the-wrong-way",
        )
    if not found_by_one_clock(site, work, KEEP + 1):
        return two_clocks(f"{saw} The task is still there.")
    return not_gone(site, wrong, saw)


def one_for_each_sweep():
    return Broken(
        "Two tasks ended more than five minutes ago. One sweep forgot one of them, and the next "
        "sweep forgot the other.",
        "If tasks end more often than sweeps run, memory still fills up.",
        "An if statement tests once, but a while loop goes on as long as there is an old task. A "
        "for loop over a list skips an item each time it removes one from that list.",
        "one-for-each-sweep",
    )


def found_by_one_clock(site, work, seconds):
    """What found() says of a task that ended so long ago, once both clocks show the same time."""
    site.clock.agree()
    location = finish(site, work)
    site.clock.advance(seconds)
    sweep(site)
    return found(site, location)


def two_clocks(saw):
    return Broken(
        f"{saw} When the check made time.time() and time.monotonic() show the same time, a sweep "
        "did the right thing with a task of the same age.",
        "The end time comes from one clock, and the sweep compares it with another. Each clock "
        "counts from its own starting point.",
        "Read time.monotonic() in both places.",
        "two-clocks",
    )


def records_left(tasks):
    are = "record, which" if len(tasks) == 1 else "records, and the first one"
    saw = (
        f"Two tasks are forgotten, but the dict named tasks still has {len(tasks)} {are} is "
        f"{described_value(next(iter(tasks.values())))}."
    )
    means = "Records that nobody can fetch anymore still take up memory."
    if any(tasks.values()):
        return Broken(
            saw, means, "Does the sweep remove records from the dict named tasks, or from another?"
        )
    return Broken(
        saw,
        means,
        "An empty record still has its key. del tasks[task_id] removes both the record and its "
        "key.",
        "record-emptied-not-removed",
    )


def ids_kept(name):
    return Broken(
        "Four tasks ended more than five minutes ago, and there were three sweeps. The ids of all "
        f"four are still in your variable {name!r}.",
        "That variable grows with every task and never shrinks, so memory still fills up.",
        "When a sweep removes a record, remove the task from this variable, too: with popleft() "
        "from a queue, with del from a dict.",
        "ends-kept-for-ever",
    )


def young_task_forgotten(site, work, response):
    story = "A task ended four minutes and 59 seconds ago, and there was a sweep."
    if response.status_code == 404 and found_by_one_clock(site, work, KEEP - 1):
        return two_clocks(f"{story} The task's status URL returned {response.status}.")
    return gone_too_early(site, response, story)


def running_task_forgotten(site, response):
    return after_a_sweep(
        site,
        response,
        404,
        "A task has been running for hours, and there was a sweep.",
        "The poll says that there is no such task, although the task is still running.",
        "Only a task that has ended can be old. Note the time when a task ends, not when it "
        "starts.",
        "running-task-swept",
    )


def aged_while_running(site, response, quick):
    """quick: the status URL of a task that started and ended just before the sweep."""
    story = "A task ran for six minutes. Just after it ended, there was a sweep."
    if not found(site, quick):
        return gone_too_early(site, response, story)
    return after_a_sweep(
        site,
        response,
        404,
        story,
        "The longer a task runs, the less time its client has to fetch the response.",
        "Note the time when the task ends, not when it is accepted.",
        "age-from-the-beginning",
    )


def follows_the_system_clock(site, response, fits, hours, ended):
    """The Broken for a task whose age changed when the system clock was set.

    ended: how long ago the task ended. fits: the status code that this mistake leads to.
    """
    look = "time.time() and datetime follow the system clock. time.monotonic() never goes back."
    effect, mistake = "Such a change must not make a task older or younger.", None
    if "utcnow" in site.clock.asked:
        mistake = "utcnow-for-age"
        look = (
            "utcnow() returns the time in UTC, but timestamp() treats it as local time. "
            "Besides, utcnow() follows the system clock. time.monotonic() never goes back."
        )
    elif "monotonic" not in site.clock.asked:
        mistake = "wall-clock-for-age"
    if mistake and (hours, fits) == (-1, 200):
        effect = (
            "After the clock is set back, your code keeps every finished task an hour too long."
        )
    if mistake and (hours, fits) == (1, 404):
        effect = "Such a change makes every finished task count as old."
    return after_a_sweep(
        site,
        response,
        fits,
        f"A task ended {ended} minutes ago. Then the system clock was set "
        f"{'back' if hours < 0 else 'forward'} by an hour, and there was a sweep.",
        f"Computers set their clocks automatically. {effect}",
        look,
        mistake,
    )


KEEP_FROM_CONFIG = (
    "Clients of different apps need more or less time, so KEEP_SECONDS is a setting.",
    'Read app.config["KEEP_SECONDS"] inside clean_old_tasks().',
)


def kept_too_long(site, response, location):
    story = "KEEP_SECONDS is 20. A task ended 25 seconds ago, and there was a sweep."
    site.clock.advance(KEEP)
    sweep(site)
    if response.status_code == 200 and not found(site, location):
        return Broken(
            f"{story} The task's status URL returned 200 OK. A sweep 325 seconds after the "
            "task's end forgot the task.",
            "The sweep uses another number: one in your code, or the value that KEEP_SECONDS had "
            "before the check changed it.",
            KEEP_FROM_CONFIG[1],
            "keep-not-from-config",
        )
    return after_a_sweep(site, response, 200, story, *KEEP_FROM_CONFIG)


def not_kept_long_enough(site, response):
    story = "KEEP_SECONDS is 20. A task ended 10 seconds ago, and there was a sweep."
    return after_a_sweep(site, response, 404, story, *KEEP_FROM_CONFIG)


# The cleaner


def not_one_cleaner(site, work, after_two, count):
    """The Broken for a number of cleaners other than 1, after two requests at once and a third."""
    if count == 0:
        return none_running(site, work)
    saw = f"After two requests at the same time and a third one, {count} cleaners are running."
    if (after_two, count) == (2, 2):
        return Broken(
            saw,
            "Both of the first two requests saw no cleaner, and then both started one.",
            ONE_STEP + OWN_LOCK,
            "start-without-lock",
        )
    if (after_two, count) == (2, 3):
        return Broken(
            saw,
            "Each request starts a cleaner, and none of them ends. Soon there will be thousands.",
            "Flask calls a before_request function on every request. Start a cleaner only if there "
            "is none yet.",
            "cleaner-at-each-request",
        )
    return Broken(
        saw,
        "One is enough. Each further cleaner is a thread that does the same work again.",
        "Which lines start a cleaner, and how often do they run?",
    )


def none_running(site, work):
    if not cleaners(site):
        finish(site, work)
        site.clock.advance(KEEP + 1)
        return no_cleaner(site, work)
    return Broken(
        "After three requests, no cleaner is running: a thread was started for it, and has ended.",
        "Now there is no thread that sweeps again and again.",
        "A thread ends when its function returns. What ends the cleaner's loop?",
    )


def error_not_logged():
    return Broken(
        "The check made the clock raise an OSError once, and the log does not mention it.",
        "The people who run the app never find out that something is wrong.",
        "Call app.logger.exception(...) where your code catches the exception.",
        "sweep-error-not-logged",
    )


def process_goes_on(site):
    """The Broken for a process that served a request, and is still there."""
    serve(site, sweep_seconds=3600)
    work = site.work()
    work.release()
    site.app.test_client().get(work.url)  # here, because some servers' threads are daemon threads
    return Broken(
        f"A process served one request. It was still running {PROCESS_LIMIT} seconds after its "
        "start.",
        "After Ctrl-C, the server no longer serves, but its process runs until somebody kills it.",
        "A process ends when only daemon threads are left: Thread(..., daemon=True).",
        "cleaner-not-daemon" if holds_its_process(site) else None,
    )


def process_failed(site, status, printed):
    how = f"ended with exit status {status}" if status is not None else "did not end"
    number = int(site.path.parent.name.partition("_")[0])
    return Broken(
        f"A process that should serve one request {how}. It printed: "
        f"{printed.strip()[-300:] or 'nothing'}",
        "It should print 202 ACCEPTED and end with exit status 0.",
        f"Try it: python3 -m workshop run {number}",
    )
