"""Exceptions and values in a few words, for the sentences of an explanation."""

from werkzeug.exceptions import HTTPException


def described(error):
    """An exception: its type, and the first line of its message without the period.

    For an HTTPException, the status takes the place of the message, which is meant for browsers.
    """
    kind = type(error).__name__
    if isinstance(error, HTTPException):
        status = f"a {error.code} {error.name}"
        return status if kind == error.name.replace(" ", "") else f"{kind}, {status}"
    first = str(error).strip().splitlines()[:1]
    return f"{kind}: {first[0].removesuffix('.')}" if first else kind


def described_value(value):
    """A value, as Python shows it."""
    return shortened(repr(value), f" ({type(value).__name__})")


def shortened(text, more=""):
    """A text that fits into a sentence. more: what to add if it did not."""
    return text if len(text) <= 70 else f"{text[:60]}…{more}"
