"""What a response says, for a check to compare two of them."""

from os.path import commonprefix
from typing import NamedTuple

# They are about the way over the wire, and may differ. So may a status URL's Cache-Control: step 6
# has it say no-store.
ON_THE_WAY = {"Date", "Connection", "Transfer-Encoding"}
NO_STORE = ("Cache-Control", "no-store")


class Sent(NamedTuple):
    """Status (the whole line: "200 OK"), sorted headers and body of a response."""

    status: str
    headers: list
    body: bytes


def sent(response):
    """Return the Sent of a response, without the headers that are about the way over the wire."""
    headers = [h for h in response.headers if h[0] not in ON_THE_WAY and h != NO_STORE]
    return Sent(response.status, sorted(headers), response.data)


def difference(this, other):
    """Return, in words, the first part in which two Sents differ: a pair, for this and for other.

    Of headers and of a long body, only what differs is shown.
    """
    if this.status != other.status:
        return this.status, other.status
    if this.headers != other.headers:
        return headers_not_in(this, other), headers_not_in(other, this)
    return body_from_difference(this, other), body_from_difference(other, this)


def headers_not_in(this, other):
    return headers_in_words([h for h in this.headers if h not in other.headers]) or "no such header"


def headers_in_words(headers):
    return ", ".join(": ".join(header) for header in headers if header[0] != "Server")


def body_from_difference(this, other):
    start = max(0, len(commonprefix([this.body, other.body])) - 20)
    part = repr(this.body[start : start + 60])
    return f"a body with {part} from byte {start} on" if start else f"the body {part}"
