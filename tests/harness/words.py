"""Exceptions and values in a few words, for the sentences of an explanation."""

import re
import traceback

from werkzeug.exceptions import HTTPException


def described(error):
    """An exception: its type, and the first line of its message without the period.

    A function in a function has only its own name there: task(), not async_api.<locals>.task().
    For an HTTPException, the status takes the place of the message, which is meant for browsers.
    """
    kind = type(error).__name__
    if isinstance(error, HTTPException):
        status = f"a {error.code} {error.name}"
        return status if kind == error.name.replace(" ", "") else f"{kind}, {status}"
    first = str(error).strip().splitlines()[:1]
    text = re.sub(r"(\w+\.<locals>\.)+", "", "".join(first))
    return f"{kind}: {text.removesuffix('.')}" if text else kind


def described_value(value):
    """A value, as Python shows it."""
    return shortened(repr(value), f" ({type(value).__name__})")


def shortened(text, more=""):
    """A text that fits into a sentence. more: what to add if it did not."""
    return text if len(text) <= 70 else f"{text[:60]}…{more}"


def ended_once(text):
    """A text in which no quoted question gets a period of its own."""
    return re.sub(r"([?!])\.(?=\s|$)", r"\1", text)


def line_in(error, path):
    """The number of the last line of the file at path that the error passed through."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    return lines[-1] if lines else None
