"""Step 7 part by part: the changes to our solution that leave what a part does, and no more.

Each state is made from the one after it.
"""

EARLIER_STEPS_FROM = "d"  # until then, no response reaches a client: a worker does the work

NOTHING_OF_H = (
    ('app.config["MAX_CONTENT_LENGTH"] = 16 * 2**20\n', ""),
    (', shadow=name, argsrepr="…")', ")"),
    (", resultrepr_maxsize=10)", ")"),
    (
        """    if len(body) > app.config["MAX_CONTENT_LENGTH"]:
        raise ValueError("No web process accepts a body of this length.")
""",
        "",
    ),
)
NOTHING_OF_G = (
    ("from kombu.exceptions import OperationalError\n", ""),
    ("from redis.exceptions import RedisError\n", ""),
    (
        """    result_backend_always_retry=True,
    result_backend_transport_options={"retry_policy": {"timeout": 1}},
    task_publish_retry=False,
    broker_connection_retry_on_startup=True,
""",
        "",
    ),
    ('        "max_retries": 0,\n', ""),
    (
        """    redis_socket_connect_timeout=1,
    redis_socket_timeout=1,
    result_backend_transport_options={"retry_policy": {"timeout": 1}},
""",
        "",
    ),
    ("unreachable = OperationalError, RedisError\n", ""),
    (
        """        try:
            tasks.backend.store_result(task_id, None, "ACCEPTED")
            work.apply_async(message, task_id=task_id)
        except unreachable:
            return Response(*busy)
""",
        """        tasks.backend.store_result(task_id, None, "ACCEPTED")
        work.apply_async(message, task_id=task_id)
""",
    ),
    (
        """        try:
            task = tasks.backend.get_task_meta(task_id)
        except unreachable:
            return Response(*busy)
""",
        "        task = tasks.backend.get_task_meta(task_id)\n",
    ),
)
NOTHING_OF_F = (
    ("from billiard.common import terminate_handler_fired\n", ""),
    ('app.config["TAKEOVER_SECONDS"] = 60 * 60\n', ""),
    (
        """    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
""",
        "",
    ),
    (
        """    broker_transport_options={
        "visibility_timeout": app.config["TAKEOVER_SECONDS"],
        "unacked_restore_throttle": 1,
    },
""",
        "",
    ),
    ("        if terminate_handler_fired():\n            raise\n", ""),
)
NOTHING_OF_E = (
    ('app.config["WAIT_SECONDS"] = 24 * 60 * 60\n', ""),
    ('    result_expires=app.config["KEEP_SECONDS"],\n', ""),
    (
        """tasks = Celery("tasks", backend=REDIS_URL)
tasks.conf.update(
    result_expires=app.config["WAIT_SECONDS"],
)
""",
        "",
    ),
    ("        tasks.backend.store_result(", "        celery.backend.store_result("),
    ("task = tasks.backend.get_task_meta(", "task = celery.backend.get_task_meta("),
)
NOTHING_OF_D = (
    (
        """    record = None
    try:
        with app.request_context(whole_environ(environ, b64decode(body))):
            vars(g).update(from_hooks)
            resource = getattr(app.view_functions[request.endpoint], "view_class", None)
            args = [resource()] if resource else []
            response, unhandled = response_of(views[name], args, kwargs)
            body = b64encode(response.get_data()).decode()
            record = response.status, list(response.headers), body
            response.close()
            if unhandled:
                raise unhandled
    except BaseException:
        if record is None:
            raise
        app.logger.exception("A task failed: %s", name)
    return record
""",
        """    with app.request_context(whole_environ(environ, b64decode(body))):
        vars(g).update(from_hooks)
        resource = getattr(app.view_functions[request.endpoint], "view_class", None)
        args = [resource()] if resource else []
        views[name](*args, **kwargs)
""",
    ),
    (
        """        if task["status"] == "SUCCESS":
            status, headers, body = task["result"]
            return Response(b64decode(body), status, headers)
        if task["status"] == "FAILURE":
            abort(500)
""",
        "",
    ),
)
NOTHING_OF_C = (
    ('        celery.backend.store_result(task_id, None, "ACCEPTED")\n', ""),
    ("views = {}\n", "views = {}\ntasks = {}\n"),  # what is left of step 6
    (
        """        task = celery.backend.get_task_meta(task_id)
        if task["status"] == "PENDING":
            abort(404)
        return accepted(task_id)
""",
        """        record = tasks.get(task_id)
        if record is None:
            abort(404)
        return Response(*record)
""",
    ),
)
NOTHING_OF_B = (
    ("import sys\n", ""),
    ("from base64 import b64decode, b64encode\n", ""),
    ("from io import BytesIO\n", ""),
    ("        body = b64encode(request.get_data()).decode()\n", ""),
    (" body, only_json(vars(g)), only_json(kwargs)", " only_json(kwargs)"),
    ("def work(name, environ, body, from_hooks, kwargs):", "def work(name, environ, kwargs):"),
    ("whole_environ(environ, b64decode(body))", "environ"),
    ("        vars(g).update(from_hooks)\n", ""),
    (
        '''def whole_environ(environ, body):
    """Return a complete WSGI environ: with the body, and with what JSON could not hold."""
    environ = {**environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return {**environ, "wsgi.errors": sys.stderr}


''',
        "",
    ),
)

AFTER_G = NOTHING_OF_H
AFTER_F = (*AFTER_G, *NOTHING_OF_G)
AFTER_E = (*AFTER_F, *NOTHING_OF_F)
AFTER_D = (*AFTER_E, *NOTHING_OF_E)
AFTER_C = (*AFTER_D, *NOTHING_OF_D)
AFTER_B = (*AFTER_C, *NOTHING_OF_C)
AFTER_A = (*AFTER_B, *NOTHING_OF_B)
AFTER = {
    "a": AFTER_A,
    "b": AFTER_B,
    "c": AFTER_C,
    "d": AFTER_D,
    "e": AFTER_E,
    "f": AFTER_F,
    "g": AFTER_G,
}
