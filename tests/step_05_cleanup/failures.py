"""What is wrong with a sweep or a cleaner that fails in a scene: facts in, a Broken out."""

import re

from tests.harness.cleaner import cleaners
from tests.harness.expect import Broken
from tests.harness.load import described

DEFAULTS = {"KEEP_SECONDS": 300, "SWEEP_SECONDS": 60}  # the lesson's

ONE_STEP = (
    "Between the line that tests something and the line that acts on the outcome, another thread "
    "can run. Hold a lock while both lines run, in the function that contains them. All threads "
    "have to share the lock, so create it outside that function."
)
OWN_LOCK = " Do not use the sweep's lock here, or each request would wait for a sweep to end."

# A sweep that raises an exception, or does not return


def sweep_never_returns(site, thread):
    means = "One call should sweep once, and return. Then a test can call the function at any time."
    saw = f"clean_old_tasks() was called once, and is still running{site.at(thread)}."
    if not site.threads.resting(thread):
        return Broken(saw, means, "Is there a loop that never ends, or a lock that stays taken?")
    return Broken(
        saw,
        means,
        "A loop that waits for the next sweep belongs in the cleaner's function, not in this one.",
        "sweep-never-returns",
    )


def failed_sweep(site, error):
    """The Broken for an exception that a sweep raised while no other sweep was running."""
    saw = f"clean_old_tasks() raised {described(error)}{site.place(error)}."
    return (
        assigned_to_a_global(site, error, saw)
        or setting_missing(error, saw)
        or changed_while_looping(error, saw)
        or failed_for_a_task(site, error, saw)
        or Broken(
            saw,
            "A sweep that raises an exception stops there, so old tasks stay in memory.",
            start_at(site, error),
        )
    )


def start_at(site, error):
    return "Start at that line." if site.place(error) else "Start at clean_old_tasks()."


def setting_missing(error, saw):
    """The Broken for a setting that the lesson asks for, if app.config does not have it."""
    default = DEFAULTS.get(error.args[0]) if isinstance(error, KeyError) and error.args else None
    if default is None:
        return None
    key = error.args[0]
    return Broken(
        saw,
        f"A dict raises KeyError for a key that it does not have. Here, the key is {key!r}.",
        f'Does your file set app.config["{key}"]? The lesson sets it to {default}, above the line '
        "with from_prefixed_env().",
        "setting-forgotten",
    )


def assigned_to_a_global(site, error, saw):
    local = re.search(r"local variable '(\w+)'", str(error))
    if not (isinstance(error, UnboundLocalError) and local and local[1] in vars(site.module)):
        return None
    name = local[1]
    if hasattr(vars(site.module)[name], "pop"):
        look = f"Do not assign to {name}. Change the existing object, with del or pop()."
    else:
        look = f"A function that assigns to a global variable needs the line: global {name}"
    return Broken(
        saw,
        f"If a function assigns to {name}, that name is a local variable throughout the function. "
        "Here, the local variable has no value yet.",
        look,
        "global-forgotten",
    )


def changed_while_looping(error, saw):
    if not (isinstance(error, RuntimeError) and "during iteration" in str(error)):
        return None
    return Broken(
        saw,
        "The sweep changes what it is looping over, so Python stops the loop.",
        "Put list(…) around what the loop goes over: it makes a copy. Or keep the tasks in a "
        "queue, and take the oldest from there.",
        "deletes-while-looping",
    )


