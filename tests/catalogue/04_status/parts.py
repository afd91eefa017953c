"""What a learner has after each part of step 4."""

ID = """\
        task_id = uuid.uuid4().hex
        location = url_for("gettaskstatus", task_id=task_id)
        accepted = "accepted\\n", 202, {"Location": location, "Content-Type": "text/plain"}
        tasks[task_id] = accepted
"""
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
NOTHING_KEPT = """\
            with app.request_context(environ):
                vars(g).update(from_hooks)
                view(*args, **kwargs)
"""
KEPT_IF_ALL_GOES_WELL = """\
            with app.request_context(environ):
                vars(g).update(from_hooks)
                response, unhandled = response_of(view, args, kwargs)
                record = response.get_data(), response.status, list(response.headers)
                response.close()
                if unhandled:
                    raise unhandled
            tasks[task_id] = record
"""

# By part, pairs of texts as in a Mistake's change: the first becomes the second in our solution.
AFTER = {
    "a": (
        (ID, ""),
        (TASK, NOTHING_KEPT),
        ("        return Response(*accepted)\n", '        return "accepted", 202\n'),
    ),
    "b": ((TASK, NOTHING_KEPT),),
    "c": ((TASK, KEPT_IF_ALL_GOES_WELL),),
}
