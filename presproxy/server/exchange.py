"""One request on its way to its answer, and what every step may ask of it."""

from __future__ import annotations

import attrs

from presproxy.errors import MalformedField
from presproxy.model.identity import Identity
from presproxy.server.answer import Refusal
from presproxy.server.dialogs import Usage
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request
from presproxy.sip.uri import (
    AddressOfRecord,
    SipURI,
    TelURI,
    address_of_record,
    parse_uri,
)


@attrs.define(eq=False)
class Exchange:
    """
    A request, the flow it came by, and when, on the clock of latencies.

    ``usage`` is what the dialog is for that it is within, filled in at the door;
    ``identity`` is filled in by who asks the authenticators.
    """

    request: Request
    flow: Flow
    arrived: float
    usage: Usage | None = None
    identity: Identity | None = None

    @property
    def sender(self) -> Identity:
        """Who sent it; a step which needs him stands behind the one that asks."""
        if self.identity is None:
            raise RuntimeError("the sender was not asked for")
        return self.identity

    def resource(self) -> AddressOfRecord:
        """
        Say whose state the request is about.

        That is the Request-URI.  Phones leave its user out and name him in To, or only in
        From.
        """
        request = self.request
        target = request.request_uri
        if not isinstance(target, SipURI | TelURI):
            raise Refusal(416)
        if isinstance(target, TelURI) or target.user is not None:
            return address_of_record(request.uri)
        for other in (request.to.uri, request.from_.uri):
            parsed = parse_uri(other)
            if isinstance(parsed, SipURI) and parsed.user is not None:
                return address_of_record(other)
        return address_of_record(request.uri)

    def only(self, name: str) -> str | None:
        """Give the value of a field that may come once."""
        if not self.request.has(name):
            return None
        values = self.request.get_all(name)
        if len(values) > 1:
            raise MalformedField(name, "comes more than once")
        return values[0]

    @property
    def is_direct(self) -> bool:
        """Whether the request came from its sender and not by a proxy."""
        return self.request.has_one_via
