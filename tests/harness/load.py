"""Load the learner's app.py, afresh for every test, and say clearly why it cannot be loaded."""

import builtins
import functools
import sys
import types

import flask
from werkzeug.routing import Rule

from tests.harness.errors import hint
from tests.harness.words import described, described_value, ended_once, line_in


class CannotLoad(Exception):
    """One sentence on why app.py cannot be checked, and a line on what to do."""

    def __init__(self, sentence, look):
        sentence, look = map(ended_once, (sentence, look))
        super().__init__(sentence, look)
        self.sentence, self.look = sentence, look


class Started(BaseException):
    """app.run() was called while the file was being imported."""


def load(path, shown, stand_ins):
    """Run the file at path as a new module; return the module and its code object.

    shown: the path as the learner knows it; stand_ins: what it gets when it imports the modules of
    these names. Raises CannotLoad.
    """
    if not path.is_file():
        raise CannotLoad(
            f"There is no {shown}.",
            "To get the starter back, type  python3 -m workshop reset  and the number of the step.",
        )
    try:
        code = compiled(path.read_bytes(), path)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        text = (getattr(error, "text", None) or "").strip()
        raise CannotLoad(
            f"Python cannot read {shown}{f', line {line}' if line else ''}: {error.args[0]}.",
            f"That line reads: {text}" if text else "Check the file's encoding and your last edit.",
        ) from None

    module = types.ModuleType("app")
    module.__file__ = str(path)
    vars(module)["__builtins__"] = importing(stand_ins)
    sys.modules["app"] = module  # Flask(__name__) looks its module up
    run, flask.Flask.run = flask.Flask.run, raise_started
    try:
        exec(code, vars(module))
    except Started as error:
        raise CannotLoad(
            f"{shown}, line {line_in(error, path)}, starts a server while it is being imported.",
            'Put app.run() below the line  if __name__ == "__main__":  and indent it.',
        ) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        first = "The checks import your file first, so fix this error before anything else."
        raise CannotLoad(
            f"{shown}, line {line_in(error, path)}, raises {described(error)} "
            "while it is being imported.",
            " ".join(filter(None, [hint(error, path, module), first])),
        ) from None
    finally:
        flask.Flask.run = run

    expect_app(module, shown)
    return module, code


def expect_app(module, shown):
    """Raise CannotLoad unless the module's app is a Flask application."""
    look = "The checks look for  app = Flask(__name__)."
    if not hasattr(module, "app"):
        raise CannotLoad(f"{shown} has no app.", look)
    if not isinstance(module.app, flask.Flask):
        kind = described_value(module.app)
        raise CannotLoad(f"In {shown}, app is {kind}, not a Flask application.", look)


def importing(stand_ins):
    """The built-in names, but with an __import__ that returns stand-ins for these modules."""

    def import_(name, *args, **kwargs):
        return stand_ins.get(name) or builtins.__import__(name, *args, **kwargs)

    return {**vars(builtins), "__import__": import_}


@functools.cache  # one text is loaded for many tests
def compiled(text, path):
    return compile(text, path, "exec")


def once_for_each_rule(compile_builder):
    """Rule._compile_builder(), but called only when needed, and once for each rule.

    Calling it for every load took half of the load's time.
    """
    builders = {}

    def compile_when_needed(rule, append_unknown=True):
        key = rule.rule, rule.subdomain, rule.host, repr(rule.defaults), append_unknown

        def build(rule, *args, **kwargs):
            if key not in builders:
                builders[key] = compile_builder(rule, append_unknown)
            return builders[key](rule, *args, **kwargs)

        return build

    return compile_when_needed


if hasattr(Rule, "_compile_builder"):  # Werkzeug does not promise that there is one
    Rule._compile_builder = once_for_each_rule(Rule._compile_builder)


def raise_started(*args, **kwargs):
    raise Started
