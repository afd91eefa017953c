"""What goes wrong in step 5."""

from tests.catalogue.mistake import Mistake

NOTE = "                ended.append((time.monotonic(), task_id))\n"
NOTE_AT_END = f"                tasks[task_id] = record\n{NOTE}"
HORIZON = 'horizon = time.monotonic() - app.config["KEEP_SECONDS"]'
TAKE = """        while ended and ended[0][0] < horizon:
            _, task_id = ended.popleft()
            del tasks[task_id]
"""
LOOP = """    while not stop_cleaner.wait(app.config["SWEEP_SECONDS"]):
        try:
            clean_old_tasks()
        except Exception:
            app.logger.exception("A sweep failed; the next one may succeed")
"""
START = """    global cleaner
    with starting:
        if cleaner is None and not app.testing:
            cleaner = threading.Thread(target=keep_cleaning, daemon=True)
            cleaner.start()
"""
CLEANER = "threading.Thread(target=keep_cleaning, daemon=True)"


def clock(reading):
    """The change that reads the time otherwise, where a task ends and in the sweep."""
    return (
        (NOTE, NOTE.replace("time.monotonic()", reading)),
        (HORIZON, HORIZON.replace("time.monotonic()", reading)),
    )


def taking(*lines):
    """The change that takes out what is old with these lines, under the lock."""
    return ((TAKE, "".join(f"        {line}\n" for line in lines)),)


def resting(*lines):
    """The change that makes these lines the cleaner's."""
    return ((LOOP, "".join(f"    {line}\n" for line in lines)),)


IMPORT_DATETIME = ("import time\n", "import time\nfrom datetime import datetime\n")

