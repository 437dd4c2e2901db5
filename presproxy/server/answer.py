"""What a request is answered with."""

from __future__ import annotations

from collections.abc import Callable

import attrs

Fields = tuple[tuple[str, str], ...]

#: Given with every refusal that may pass, since some user agents wait for hours, or for
#: ever, without it.  Half a minute is chosen: longer than a burst, shorter than any
#: expiry.
RETRY_AFTER: Fields = (("Retry-After", "30"),)


# Not frozen, as one is made for every request: that takes three times as long.
@attrs.define(eq=False)
class Answer:
    """
    A final response, and what follows once it has been handed to the transport.

    ``then`` is called after the response has left: a NOTIFY must not overtake the 2xx
    that makes its dialog.
    """

    status: int
    fields: Fields = ()
    reason: str | None = None
    to_tag: str | None = None
    then: Callable[[], None] | None = None
    body: bytes = b""
    content_type: str | None = None


class Refusal(Exception):
    """A request that is not served, and the answer which says so."""

    def __init__(self, status: int, fields: Fields = (), reason: str | None = None):
        super().__init__(status, reason)
        self.answer = Answer(status, fields, reason)


def for_now(reason: str | None = None) -> Refusal:
    """Refuse what may come again in a while."""
    return Refusal(503, RETRY_AFTER, reason)
