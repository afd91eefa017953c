"""What goes wrong in step 7."""

from tests.catalogue.mistake import Mistake

NOTE = """            tasks.backend.store_result(task_id, None, "ACCEPTED")
"""
SEND = '            work.apply_async(message, task_id=task_id, shadow=name, argsrepr="…")\n'
LATE = "    task_acks_late=True,\n"
LOST = "    task_reject_on_worker_lost=True,\n"
PREFETCH = "    worker_prefetch_multiplier=1,\n"
JSON = '    accept_content=["json"],\n'
EXPIRES = '    result_expires=app.config["KEEP_SECONDS"],\n'
WAIT = '    result_expires=app.config["WAIT_SECONDS"],\n'
TAKE = "            task = tasks.backend.get_task_meta(task_id)\n"
PENDING = """        if task["status"] == "PENDING":
            abort(404)
"""
FAILURE = """        if task["status"] == "FAILURE":
            abort(500)
"""
TOLD = "        if terminate_handler_fired():\n            raise\n"
STORE = '    response.headers.setdefault("Cache-Control", "no-store")\n'
SECRETS = '@celery.task(name="work", resultrepr_maxsize=10)\n'
ENVIRON = "only_json(request.environ), body,"
LENGTH = """    if len(body) > app.config["MAX_CONTENT_LENGTH"]:
        raise ValueError("No web process accepts a body of this length.")
"""
MAX = 'app.config["MAX_CONTENT_LENGTH"] = 16 * 2**20\n'
FINALIZE = "celery.finalize()\n"
UNREACHABLE = "unreachable = OperationalError, RedisError\n"


def also(setting):
    """The change that adds a setting for Celery."""
    return ((JSON, f"{JSON}    {setting},\n"),)


