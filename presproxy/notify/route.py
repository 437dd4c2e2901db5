"""Where a SIP subscription's notifications go, and how far they have come."""

from __future__ import annotations

import json
from collections.abc import Sequence
from sys import intern
from typing import Any, Self

import attrs

from presproxy.model.notice import AnyBody
from presproxy.sip.flow import Address, Flow
from presproxy.sip.message import Request
from presproxy.sip.uri import SipURI, parse_uri
from presproxy.transaction.dialog import Dialog

#: CSeq numbers a record reserves beyond those in use (RFC 3261 §12.2.2 allows gaps), so
#: that a NOTIFY costs no write.
RESERVED = 1000

NOTIFY, BENOTIFY = "NOTIFY", "BENOTIFY"

#: Whoever says so in a SUBSCRIBE wants to be told by BENOTIFY ([MS-SIP] 3.5).
BEST_EFFORT = "ms-benotify"

#: Whoever says so wants the first notification in the answer ([MS-SIP] 3.6).
PIGGYBACK = "ms-piggyback-first-notify"

#: Whoever says so takes each notification for a refresh ([MS-SIP] 3.4).
AUTO_EXTEND = "com.microsoft.autoextend"

#: What `write` gives, and in it what `Dialog.to_payload` does.
_ROUTE = (list, str, list | None, int)
_DIALOG = (str, str, str, str, str, str, list, int, int | None)
_PEER = (str, int)


# Made once: `json.dumps` would make one for each.
_write_json = json.JSONEncoder(separators=(",", ":")).encode


@attrs.define(eq=False, weakref_slot=False)
class SipRoute:
    """
    The dialog of a subscription, and the way to its watcher.

    ``flow`` is None when the way has to be found from the dialog's next hop.  ``event``
    is the value of Event in each NOTIFY.
    """

    dialog: Dialog
    flow: Flow | None
    event: str
    #: Where its datagrams go, to be found again after a start.
    peer: Address | None = None
    #: The last CSeq that the record allows.
    reserved: int = RESERVED
    #: The number of the first NOTIFY; versions of numbered bodies count from it.
    first_cseq: int = 1
    #: Whether a NOTIFY waits for its answer, or for what it needs to go at all.
    is_busy: bool = False
    #: The latest body, if it could not go yet, and when its change was asked for.
    waiting: AnyBody | None = None
    waiting_since: float = 0.0
    #: The body that went last, None if it did not arrive.
    told: AnyBody | None = None
    #: Whether the next numbers are being reserved.
    is_reserving: bool = False
    #: How many NOTIFYs in a row nobody answered.
    unanswered: int = 0
    #: When to look for a way again, on the clock of latencies; never while it is looked
    #: for.
    look_again_at: float = 0.0
    #: By what he is told: NOTIFY, or BENOTIFY if he asked for that.
    method: str = NOTIFY
    #: The URN of his user agent, if it is known; by a new flow of it he is found again.
    instance: str = ""
    #: The flow by which an answer is waited for no more, as he has another now.
    left: Flow | None = None

    @classmethod
    def of_request(cls, request: Request, flow: Flow, local_tag: str) -> Self:
        """
        Make the route of a subscription from its SUBSCRIBE.

        Raises `MalformedField` as `Dialog.of_request` does.
        """
        dialog = Dialog.of_request(request, local_tag)
        route = cls(dialog, None, intern(str(request.event)))
        route.follow(request, flow)
        return route

    def follow(self, request: Request, flow: Flow) -> None:
        """
        The watcher sent this by that flow: it tells the way to him.

        It also tells whether he wants BENOTIFY: each SUBSCRIBE does, for what follows it.
        """
        wants = request.has("supported") and BEST_EFFORT in request.supported
        self.method = BENOTIFY if wants else NOTIFY
        self.flow = _way_to_watcher(request, flow, self.dialog)
        self.look_again_at = 0.0
        self.peer = None
        if self.flow is not None and not self.flow.reliable:
            self.peer = self.flow.peer

    @property
    def has_way(self) -> bool:
        """Whether something can be sent now."""
        return self.flow is not None and self.flow.is_open

    def move(self, flow: Flow) -> None:
        """
        His user agent has come by another flow, which leads to him from now on.

        What is on its way by the old one goes again, unless a later state does.
        """
        self.left = self.flow
        self.flow, self.look_again_at = flow, 0.0
        self.peer = None if flow.reliable else flow.peer
        if self.is_busy and self.told is not None:
            self.wait_again()
            self.is_busy = False

    def wait(self, body: AnyBody, changed_at: float) -> None:
        """Let a body wait; it takes the place of one that waited before."""
        self.waiting = body
        if not self.waiting_since:
            self.waiting_since = changed_at

    def wait_again(self) -> None:
        """What went last did not arrive: it waits to go again, unless a later one does."""
        if self.waiting is None:
            self.waiting = self.told
        self.told = None

    def ride(self) -> AnyBody | None:
        """
        Take what waits: it goes in the answer to a SUBSCRIBE, and uses up a CSeq.

        Whoever wants that has made it wait, by ``is_busy``.
        """
        body, self.waiting, self.waiting_since = self.waiting, None, 0.0
        self.is_busy = False
        if body is not None:
            self.dialog.next_cseq()
            self.told = body
        return body

    def write(self) -> bytes:
        """Write the route; the first line is the last CSeq that it reserves."""
        payload = [
            self.dialog.to_payload(RESERVED),
            self.event,
            self.peer,
            self.first_cseq,
            *self._more(),
        ]
        return b"%d\n%b" % (
            self.dialog.local_cseq + RESERVED,
            _write_json(payload).encode(),
        )

    def _more(self) -> Sequence[str]:
        """Give what is written of few: how they are told, and their user agent."""
        if self.instance:
            return (self.method, self.instance)
        return (self.method,) if self.method != NOTIFY else ()

    def kept(self, payload: bytes) -> None:
        """What `write` gave is lasting: its numbers may be used."""
        self.reserved = max(self.reserved, int(payload[: payload.index(b"\n")]))


