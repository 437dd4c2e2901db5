"""What a request is answered with."""

from __future__ import annotations

from collections.abc import Callable

import attrs

Fields = tuple[tuple[str, str], ...]


@attrs.frozen(eq=False)
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


class Refusal(Exception):
    """A request that is not served, and the answer which says so."""

    def __init__(self, status: int, fields: Fields = (), reason: str | None = None):
        super().__init__(status, reason)
        self.answer = Answer(status, fields, reason)
