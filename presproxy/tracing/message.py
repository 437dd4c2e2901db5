"""One recorded message, read as far as a trace needs it."""

from __future__ import annotations

import re

import attrs

from presproxy.errors import MalformedField
from presproxy.sip.message import MalformedMessage, Request, Response, parse_message
from presproxy.sip.uri import address_of_record
from presproxy.trace import Entry

_Address = tuple[str, int]

#: How much of a message that cannot be read stands for its start-line, and of a field.
_SHOWN = 200

_state = re.compile(r"[A-Za-z]+")


@attrs.define(eq=False)
class Traced:
    """
    One message of the ring.

    ``at`` is on the clock of latencies; ``cause`` is None for what came in.  ``method``
    is that of the request or of what a response answers, empty if it cannot be read, and
    then ``reason`` says why; ``status`` is None for requests.  ``sender`` and
    ``receiver`` are the addresses of From and To, ``state`` the word of
    Subscription-State.  ``repeats`` is when it was sent or came again.
    """

    number: int
    at: float
    cause: float | None
    transport: str
    local: _Address
    peer: _Address
    data: bytes
    start: str = ""
    method: str = ""
    status: int | None = None
    reason: str = ""
    target: str = ""
    call_id: str = ""
    cseq: int = 0
    branch: str = ""
    sender: str = ""
    receiver: str = ""
    in_dialog: bool = False
    package: str = ""
    expires: int | None = None
    state: str = ""
    agent: str = ""
    content_type: str = ""
    repeats: list[float] = attrs.field(factory=list)

    @property
    def is_out(self) -> bool:
        """Whether we sent it."""
        return self.cause is not None

    @property
    def is_request(self) -> bool:
        """Whether it is a request that can be read."""
        return self.status is None and bool(self.method)

    @property
    def is_error(self) -> bool:
        """Whether it refuses something, but for a challenge, or cannot be read."""
        status = self.status
        if status is None:
            return not self.method
        return status >= 400 and status not in (401, 407)

    @property
    def is_challenge(self) -> bool:
        """Whether it asks for credentials."""
        return self.status in (401, 407)

    def message(self) -> Request | Response:
        """Read it again, whole.  Raises `MalformedMessage`."""
        return parse_message(self.data)


def read(number: int, entry: Entry) -> Traced:
    """Read one entry of the ring; nothing that is in it makes this fail."""
    traced = Traced(number, *entry)
    try:
        _fill(traced, parse_message(traced.data))
    except (MalformedMessage, MalformedField) as error:
        traced.method, traced.status = "", None
        traced.reason = str(error)
        line = traced.data.lstrip(b"\r\n").partition(b"\r\n")[0][:_SHOWN]
        traced.start = line.decode("utf-8", "replace")
    return traced


def _fill(traced: Traced, message: Request | Response) -> None:
    cseq = message.cseq
    traced.call_id, traced.cseq = message.call_id, cseq.number
    traced.branch = message.via.branch or ""
    traced.sender = _address(message.from_.uri)
    traced.receiver = _address(message.to.uri)
    traced.in_dialog = message.to.tag is not None
    traced.agent = message.get("user-agent") or message.get("server") or ""
    traced.content_type = _type(message.get("content-type"))
    if isinstance(message, Response):
        traced.start = f"SIP/2.0 {message.status} {message.reason}"
        traced.status, traced.reason = message.status, message.reason
    else:
        traced.start = f"{message.method} {message.uri} SIP/2.0"
        traced.target = message.uri
        _fill_event(traced, message)
    traced.expires = _expires(message)
    # Last, since it says that all could be read.
    traced.method = cseq.method


def _fill_event(traced: Traced, request: Request) -> None:
    event = request.get("event")
    if event is not None:
        traced.package = event.partition(";")[0].strip().lower()
    state = _state.match(request.get("subscription-state") or "")
    traced.state = state[0].lower() if state is not None else ""


def _expires(message: Request | Response) -> int | None:
    try:
        return message.expires
    except MalformedField:
        return None


def _address(uri: str) -> str:
    try:
        return address_of_record(uri)
    except MalformedField:
        return uri[:_SHOWN]


def _type(value: str | None) -> str:
    return "" if value is None else value.partition(";")[0].strip().lower()
