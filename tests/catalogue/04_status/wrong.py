"""What goes wrong in step 4."""

from tests.catalogue.mistake import Mistake

ID = "task_id = uuid.uuid4().hex"
RECORD = "        tasks[task_id] = accepted\n"
START = "        threading.Thread(target=task, daemon=True).start()\n"
TASK = """\
            response = "", 500, {}
            try:
                with app.request_context(environ):
                    vars(g).update(from_hooks)
                    response = response_of(view, args, kwargs)
            finally:
                tasks[task_id] = response
"""
ONLY_WHEN_ALL_GOES_WELL = (
    TASK,
    """\
            with app.request_context(environ):
                vars(g).update(from_hooks)
                tasks[task_id] = response_of(view, args, kwargs)
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
        response = error_response(error)
"""
KEEP = "    return response.get_data(), response.status, list(response.headers)\n"
NO_HANDLER = """\
        failed = InternalServerError(original_exception=unhandled)
        return app.make_response(app.handle_user_exception(failed))
"""
LOOK = """\
        response = tasks.get(task_id)
        if response is None:
            abort(404)
"""
ANSWER = "        return Response(*response)\n"
POST = """\
    def post(self, task_id):
        raise MethodNotAllowed(["GET", "HEAD", "OPTIONS"])

"""

EVERYTHING = (
    "the_202_says_where_to_ask the_record_is_there_before_the_task_begins "
    "the_location_holds_under_a_prefix ids_cannot_be_guessed "
    "an_unknown_task_is_404 a_task_may_end_before_its_request "
    "no_method_on_a_status_address_starts_a_task sends_what_the_blocking_endpoint_would "
    "the_answer_can_be_read_again a_client_never_sees_a_traceback a_task_that_dies_is_finished "
    "a_task_whose_teardown_fails_is_finished a_task_whose_error_handler_fails_is_finished "
    "answers_with_the_path"
)
PARITY = "sends_what_the_blocking_endpoint_would"
GUESSED = "ids_cannot_be_guessed"
UNKNOWN = "an_unknown_task_is_404"
HANDLER = "a_task_whose_error_handler_fails_is_finished"


def made_by(line):
    """The change that makes an id by this line."""
    return ((ID, f"task_id = {line}"), ("import threading", "import random\nimport threading"))


MISTAKES = {
    "location-only-in-body": Mistake(
        (
            (
                'accepted = "accepted\\n", 202, {"Location": location, ',
                'accepted = f"accepted: {location}\\n", 202, {',
            ),
        ),
        EVERYTHING,
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
        "the_202_says_where_to_ask the_location_holds_under_a_prefix an_unknown_task_is_404 "
        "a_task_may_end_before_its_request no_method_on_a_status_address_starts_a_task "
        "sends_what_the_blocking_endpoint_would the_answer_can_be_read_again "
        "a_client_never_sees_a_traceback a_task_that_dies_is_finished "
        "a_task_whose_error_handler_fails_is_finished a_task_whose_teardown_fails_is_finished "
        "answers_with_the_path",
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
        "the_202_says_where_to_ask the_record_is_there_before_the_task_begins "
        "the_location_holds_under_a_prefix",
    ),
    "running-is-200": Mistake(
        (
            (
                ANSWER,
                "        if response[1] == 202:\n"
                '            return {"status": "running"}\n'
                f"{ANSWER}",
            ),
        ),
        "the_202_says_where_to_ask the_record_is_there_before_the_task_begins "
        "the_location_holds_under_a_prefix",
    ),
    "running-without-location": Mistake(
        (
            (
                ANSWER,
                f'        if response[1] == 202:\n            return "running", 202\n{ANSWER}',
            ),
        ),
        "the_202_says_where_to_ask",
    ),
    "report-on-the-task": Mistake(
        (
            (
                ANSWER,
                '        state = "running" if response[1] == 202 else "finished"\n'
                '        return {"status": state, "response": str(response[0])}\n',
            ),
        ),
        f"{PARITY} the_202_says_where_to_ask the_record_is_there_before_the_task_begins "
        "the_location_holds_under_a_prefix "
        "a_client_never_sees_a_traceback a_task_that_dies_is_finished answers_with_the_path "
        f"{HANDLER}",
    ),
    "unknown-is-202": Mistake(
        ((LOOK, LOOK.replace("abort(404)", 'return "not yet", 202')),), UNKNOWN
    ),
    "unknown-is-200": Mistake(
        ((LOOK, LOOK.replace("abort(404)", 'return {"error": "unknown task"}')),), UNKNOWN
    ),
    "unknown-is-500": Mistake(((LOOK, "        response = tasks[task_id]\n"),), UNKNOWN),
    "record-made-in-thread": Mistake(
        ((RECORD, ""), (TASK, f"            tasks[task_id] = accepted\n{TASK}")),
        "the_record_is_there_before_the_task_begins",
    ),
    "record-after-start": Mistake(
        ((RECORD, ""), (START, f"{START}{RECORD}")), "a_task_may_end_before_its_request"
    ),
    "post-starts-a-task": Mistake(((POST, ""),), "no_method_on_a_status_address_starts_a_task"),
    "made-when-asked": Mistake(
        (
            (MAKE + BYTES, "        return view(*args, **kwargs), None, None\n"),
            (
                ANSWER,
                "        body, status, headers = response\n"
                "        if status is None:\n"
                "            return app.make_response(body)\n"
                f"{ANSWER}",
            ),
        ),
        f"{PARITY} the_answer_can_be_read_again a_client_never_sees_a_traceback "
        "answers_with_the_path",
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
        ((KEEP, "    return response.get_data(), response.status, {}\n"),),
        f"{PARITY} answers_with_the_path",
    ),
    "empty-is-never-finished": Mistake(
        (
            (
                ANSWER,
                "        if not response[0]:\n"
                '            return Response("accepted", 202, {"Location": request.path})\n'
                f"{ANSWER}",
            ),
        ),
        f"{PARITY} {HANDLER}",
    ),
    "exception-not-caught": Mistake(
        (
            (CATCH, "    finally:\n        pass\n"),
            ONLY_WHEN_ALL_GOES_WELL,
        ),
        f"{PARITY} a_client_never_sees_a_traceback a_task_that_dies_is_finished {HANDLER}",
    ),
    "only-exception-caught": Mistake(
        (
            (CATCH, CATCH.replace("BaseException", "Exception")),
            ONLY_WHEN_ALL_GOES_WELL,
        ),
        f"a_task_that_dies_is_finished {HANDLER}",
    ),
    "with-outside-the-try": Mistake(
        (
            (
                TASK,
                """\
            with app.request_context(environ):
                vars(g).update(from_hooks)
                response = response_of(view, args, kwargs)
            tasks[task_id] = response
""",
            ),
        ),
        f"a_task_whose_teardown_fails_is_finished {HANDLER}",
    ),
    "exception-kept-as-it-is": Mistake(
        (
            (CATCH, f"    except HTTPException as error:\n        return error\n{CATCH}"),
            (
                ANSWER,
                "        if isinstance(response, Exception):\n"
                f"            return response\n{ANSWER}",
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
        app.logger.exception("A task failed")
        response = app.make_response(InternalServerError(original_exception=error))
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
                "        response = app.make_response(error)\n"
                f"{CATCH}",
            ),
            ("import InternalServerError", "import HTTPException, InternalServerError"),
        ),
        PARITY,
    ),
    "error-swallowed": Mistake(
        (
            (
                "    except BaseException as unhandled:\n        app.logger.exception(",
                "    except BaseException as unhandled:\n        app.logger.debug(",
            ),
        ),
        "an_exception_in_the_work_is_logged a_client_never_sees_a_traceback",
    ),
    "traceback-to-client": Mistake(
        (
            (NO_HANDLER, "        return Response(traceback.format_exc(), 500)\n"),
            ("import time", "import time\nimport traceback"),
        ),
        f"{PARITY} a_client_never_sees_a_traceback",
    ),
    "error-text-to-client": Mistake(
        ((NO_HANDLER, "        return Response(str(unhandled), 500)\n"),),
        f"{PARITY} a_client_never_sees_a_traceback",
    ),
    "gone-once-read": Mistake(
        (
            (
                ANSWER,
                f"        if response[1] != 202:\n            del tasks[task_id]\n{ANSWER}",
            ),
        ),
        "the_answer_can_be_read_again",
    ),
    "response-used-up": Mistake(
        (
            (BYTES, ""),
            (KEEP, "    return response.response, response.status, list(response.headers)\n"),
        ),
        "the_answer_can_be_read_again a_client_never_sees_a_traceback",
    ),
    "done-before-the-answer": Mistake(
        (
            (RECORD, '        record = tasks[task_id] = {"done": False, "response": None}\n'),
            (
                "                tasks[task_id] = response\n",
                '                record["done"] = True\n'
                '                record["response"] = response\n',
            ),
            (
                ANSWER,
                """\
        if not response["done"]:
            return Response("", 202, {"Location": url_for("gettaskstatus", task_id=task_id)})
        return Response(*response["response"])
""",
            ),
        ),
        "the_answer_can_be_read_again",
    ),
}
