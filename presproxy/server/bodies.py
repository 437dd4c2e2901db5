"""A request's body, its coding known and its size bounded."""

from __future__ import annotations

from presproxy.server.answer import Refusal
from presproxy.sip.message import Request


def bounded_body(request: Request, largest: int) -> bytes:
    """
    Give the body of a request.

    Refuses a coding we do not know with 415, and more than ``largest`` bytes with 413.
    """
    coding = (request.get("content-encoding") or "identity").strip().lower()
    if coding != "identity":
        raise Refusal(415, (("Accept-Encoding", "identity"),))
    if len(request.body) > largest:
        raise Refusal(413, reason=f"A body may have {largest} bytes")
    return request.body