def failed_for_a_task(site, error, saw):
    """The Broken for an exception that has to do with one of the tasks, or None."""
    place = site.place(error)
    key = error.args[0] if isinstance(error, KeyError) and error.args else None
    location = next((each for each in site.locations if id_of(each) == key), None)
    if location and site.get(location).status_code == 404:
        return Broken(
            f"clean_old_tasks() raised KeyError for the id of a task that is already forgotten"
            f"{place}.",
            "The task's record is already gone, but the sweep looked for it again.",
            "When you remove a record from tasks, remove the task's end time as well. Note each "
            "task's end only once.",
            "end-left-in-queue",
        )
    if isinstance(error, (KeyError, TypeError)) and not all(call.ended for call in site.calls()):
        return Broken(
            f"While a task was running, {saw}",
            "A running task has no end time yet. A sweep that raises an exception stops there, and "
            "forgets nothing more.",
            "Only a task that has ended can be old, so skip running tasks before you compare.",
            "running-task-compared",
        )
    if location:
        return Broken(
            f"clean_old_tasks() raised KeyError for the id of a finished task{place}.",
            "The task is not forgotten yet, but the sweep looks for its id in the wrong place.",
            "Is the end of every task noted, however it ends? Is its id the same everywhere?",
        )
    return None


def failed_request(site, what):
    """The Broken for the last exception that a request raised, if it tells the mistake, or None."""
    error = site.errors[-1]
    saw = f"{what} failed with {described(error)}{site.place(error)}."
    return assigned_to_a_global(site, error, saw)


def id_of(location):
    return location.rpartition("/")[2]


# A poll after a sweep


def after_a_sweep(site, response, fits, story, means, look, mistake=None):
    """The Broken for the wrong response to a poll. means, look and mistake fit one status code."""
    saw = f"{story} The task's status URL returned {response.status}."
    if response.status_code == fits:
        return Broken(saw, means, look, mistake)
    return Broken(
        saw,
        "A sweep forgets a task or leaves it alone. So a poll returns 404, or the same as before.",
        "What does the status URL return when the record is gone?" + site.last_words(),
    )


def not_gone(site, response, story):
    return after_a_sweep(
        site,
        response,
        200,
        story,
        "A server that does not forget old tasks runs out of memory sooner or later.",
        "What does the sweep compare with KEEP_SECONDS? Does it remove the record from tasks?",
    )


def gone_too_early(site, response, story):
    return after_a_sweep(
        site,
        response,
        404,
        story,
        "The client has five minutes to fetch the response, and it is already gone.",
        "Compare the task's age in seconds with KEEP_SECONDS. Is the comparison the right way "
        "around?",
    )


# Two threads at the same time


def failed_together(site, what, error):
    """The Broken for an exception in one of several threads. what: what they did."""
    saw = f"{what} at the same time, and one of them failed with {described(error)}"
    if isinstance(error, RuntimeError) and "during iteration" in str(error):
        return Broken(
            f"{saw}{site.place(error)}.",
            "One thread was looping over something, and another thread changed it.",
            "Loop over a copy that is made in one step, for example list(tasks). Or hold the same "
            "lock for the loop and for every change.",
            "loops-over-what-others-change",
        )
    return Broken(
        f"{saw}{site.place(error)}.",
        "Between any two steps of a thread, another thread can run.",
        "What does this line rely on, and which other thread can change that? " + ONE_STEP,
    )


def sweeps_collided(site, error):
    """The Broken for a KeyError or IndexError in one of two sweeps; one sweep alone raises none."""
    return Broken(
        f"Two sweeps ran at the same time, and one of them failed with {described(error)}"
        f"{site.place(error)}.",
        "One sweep relied on something that the other one removed in the meantime.",
        ONE_STEP,
        "sweeps-without-lock",
    )


def started_twice():
    return Broken(
        "The first two requests arrived at the same time, and in one of them start() raised "
        "RuntimeError: threads can only be started once.",
        "Both saw that the cleaner had not been started, and then both started it.",
        ONE_STEP + OWN_LOCK,
        "start-without-lock",
    )


