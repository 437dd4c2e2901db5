"""
Requests and responses: reading them, and answering.

A message is cut into lines once; a field is read when it is asked for, and kept.  Most
requests are answered after five fields were looked at, and most responses after none:
`peek_response` finds what a transaction is matched by.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Container, Iterable

import attrs

from presproxy.errors import MalformedField, PresproxyError
from presproxy.sip import grammar
from presproxy.sip.eventfields import Event, parse_event
from presproxy.sip.fields import (
    Contact,
    CSeq,
    MediaType,
    NameAddress,
    Via,
    parse_contact,
    parse_cseq,
    parse_media_type,
    parse_name_address,
    parse_seconds,
    parse_via,
    split_values,
    stamp_via,
)
from presproxy.sip.head import (
    LARGEST_HEAD,
    MANDATORY,
    MOST_LINES,
    Fields,
    MalformedHead,
    copied,
    index,
    read_head,
    unfold,
    write_message,
)
from presproxy.sip.once import once
from presproxy.sip.status import reason as reason_phrase
from presproxy.sip.uri import URI, remembered_uri

VERSION = "SIP/2.0"

_request_line = re.compile(
    rf"({grammar.TOKEN}) ([^\x00-\x20\x7f]+) [Ss][Ii][Pp]/([0-9]+\.[0-9]+)"
).fullmatch
_status_line = re.compile(
    r"[Ss][Ii][Pp]/2\.0 ([1-6][0-9][0-9])(?: (.*))?", re.DOTALL
).fullmatch
#: As most user agents write it: Via first and not folded, with nothing quoted and no
#: parameter like ``branch`` before the branch.  That a CR stands before each LF is not
#: looked at.  Possessive quantifiers would do as well, but take three times as long in
#: some builds of CPython 3.11.
_to_peek = re.compile(
    rb"SIP/2\.0 ([1-6][0-9][0-9]) .*\n"
    rb'(?:Via|v): *SIP/2\.0/[A-Za-z]+ [^;,"\s]+(?:;[^;,"\sBb][^;,"\s]*)*'
    rb';branch=([^;,"\s]+).*\n'
    rb"(?:(?!CSeq|\r).+\n)*CSeq: *[0-9]{1,9} +([A-Z]+)\r\n"
).match


@attrs.frozen(eq=False)
class MalformedMessage(PresproxyError):
    """
    Bytes which are no message of SIP.

    ``request`` is what could be read of it, if that is enough to answer with ``status``:
    its Via can be read, and all the fields of a response are there.
    """

    why: str
    request: Request | None = None
    status: int = 400

    def __str__(self) -> str:
        return self.why


class Message:
    """
    What requests and responses have in common.

    Names are given long and in lower case, ``call-id``.  An attribute named for a field
    raises `MalformedField` if the field is there and cannot be read; if it is not there,
    it is None or empty, but for the five which every message has.  The lists are shared:
    do not change them.
    """

    __slots__ = ("__dict__", "_fields", "_lines", "body")

    #: As they came; what the values are is in ``_fields``.
    _lines: list[str]
    _fields: Fields
    body: bytes

    def get(self, name: str) -> str | None:
        """Give the value of the first line of this name."""
        lines = self._fields.get(name)
        return None if lines is None else lines[0].strip(" \t")

    def get_all(self, name: str) -> list[str]:
        """Give the values of all lines of this name, one per line."""
        return [line.strip(" \t") for line in self._fields.get(name, ())]

    def has(self, name: str) -> bool:
        """Whether there is a line of this name."""
        return name in self._fields

    def values(self, name: str) -> list[str]:
        """Give all values of this name, whether on one line or on several."""
        lines = self._fields.get(name)
        if lines is None:
            return []
        if len(lines) == 1:
            return split_values(lines[0])
        return [value for line in lines for value in split_values(line)]

    def lines(self, without: Container[str] = ()) -> list[str]:
        """
        Give the lines of the header, in their order, for a copy that goes on.

        Those of fields ``without`` are left out.  Compact names are written out.
        """
        return copied(self._lines, self._fields, without)

    @property
    def octets(self) -> int:
        """Roughly what it takes on the wire."""
        return sum(map(len, self._lines)) + 2 * len(self._lines) + len(self.body)

    @once
    def via(self) -> Via:
        """The topmost Via."""
        line = self._fields["via"][0]
        if "," in line:
            line = next(iter(split_values(line)), "")
        return parse_via(line.strip(" \t"))

    @property
    def has_one_via(self) -> bool:
        """Whether nobody passed it on: no proxy put a Via before that of the sender."""
        lines = self._fields["via"]
        return len(lines) == 1 and ("," not in lines[0] or len(self.vias) == 1)

    @once
    def vias(self) -> list[Via]:
        """All Vias, the topmost first."""
        values = self.values("via")
        return [self.via, *map(parse_via, values[1:])]

    @once
    def from_(self) -> NameAddress:
        """The From."""
        return parse_name_address("From", self._fields["from"][0])

    @once
    def to(self) -> NameAddress:
        """The To."""
        return parse_name_address("To", self._fields["to"][0])

    @once
    def call_id(self) -> str:
        """The Call-ID."""
        call_id = self._fields["call-id"][0].strip(" \t")
        if not call_id or " " in call_id or "\t" in call_id:
            raise MalformedField("Call-ID", f"cannot be read: {call_id[:60]!r}")
        return call_id

    @once
    def cseq(self) -> CSeq:
        """The CSeq."""
        return parse_cseq(self._fields["cseq"][0])

    @once
    def max_forwards(self) -> int | None:
        """How many hops are left, at most 255 (RFC 3261 §20.22)."""
        text = self.get("max-forwards")
        if text is None:
            return None
        number = parse_seconds("Max-Forwards", text)
        if number > 255:
            raise MalformedField("Max-Forwards", f"{number} is above 255")
        return number

    @once
    def contacts(self) -> list[Contact]:
        """All Contacts; one which ``is WILDCARD`` stands for all there are."""
        return [parse_contact(value) for value in self.values("contact")]

    @once
    def expires(self) -> int | None:
        """The seconds asked for or granted, at most 2**32 - 1."""
        text = self.get("expires")
        return None if text is None else parse_seconds("Expires", text)

    @once
    def routes(self) -> list[NameAddress]:
        """The Routes, the next hop first."""
        return [parse_name_address("Route", value) for value in self.values("route")]

    @once
    def record_routes(self) -> list[NameAddress]:
        """The Record-Routes as they stand, the nearest to the UAS first."""
        values = self.values("record-route")
        return [parse_name_address("Record-Route", value) for value in values]

    @once
    def event(self) -> Event | None:
        """The event package."""
        text = self.get("event")
        return None if text is None else parse_event(text)

    @once
    def content_type(self) -> MediaType | None:
        """What the body is."""
        text = self.get("content-type")
        return None if text is None else parse_media_type(text)

    @once
    def require(self) -> list[str]:
        """The option-tags which must be understood, in lower case."""
        return [tag.lower() for tag in self.values("require")]

    @once
    def supported(self) -> list[str]:
        """The option-tags which the sender understands, in lower case."""
        return [tag.lower() for tag in self.values("supported")]

    @property
    def user_agent(self) -> str | None:
        """What sent it, by its own account."""
        return self.get("user-agent")


class Request(Message):
    """A request; ``uri`` is the Request-URI as it is written."""

    __slots__ = ("method", "uri")

    def __init__(
        self, lines: list[str], fields: Fields, body: bytes, method: str, uri: str
    ) -> None:
        self._lines = lines
        self._fields = fields
        self.body = body
        self.method = method
        self.uri = uri

    @once
    def request_uri(self) -> URI:
        """The Request-URI."""
        return remembered_uri(self.uri)

    def stamp(self, received: str | None, rport: int | None) -> None:
        """
        Note in the topmost Via where the request came from (RFC 3261 §18.2.1).

        ``received`` is written if it is not what the Via says already, or if ``rport``
        was asked for (RFC 3581 §4); ``rport`` only if it was asked for.  Responses will
        carry it so; ``via`` and ``vias`` stay as they came.  Raises `MalformedField` if
        the Via cannot be read.
        """
        via = self.via
        if not via.has_rport:
            rport = None
            if via.host.strip("[]") == received:
                received = None
        if received is None and rport is None:
            return
        lines = self._fields["via"]
        top = lines[0]
        if "," in top:
            top = split_values(top)[0]
        lines[0] = lines[0].replace(top, stamp_via(top, received, rport), 1)

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.uri}>"


class Response(Message):
    """A response."""

    __slots__ = ("reason", "status")

    def __init__(
        self, lines: list[str], fields: Fields, body: bytes, status: int, reason: str
    ) -> None:
        self._lines = lines
        self._fields = fields
        self.body = body
        self.status = status
        self.reason = reason

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason}>"


# --- Reading


def parse_message(data: bytes) -> Request | Response:
    """
    Read one whole message.

    Without a Content-Length the body goes to the end; what is beyond it is cut off
    (RFC 3261 §18.3).  Bytes which are not UTF-8 survive: they come back the same when
    written.  Raises `MalformedMessage`.
    """
    if data[:1] in b"\r\n":
        data = data.lstrip(b"\r\n")
    try:
        lines, fields, begin = read_head(data)
        body = _cut_body(data, begin, fields)
        start = lines[0]
        if start[:4].upper() == "SIP/":
            return _response(start, lines, fields, body)
        return _request(start, lines, fields, body)
    except MalformedHead as error:
        raise MalformedMessage(error.why, salvage(data), error.status) from None


def _cut_body(data: bytes, begin: int, fields: Fields) -> bytes:
    lengths = fields.get("content-length")
    if lengths is None:
        return data[begin:]
    length = lengths[0].strip(" \t")
    if not length.isdecimal() or not length.isascii():
        raise MalformedHead(f"no Content-Length: {length[:60]!r}")
    end = begin + int(length) if len(length) < 10 else sys.maxsize
    if end > len(data):
        raise MalformedHead("the body is shorter than its Content-Length")
    return data[begin:end]


def _request(start: str, lines: list[str], fields: Fields, body: bytes) -> Request:
    match = _request_line(start)
    if match is None:
        raise MalformedHead("the start-line is neither a request's nor a status line")
    method, uri, version = match.groups()
    if version != "2.0":
        raise MalformedHead(f"SIP/{version[:60]} is not spoken here", 505)
    try:
        cseq = parse_cseq(fields["cseq"][0])
    except MalformedField as error:
        raise MalformedHead(str(error)) from error
    if cseq.method != method:
        raise MalformedHead("the method in CSeq is not the request's")
    request = Request(lines, fields, body, method, uri)
    request.__dict__["cseq"] = cseq
    return request


def _response(start: str, lines: list[str], fields: Fields, body: bytes) -> Response:
    match = _status_line(start)
    if match is None:
        raise MalformedHead("the status line cannot be read")
    response = Response(lines, fields, body, int(match[1]), match[2] or "")
    try:
        response.cseq  # noqa: B018  # Whether it can be read.
    except MalformedField as error:
        raise MalformedHead(str(error)) from error
    return response


def salvage(data: bytes) -> Request | None:
    """
    Read as much of a malformed request as it takes to answer it.

    None if it is no request, or one never answered, or if the answer would not find its
    way.  Lines which cannot be read are left out, and there is no body.
    """
    head = data[:LARGEST_HEAD].lstrip(b"\r\n").partition(b"\r\n\r\n")[0]
    start, *lines = unfold(head.decode("utf-8", "surrogateescape"))[: MOST_LINES + 1]
    method, _, rest = start.partition(" ")
    if not grammar.is_token(method) or method == "ACK":
        return None
    lines = [start, *(line for line in lines if _is_readable(line))]
    fields = index(lines) or {}
    if any(name not in fields for name in MANDATORY):
        return None
    request = Request(lines, fields, b"", method, rest.strip(" ").partition(" ")[0])
    try:
        request.via  # noqa: B018  # Whether it can be read.
    except MalformedField:
        return None
    return request


def _is_readable(line: str) -> bool:
    if "\r" in line or "\n" in line or "\0" in line:
        return False
    return index(["", line]) is not None


def peek_response(data: bytes) -> tuple[int, bytes, bytes] | None:
    """
    Find what a response is matched by: status, branch of the topmost Via, CSeq's method.

    None for whatever is not a response as most user agents write it, with Via first;
    `parse_message` may still read it.
    """
    match = _to_peek(data)
    return None if match is None else (int(match[1]), match[2], match[3])


# --- Writing


def build_response(
    request: Request,
    status: int,
    fields: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    content_type: str | None = None,
    to_tag: str | None = None,
    reason: str | None = None,
) -> bytes:
    """
    Write a response to a request (RFC 3261 §8.2.6).

    ``to_tag`` goes into a To that has no tag yet, but not into a 100.  Raises
    `MalformedField` for what cannot be written into one line.
    """
    asked = request._fields
    to = asked["to"][0].strip()
    if to_tag is not None and status > 100:
        to = _tagged(request, to, to_tag)
    lines = [f"SIP/2.0 {status} {reason_phrase(status) if reason is None else reason}"]
    for via in asked["via"]:
        lines.append(f"Via: {via.strip()}")
    lines += (
        f"From: {asked['from'][0].strip()}",
        f"To: {to}",
        f"Call-ID: {asked['call-id'][0].strip()}",
        f"CSeq: {asked['cseq'][0].strip()}",
    )
    if content_type is not None:
        fields = (*fields, ("Content-Type", content_type))
    return write_message(lines, fields, body)


def build_request(
    method: str,
    uri: str,
    fields: Iterable[tuple[str, str]],
    body: bytes = b"",
    content_type: str | None = None,
) -> bytes:
    """
    Write a request with ``fields`` in their order; the length of the body is added.

    Raises `MalformedField` for what cannot be written into one line.
    """
    if not grammar.is_token(method):
        raise MalformedField("method", f"no token: {method!r}")
    if not uri or " " in uri:
        raise MalformedField("Request-URI", f"cannot be written: {uri!r}")
    if content_type is not None:
        fields = (*fields, ("Content-Type", content_type))
    return write_message([f"{method} {uri} {VERSION}"], fields, body)


def _tagged(request: Request, text: str, tag: str) -> str:
    try:
        to = request.to
    except MalformedField:
        # It goes back as it came: whoever wrote it may still know it.
        return text
    known = to.parameter("tag")
    if known:
        return text
    if known is None and not text.endswith(";"):
        return f"{text};tag={tag}"
    others = tuple(each for each in to.parameters if each[0].lower() != "tag")
    return str(attrs.evolve(to, parameters=(*others, ("tag", tag))))
