"""What a learner has after each part of step 3 but the last: our solution without what follows."""

WITHOUT_POST = (
    (
        """
    @async_api
    def post(self, path=""):
        time.sleep(app.config["WORK_SECONDS"])
        print(f"received {len(request.get_data())} bytes for /{path}")
        return {"path": path, "received": request.get_json()}
""",
        "",
    ),
)
WITHOUT_G = (
    ("from flask import Flask, g, request", "from flask import Flask, request"),
    ("        from_hooks = dict(vars(g))\n", ""),
    ("                vars(g).update(from_hooks)\n", ""),
)
WITHOUT_BODY = (
    ("from io import BytesIO\n", ""),
    ("        environ = copy_environ()\n", "        environ = dict(request.environ)\n"),
    (
        '''def copy_environ():
    """Return the request's WSGI environ with its body in memory.

    The server closes its own wsgi.input as soon as the request is over.
    """
    body = request.get_data()
    environ = {**request.environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return environ


''',
        "",
    ),
)

AFTER = {
    "a": (*WITHOUT_POST, *WITHOUT_G, *WITHOUT_BODY),
    "b": (*WITHOUT_POST, *WITHOUT_G),
    "c": WITHOUT_POST,
}