def lost(what, status_code, mistake):
    """The Broken for tasks that should be there after a sweep, by the first poll that failed."""
    saw = f"Some tasks {what}. Afterwards, the status URL of one of these tasks returned"
    if status_code != 404:
        return Broken(
            f"{saw} {status_code}.",
            "A sweep must not change what a poll returns for a task that is not old.",
            "Which records does a sweep touch, and how?",
        )
    if mistake == "rebind-loses-tasks":
        return Broken(
            f"{saw} 404.",
            "While the sweep was building a new dict, requests added their records to the old one.",
            "Do not assign a new dict to the name tasks: remove old records from the existing "
            "dict.",
            mistake,
        )
    if mistake == "sweeps-without-lock":
        return Broken(
            f"{saw} 404.",
            "After one sweep had found an old task, but before it removed the task, the other "
            "sweep changed something.",
            ONE_STEP,
            mistake,
        )
    return Broken(
        f"{saw} 404.",
        "The task's client has a 202, but the record is gone.",
        "What can another thread change between two steps of the sweep?",
    )


def overlooked(status_code):
    """The Broken for old tasks that are there after a sweep beside other threads and one more."""
    return Broken(
        "Some tasks had ended more than five minutes ago. After more than one sweep, the status "
        f"URL of one of them returned {status_code}.",
        "A task that every sweep overlooks stays in memory forever.",
        "Can a sweep take a task out of the queue, and leave its record in tasks?",
    )


# A cleaner that does not sweep


def never_started():
    return Broken(
        "The app served requests, but started no threads except those for their tasks.",
        "The cleaner is a thread of its own, because the app has to forget old tasks even while no "
        "requests arrive.",
        "Does your code reach the line that starts the cleaner? Flask calls a function before each "
        "request only if it is decorated with @app.before_request.",
        "cleaner-never-started",
    )


def no_cleaner(site, work):
    """The Broken for an app that has started no cleaner. In tasks, there is an old task."""
    before = dict(site.named("tasks"))
    calls = len(work.calls)
    site.get(work.url)
    for call in work.calls[calls:]:
        site.done(call)
    if before.items() <= dict(site.named("tasks")).items():
        return never_started()
    return Broken(
        "No cleaner is running. A task became old, and nothing happened to its record until the "
        "next request arrived.",
        "Without requests, old tasks stay in memory. A cleaner is a thread that needs no requests.",
        "If @app.before_request is still on the line above clean_old_tasks(), remove it. Start a "
        "thread that sweeps again and again.",
        "sweeps-at-requests",
    )


def will_not_sweep(site, story):
    """The Broken for a cleaner that does not sweep any more, if that can be seen, or None."""
    known = cleaners(site)
    all_ended = known and not any(thread.is_alive() for thread in known)
    if error := next((e for e, thread in site.threads.crashes if thread in known), None):
        return cleaner_failed(site, error)
    if broken := rests_too_long(site):
        return broken
    if known and all(waits_for_good(site, thread) for thread in known):
        return waits_without_limit(site, known[0])
    if all_ended and len(cleaners(site)) == len(known):  # else one has started another
        return cleaner_ended(site, known, story)
    return None


def cleaner_failed(site, error):
    saw = f"The cleaner's thread failed with {described(error)}{site.place(error)}."
    means = "An exception that nothing catches ends its thread. This cleaner no longer sweeps."
    if "the clock failed once" in str(error):
        return Broken(
            saw,
            means,
            "Catch the exception so that the cleaner goes on with the next sweep. Does the try go "
            "around the loop, or inside it?",
            "dies-of-first-error",
        )
    return assigned_to_a_global(site, error, saw) or Broken(saw, means, start_at(site, error))


def rests_too_long(site):
    """The Broken for a cleaner that waits for a second or more between sweeps, or None."""
    for thread in cleaners(site):
        wait = site.threads.resting(thread)
        if wait and wait.seconds and wait.seconds >= 1:
            return Broken(
                f"SWEEP_SECONDS is 0.01, but the cleaner waits for {wait.seconds:g} seconds"
                f"{site.at(thread)}.",
                "The cleaner uses another number: one in your code, or the value that "
                "SWEEP_SECONDS had before the check changed it.",
                'Read app.config["SWEEP_SECONDS"] inside the loop, where the cleaner waits.',
                "rest-not-from-config",
            )
    return None


