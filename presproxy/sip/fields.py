"""
The values of the common header fields: Via, From and To, Contact, CSeq, Content-Type …

Each is read from the text of one field value, already unfolded, and written by ``str``.
Reading raises `MalformedField` and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import attrs

from presproxy.errors import MalformedField
from presproxy.sip import grammar
from presproxy.sip.grammar import Parameters
from presproxy.sip.remembered import remembered
from presproxy.sip.uri import AddressOfRecord, address_of_record, parse_host

#: The grammar lets delta-seconds be any run of digits, the text ends them at 2**32 - 1
#: (RFC 3261 §25.1 against §20.19).  A larger value is clamped, not refused: whoever sends
#: it means "as long as you like".
LONGEST = 2**32 - 1

#: A CSeq number is below this (RFC 3261 §8.1.1.5).
CSEQ_END = 2**31

#: What is not closed takes the rest along, so that each sign is looked at once.
_splitter = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|<[^>]*>?|,', re.DOTALL)
#: As most user agents write it.
_usual_via = re.compile(
    r"SIP/2\.0/([A-Z]+) ([a-z0-9_][a-z0-9_.\-]*)(?::([0-9]{1,5}))?"
    rf"(;rport)?;branch=({grammar.TOKEN})(;rport)?"
).fullmatch
_via = re.compile(
    rf"{grammar.LWS}*({grammar.TOKEN}){grammar.LWS}*/{grammar.LWS}*({grammar.TOKEN})"
    rf"{grammar.LWS}*/{grammar.LWS}*({grammar.TOKEN}){grammar.LWS}+({grammar.HOST})"
    rf"{grammar.LWS}*(?::{grammar.LWS}*([0-9]{{1,5}}){grammar.LWS}*)?(?=;|$)"
).match
_usual_name_addr = re.compile(
    rf' ?(?:"([^"\\]*)" )?<([^<>\x00-\x20]+)>(?:;tag=({grammar.TOKEN}))?'
).fullmatch
#: The display name is a quoted string, or, beyond the tokens of the grammar, whatever
#: could not be taken for anything else.  Spaces are stripped afterwards: a pattern of
#: its own for them would make two ways to match one.
_name_addr = re.compile(
    rf"""(?:({grammar.QUOTED_STRING}){grammar.LWS}*|([^"<>,;\x00-\x08\x0a-\x1f]*))"""
    r"<([^<>\x00-\x08\x0a-\x1f]+)>"
).match
#: Without brackets a URI ends at the first semicolon, and has no comma or question mark
#: (RFC 3261 §20.10).
_addr_spec = re.compile(r'([A-Za-z][A-Za-z0-9+.\-]*:[^\s<>",;?]+)[ \t]*(?=;|$)').match
_cseq = re.compile(rf"([0-9]{{1,20}}){grammar.LWS}+({grammar.TOKEN})").fullmatch
_media = re.compile(
    rf"{grammar.LWS}*({grammar.TOKEN}){grammar.LWS}*/{grammar.LWS}*({grammar.TOKEN})"
    rf"{grammar.LWS}*(?=;|$)"
).match
_qvalue = re.compile(r"(?:0(?:\.[0-9]*)?|1(?:\.0*)?|\.[0-9]+)").fullmatch

_RPORT = ("rport", None)


def split_values(value: str) -> list[str]:
    """Cut a field value at its commas, but not within quotes or angle brackets."""
    if "," not in value:
        value = value.strip(" \t")
        return [value] if value else []
    if '"' not in value and "<" not in value:
        return [part for each in value.split(",") if (part := each.strip(" \t"))]
    found: list[str] = []
    begin = 0
    for match in _splitter.finditer(value):
        if match[0] == ",":
            found.append(value[begin : match.start()].strip(" \t"))
            begin = match.end()
    found.append(value[begin:].strip(" \t"))
    return [part for part in found if part]


def parse_seconds(name: str, text: str) -> int:
    """Read delta-seconds, at most `LONGEST`; ``name`` is the field, for what is raised."""
    if len(text) < 10 and text.isdecimal() and text.isascii():
        return int(text)
    text = text.strip(" \t")
    if not text.isdecimal() or not text.isascii():
        raise MalformedField(name, f"no number of seconds: {text[:60]!r}")
    digits = text.lstrip("0") or "0"
    return LONGEST if len(digits) > 10 else min(int(digits), LONGEST)


# --- Via


# Values made for every message are not frozen: that takes three times as long.  Nobody
# changes them for all that.


@attrs.define(unsafe_hash=True)
class Via:
    """
    One hop (RFC 3261 §20.42).

    ``version`` is 2.0; ``transport`` is in upper case; ``host`` in lower case, an IPv6
    address in brackets.
    """

    version: str
    transport: str
    host: str
    port: int | None = None
    parameters: Parameters = ()
    #: The branch; None from what only knows RFC 2543.
    branch: str | None = attrs.field(eq=False, repr=False)
    #: Whether the response is to go to the source port (RFC 3581 §3).
    has_rport: bool = attrs.field(eq=False, repr=False)

    @branch.default
    def _branch(self) -> str | None:
        return self.parameter("branch") or None

    @has_rport.default
    def _has_rport(self) -> bool:
        return self.parameter("rport") is not None

    def parameter(self, name: str) -> str | None:
        """Give a parameter's value: empty if it has none, None if it is not there."""
        return grammar.find_parameter(self.parameters, name)

    @property
    def received(self) -> str | None:
        """Where it came from, an IPv6 address without brackets (RFC 5118 §4.5)."""
        received = self.parameter("received")
        return received.strip("[]") if received else None

    @property
    def rport(self) -> int | None:
        """The source port as the server filled it in."""
        rport = self.parameter("rport")
        return int(rport) if rport and len(rport) < 6 and rport.isdecimal() else None

    def replace(self, **parameters: str | None) -> Via:
        """Give the Via with these parameters, in their places or at the end."""
        left = parameters.copy()
        kept: list[tuple[str, str | None]] = []
        for name, value in self.parameters:
            lower = name.lower()
            if lower in left:
                kept.append((lower, left.pop(lower)))
            elif lower not in parameters:
                kept.append((name, value))
        kept += left.items()
        return Via(self.version, self.transport, self.host, self.port, tuple(kept))

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        parameters = grammar.write_parameters(self.parameters)
        return f"SIP/{self.version}/{self.transport} {self.host}{port}{parameters}"


def parse_via(text: str) -> Via:
    """Read one Via value."""
    match = _usual_via(text)
    if match is None:
        return read_any_via(text)
    transport, host, digits, before, branch, after = match.groups()
    port = None if digits is None else int(digits)
    if (before and after) or (port is not None and port > 65535):
        return read_any_via(text)
    parameters: Parameters = (("branch", branch),)
    if before:
        parameters = (_RPORT, *parameters)
    elif after:
        parameters = (*parameters, _RPORT)
    return Via("2.0", transport, host, port, parameters, branch, bool(before or after))


def read_any_via(text: str) -> Via:
    """Read one Via value however it is written; `parse_via` needs half the time."""
    match = _via(text)
    if match is None or match[1].upper() != "SIP":
        raise MalformedField("Via", f"cannot be read: {text[:60]!r}")
    _, version, transport, host, port = match.groups()
    if port is not None and int(port) > 65535:
        raise MalformedField("Via", f"no port: {port}")
    return Via(
        version,
        transport.upper(),
        parse_host("Via", host),
        None if port is None else int(port),
        grammar.parse_parameters("Via", text[match.end() :]),
    )


def stamp_via(text: str, received: str | None, rport: int | None) -> str:
    """
    Write where a request came from into the text of a Via.

    Raises `MalformedField` if that cannot be read.
    """
    stamped = text
    if rport is not None:
        before, found, after = text.partition(";rport")
        if not found or after[:1] not in ("", ";"):
            return stamp_any_via(text, received, rport)
        stamped = f"{before};rport={rport}{after}"
    lower = text.lower()
    if (
        '"' in text
        or text[-1:] == ";"
        or "received" in lower
        or lower.count("rport") != (rport is not None)
    ):
        return stamp_any_via(text, received, rport)
    return stamped if received is None else f"{stamped};received={received}"


def stamp_any_via(text: str, received: str | None, rport: int | None) -> str:
    """As `stamp_via`, which mends the usual text in a fifth of the time."""
    marks: dict[str, str | None] = {}
    if received is not None:
        marks["received"] = received
    if rport is not None:
        marks["rport"] = str(rport)
    return str(parse_via(text).replace(**marks))


# --- From, To, Route, Contact


@attrs.define(unsafe_hash=True)
class NameAddress:
    """
    A URI with a name for people and parameters (RFC 3261 §20.10).

    ``uri`` is as it is written, without the brackets.
    """

    display: str | None
    uri: str
    parameters: Parameters = ()

    def parameter(self, name: str) -> str | None:
        """Give a parameter's value: empty if it has none, None if it is not there."""
        return grammar.find_parameter(self.parameters, name)

    @property
    def tag(self) -> str | None:
        """The tag; None if there is none, or an empty one."""
        return grammar.find_parameter(self.parameters, "tag") or None

    @property
    def aor(self) -> AddressOfRecord:
        """The address of record; raises `MalformedField` if the URI is none."""
        return address_of_record(self.uri)

    def __str__(self) -> str:
        display = "" if self.display is None else f"{grammar.quote(self.display)} "
        return f"{display}<{self.uri}>{grammar.write_parameters(self.parameters)}"


@attrs.define(unsafe_hash=True)
class Contact(NameAddress):
    """A Contact value, or `WILDCARD`."""

    @property
    def q(self) -> float | None:
        """The preference, from 0 to 1."""
        text = self.parameter("q")
        return None if text is None else _parse_q("Contact", text)

    @property
    def expires(self) -> int | None:
        """The seconds asked for this one, at most `LONGEST`."""
        text = self.parameter("expires")
        return None if text is None else parse_seconds("Contact", text)

    def __str__(self) -> str:
        return "*" if self.uri == "*" else super().__str__()


#: All contacts there are (RFC 3261 §10.2.2).
WILDCARD = Contact(None, "*")


def parse_name_address(name: str, text: str) -> NameAddress:
    """
    Read a value with or without angle brackets.

    ``name`` is the field it is in, for what is raised.
    """
    match = _usual_name_addr(text)
    if match is None:
        return NameAddress(*cut_any_name_address(name, text))
    display, uri, tag = match.groups()
    return NameAddress(display, uri, () if tag is None else (("tag", tag),))


def parse_contact(text: str) -> Contact:
    """Read one Contact value."""
    if text.strip(" \t") == "*":
        return WILDCARD
    match = _usual_name_addr(text)
    if match is None or match[3] is not None:
        return Contact(*cut_any_name_address("Contact", text))
    return Contact(match[1], match[2])


_NameAddressParts = tuple[str | None, str, Parameters]


def cut_any_name_address(name: str, text: str) -> _NameAddressParts:
    """
    Give the parts of a `NameAddress` however it is written.

    The usual one is read in half the time.
    """
    text = text.strip(" \t")
    match = _name_addr(text)
    if match is not None:
        quoted, plain, uri = match.groups()
        display = (
            plain.strip(" \t") or None if quoted is None else grammar.unquote(quoted)
        )
    else:
        match = _addr_spec(text)
        if match is None:
            raise MalformedField(name, f"cannot be read: {text[:60]!r}")
        display, uri = None, match[1]
    uri = uri.strip(" \t")
    if not uri:
        raise MalformedField(name, "no URI between the brackets")
    return display, uri, grammar.parse_parameters(name, text[match.end() :])


# --- CSeq


@attrs.define(unsafe_hash=True)
class CSeq:
    """A sequence number and a method (RFC 3261 §20.16)."""

    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def parse_cseq(text: str) -> CSeq:
    """Read a CSeq; its number is below 2**31."""
    text = text.strip(" \t")
    number, _, method = text.partition(" ")
    is_usual = number.isdecimal() and method.isalpha() and text.isascii()
    if is_usual and len(number) < 10:
        return CSeq(int(number), method)
    return read_any_cseq(text)


def read_any_cseq(text: str) -> CSeq:
    """Read a CSeq however it is written; the usual one is read in a third of the time."""
    text = text.strip(" \t")
    match = _cseq(text)
    if match is None:
        raise MalformedField("CSeq", f"cannot be read: {text[:60]!r}")
    number = int(match[1])
    if number >= CSEQ_END:
        raise MalformedField("CSeq", f"{number} is not below 2**31")
    return CSeq(number, match[2])


# --- Content-Type, Accept


@attrs.frozen
class MediaType:
    """
    What a body is (RFC 3261 §20.15).

    ``type`` is the type and subtype in lower case, ``application/pidf+xml``.
    """

    type: str
    parameters: Parameters = ()

    def parameter(self, name: str) -> str | None:
        """Give a parameter's value: empty if it has none, None if it is not there."""
        return grammar.find_parameter(self.parameters, name)

    def __str__(self) -> str:
        return self.type + grammar.write_parameters(self.parameters)


@attrs.frozen
class MediaRange:
    """
    One value of Accept (RFC 3261 §20.1), preferred as ``q`` says.

    ``type`` may be ``application/*`` or ``*/*``.
    """

    type: str
    q: float = 1.0
    parameters: Parameters = ()

    def matches(self, content_type: str) -> bool:
        """Whether ``content_type``, in lower case and without parameters, is meant."""
        if self.type.endswith("/*"):
            return self.type == "*/*" or content_type.startswith(self.type[:-1])
        return self.type == content_type

    def __str__(self) -> str:
        q = "" if self.q == 1.0 else f";q={self.q:.3f}".rstrip("0").rstrip(".")
        return f"{self.type}{grammar.write_parameters(self.parameters)}{q}"


@remembered(256)
def parse_media_type(text: str) -> MediaType:
    """Read a Content-Type."""
    return MediaType(*_read_media("Content-Type", text))


def parse_accept(values: Iterable[str]) -> list[MediaRange]:
    """Read the values of Accept, one range each, in their order."""
    return [_parse_range(value) for value in values]


def acceptance(ranges: Iterable[MediaRange], content_type: str) -> float:
    """
    Say how welcome a content type is, from 0 to 1.

    The most specific range which matches decides (RFC 9110 §12.5.1).
    """
    matching = [each for each in ranges if each.matches(content_type)]
    if not matching:
        return 0.0
    return max(matching, key=lambda each: -each.type.count("*")).q


def choose_media_type(accepted: Sequence[str], offered: Sequence[str]) -> str | None:
    """
    Choose what to send, of ``offered``, to one who said ``accepted`` in Accept.

    The most welcome, and of several as welcome the first offered; None if none is.
    """
    if len(accepted) == 1 and accepted[0] in offered:
        return accepted[0]
    ranges = parse_accept(accepted)
    welcome = [acceptance(ranges, each) for each in offered]
    best = max(welcome, default=0.0)
    return offered[welcome.index(best)] if best > 0 else None


@remembered(256)
def _parse_range(text: str) -> MediaRange:
    media, parameters = _read_media("Accept", text)
    q = grammar.find_parameter(parameters, "q")
    others = tuple(each for each in parameters if each[0].lower() != "q")
    return MediaRange(media, 1.0 if q is None else _parse_q("Accept", q), others)


def _read_media(name: str, text: str) -> tuple[str, Parameters]:
    match = _media(text)
    if match is None:
        raise MalformedField(name, f"no media type: {text[:60]!r}")
    parameters = grammar.parse_parameters(name, text[match.end() :])
    return f"{match[1]}/{match[2]}".lower(), parameters


def _parse_q(name: str, text: str) -> float:
    if _qvalue(text) is None:
        raise MalformedField(name, f"no preference: {text[:60]!r}")
    return float(text)
