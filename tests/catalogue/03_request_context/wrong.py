"""What goes wrong in step 3."""

from tests.catalogue.mistake import Mistake

# Lines of the solution.
IMPORTS = "from flask import Flask, g, request"
ENVIRON = "        environ = copy_environ()\n"
FROM_HOOKS = "        from_hooks = dict(vars(g))\n"
UPDATE = "                vars(g).update(from_hooks)\n"
TASK = f"""        def task():
            with app.request_context(environ):
{UPDATE}                view(*args, **kwargs)
"""
BODY = "    body = request.get_data()\n"
PRINT = "received {len(request.get_data())} bytes"
COPY = f"""{BODY}    environ = {{**request.environ, "wsgi.input": BytesIO(body), \
"CONTENT_LENGTH": str(len(body))}}
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return environ
"""

# Lines of wrong answers.
WITH = "with app.request_context(environ):"
G = "vars(g).update(from_hooks)"
VIEW = "view(*args, **kwargs)"
METHOD = "request.path, method=request.method"
QUERY = f"{METHOD}, query_string=request.query_string.decode()"
HEADERS = "headers=dict(request.headers)"
CONTENT_TYPE = 'headers={**request.headers, "Content-Length": "", "Transfer-Encoding": ""}'

# The checks.

BYTES = "the_post_prints_how_many_bytes_it_received"
POST = f"catch_all_takes_a_post {BYTES}"
NO_BODY = f"the_task_reads_the_body each_task_reads_its_own_body {POST}"
ONE_FOR_ALL = "each_task_sees_its_own_request each_task_reads_its_own_body each_task_has_its_own_g"
MADE_UP = f"the_task_sees_the_request {ONE_FOR_ALL} {NO_BODY}"
NO_G = (
    "g_comes_along each_task_has_its_own_g what_a_task_puts_on_g_stays_in_the_task "
    "g_is_as_the_request_had_it"
)
NO_REQUEST = (
    "the_task_sees_the_request flask_knows_the_app_in_the_task each_task_sees_its_own_request "
    f"teardown_functions_run_when_the_task_ends {NO_BODY} each_task_has_its_own_g"
)
NO_CALL = (
    "answers_202_while_the_work_goes_on catch_all_is_asynchronous the_work_is_done_once "
    "the_view_gets_its_own_arguments two_requests_work_at_the_same_time "
    "an_exception_in_the_work_is_logged the_work_takes_as_long_as_configured "
    f"{NO_REQUEST} {NO_G}"
)


def task(*lines, first=ENVIRON + FROM_HOOKS):
    """The change that has these lines in task(), and these in the request before it."""
    body = "".join(f"            {line}\n" for line in lines)
    return ((f"{ENVIRON}{FROM_HOOKS}\n{TASK}", f"{first}\n        def task():\n{body}"),)


def imported(name):
    """The change that imports one more name from Flask."""
    return ((IMPORTS, f"{IMPORTS}, {name}"),)


def made_anew(arguments):
    """The change that makes the task's environ from parts of the request."""
    return ((COPY, f"    return app.test_request_context({arguments}).request.environ\n"),)


def copied_by_flask(*lines):
    """The change that copies the context with Flask's function, after these lines."""
    first = "".join(f"        {line}\n" for line in lines) + FROM_HOOKS
    decorator = "        @copy_current_request_context\n        def task"
    ((old, new),) = task(G, VIEW, first=first)
    return (
        *imported("copy_current_request_context"),
        (old, new.replace("        def task", decorator)),
    )