MISTAKES = {
    "wall-clock-for-age": Mistake(clock("time.time()"), "age_counts_on_a_clock_that_cannot_be_set"),
    "utcnow-for-age": Mistake(
        (IMPORT_DATETIME, *clock("datetime.utcnow().timestamp()")),
        "age_counts_on_a_clock_that_cannot_be_set",
    ),
    "two-clocks": Mistake(
        ((HORIZON, HORIZON.replace("monotonic", "time")),),
        "a_younger_task_is_kept age_counts_from_the_end "
        "age_counts_on_a_clock_that_cannot_be_set how_long_to_keep_is_configuration "
        "two_sweeps_at_once_forget_only_what_is_old nothing_is_lost_during_a_sweep",
    ),
    "age-from-the-beginning": Mistake(
        (
            ("        def task():\n", "        began = time.monotonic()\n\n        def task():\n"),
            (NOTE, NOTE.replace("time.monotonic()", "began")),
        ),
        "age_counts_from_the_end",
    ),
    "running-task-swept": Mistake(
        (
            (NOTE, ""),
            ("        def task():\n", f"{NOTE[8:]}\n        def task():\n"),
            ("del tasks[task_id]", "tasks.pop(task_id, None)"),
        ),
        "a_running_task_is_kept_however_old age_counts_from_the_end",
    ),
    "running-task-compared": Mistake(
        (
            ("ended = deque()", "ended = {}"),
            ("        def task():\n", "        ended[task_id] = None\n\n        def task():\n"),
            (NOTE, "                ended[task_id] = time.monotonic()\n"),
            *taking(
                "for task_id, when in list(ended.items()):",
                "    if when < horizon:",
                "        del ended[task_id], tasks[task_id]",
            ),
        ),
        "a_running_task_is_kept_however_old",
    ),
    "compared-the-wrong-way": Mistake(
        (("ended[0][0] < horizon", "ended[0][0] > horizon"),),
        "a_task_is_forgotten_five_minutes_after_its_end a_younger_task_is_kept "
        "age_counts_from_the_end age_counts_on_a_clock_that_cannot_be_set "
        "how_long_to_keep_is_configuration two_sweeps_at_once_forget_only_what_is_old "
        "nothing_is_lost_during_a_sweep the_cleaner_sweeps_by_itself "
        "the_cleaner_survives_an_error",
    ),
    "one-for-each-sweep": Mistake(
        (("while ended and", "if ended and"),),
        "a_task_is_forgotten_five_minutes_after_its_end "
        "two_sweeps_at_once_forget_only_what_is_old nothing_is_lost_during_a_sweep",
    ),
    "record-emptied-not-removed": Mistake(
        (("del tasks[task_id]", "tasks[task_id] = None"),),
        "a_task_is_forgotten_five_minutes_after_its_end",
    ),
    "end-left-in-queue": Mistake(
        taking(
            "for when, task_id in list(ended):",
            "    if when < horizon:",
            "        del tasks[task_id]",
        ),
        "a_task_is_forgotten_five_minutes_after_its_end "
        "two_sweeps_at_once_forget_only_what_is_old nothing_is_lost_during_a_sweep "
        "the_cleaner_sweeps_by_itself the_cleaner_survives_an_error",
    ),
    "ends-kept-for-ever": Mistake(
        taking(
            "for when, task_id in list(ended):",
            "    if when < horizon:",
            "        tasks.pop(task_id, None)",
        ),
        "a_task_is_forgotten_five_minutes_after_its_end",
    ),
    "keep-not-from-config": Mistake(
        ((HORIZON, "horizon = time.monotonic() - 5 * 60"),), "how_long_to_keep_is_configuration"
    ),
    "deletes-while-looping": Mistake(
        taking(
            "old = {task_id for when, task_id in ended if when < horizon}",
            "for task_id in tasks:",
            "    if task_id in old:",
            "        del tasks[task_id]",
        ),
        "a_task_is_forgotten_five_minutes_after_its_end "
        "age_counts_on_a_clock_that_cannot_be_set how_long_to_keep_is_configuration "
        "two_sweeps_at_once_forget_only_what_is_old nothing_is_lost_during_a_sweep "
        "the_cleaner_sweeps_by_itself the_cleaner_survives_an_error",
    ),
    "setting-forgotten": Mistake(
        (('app.config["KEEP_SECONDS"] = 5 * 60\n', ""),),
        "a_task_is_forgotten_five_minutes_after_its_end a_younger_task_is_kept "
        "a_running_task_is_kept_however_old age_counts_from_the_end "
        "age_counts_on_a_clock_that_cannot_be_set "
        "two_sweeps_at_once_forget_only_what_is_old nothing_is_lost_during_a_sweep "
        "the_cleaner_sweeps_by_itself the_cleaner_survives_an_error",
    ),
    "global-forgotten": Mistake(
        taking(
            "old = {task_id for when, task_id in list(ended) if when < horizon}",
            "tasks = {name: task for name, task in tasks.items() if name not in old}",
        ),
        "a_task_is_forgotten_five_minutes_after_its_end a_younger_task_is_kept "
        "a_running_task_is_kept_however_old age_counts_from_the_end "
        "age_counts_on_a_clock_that_cannot_be_set how_long_to_keep_is_configuration "
        "two_sweeps_at_once_forget_only_what_is_old nothing_is_lost_during_a_sweep "
        "the_cleaner_sweeps_by_itself the_cleaner_survives_an_error",
    ),
    "rebind-loses-tasks": Mistake(
        taking(
            "global tasks",
            "old = set()",
            "while ended and ended[0][0] < horizon:",
            "    old.add(ended.popleft()[1])",
            "tasks = {name: task for name, task in list(tasks.items()) if name not in old}",
        ),
        "nothing_is_lost_during_a_sweep",
    ),
    "loops-over-what-others-change": Mistake(
        taking(
            "old = set()",
            "while ended and ended[0][0] < horizon:",
            "    old.add(ended.popleft()[1])",
            "for task_id in [name for name, task in tasks.items() if name in old]:",
            "    del tasks[task_id]",
        ),
        "nothing_is_lost_during_a_sweep",
    ),
    "sweeps-without-lock": Mistake(
        (("    with sweeping:", "    if True:"),), "two_sweeps_at_once_forget_only_what_is_old"
    ),
    "lock-for-each-sweep": Mistake(
        (("    with sweeping:", "    with threading.Lock():"),),
        "two_sweeps_at_once_forget_only_what_is_old",
        named="sweeps-without-lock",
    ),
    "sweep-never-returns": Mistake(
        (
            (
                "    with sweeping:",
                '    while not stop_cleaner.wait(app.config["SWEEP_SECONDS"]):',
            ),
            *resting("clean_old_tasks()"),
        ),
        "a_task_is_forgotten_five_minutes_after_its_end a_younger_task_is_kept "
        "a_running_task_is_kept_however_old age_counts_from_the_end "
        "age_counts_on_a_clock_that_cannot_be_set how_long_to_keep_is_configuration "
        "two_sweeps_at_once_forget_only_what_is_old nothing_is_lost_during_a_sweep "
        "the_cleaner_sweeps_by_itself the_cleaner_survives_an_error",
    ),
    "cleaner-at-import": Mistake(
        (
            (START, ""),
            (
                "@app.before_request\n",
                f"cleaner = {CLEANER}\ncleaner.start()\n\n\n@app.before_request\n",
            ),
        ),
        "no_cleaner_at_import_nor_under_testing the_cleaner_sweeps_by_itself "
        "the_cleaner_survives_an_error",
    ),
    "cleaner-under-testing": Mistake(
        ((" and not app.testing", ""),),
        "no_cleaner_at_import_nor_under_testing the_cleaner_sweeps_by_itself "
        "the_cleaner_survives_an_error",
    ),
    "cleaner-at-each-request": Mistake(
        (
            (
                START,
                f"    if not app.testing:\n        {CLEANER}.start()\n",
            ),
        ),
        "the_cleaner_starts_once",
    ),
    "sweep-thread-for-each-request": Mistake(
        (
            (
                START,
                "    if not app.testing:\n"
                "        threading.Thread(target=clean_old_tasks, daemon=True).start()\n",
            ),
        ),
        "the_cleaner_starts_once the_cleaner_sweeps_by_itself the_cleaner_survives_an_error",
        named="cleaner-without-loop",
    ),
    "called-not-passed": Mistake(
        (
            (
                START,
                "    if not app.testing:\n"
                "        threading.Thread(target=clean_old_tasks(), daemon=True).start()\n",
            ),
        ),
        "the_cleaner_starts_once the_cleaner_sweeps_by_itself the_cleaner_survives_an_error",
    ),
    "start-without-lock": Mistake(
        (("    with starting:", "    if True:"),), "the_cleaner_starts_once"
    ),
    "lock-for-each-request": Mistake(
        (("    with starting:", "    with threading.Lock():"),),
        "the_cleaner_starts_once",
        named="start-without-lock",
    ),
    "global-forgotten-at-the-start": Mistake(
        (
            ("    global cleaner\n", ""),
            ("if cleaner is None and not app.testing", "if not app.testing and cleaner is None"),
        ),
        "the_cleaner_starts_once the_cleaner_sweeps_by_itself the_cleaner_survives_an_error "
        "the_cleaner_stops_at_once the_cleaner_does_not_hold_the_process",
        named="global-forgotten",
    ),
    "cleaner-never-started": Mistake(
        (("@app.before_request\n", ""),),
        "the_cleaner_starts_once the_cleaner_sweeps_by_itself the_cleaner_survives_an_error",
    ),
    "sweeps-at-requests": Mistake(
        ((START, "    clean_old_tasks()\n"),),
        "the_cleaner_starts_once the_cleaner_sweeps_by_itself the_cleaner_survives_an_error",
    ),
    "sweeps-at-requests-only": Mistake(
        (
            ("@app.before_request\n", ""),
            ("def clean_old_tasks", "@app.before_request\ndef clean_old_tasks"),
        ),
        "the_cleaner_starts_once the_cleaner_sweeps_by_itself the_cleaner_survives_an_error",
        named="sweeps-at-requests",
    ),
    "sweeps-at-requests-beside-a-cleaner-that-waits": Mistake(
        (
            ("def clean_old_tasks", "@app.before_request\ndef clean_old_tasks"),
            *resting("stop_cleaner.wait()"),
        ),
        "the_cleaner_sweeps_by_itself the_cleaner_survives_an_error",
        named="waits-without-limit",
    ),
    "sweeps-when-a-task-ends": Mistake(
        (("@app.before_request\n", ""), (NOTE, f"{NOTE}                clean_old_tasks()\n")),
        "the_cleaner_starts_once the_cleaner_sweeps_by_itself the_cleaner_survives_an_error",
        named="sweeps-at-requests",
    ),
    "rest-not-from-config": Mistake(
        (('stop_cleaner.wait(app.config["SWEEP_SECONDS"])', "stop_cleaner.wait(60)"),),
        "the_cleaner_sweeps_by_itself the_cleaner_survives_an_error",
    ),
    "waits-without-limit": Mistake(
        (('stop_cleaner.wait(app.config["SWEEP_SECONDS"])', "stop_cleaner.wait()"),),
        "the_cleaner_sweeps_by_itself the_cleaner_survives_an_error",
    ),
    "cleaner-without-loop": Mistake(
        (("while not stop_cleaner.wait", "if not stop_cleaner.wait"),),
        "the_cleaner_sweeps_by_itself the_cleaner_survives_an_error",
    ),
    "ends-before-the-first-sweep": Mistake(
        (("while not stop_cleaner.wait", "while stop_cleaner.wait"),),
        "the_cleaner_sweeps_by_itself the_cleaner_survives_an_error the_cleaner_stops_at_once",
    ),
    "try-around-the-loop": Mistake(
        resting(
            "try:",
            f"    {LOOP.splitlines()[0].strip()}",
            "        clean_old_tasks()",
            "except Exception:",
            '    app.logger.exception("A sweep failed")',
        ),
        "the_cleaner_survives_an_error",
    ),
    "logged-without-a-message": Mistake(
        (
            (
                'app.logger.exception("A sweep failed; the next one may succeed")',
                "app.logger.exception()",
            ),
        ),
        "the_cleaner_survives_an_error",
        named=None,
    ),
    "dies-of-first-error": Mistake(
        resting(LOOP.splitlines()[0].strip(), "    clean_old_tasks()"),
        "the_cleaner_survives_an_error",
    ),
    "sweep-error-not-logged": Mistake(
        (('app.logger.exception("A sweep failed; the next one may succeed")', "pass"),),
        "the_cleaner_survives_an_error",
    ),
    "sleep-cannot-be-ended": Mistake(
        (
            (
                'while not stop_cleaner.wait(app.config["SWEEP_SECONDS"]):\n',
                "while not stop_cleaner.is_set():\n"
                '        time.sleep(app.config["SWEEP_SECONDS"])\n',
            ),
        ),
        "the_cleaner_stops_at_once",
    ),
    "stop-not-looked-at": Mistake(
        (
            (
                'while not stop_cleaner.wait(app.config["SWEEP_SECONDS"]):\n',
                'while True:\n        stop_cleaner.wait(app.config["SWEEP_SECONDS"])\n',
            ),
        ),
        "the_cleaner_stops_at_once",
    ),
    "cleaner-not-daemon": Mistake(
        ((CLEANER, CLEANER.replace(", daemon=True", "")),), "the_cleaner_does_not_hold_the_process"
    ),
}
