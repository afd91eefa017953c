"""What goes wrong in step 6."""

from tests.catalogue.mistake import Mistake

ROOM = 'slots = threading.BoundedSemaphore(app.config["WORKERS"] + app.config["WAITING"])\n'
TAKE = """        if not slots.acquire(blocking=False):
            return Response(*busy)
"""
RECORD = "        tasks[task_id] = accepted\n"
SUBMIT = """        try:
            pool.submit(task)
        except RuntimeError:
            return Response(*busy)
"""
RETURN = "                slots.release()\n"
LOG = """            except BaseException:
                app.logger.exception("A task failed after its response: %s", location)
"""
LIMIT = '        faulthandler.dump_traceback_later(app.config["GRACE_SECONDS"], exit=True)\n'
RAISE = "    raise KeyboardInterrupt\n"
STORE = '    response.headers.setdefault("Cache-Control", "no-store")\n'
SOON = 'soon = {"Retry-After": "1", "Content-Type": "text/plain"}'
BUSY = 'busy = "busy\\n", 503, soon\n'

REFUSING = "a_request_too_many_is_refused a_refused_request_leaves_nothing one_gets_the_last_place"
FINISHING = "a_stopped_server_finishes_what_it_accepted"


def handed(how):
    """The change that hands the task to something else than the pool."""
    return ((SUBMIT, f"        {how}\n"),)


MISTAKES = {
    "thread-for-each-task": Mistake(
        handed("threading.Thread(target=task).start()"), f"so_many_at_a_time {FINISHING}"
    ),
    "pool-for-each-request": Mistake(
        handed('ThreadPoolExecutor(app.config["WORKERS"]).submit(task)'),
        f"so_many_at_a_time {FINISHING}",
    ),
    "no-limit": Mistake(((TAKE, ""), (RETURN, "")), REFUSING),
    "waits-for-a-place": Mistake(
        ((TAKE, "        slots.acquire()\n"),), f"{REFUSING} no_cache_keeps_what_is_true_for_now"
    ),
    "place-returned-at-the-start": Mistake(
        ((RETURN, ""), ("        def task():\n", f"        def task():\n    {RETURN[8:]}")),
        REFUSING,
    ),
    "place-taken-twice": Mistake(
        (
            (ROOM, "at_work = set()\n"),
            (
                TAKE,
                '        if len(at_work) >= app.config["WORKERS"] + app.config["WAITING"]:\n'
                "            return Response(*busy)\n"
                "        at_work.add(task_id)\n",
            ),
            (RETURN, "                at_work.discard(task_id)\n"),
        ),
        "one_gets_the_last_place",
    ),
    "busy-is-500": Mistake(
        ((TAKE, TAKE.replace("return Response(*busy)", 'raise RuntimeError("full")')),),
        "a_request_too_many_is_refused one_gets_the_last_place",
    ),
    "busy-blames-the-client": Mistake(
        ((BUSY, BUSY.replace("503", "429")),),
        f"a_request_too_many_is_refused one_gets_the_last_place {FINISHING}",
    ),
    "busy-without-retry-after": Mistake(
        ((BUSY, 'busy = "busy\\n", 503, {"Content-Type": "text/plain"}\n'),),
        "a_request_too_many_is_refused",
    ),
    "202-without-retry-after": Mistake(
        (("**soon}", '"Content-Type": "text/plain"}'),), "every_202_says_when_to_ask"
    ),
    "retry-after-not-a-number": Mistake(
        ((SOON, SOON.replace('"1"', '"soon"')),),
        "a_request_too_many_is_refused every_202_says_when_to_ask",
    ),
    "record-before-the-place": Mistake(
        ((TAKE + RECORD, RECORD + TAKE),), "a_refused_request_leaves_nothing"
    ),
    "place-never-returned": Mistake(
        ((RETURN, ""),), "a_place_is_free_again one_gets_the_last_place"
    ),
    "place-lost-by-an-error": Mistake(
        (
            (RETURN, ""),
            (
                "                    response = response_of(view, args, kwargs)\n",
                "                    response = response_of(view, args, kwargs)\n"
                "                slots.release()\n",
            ),
        ),
        "a_place_is_free_again",
    ),
    "no-store-forgotten": Mistake(
        (("@app.after_request\n", ""),), "no_cache_keeps_what_is_true_for_now"
    ),
    "unknown-may-be-stored": Mistake(
        ((STORE, "    if response.status_code != 404:\n    " + STORE),),
        "no_cache_keeps_what_is_true_for_now",
    ),
    "overrules-the-view": Mistake(
        ((STORE, '    response.headers["Cache-Control"] = "no-store"\n'),),
        "a_view_may_allow_a_cache",
    ),
    "died-unseen": Mistake(((LOG, ""),), "what_a_task_dies_of_is_logged"),
    "stopping-is-500": Mistake(handed("pool.submit(task)"), FINISHING),
    "sigterm-not-handled": Mistake((("    signal.signal(signal.SIGTERM, stop)\n", ""),), FINISHING),
    "ends-at-once": Mistake(
        (
            (RAISE, "    os._exit(0)\n"),
            ("import faulthandler\n", "import faulthandler\nimport os\n"),
        ),
        FINISHING,
    ),
    "waiting-dropped": Mistake(
        ((LIMIT, f"        pool.shutdown(wait=False, cancel_futures=True)\n{LIMIT}"),), FINISHING
    ),
    "no-grace": Mistake(((LIMIT, ""),), "a_task_that_never_ends_is_given_up"),
    "handler-replaced": Mistake(
        (("if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:", "if True:"),),
        "a_server_keeps_its_own_handlers",
    ),
}
