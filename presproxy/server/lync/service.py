"""
SERVICE: a body that asks for something, by its content type ([MS-SIP] 2.2.1).

What is asked for is said by the body alone; the method is no more than its envelope.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar

import attrs

from presproxy.documents.lync.categories import FAULT_TYPE, write_fault
from presproxy.errors import AccessDenied, MalformedDocument, MalformedField
from presproxy.server.answer import Answer, Refusal
from presproxy.server.answers import answer_to
from presproxy.server.bodies import bounded_body
from presproxy.server.domains import Domains
from presproxy.server.exchange import Exchange
from presproxy.sip.uri import AddressOfRecord

#: Serves a request whose body is of one content type and within its bound.
Handler = Callable[[Exchange], Awaitable[Answer]]

#: What is wrong is the request itself, and nothing that is here.
_BAD_CALL = "Client.BadCall"


@attrs.frozen(eq=False)
class ServiceStep:
    """
    Hands a SERVICE to what understands its body.

    ``handlers`` are by content type, in lower case and without parameters.
    """

    identifies: ClassVar[bool] = True

    handlers: Mapping[str, Handler]
    largest_body: int

    async def serve(self, exchange: Exchange) -> Answer:
        """Answer one SERVICE; 415 names the content types that are understood."""
        request = exchange.request
        media_type = request.content_type
        handler = None
        if media_type is not None:
            handler = self.handlers.get(media_type.type)
        if handler is None:
            raise Refusal(415, (("Accept", ", ".join(sorted(self.handlers))),))
        bounded_body(request, self.largest_body)
        try:
            return await handler(exchange)
        except (MalformedDocument, MalformedField) as error:
            return _fault(error)


def _fault(error: MalformedDocument | MalformedField) -> Answer:
    """Say in a body, too, that a body cannot be read."""
    answer = answer_to(error) or Answer(400)
    answer.body, answer.content_type = write_fault(code=_BAD_CALL), FAULT_TYPE
    return answer


def own_resource(exchange: Exchange, domains: Domains) -> AddressOfRecord:
    """
    Give the user whose own things a request is about.

    He is one of ours, and nobody else may change them: raises `AccessDenied`, or refuses
    with 404.
    """
    owner = domains.ours(exchange.resource())
    if exchange.sender.aor != owner:
        raise AccessDenied(f"{exchange.sender.aor} changes what is {owner}'s")
    return owner