MISTAKES = {
    "always-eager": Mistake(
        also("task_always_eager=True, task_store_eager_result=True"),
        "work_is_sent_to_the_broker all_that_travels_is_json g_comes_along "
        "the_202_says_where_to_poll an_unknown_task_is_404 the_response_can_be_read_again "
        "a_task_that_fails_is_finished the_worker_has_only_the_message "
        "the_response_comes_from_the_worker what_waits_for_hours_is_202 "
        "any_web_process_can_say what_is_not_json_stays_behind what_waits_is_202 "
        "a_task_is_forgotten_five_minutes_after_its_end a_younger_task_is_kept "
        "age_counts_from_the_end the_broker_keeps_a_message_until_the_task_is_done "
        "a_task_whose_worker_dies_is_done_by_another "
        "a_worker_that_is_told_to_end_leaves_its_task what_celery_gives_up_is_500 "
        "a_body_that_is_too_long_is_refused an_unreachable_broker_is_503 "
        "the_log_has_no_secrets no_cache_keeps_what_is_true_for_now "
        "answers_202_while_the_work_goes_on catch_all_is_asynchronous "
        "two_requests_work_at_the_same_time an_exception_in_the_work_is_logged "
        "the_task_sees_the_request the_task_reads_the_body "
        "flask_knows_the_app_in_the_task each_task_sees_its_own_request "
        "each_task_reads_its_own_body each_task_has_its_own_g "
        "what_a_task_puts_on_g_stays_in_the_task "
        "teardown_functions_run_when_the_task_ends catch_all_takes_a_post "
        "the_location_holds_under_a_prefix a_task_may_end_before_its_request "
        "no_method_on_a_status_url_starts_a_task "
        "sends_what_the_blocking_endpoint_would other_methods_do_not_harm_a_task "
        "sends_the_500_of_the_blocking_endpoint a_client_never_sees_a_traceback "
        "the_response_is_closed a_response_that_cannot_be_closed_is_kept "
        "a_task_whose_teardown_fails_is_finished answers_with_the_path "
        "sends_back_what_it_received "
        "every_202_says_when_to_ask",
    ),
    "nothing-is-sent": Mistake(
        (
            (
                SEND,
                "            threading.Thread(target=work, args=message, daemon=True).start()\n",
            ),
            ("import sys\n", "import sys\nimport threading\n"),
        ),
        "work_is_sent_to_the_broker all_that_travels_is_json what_waits_is_202 "
        "a_task_that_fails_is_finished the_worker_has_only_the_message "
        "the_response_comes_from_the_worker "
        "any_web_process_can_say what_is_not_json_stays_behind "
        "a_task_may_end_before_it_is_noted "
        "a_task_is_forgotten_five_minutes_after_its_end a_younger_task_is_kept "
        "age_counts_from_the_end the_broker_keeps_a_message_until_the_task_is_done "
        "a_task_whose_worker_dies_is_done_by_another "
        "a_worker_that_is_told_to_end_leaves_its_task what_celery_gives_up_is_500 "
        "a_body_that_is_too_long_is_refused an_unreachable_broker_is_503 "
        "the_log_has_no_secrets a_task_may_end_before_its_request "
        "sends_what_the_blocking_endpoint_would other_methods_do_not_harm_a_task "
        "sends_the_500_of_the_blocking_endpoint a_client_never_sees_a_traceback "
        "a_response_that_cannot_be_closed_is_kept "
        "a_task_whose_teardown_fails_is_finished answers_with_the_path "
        "sends_back_what_it_received "
        "a_view_may_allow_a_cache",
    ),
    "pickle-is-sent": Mistake(
        ((JSON, '    accept_content=["json", "pickle"],\n    task_serializer="pickle",\n'),),
        "all_that_travels_is_json",
    ),
    "pickle-is-stored": Mistake(
        (
            (JSON, '    accept_content=["json", "pickle"],\n    result_serializer="pickle",\n'),
            (
                WAIT,
                f'{WAIT}    accept_content=["json", "pickle"],\n    result_serializer="pickle",\n',
            ),
        ),
        "all_that_travels_is_json",
    ),
    "pickle-is-accepted": Mistake(
        ((JSON, '    accept_content=["json", "pickle"],\n'),), "all_that_travels_is_json"
    ),
    "kept-in-the-web-process": Mistake(
        (
            ("views = {}", "requests = {}\nviews = {}"),
            (ENVIRON, "task_id, body,"),
            (SEND, f"            requests[task_id] = dict(request.environ)\n{SEND}"),
            (
                "        task_id = uuid.uuid4().hex\n",
                "",
            ),
            (
                "        body = b64encode(request.get_data()).decode()\n",
                "        task_id = uuid.uuid4().hex\n"
                "        body = b64encode(request.get_data()).decode()\n",
            ),
            (
                "    environ = {**environ, ",
                "    environ = {**requests[environ], ",
            ),
        ),
        "the_worker_has_only_the_message the_response_comes_from_the_worker",
    ),
    "remembered-in-one-process": Mistake(
        (
            ("views = {}", "accepted_here = set()\nviews = {}"),
            (NOTE, f"            accepted_here.add(task_id)\n{NOTE}"),
            (PENDING, "        if task_id not in accepted_here:\n            abort(404)\n"),
        ),
        "any_web_process_can_say a_task_is_forgotten_five_minutes_after_its_end",
    ),
    "made-at-first-use": Mistake(((FINALIZE, ""),), "first_requests_may_come_at_once"),
    "one-name-for-two": Mistake(
        (
            ("    name = view.__qualname__\n", "    name = view.__name__\n"),
            ("    if name in views:\n", "    if name in views and False:\n"),
        ),
        "two_views_of_one_name",
    ),
    "not-json-is-500": Mistake(
        (("only_json(vars(g))", "dict(vars(g))"),), "what_is_not_json_stays_behind"
    ),
    "plain-json-is-asked": Mistake(
        (("from kombu.utils import json\n", "import json\n"),), "what_is_not_json_stays_behind"
    ),
    "pending-is-404": Mistake(
        ((NOTE, ""),),
        "the_202_says_where_to_poll any_web_process_can_say what_waits_is_202 "
        "what_waits_for_hours_is_202 age_counts_from_the_end "
        "a_task_whose_worker_dies_is_done_by_another "
        "a_worker_that_is_told_to_end_leaves_its_task the_location_holds_under_a_prefix "
        "every_202_says_when_to_ask a_task_may_end_before_it_is_noted",
    ),
    "unknown-is-202": Mistake(
        ((PENDING, ""),),
        "an_unknown_task_is_404 a_task_is_forgotten_five_minutes_after_its_end "
        "what_celery_gives_up_is_500",
    ),
    "note-expires": Mistake(
        ((WAIT, WAIT.replace("WAIT", "KEEP")),),
        "what_waits_for_hours_is_202 age_counts_from_the_end",
    ),
    "noted-after-sending": Mistake(
        ((NOTE + SEND, SEND + NOTE),), "a_task_may_end_before_it_is_noted"
    ),
    "kept-for-a-day": Mistake(((EXPIRES, ""),), "a_task_is_forgotten_five_minutes_after_its_end"),
    "gone-once-read": Mistake(
        (
            (
                '            status, headers, body = task["result"]\n',
                '            status, headers, body = task["result"]\n'
                "            tasks.backend.forget(task_id)\n",
            ),
        ),
        "the_response_can_be_read_again any_web_process_can_say a_younger_task_is_kept "
        "age_counts_from_the_end an_unreachable_broker_is_503",
    ),
    "acknowledged-at-the-start": Mistake(
        ((LATE, ""),),
        "the_broker_keeps_a_message_until_the_task_is_done "
        "a_task_whose_worker_dies_is_done_by_another "
        "a_worker_that_is_told_to_end_leaves_its_task",
    ),
    "takes-more-than-it-does": Mistake(((PREFETCH, ""),), "a_busy_worker_leaves_the_rest"),
    "lost-with-its-worker": Mistake(((LOST, ""),), "a_task_whose_worker_dies_is_done_by_another"),
    "taken-for-the-views-own": Mistake(
        ((TOLD, ""),), "a_worker_that_is_told_to_end_leaves_its_task"
    ),
    "only-exception-caught": Mistake(
        (
            (TOLD, ""),
            (
                "    except BaseException as error:\n",
                "    except Exception as error:\n",
            ),
        ),
        "a_task_that_fails_is_finished",
    ),
    "failure-is-running": Mistake(((FAILURE, ""),), "what_celery_gives_up_is_500"),
    "any-length": Mistake(((MAX, ""), (LENGTH, "")), "a_body_that_is_too_long_is_refused"),
    "worker-takes-any-length": Mistake(((LENGTH, ""),), "a_body_that_is_too_long_is_refused"),
    "any-error-is-busy": Mistake(
        ((UNREACHABLE, "unreachable = Exception\n"), ("only_json(vars(g))", "dict(vars(g))")),
        "what_is_not_json_stays_behind",
    ),
    "unreachable-is-500": Mistake(
        ((UNREACHABLE, "unreachable = ()\n"),), "an_unreachable_broker_is_503"
    ),
    "answer-in-the-log": Mistake(
        ((SECRETS, '@celery.task(name="work")\n'),), "the_log_has_no_secrets"
    ),
    "arguments-in-the-headers": Mistake(((', argsrepr="…"', ""),), "the_log_has_no_secrets"),
    "hooks-run-twice": Mistake(
        (
            (
                "            vars(g).update(from_hooks)\n",
                "            vars(g).update(from_hooks)\n            app.preprocess_request()\n",
            ),
        ),
        "g_comes_along what_is_not_json_stays_behind",
    ),
    "no-store-forgotten": Mistake(
        (("@app.after_request\n", ""),), "no_cache_keeps_what_is_true_for_now"
    ),
}