def waits_for_good(site, thread):
    """Whether a thread waits for stop_cleaner, with no limit."""
    wait = site.threads.resting(thread)
    stop = getattr(site.module, "stop_cleaner", site)
    return wait is not None and wait.what is stop and wait.seconds is None


def waits_without_limit(site, thread):
    return Broken(
        f"The cleaner waits until stop_cleaner is set{site.at(thread)}. It does not sweep until "
        "then.",
        "Without an argument, wait() has no limit.",
        'Pass the number of seconds: stop_cleaner.wait(app.config["SWEEP_SECONDS"]).',
        "waits-without-limit",
    )


def called_not_passed():
    return Broken(
        "A request started a thread with no function to call.",
        "If there are parentheses after the function's name, the request calls the function right "
        "there, and the thread gets what it returns.",
        "Pass the function itself to Thread as target=, without parentheses.",
        "called-not-passed",
    )


def cleaner_ended(site, known, story):
    """The Broken for cleaners that have ended without an uncaught exception. known: all of them."""
    saw = f"{story} The app started a cleaner, but its thread has ended."
    means = "A thread ends when its function returns. After that, it no longer sweeps."
    if site.clock.failed:
        return Broken(
            saw,
            means,
            "After an error in a sweep, the loop has to go on. A try around the loop catches the "
            "error too late: the loop has already ended. Put the try inside the loop.",
            "try-around-the-loop",
        )
    wait = (
        "stop_cleaner.wait(seconds) returns False when the time is up, and True as soon as the "
        "event is set"
    )
    if not any(thread in known for thread in site.clock.readings):
        if any(not callable(target) for target in site.threads.targets):
            return called_not_passed()
        return Broken(
            f"{saw} It never read the clock, so it has never swept.",
            means,
            f"What ended the function? {wait}. So the loop has to go on while it returns False: "
            "while not ...",
            "ends-before-the-first-sweep",
        )
    return Broken(
        saw,
        means,
        f"The cleaner needs a loop that keeps running. {wait}, so it can be part of the loop's "
        "condition.",
        "cleaner-without-loop",
    )


def not_forgotten_in_time(site, story):
    return Broken(
        f"{story} SWEEP_SECONDS is 0.01.",
        "Without sweeps, memory fills up.",
        'Does the cleaner wait for app.config["SWEEP_SECONDS"], and then sweep, again and again?'
        + site.last_words(),
    )


# A cleaner that does not stop

STILL = "A test or a shutdown would have to wait for this thread."


def sleeps_on(site, thread, seconds):
    return Broken(
        f"stop_cleaner is set, but the cleaner is still in time.sleep({seconds:g})"
        f"{site.at(thread)}.",
        f"{STILL} With SWEEP_SECONDS at 60, that can take a minute each time.",
        "Nothing can end time.sleep(seconds) early. stop_cleaner.wait(seconds) ends as soon as the "
        "event is set.",
        "sleep-cannot-be-ended",
    )


def sweeps_on():
    return Broken(
        "stop_cleaner is set, but the cleaner goes on. It has read the clock 1000 times since.",
        "Once the event is set, wait() returns immediately, each time. A loop that goes on anyway "
        "keeps a processor busy.",
        "wait() returns True when the event is set. Let that end the loop.",
        "stop-not-looked-at",
    )


def does_not_stop(site, thread, waits_for_another):
    return Broken(
        f"stop_cleaner is set, but a thread is still running{site.at(thread)}.",
        STILL,
        "The thread is waiting for something other than stop_cleaner."
        if waits_for_another
        else "stop_cleaner.wait(seconds) returns True as soon as the event is set. What does the "
        "cleaner do then?",
    )