MISTAKES = {
    "no-context": Mistake(task(VIEW), f"{NO_REQUEST} {NO_G}"),
    "app-context-only": Mistake(
        task("with app.app_context():", f"    {G}", f"    {VIEW}"), NO_REQUEST
    ),
    "context-copied-in-thread": Mistake(
        (
            *imported("copy_current_request_context"),
            *task("copy_current_request_context(view)(*args, **kwargs)"),
        ),
        NO_CALL,
    ),
    "current-app-in-thread": Mistake(
        (
            *imported("current_app"),
            *task("with current_app.request_context(environ):", f"    {G}", f"    {VIEW}"),
        ),
        NO_CALL,
    ),
    "request-in-thread": Mistake(
        task("environ = copy_environ()", WITH, f"    {G}", f"    {VIEW}", first=FROM_HOOKS),
        NO_CALL,
    ),
    "g-in-thread": Mistake(
        task("from_hooks = dict(vars(g))", WITH, f"    {G}", f"    {VIEW}", first=ENVIRON),
        NO_CALL,
    ),
    "environ-not-called": Mistake(((ENVIRON, ENVIRON.replace("()", "")),), NO_CALL),
    "environ-not-returned": Mistake((("    return environ\n", ""),), NO_CALL),
    "empty-request": Mistake(made_anew(""), MADE_UP),
    "arguments-and-headers-lost": Mistake(made_anew(METHOD), MADE_UP),
    "headers-lost": Mistake(
        made_anew(f"{QUERY}, data=request.get_data()"),
        f"the_task_sees_the_request the_task_reads_the_body {POST}",
    ),
    "body-not-read": Mistake(((COPY, "    return dict(request.environ)\n"),), NO_BODY),
    "body-not-handed-on": Mistake(((', "wsgi.input": BytesIO(body)', ""),), NO_BODY),
    "length-not-a-string": Mistake((("str(len(body))", "len(body)"),), NO_BODY),
    "length-not-a-string-seen-in-get": Mistake(
        (
            ("str(len(body))", "len(body)"),
            (
                '        print(f"finished',
                '        print(request.get_data())\n        print(f"finished',
            ),
        ),
        f"{NO_BODY} catch_all_is_asynchronous",
        named="length-not-a-string",
    ),
    "body-not-a-stream": Mistake((("BytesIO(body)", "body"),), NO_BODY),
    "context-without-body": Mistake(copied_by_flask(), NO_BODY),
    "one-request-for-both": Mistake(
        copied_by_flask("request.get_data()"), "the_task_reads_the_body"
    ),
    "files-closed": Mistake(
        copied_by_flask("request.get_data()", "request.files"), "the_task_reads_the_body"
    ),
    "made-without-body": Mistake(made_anew(f"{QUERY}, {HEADERS}"), NO_BODY),
    "only-json-kept": Mistake(
        made_anew(f"{QUERY}, {CONTENT_TYPE}, json=request.get_json(silent=True)"),
        f"the_task_reads_the_body each_task_reads_its_own_body {BYTES}",
    ),
    "json-demanded": Mistake(
        made_anew(f"{QUERY}, {CONTENT_TYPE}, json=request.get_json()"),
        NO_CALL.replace(POST, BYTES),
    ),
    "form-parsed-first": Mistake(
        ((BODY, f"    print(dict(request.form))\n{BODY}"),), "the_task_reads_the_body"
    ),
    "files-lost": Mistake(
        made_anew(f"{QUERY}, {CONTENT_TYPE}, data=request.form or request.get_data()"),
        "the_task_reads_the_body",
    ),
    "body-kept-as-text": Mistake(
        (("request.get_data()\n", "request.get_data(as_text=True).encode()\n"),),
        "the_task_reads_the_body",
    ),
    "still-chunked": Mistake(
        made_anew(f"{QUERY}, {HEADERS}, data=request.get_data()"), "the_task_reads_the_body"
    ),
    "g-not-copied": Mistake(((UPDATE, ""),), NO_G),
    "g-is-no-dict": Mistake(((G, "g.update(from_hooks)"),), NO_CALL),
    "g-has-no-items": Mistake(
        ((G, "[g.__setitem__(name, value) for name, value in from_hooks.items()]"),),
        NO_G,
        named="g-is-no-dict",
    ),
    "g-kept-and-not-copied": Mistake((("dict(vars(g))", "vars(g)"),), "g_is_as_the_request_had_it"),
    "hooks-run-twice": Mistake(((G, "app.preprocess_request()"),), "g_comes_along"),
    "g-shared": Mistake(
        (
            ("from flask_restful", "from flask.globals import app_ctx\nfrom flask_restful"),
            (FROM_HOOKS, "        the_g = g._get_current_object()\n"),
            (G, "app_ctx.g = the_g"),
        ),
        "what_a_task_puts_on_g_stays_in_the_task g_is_as_the_request_had_it",
    ),
    "one-copy-for-all": Mistake(((ENVIRON, f"        global environ\n{ENVIRON}"),), ONE_FOR_ALL),
    "one-g-for-all": Mistake(
        (
            (FROM_HOOKS, "        from_hooks.update(vars(g))\n"),
            ("def async_api", "from_hooks = {}\n\n\ndef async_api"),
        ),
        "each_task_has_its_own_g",
    ),
    "never-popped": Mistake(
        task("app.request_context(environ).push()", G, VIEW),
        "teardown_functions_run_when_the_task_ends",
    ),
    "popped-only-on-success": Mistake(
        task("context = app.request_context(environ)", "context.push()", G, VIEW, "context.pop()"),
        "teardown_functions_run_when_the_task_ends",
    ),
    "post-forgotten": Mistake((("    def post(", "    def upload("),), POST),
    "post-without-path": Mistake(
        (
            ('    def post(self, path=""):', "    def post(self):"),
            (f"{PRINT} for /{{path}}", PRINT),
            ('{"path": path, "received"', '{"path": request.path, "received"'),
        ),
        POST,
    ),
    "post-not-decorated": Mistake((("    @async_api\n    def post", "    def post"),), POST),
    "json-not-read": Mistake(
        (('"received": request.get_json()', '"received": request.get_json'),),
        "catch_all_takes_a_post",
    ),
    "bytes-not-printed": Mistake(((f'        print(f"{PRINT} for /{{path}}")\n', ""),), BYTES),
    "items-counted": Mistake(((PRINT, PRINT.replace("data", "json")),), BYTES),
    "characters-counted": Mistake(((PRINT, PRINT.replace("data()", "data(as_text=True)")),), BYTES),
}
