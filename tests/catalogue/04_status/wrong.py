"""What goes wrong in step 4."""

from tests.catalogue.mistake import Mistake

ID = "task_id = uuid.uuid4().hex"
RECORD = "        tasks[task_id] = accepted\n"
START = "        threading.Thread(target=task, daemon=True).start()\n"
TASK = """\
            record = "", 500, {}
            try:
                with app.request_context(environ):
                    vars(g).update(from_hooks)
                    response, unhandled = response_of(view, args, kwargs)
                    record = response.get_data(), response.status, list(response.headers)
                    response.close()
                    if unhandled:
                        raise unhandled
            except BaseException:
                app.logger.exception("A task failed: %s", location)
            finally:
                tasks[task_id] = record
"""
ONLY_WHEN_ALL_GOES_WELL = (
    TASK,
    """\
            with app.request_context(environ):
                vars(g).update(from_hooks)
                response, unhandled = response_of(view, args, kwargs)
                record = response.get_data(), response.status, list(response.headers)
                response.close()
                if unhandled:
                    app.logger.error("A task failed: %s", location, exc_info=unhandled)
            tasks[task_id] = record
""",
)
MAKE = """\
        if api.owns_endpoint(request.endpoint):
            response = api.output(view)(*args, **kwargs)
        else:
            response = app.make_response(view(*args, **kwargs))
"""
BYTES = """\
        response.make_sequence()
"""
CATCH = """\
    except BaseException as error:
        return error_response(error)
"""
KEEP = "record = response.get_data(), response.status, list(response.headers)\n"
CLOSE = "                    response.close()\n"
RAISE = """\
                    if unhandled:
                        raise unhandled
"""
LOG = """\
            except BaseException:
                app.logger.exception("A task failed: %s", location)
"""
ENSURE_SYNC = "        view = app.ensure_sync(view)\n"
SIGNAL = "        got_request_exception.send(app, exception=unhandled)\n"
NO_HANDLER = """\
        failed = InternalServerError(original_exception=unhandled)
        return app.make_response(app.handle_user_exception(failed)), unhandled
"""
LOOK = """\
        record = tasks.get(task_id)
        if record is None:
            abort(404)
"""
SEND = "        return Response(*record)\n"
POST = """\
    def post(self, task_id):
        raise MethodNotAllowed(["GET", "HEAD", "OPTIONS"])

"""

ALL_OF_B_TO_D = (
    "the_202_says_where_to_poll the_record_is_there_before_the_task_begins "
    "the_location_holds_under_a_prefix ids_cannot_be_guessed "
    "sends_what_the_blocking_endpoint_would the_response_can_be_read_again "
    "a_task_may_end_before_its_request other_methods_do_not_harm_a_task "
    "an_async_view_is_run_to_its_end the_response_is_closed answers_with_the_path "
    "sends_back_what_it_received "
    "a_client_never_sees_a_traceback a_task_that_fails_is_finished "
    "sends_the_500_of_the_blocking_endpoint a_task_whose_teardown_fails_is_finished "
    "a_task_whose_error_handler_fails_is_finished a_response_that_cannot_be_closed_is_kept "
    "teardown_functions_are_told_of_a_failure error_trackers_are_told_of_a_failure"
)
HANDLED = "sends_what_the_blocking_endpoint_would"
UNHANDLED = "sends_the_500_of_the_blocking_endpoint"
PARITY = f"{HANDLED} {UNHANDLED}"
GUESSED = "ids_cannot_be_guessed"
UNKNOWN = "an_unknown_task_is_404"
HANDLER = "a_task_whose_error_handler_fails_is_finished"
CLOSING = "a_response_that_cannot_be_closed_is_kept"
NEVER_THE_RESPONSE = (
    f"{PARITY} the_202_says_where_to_poll the_record_is_there_before_the_task_begins "
    "the_location_holds_under_a_prefix an_async_view_is_run_to_its_end answers_with_the_path "
    "sends_back_what_it_received a_client_never_sees_a_traceback a_task_that_fails_is_finished "
    f"{CLOSING} {HANDLER}"
)
OUTSIDE = (
    f"a_task_whose_teardown_fails_is_finished teardown_functions_are_told_of_a_failure {CLOSING}"
)


