"""What goes wrong in step 6."""

from tests.catalogue.mistake import Mistake

SLOTS = 'slots = threading.BoundedSemaphore(app.config["WORKERS"] + app.config["WAITING"])\n'
ACQUIRE = """        if not slots.acquire(blocking=False):
            return Response(*busy)
"""
RECORD = "        tasks[task_id] = accepted\n"
SUBMIT = """        try:
            pool.submit(task)
        except RuntimeError:
            del tasks[task_id]
            return Response(*busy)
"""
RELEASE = "                slots.release()\n"
RAISE = """                    if unhandled:
                        raise unhandled
"""
LOG = """            except BaseException:
                app.logger.exception("A task failed: %s", location)
"""
LIMIT = '        faulthandler.dump_traceback_later(app.config["GRACE_SECONDS"], exit=True)\n'
END = "    raise KeyboardInterrupt\n"
STORE = '    response.headers.setdefault("Cache-Control", "no-store")\n'
SOON = 'soon = {"Retry-After": "5", "Content-Type": "text/plain"}'
BUSY = 'busy = "busy\\n", 503, soon\n'

REFUSING = (
    "a_full_server_refuses_the_next_request a_refused_request_leaves_nothing_behind "
    "one_request_gets_the_last_slot"
)
FINISHING = "a_stopped_server_finishes_what_it_accepted"


def handed(how):
    """The change that hands the task to something other than the pool."""
    return ((SUBMIT, f"        {how}\n"),)


MISTAKES = {
    "thread-for-each-task": Mistake(
        handed("threading.Thread(target=task).start()"),
        f"a_limited_number_of_tasks_run {FINISHING}",
    ),
    "pool-for-each-request": Mistake(
        handed('ThreadPoolExecutor(app.config["WORKERS"]).submit(task)'),
        f"a_limited_number_of_tasks_run {FINISHING}",
    ),
    "no-limit": Mistake(((ACQUIRE, ""), (RELEASE, "")), REFUSING),
    "waits-for-a-place": Mistake(
        ((ACQUIRE, "        slots.acquire()\n"),), f"{REFUSING} no_cache_stores_what_may_change"
    ),
    "place-returned-at-the-start": Mistake(
        ((RELEASE, ""), ("        def task():\n", f"        def task():\n    {RELEASE[8:]}")),
        REFUSING,
    ),
    "place-taken-twice": Mistake(
        (
            (SLOTS, "at_work = set()\n"),
            (
                ACQUIRE,
                '        if len(at_work) >= app.config["WORKERS"] + app.config["WAITING"]:\n'
                "            return Response(*busy)\n"
                "        at_work.add(task_id)\n",
            ),
            (RELEASE, "                at_work.discard(task_id)\n"),
        ),
        "one_request_gets_the_last_slot",
    ),
    "busy-is-500": Mistake(
        ((ACQUIRE, ACQUIRE.replace("return Response(*busy)", 'raise RuntimeError("full")')),),
        "a_full_server_refuses_the_next_request one_request_gets_the_last_slot",
    ),
    "busy-blames-the-client": Mistake(
        ((BUSY, BUSY.replace("503", "429")),),
        f"a_full_server_refuses_the_next_request one_request_gets_the_last_slot {FINISHING}",
    ),
    "busy-without-retry-after": Mistake(
        ((BUSY, 'busy = "busy\\n", 503, {"Content-Type": "text/plain"}\n'),),
        "a_full_server_refuses_the_next_request",
    ),
    "202-without-retry-after": Mistake(
        (("**soon}", '"Content-Type": "text/plain"}'),), "every_202_says_when_to_ask"
    ),
    "retry-after-not-a-number": Mistake(
        ((SOON, SOON.replace('"5"', '"soon"')),),
        "a_full_server_refuses_the_next_request every_202_says_when_to_ask",
    ),
    "record-before-the-place": Mistake(
        ((ACQUIRE + RECORD, RECORD + ACQUIRE),), "a_refused_request_leaves_nothing_behind"
    ),
    "place-never-returned": Mistake(
        ((RELEASE, ""),), "a_task_that_ends_frees_its_slot one_request_gets_the_last_slot"
    ),
    "place-lost-by-an-error": Mistake(
        (
            (RELEASE, ""),
            (RAISE, f"{RAISE}                slots.release()\n"),
        ),
        "a_task_that_ends_frees_its_slot",
    ),
    "no-store-forgotten": Mistake(
        (("@app.after_request\n", ""),), "no_cache_stores_what_may_change"
    ),
    "unknown-may-be-stored": Mistake(
        ((STORE, "    if response.status_code != 404:\n    " + STORE),),
        "no_cache_stores_what_may_change",
    ),
    "overrules-the-view": Mistake(
        ((STORE, '    response.headers["Cache-Control"] = "no-store"\n'),),
        "a_view_may_allow_a_cache",
    ),
    "died-unseen": Mistake(
        (
            (
                RAISE,
                "                    if unhandled:\n"
                '                        app.logger.error("A task failed", exc_info=unhandled)\n'
                "                        raise unhandled\n",
            ),
            (LOG, "            except BaseException:\n                pass\n"),
        ),
        "a_late_failure_is_logged",
    ),
    "stopping-is-500": Mistake(handed("pool.submit(task)"), FINISHING),
    "sigterm-not-handled": Mistake((("    signal.signal(signal.SIGTERM, stop)\n", ""),), FINISHING),
    "ends-at-once": Mistake(
        (
            (END, "    os._exit(0)\n"),
            ("import faulthandler\n", "import faulthandler\nimport os\n"),
        ),
        FINISHING,
    ),
    "waiting-dropped": Mistake(
        ((LIMIT, f"        pool.shutdown(wait=False, cancel_futures=True)\n{LIMIT}"),), FINISHING
    ),
    "no-grace": Mistake(((LIMIT, "        pass\n"),), "a_task_that_never_ends_is_given_up"),
    "handler-replaced": Mistake(
        (
            (
                "if in_main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:",
                "if True:",
            ),
        ),
        "a_server_keeps_its_own_handlers",
    ),
}
