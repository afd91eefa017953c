"""What a view may return or raise. The blocking endpoint shows what is right for each of them."""

import datetime

import flask
import flask_restful
from flask import abort, request
from werkzeug.exceptions import Conflict, NotFound

ENDINGS = {}  # "called abort(404)" or the like, to put after "A view": the function that does it


def ending(what):
    """Return the decorator that puts a function into ENDINGS."""

    def add(function):
        ENDINGS[what] = function
        return function

    return add


class Teapot(Exception):
    """An exception that has an error handler."""


class Busy(Conflict):
    """An HTTPException of the app's own, with data for Flask-RESTful."""

    data = {"message": "busy", "queue": 3}


def add_error_handlers(app):
    app.register_error_handler(Teapot, lambda error: ({"tea": str(error)}, 418))
    app.register_error_handler(LookupError, lambda error: 1 / 0)
    app.register_error_handler(404, lambda error: ("nothing here", 404))
    app.register_error_handler(500, lambda error: (f"sorry: {type(error.original_exception)}", 500))


for value in (
    *("text", "", "ü", {}, {"a": [1, None]}, [], [1, 2], None, 0, 7, True, b"bytes", {1, 2}),
    *(("made", 201), ("", 204), ({"a": 1}, 201, {"X-Color": "green"}), object()),
    *(datetime.date(2026, 1, 2), NotFound("returned, not raised")),
):
    name = repr(value) if "object" not in repr(value) else "object()"
    ENDINGS[f"returned {name}"] = lambda value=value: value


@ending("called abort(404)")
def aborts_404():
    abort(404)


@ending("called abort(422) with a description")
def aborts_422():
    abort(422, description="no such color")


@ending("called abort(401)")
def aborts_401():
    abort(401)


@ending("called abort() with a response")
def aborts_with_a_response():
    abort(flask.Response("closed", 410))


@ending("called Flask-RESTful's abort(409)")
def aborts_by_flask_restful():
    flask_restful.abort(409, message="taken", by="ada")


@ending("raised an HTTPException of the app's own")
def raises_an_http_exception():
    raise Busy


@ending("returned a generator")
def returns_a_generator():
    return (part for part in ["one", "two"])


@ending("returned a response")
def returns_a_response():
    return flask.Response("<p>hello", 203, {"X-Color": "green"}, content_type="text/html")


@ending("returned a picture")
def returns_a_picture():
    return flask.Response(b"\x89PNG\r\n\x1a\n\xff", mimetype="image/png")


@ending("returned a response with a reason of its own")
def returns_a_response_with_a_reason():
    return flask.Response("<p>hello", "299 Brewed")


@ending("returned a response and a status code")
def returns_a_response_and_a_status_code():
    return flask.Response("<p>hello"), 201


@ending("returned jsonify(a=1) and a status code")
def returns_jsonify_and_a_status_code():
    return flask.jsonify(a=1), 201


@ending("returned a response that streams its body")
def returns_a_stream():
    return flask.Response((part for part in ["one", request.method]), mimetype="text/plain")


@ending("returned a response with two cookies")
def returns_a_response_with_cookies():
    response = flask.make_response("hello")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@ending("returned a redirect")
def returns_a_redirect():
    return flask.redirect("/elsewhere")


@ending("returned a file")
def returns_a_file():
    return flask.send_file(__file__)


@ending("raised an exception that has an error handler")
def raises_what_a_handler_takes():
    raise Teapot("short and stout")


@ending("raised an exception whose error handler fails")
def raises_what_a_handler_fails_on():
    raise LookupError("the handler fails")


@ending("read a form field that was not sent")
def reads_a_missing_form_field():
    return request.form["missing"]


@ending("called request.get_json() without JSON in the request")
def reads_missing_json():
    return request.get_json()


@ending("divided by zero")
def divides_by_zero():
    return 1 / 0