def made_by(line):
    """The change that makes an id by this line."""
    return ((ID, f"task_id = {line}"), ("import threading", "import random\nimport threading"))


MISTAKES = {
    "body-as-text": Mistake(
        (
            (
                "response.get_data(), response.status",
                "response.get_data(as_text=True), response.status",
            ),
        ),
        "sends_what_the_blocking_endpoint_would",
    ),
    "reason-dropped": Mistake(
        (("response.get_data(), response.status,", "response.get_data(), response.status_code,"),),
        "sends_what_the_blocking_endpoint_would",
    ),
    "location-only-in-body": Mistake(
        (
            (
                'accepted = "accepted\\n", 202, {"Location": location, ',
                'accepted = f"accepted: {location}\\n", 202, {',
            ),
        ),
        ALL_OF_B_TO_D,
    ),
    "location-by-hand": Mistake(
        (('url_for("gettaskstatus", task_id=task_id)', 'f"/status/{task_id}"'),),
        "the_location_holds_under_a_prefix",
    ),
    "status-not-added": Mistake(
        (
            ('url_for("gettaskstatus", task_id=task_id)', 'f"/status/{task_id}"'),
            ('api.add_resource(GetTaskStatus, "/status/<task_id>")\n', ""),
        ),
        "the_202_says_where_to_poll the_location_holds_under_a_prefix an_unknown_task_is_404 "
        "a_task_may_end_before_its_request no_method_on_a_status_url_starts_a_task "
        f"{PARITY} the_response_can_be_read_again other_methods_do_not_harm_a_task "
        "a_client_never_sees_a_traceback a_task_that_fails_is_finished "
        f"{HANDLER} a_task_whose_teardown_fails_is_finished "
        f"an_async_view_is_run_to_its_end {CLOSING} answers_with_the_path "
        "sends_back_what_it_received",
    ),
    "ids-are-counted": Mistake(made_by("str(len(tasks) + 1)"), GUESSED),
    "id-by-random": Mistake(made_by('f"{random.getrandbits(128):032x}"'), GUESSED),
    "id-by-the-clock": Mistake(made_by("str(time.time())"), GUESSED),
    "id-by-uuid1": Mistake(((ID, "task_id = uuid.uuid1().hex"),), GUESSED),
    "one-id-for-all": Mistake(
        (
            (f"        {ID}\n", ""),
            ("    @wraps(view)\n", "    task_id = uuid.uuid4().hex\n\n    @wraps(view)\n"),
        ),
        GUESSED,
    ),
    "no-record-before-the-end": Mistake(
        ((RECORD, ""),),
        "the_202_says_where_to_poll the_record_is_there_before_the_task_begins "
        "the_location_holds_under_a_prefix",
    ),
    "running-is-200": Mistake(
        (
            (
                SEND,
                f'        if record[1] == 202:\n            return {{"status": "running"}}\n{SEND}',
            ),
        ),
        "the_202_says_where_to_poll the_record_is_there_before_the_task_begins "
        "the_location_holds_under_a_prefix",
    ),
    "running-without-location": Mistake(
        (
            (
                SEND,
                f'        if record[1] == 202:\n            return "running", 202\n{SEND}',
            ),
        ),
        "the_202_says_where_to_poll",
    ),
    "id-not-a-string": Mistake(
        ((ID, "task_id = uuid.uuid4()"),),
        f"{NEVER_THE_RESPONSE} a_task_may_end_before_its_request "
        "other_methods_do_not_harm_a_task a_task_whose_teardown_fails_is_finished",
    ),
    "record-sent-as-json": Mistake(
        ((SEND, "        return record\n"),),
        "a_client_never_sees_a_traceback a_task_may_end_before_its_request "
        "an_async_view_is_run_to_its_end answers_with_the_path other_methods_do_not_harm_a_task "
        "sends_back_what_it_received sends_the_500_of_the_blocking_endpoint "
        f"sends_what_the_blocking_endpoint_would {CLOSING}",
    ),
    "record-not-returned": Mistake(((SEND, "        Response(*record)\n"),), NEVER_THE_RESPONSE),
    "method-without-task-id": Mistake(
        (("    def post(self, task_id):\n", "    def post(self):\n"),),
        "no_method_on_a_status_url_starts_a_task",
    ),
    "report-on-the-task": Mistake(
        (
            (
                SEND,
                '        state = "running" if record[1] == 202 else "finished"\n'
                '        return {"status": state, "response": str(record[0])}\n',
            ),
        ),
        NEVER_THE_RESPONSE,
    ),
    "some-ids-only": Mistake(
        (
            (ID, "task_id = str(uuid.uuid4())"),
            ("tasks.get(task_id)", "tasks.get(str(task_id))"),
            ('"/status/<task_id>"', '"/status/<uuid:task_id>"'),
        ),
        UNKNOWN,
    ),
    "unknown-is-202": Mistake(
        ((LOOK, LOOK.replace("abort(404)", 'return "not yet", 202')),), UNKNOWN
    ),
    "unknown-is-200": Mistake(
        ((LOOK, LOOK.replace("abort(404)", 'return {"error": "unknown task"}')),), UNKNOWN
    ),
    "unknown-is-500": Mistake(((LOOK, "        record = tasks[task_id]\n"),), UNKNOWN),
    "record-made-in-thread": Mistake(
        ((RECORD, ""), (TASK, f"            tasks[task_id] = accepted\n{TASK}")),
        "the_record_is_there_before_the_task_begins",
    ),
    "record-after-start": Mistake(
        ((RECORD, ""), (START, f"{START}{RECORD}")), "a_task_may_end_before_its_request"
    ),
    "post-starts-a-task": Mistake(((POST, ""),), "no_method_on_a_status_url_starts_a_task"),
    "made-when-asked": Mistake(
        (
            (MAKE + BYTES, "        response = view(*args, **kwargs)\n"),
            (KEEP, "record = response\n"),
            (CLOSE, ""),
            (
                SEND,
                "        if not isinstance(record, tuple) or record[1] != 202:\n"
                "            return app.make_response(record)\n"
                f"{SEND}",
            ),
        ),
        f"{PARITY} the_response_can_be_read_again a_client_never_sees_a_traceback "
        f"{CLOSING} the_response_is_closed answers_with_the_path",
    ),
    "resource-taken-for-a-view": Mistake(
        ((MAKE, "        response = app.make_response(view(*args, **kwargs))\n"),),
        f"{PARITY} answers_with_the_path",
    ),
    "view-taken-for-a-resource": Mistake(
        ((MAKE, "        response = api.output(view)(*args, **kwargs)\n"),),
        f"{PARITY} a_client_never_sees_a_traceback",
    ),
    "headers-dropped": Mistake(
        ((KEEP, "record = response.get_data(), response.status, {}\n"),),
        f"{PARITY} answers_with_the_path sends_back_what_it_received",
    ),
    "empty-is-never-finished": Mistake(
        (
            (
                SEND,
                "        if not record[0]:\n"
                '            return Response("accepted", 202, {"Location": request.path})\n'
                f"{SEND}",
            ),
        ),
        f"{HANDLED} {HANDLER}",
    ),
    "exception-not-caught": Mistake(
        (
            (CATCH, "    finally:\n        pass\n"),
            ONLY_WHEN_ALL_GOES_WELL,
        ),
        f"{PARITY} a_client_never_sees_a_traceback a_task_that_fails_is_finished {HANDLER} "
        f"error_trackers_are_told_of_a_failure {CLOSING} "
        "a_task_whose_teardown_fails_is_finished",
    ),
    "only-exception-caught": Mistake(
        (
            (CATCH, CATCH.replace("BaseException", "Exception")),
            ONLY_WHEN_ALL_GOES_WELL,
        ),
        f"a_task_that_fails_is_finished {HANDLER} {OUTSIDE}",
    ),
    "with-outside-the-try": Mistake(
        (ONLY_WHEN_ALL_GOES_WELL,),
        f"{HANDLER} {OUTSIDE}",
    ),
    "exception-kept-as-it-is": Mistake(
        (
            (CATCH, f"    except HTTPException as error:\n        return error, None\n{CATCH}"),
            (
                f"                    {KEEP}{CLOSE}",
                f"""\
                    record = response
                    if not isinstance(response, Exception):
                        {KEEP}                        response.close()
""",
            ),
            (
                SEND,
                f"        if isinstance(record, Exception):\n            return record\n{SEND}",
            ),
            ("import InternalServerError", "import HTTPException, InternalServerError"),
        ),
        PARITY,
    ),
    "abort-becomes-500": Mistake(
        (
            (
                CATCH,
                """\
    except Exception as error:
        got_request_exception.send(app, exception=error)
        return app.make_response(InternalServerError(original_exception=error)), error
"""
                + CATCH,
            ),
        ),
        PARITY,
    ),
    "error-handlers-forgotten": Mistake(
        (
            (
                CATCH,
                "    except HTTPException as error:\n"
                "        return app.make_response(error), None\n"
                f"{CATCH}",
            ),
            ("import InternalServerError", "import HTTPException, InternalServerError"),
        ),
        PARITY,
    ),
    "error-swallowed": Mistake(
        ((LOG, LOG.replace("exception(", "debug(")),),
        "an_exception_in_the_work_is_logged a_client_never_sees_a_traceback",
    ),
    "traceback-to-client": Mistake(
        (
            (NO_HANDLER, "        return Response(traceback.format_exc(), 500), unhandled\n"),
            ("import time", "import time\nimport traceback"),
        ),
        f"{UNHANDLED} a_client_never_sees_a_traceback",
    ),
    "error-text-to-client": Mistake(
        ((NO_HANDLER, "        return Response(str(unhandled), 500), unhandled\n"),),
        f"{UNHANDLED} a_client_never_sees_a_traceback",
    ),
    "gone-once-read": Mistake(
        (
            (
                SEND,
                f"        if record[1] != 202:\n            del tasks[task_id]\n{SEND}",
            ),
        ),
        "the_response_can_be_read_again",
    ),
    "response-used-up": Mistake(
        (
            (BYTES, ""),
            (KEEP, "record = response.response, response.status, list(response.headers)\n"),
            (CLOSE, ""),
        ),
        "the_response_can_be_read_again a_client_never_sees_a_traceback the_response_is_closed "
        f"{CLOSING}",
    ),
    "done-before-the-answer": Mistake(
        (
            (RECORD, '        entry = tasks[task_id] = {"done": False, "record": None}\n'),
            (
                "                tasks[task_id] = record\n",
                '                entry["done"] = True\n                entry["record"] = record\n',
            ),
            (
                SEND,
                """\
        if not record["done"]:
            return Response("", 202, {"Location": url_for("gettaskstatus", task_id=task_id)})
        return Response(*record["record"])
""",
            ),
        ),
        "the_response_can_be_read_again",
    ),
    "async-view-not-run": Mistake(((ENSURE_SYNC, ""),), "an_async_view_is_run_to_its_end"),
    "teardown-not-told": Mistake(
        (
            (
                RAISE,
                "                    if unhandled:\n"
                '                        app.logger.error("A task failed", exc_info=unhandled)\n',
            ),
        ),
        "teardown_functions_are_told_of_a_failure",
    ),
    "signal-not-sent": Mistake(((SIGNAL, ""),), "error_trackers_are_told_of_a_failure"),
    "response-object-kept": Mistake(
        (
            (
                "record = response.get_data(), response.status, list(response.headers)\n" + CLOSE,
                "record = response\n",
            ),
            (
                SEND,
                "        return record if isinstance(record, Response) else Response(*record)\n",
            ),
        ),
        f"the_response_is_closed {CLOSING}",
    ),
    "response-not-closed": Mistake(((CLOSE, ""),), f"the_response_is_closed {CLOSING}"),
    "closed-before-it-is-kept": Mistake(
        ((f"                    {KEEP}{CLOSE}", f"{CLOSE}                    {KEEP}"),),
        CLOSING,
    ),
    "post-without-its-path": Mistake(
        (
            (
                'return {"path": path, "received": request.get_json()}',
                "return request.get_json()",
            ),
        ),
        "sends_back_what_it_received",
    ),
    "logged-without-traceback": Mistake(
        (
            (
                RAISE,
                "                    if unhandled:\n"
                "                        app.logger.exception(unhandled)\n",
            ),
        ),
        "a_client_never_sees_a_traceback teardown_functions_are_told_of_a_failure",
    ),
    "kept-response-replaced": Mistake(
        (
            (
                LOG,
                f'{LOG}                record = "Internal Server Error", 500, {{}}\n',
            ),
        ),
        f"{UNHANDLED} {CLOSING}",
    ),
    "no-plain-500": Mistake((('            record = "", 500, {}\n', ""),), HANDLER),
}