@attrs.define(eq=False, weakref_slot=False)
class ConnectedRoute(SipRoute):
    """
    The route of a watcher who is there as long as his connection.

    Each notification makes the subscription last ``extends_by`` seconds from then, 0 if
    only a refresh does.
    """

    extends_by: int = 0


def read_route(payload: bytes) -> SipRoute:
    """
    Read a route back; ValueError for what is none.

    Numbers that were reserved count as used, and none is reserved any more.
    """
    _, _, rest = payload.partition(b"\n")
    try:
        route = json.loads(rest)
    except RecursionError as error:
        raise ValueError("not a route: nested too deeply") from error
    more = route[len(_ROUTE) :] if isinstance(route, list) else []
    method, instance = _read_more(more)
    if more:
        del route[len(_ROUTE) :]
    written, event, peer, first_cseq = _checked(route, _ROUTE)
    fields = _checked(written, _DIALOG)
    _checked(fields[6], (str,) * len(fields[6]))
    dialog = Dialog.from_payload(fields)
    address: Address | None = None
    if peer is not None:
        host, port = _checked(peer, _PEER)
        address = (host, port)
    return SipRoute(
        dialog=dialog,
        flow=None,
        event=intern(event),
        peer=address,
        reserved=dialog.local_cseq,
        first_cseq=first_cseq,
        method=method,
        instance=instance,
    )


def _read_more(more: list[Any]) -> tuple[str, str]:
    """
    Read the method and the instance; ValueError for anything else.

    NOTIFY is not written where it stands alone, as before there was a choice.
    """
    match more:
        case []:
            return NOTIFY, ""
        case ["BENOTIFY"]:
            return BENOTIFY, ""
        case ["NOTIFY" | "BENOTIFY" as method, str(instance)] if _is_urn(instance):
            return method, instance
    raise ValueError(f"not a route: {more!r} has no place there")


def _is_urn(text: str) -> bool:
    return text[:4].lower() == "urn:"


def _checked(fields: Any, kinds: Sequence[Any]) -> list[Any]:
    """Give a list back if it holds what it should."""
    if not isinstance(fields, list) or len(fields) != len(kinds):
        raise ValueError("not a route: it has another number of fields")
    for each, kind in zip(fields, kinds, strict=True):
        if not isinstance(each, kind):
            raise ValueError(f"not a route: {each!r} has no place there")
    return fields


def _way_to_watcher(request: Request, flow: Flow, dialog: Dialog) -> Flow | None:
    """
    Say by which flow a watcher is told; None if it has to be found.

    A stream leads back whoever is at its other end.  Datagrams go to where the request
    came from if it came by no proxy, or by one which wants to stay in between.  Old user
    agents send from one port and listen on another; those say no ``rport`` and name
    their own host in Contact.
    """
    if flow.reliable or dialog.routes:
        return flow
    if not request.has_one_via:
        return None
    if request.via.has_rport:
        return flow
    target = parse_uri(dialog.target)
    if not isinstance(target, SipURI) or target.has("ob"):
        # Who says ob wants what follows by the same flow (RFC 5626 §4.3).
        return flow
    host, port = flow.peer
    if target.host.strip("[]") == host and (target.port or 5060) != port:
        return flow.towards((host, target.port or 5060))
    return flow
