"""
The state of a dialog (RFC 3261 §12): tags, route set, sequence numbers, remote target.

What is not here: the early dialogs of calls, and target refresh by responses.  A 2xx to
a NOTIFY may have a Contact, and is never read so far (see `presproxy.transaction.layer`);
a watcher who moves says so by SUBSCRIBE.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import attrs

from presproxy.errors import LimitReached, MalformedField, PresproxyError
from presproxy.sip.fields import CSEQ_END, WILDCARD, NameAddress, parse_name_address
from presproxy.sip.flow import Flow, uri_parameter
from presproxy.sip.message import Message, Request, Response
from presproxy.sip.uri import SipURI, parse_uri

#: Call-ID, local tag, remote tag; a tag is empty if a peer of RFC 2543 gives none.
DialogId = tuple[str, str, str]


@attrs.frozen(eq=False)
class CSeqTooLow(PresproxyError):
    """A request that is older than one already seen in its dialog (RFC 3261 §12.2.2)."""

    number: int
    seen: int

    def __str__(self) -> str:
        return f"CSeq {self.number} comes after {self.seen}"


@attrs.define(eq=False, weakref_slot=False)
class Dialog:
    """
    One end of a dialog.

    ``local`` and ``remote`` are the values of From and To in the requests we send, tags
    included.  ``target`` is a URI, ``routes`` the route set, values of Route in order.
    ``local_cseq`` is the number of the last request we sent.
    """

    call_id: str
    local_tag: str
    remote_tag: str
    local: str
    remote: str
    target: str
    routes: tuple[str, ...]
    local_cseq: int = 0
    #: None until the peer has sent a request.
    remote_cseq: int | None = None
    #: Whether the first router wants to see itself as the one asked for.
    _is_strict: bool = attrs.field(init=False, repr=False)

    @_is_strict.default
    def _first_is_strict(self) -> bool:
        first = _router(self.routes[0]) if self.routes else None
        return first is not None and not first.has("lr")

    @classmethod
    def of_request(
        cls, request: Request, local_tag: str, local_cseq: int = 0
    ) -> Dialog:
        """
        Make the dialog of the one who accepts a request (RFC 3261 §12.1.1).

        ``local_tag`` is the one put into the response, unless the request has it
        already.  Raises `MalformedField` if a field cannot be read or there is not one
        Contact to send requests to.
        """
        known = request.to.tag
        local = _value(request, "to")
        return cls(
            request.call_id,
            known or local_tag,
            request.from_.tag or "",
            local if known else f"{local};tag={local_tag}",
            _value(request, "from"),
            _target_of(request),
            tuple(map(_route, request.record_routes))
            if request.has("record-route")
            else (),
            local_cseq,
            request.cseq.number,
        )

    @classmethod
    def of_response(cls, response: Response) -> Dialog:
        """
        Make the dialog of the one whose request was accepted (RFC 3261 §12.1.2).

        Raises `MalformedField` as `of_request` does.
        """
        return cls(
            response.call_id,
            response.from_.tag or "",
            response.to.tag or "",
            _value(response, "from"),
            _value(response, "to"),
            _target_of(response),
            tuple(map(_route, reversed(response.record_routes))),
            response.cseq.number,
        )

    @property
    def id(self) -> DialogId:
        """What tells it from other dialogs at this end."""
        return (self.call_id, self.local_tag, self.remote_tag)

    @property
    def next_hop(self) -> str:
        """The URI to which requests are sent (RFC 3261 §8.1.2)."""
        if not self.routes:
            return self.target
        return parse_name_address("Route", self.routes[0]).uri

    def next_cseq(self) -> int:
        """Count on, and give the number for a new request."""
        if self.local_cseq + 1 >= CSEQ_END:
            raise LimitReached("requests within one dialog", CSEQ_END - 1)
        self.local_cseq += 1
        return self.local_cseq

    def accept(self, request: Request) -> None:
        """
        Take a request of the peer: its number, and its Contact as the new target.

        Gaps are allowed; so is the number of the last request, which some repeat with
        credentials.  Raises `CSeqTooLow`, or `MalformedField` for a Contact which cannot
        be read; nothing has changed then.
        """
        number = request.cseq.number
        if self.remote_cseq is not None and number < self.remote_cseq:
            raise CSeqTooLow(number, self.remote_cseq)
        if request.get("contact") is not None and not self._has_target(request):
            self.target = _target_of(request)
        self.remote_cseq = number

    def request(
        self, method: str, flow: Flow, branch: str, cseq: int, rest: bytes
    ) -> bytes:
        """
        Write a request within the dialog, to go by ``flow``.

        ``rest`` are more header lines, an empty one, and the body.  Nothing of it is kept
        for the next one: that saved 0.1 µs, and was a sixth of all that a subscription
        takes in memory.
        """
        before, after_target, after_cseq = _frame(
            method, flow.transport, flow.sent_by, flow.reliable
        )
        target, routes = self.target, ""
        if self.routes:
            target, values = self._addressed()
            routes = "".join([f"Route: {value}\r\n" for value in values])
        head = (
            f"{before}{target}{after_target}{branch}\r\n{routes}Max-Forwards: 70\r\n"
            f"From: {self.local}\r\nTo: {self.remote}\r\nCall-ID: {self.call_id}\r\n"
            f"CSeq: {cseq}{after_cseq}"
        )
        return head.encode("utf-8", "surrogateescape") + rest

    def next_request(self, method: str) -> tuple[str, list[tuple[str, str]]]:
        """
        Give the Request-URI and the fields of a new request that make it the dialog's.

        These are Route, From, To, Call-ID and CSeq, for whoever sends few.
        """
        uri, routes = self._addressed()
        return uri, [
            *(("Route", route) for route in routes),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.next_cseq()} {method}"),
        ]

    def to_payload(self, reserved: int = 0) -> list[Any]:
        """
        Give what JSON can keep.

        ``reserved`` numbers beyond the last are written as used, so that as many
        requests can be sent before the dialog has to be kept anew.
        """
        return [
            self.call_id,
            self.local_tag,
            self.remote_tag,
            self.local,
            self.remote,
            self.target,
            list(self.routes),
            self.local_cseq + reserved,
            self.remote_cseq,
        ]

    @classmethod
    def from_payload(cls, payload: Sequence[Any]) -> Dialog:
        """Make the dialog from what `to_payload` gave."""
        ours = list(payload)
        ours[6] = tuple(ours[6])
        return cls(*ours)

    def _has_target(self, request: Request) -> bool:
        """Whether the Contact is the target as it was; mostly it is."""
        contacts = request.contacts
        return len(contacts) == 1 and contacts[0].uri == self.target

    def _addressed(self) -> tuple[str, Sequence[str]]:
        """Give the Request-URI and the Route values (RFC 3261 §12.2.1.1)."""
        if not self._is_strict:
            return self.target, self.routes
        first = _router(self.routes[0])
        assert first is not None
        return str(_as_request_uri(first)), (*self.routes[1:], f"<{self.target}>")


def dialog_id_of_request(request: Request) -> DialogId:
    """Give the `Dialog.id` of the dialog a request says it is in."""
    return (request.call_id, request.to.tag or "", request.from_.tag or "")


def contact_of(flow: Flow) -> str:
    """Give our end of a flow as a value of Contact."""
    return _contact(flow.transport, flow.sent_by)


def _target_of(message: Message) -> str:
    contacts = message.contacts
    if len(contacts) != 1 or contacts[0] is WILDCARD:
        raise MalformedField("Contact", "there must be one")
    uri = parse_uri(contacts[0].uri)
    if not isinstance(uri, SipURI):
        raise MalformedField("Contact", "no sip: or sips: URI")
    # As it is written, if it can be: it may hold what only its owner understands.
    if uri.headers or uri.has("method"):
        return str(_as_request_uri(uri))
    return contacts[0].uri


def _route(record: NameAddress) -> str:
    uri = parse_uri(record.uri)
    if not isinstance(uri, SipURI):
        raise MalformedField("Record-Route", "no sip: or sips: URI")
    return str(record)


def _router(route: str) -> SipURI | None:
    """Give the URI of a router, None if there is none in a route, as records may have it."""
    try:
        uri = parse_uri(parse_name_address("Route", route).uri)
    except MalformedField:
        return None
    return uri if isinstance(uri, SipURI) else None


def _value(message: Message, name: str) -> str:
    return message.get(name) or ""


def _as_request_uri(uri: SipURI) -> SipURI:
    """Leave out what may not be in a Request-URI (RFC 3261 §19.1.1, table 1)."""
    kept = tuple(each for each in uri.parameters if each[0].lower() != "method")
    return attrs.evolve(uri, parameters=kept, headers="")


@lru_cache(256)
def _frame(
    method: str, transport: str, sent_by: str, is_reliable: bool
) -> tuple[str, str, str]:
    """Give what all requests of a method, from one end of ours, have in common."""
    # On a stream the response comes back by it anyhow (RFC 3581 §1).
    rport = "" if is_reliable else ";rport"
    return (
        f"{method} ",
        f" SIP/2.0\r\nVia: SIP/2.0/{transport} {sent_by}{rport};branch=",
        f" {method}\r\nContact: {_contact(transport, sent_by)}\r\n",
    )


def _contact(transport: str, sent_by: str) -> str:
    return f"<sip:{sent_by}{uri_parameter(transport)}>"
