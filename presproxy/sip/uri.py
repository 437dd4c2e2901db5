"""
URIs as SIP uses them, how they compare (RFC 3261 §19.1), and addresses of record.

A `SipURI` holds its user decoded and writes it escaped.  Parameters and headers are kept
as they were written.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from typing import NewType
from urllib.parse import unquote_to_bytes

import attrs

from presproxy.errors import MalformedField
from presproxy.sip import grammar
from presproxy.sip.grammar import Parameters
from presproxy.sip.remembered import remembered

#: The canonical public URI of a user: ``sip:alice@example.test`` or ``tel:+4930123``.
AddressOfRecord = NewType("AddressOfRecord", str)

#: Controls, space, and half characters which no bytes could have been read as.
_NEVER = r"\x00-\x20\x7f\ud800-\udc7f\udd00-\udfff"
_ESCAPED = "%[0-9A-Fa-f]{2}"
#: More than the grammar: characters such as ``#`` and those beyond ASCII, which phones
#: do send unescaped.
_USER = rf'[^{_NEVER}@<>":%]*(?:{_ESCAPED}[^{_NEVER}@<>":%]*)*'
_PASSWORD = rf'[^{_NEVER}@<>"%]*(?:{_ESCAPED}[^{_NEVER}@<>"%]*)*'
_PARAMETERS = rf'[^{_NEVER}?<>"@]*'
_HEADERS = rf'[^{_NEVER}<>"@]*'

_sip_uri = re.compile(
    rf"(?:({_USER})(?::({_PASSWORD}))?@)?"
    rf"({grammar.HOST})(?::([0-9]{{1,5}}))?"
    rf"(;{_PARAMETERS})?(?:\?({_HEADERS}))?"
).fullmatch
#: As most are written: nothing to be decoded, a port which is one.
_CANONICAL = r"sip:([A-Za-z0-9_.+\-]+)@([a-z0-9_][a-z0-9_.\-]*)"
_is_canonical = re.compile(_CANONICAL).fullmatch
_usual = re.compile(
    rf"{_CANONICAL}(?::([0-9]{{1,4}}|[1-5][0-9]{{4}}))?((?:;[a-z]+(?:=[a-z0-9]+)?)*)"
).fullmatch
_scheme = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):").match
_tel = re.compile(rf'(\+?[0-9A-Fa-f*#().\-]+)(;[^{_NEVER}<>"?@]*)?').fullmatch
_absolute = re.compile(rf'[^{_NEVER}<>"]+').fullmatch

#: What a user may hold unescaped: unreserved and user-unreserved.
_to_escape = re.compile(rb"[^A-Za-z0-9\-_.!~*'()&=+$,;?/]")
_to_escape_in_password = re.compile(rb"[^A-Za-z0-9\-_.!~*'()&=+$,]")
#: The grammar of RFC 3261 wants a colon too many before an IPv4 address at the end
#: (RFC 5954 §4.1), which must be tolerated (RFC 5118 §4.10).
_three_colons = re.compile(r":::(?=[0-9]+\.[0-9.]+$)")
_visual = re.compile(r"[().\-]")


@attrs.define(unsafe_hash=True)
class SipURI:
    """
    A ``sip:`` or ``sips:`` URI (RFC 3261 §19.1.1).

    ``host`` is in lower case, an IPv6 address in brackets and in its shortest form.
    ``headers`` is what follows the question mark.
    """

    scheme: str
    user: str | None
    password: str | None
    host: str
    port: int | None = None
    parameters: Parameters = ()
    headers: str = ""

    def parameter(self, name: str) -> str | None:
        """
        Give a parameter's value: empty if it has none, None if it is not there.

        ``name`` is in lower case.  Neither it nor the value is escaped any more.
        """
        for each, value in self.parameters:
            if _unescape(each).lower() == name:
                return _unescape(value or "")
        return None

    def has(self, name: str) -> bool:
        """Whether the parameter is there, with a value or without."""
        return self.parameter(name) is not None

    @property
    def transport(self) -> str | None:
        """The transport parameter in lower case."""
        transport = self.parameter("transport")
        return transport.lower() if transport else None

    def __str__(self) -> str:
        written = [self.scheme, ":"]
        if self.user is not None:
            written.append(escape_user(self.user))
            if self.password is not None:
                written += (":", _escape(_to_escape_in_password, self.password))
            written.append("@")
        written.append(self.host)
        if self.port is not None:
            written.append(f":{self.port}")
        written.append(grammar.write_parameters(self.parameters))
        if self.headers:
            written += ("?", self.headers)
        return "".join(written)


@attrs.frozen
class TelURI:
    """A telephone number (RFC 3966), without its visual separators."""

    number: str
    parameters: Parameters = ()

    def parameter(self, name: str) -> str | None:
        """Give a parameter's value: empty if it has none, None if it is not there."""
        return grammar.find_parameter(self.parameters, name)

    def __str__(self) -> str:
        return f"tel:{self.number}{grammar.write_parameters(self.parameters)}"


@attrs.frozen
class AbsoluteURI:
    """A URI of any other scheme, which is in lower case; ``rest`` as it was written."""

    scheme: str
    rest: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.rest}"


URI = SipURI | TelURI | AbsoluteURI


def parse_uri(text: str) -> URI:
    """Read a URI; raises `MalformedField`."""
    match = _usual(text)
    if match is None:
        return parse_any_uri(text)
    user, host, port, parameters = match.groups()
    return SipURI(
        "sip",
        user,
        None,
        host,
        None if port is None else int(port),
        _parse_parameters(parameters) if parameters else (),
    )


#: `parse_uri` for texts which come again and again: the Request-URIs.
remembered_uri = remembered(8192)(parse_uri)


def parse_any_uri(text: str) -> URI:
    """Read a URI however it is written; the usual one is read in half the time."""
    match = _scheme(text)
    if match is None:
        raise _malformed(text)
    scheme, rest = match[1].lower(), text[match.end() :]
    if scheme in ("sip", "sips"):
        return _parse_sip(scheme, rest, text)
    if scheme == "tel":
        return _parse_tel(rest, text)
    if _absolute(rest) is None:
        raise _malformed(text)
    return AbsoluteURI(scheme, rest)


def as_request_uri(text: str) -> str:
    """
    Give a URI without what a Request-URI may not have: headers, and a method.

    Any other part stays as it is written (RFC 3261 §16.6 step 2, §19.1.1).
    """
    text, question, _ = text.partition("?")
    if not question and "method" not in text.lower():
        return text
    before, at, after = text.rpartition("@")
    host, *parameters = after.split(";")
    kept = [each for each in parameters if not _names_method(each)]
    return ";".join((f"{before}{at}{host}", *kept))


def _names_method(parameter: str) -> bool:
    return _unescape(parameter.partition("=")[0]).lower() == "method"


def parse_host(name: str, text: str) -> str:
    """
    Bring a host into the form in which hosts are compared.

    Lower case; an IPv6 address in brackets is written as RFC 5952 wants it.  ``name`` is
    the field it is in, for the `MalformedField` raised when it is no address.
    """
    if text[0] != "[":
        return text.lower()
    try:
        address = IPv6Address(_three_colons.sub("::", text[1:-1]))
    except AddressValueError as error:
        raise MalformedField(name, f"no IPv6 address: {text[:60]!r}") from error
    # Since Python 3.13 this is how it is written anyway (RFC 5952 §5).
    mapped = address.ipv4_mapped
    return f"[{address.compressed}]" if mapped is None else f"[::ffff:{mapped}]"


def escape_user(user: str) -> str:
    """Write the user part of a URI."""
    return _escape(_to_escape, user)


def _malformed(text: str) -> MalformedField:
    return MalformedField("URI", f"cannot be read: {text[:60]!r}")


def _parse_sip(scheme: str, rest: str, text: str) -> SipURI:
    match = _sip_uri(rest)
    if match is None:
        raise _malformed(text)
    user, password, host, port, parameters, headers = match.groups()
    if user == "" or (port is not None and int(port) > 65535):
        raise _malformed(text)
    return SipURI(
        scheme,
        user and _unescape(user),
        None if password is None else _unescape(password),
        parse_host("URI", host),
        None if port is None else int(port),
        _parse_parameters(parameters) if parameters else (),
        headers or "",
    )


def _parse_tel(rest: str, text: str) -> TelURI:
    match = _tel(rest)
    number = match and _visual.sub("", match[1])
    if match is None or not number:
        raise _malformed(text)
    return TelURI(number, _parse_parameters(match[2] or ""))


def _parse_parameters(text: str) -> Parameters:
    found: list[tuple[str, str | None]] = []
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if name:
            found.append((name, value if equals else None))
        elif equals:
            raise MalformedField("URI", f"a parameter without a name: {part[:60]!r}")
    return tuple(found)


def _unescape(text: str) -> str:
    if "%" not in text:
        return text
    raw = text.encode("utf-8", "surrogateescape")
    return unquote_to_bytes(raw).decode("utf-8", "surrogateescape")


def _escape(pattern: re.Pattern[bytes], text: str) -> str:
    raw = text.encode("utf-8", "surrogateescape")
    return pattern.sub(lambda match: b"%%%02X" % match[0][0], raw).decode("ascii")


# --- Comparison (RFC 3261 §19.1.4)

#: Those which make a difference although only one of the two URIs has them.  The text
#: names user, ttl, method and maddr; its examples add transport.
_TELLING = ("user", "ttl", "method", "maddr", "transport")


def equivalent(one: URI, other: URI) -> bool:
    """
    Whether two URIs are equivalent.

    Not an order of any kind, and not transitive: a parameter which only one of them has
    is mostly ignored.
    """
    if not isinstance(one, SipURI) or not isinstance(other, SipURI):
        return one == other
    return (
        (one.scheme, one.user, one.password, one.host, one.port)
        == (other.scheme, other.user, other.password, other.host, other.port)
        and _parameters_agree(
            _comparable(one.parameters), _comparable(other.parameters)
        )
        and _header_pairs(one.headers) == _header_pairs(other.headers)
    )


def _comparable(parameters: Parameters) -> dict[str, str]:
    return {
        _unescape(name).lower(): _unescape(value or "").lower()
        for name, value in parameters
    }


def _parameters_agree(one: dict[str, str], other: dict[str, str]) -> bool:
    return all(one[name] == other[name] for name in one.keys() & other.keys()) and all(
        (name in one) == (name in other) for name in _TELLING
    )


def _header_pairs(headers: str) -> list[tuple[str, str]]:
    pairs = (each.partition("=") for each in headers.split("&"))
    return sorted(
        (_unescape(name).lower(), _unescape(value)) for name, _, value in pairs
    )


# --- Addresses of record

_DEFAULT_PORTS = {"sip": 5060, "sips": 5061}


def address_of_record(uri: URI | str) -> AddressOfRecord:
    """
    Give the canonical form of a user's public URI.

    ``sips:``, ``pres:`` and ``im:`` become ``sip:``, as does text without a scheme but
    with an ``@``.  Parameters, headers, the password and the scheme's own port are
    dropped; any other port is kept.  The case of the user is kept (RFC 3261 §19.1.4).
    Raises `MalformedField` for what names no user or host of ours or anybody's.
    """
    if isinstance(uri, str):
        if _is_canonical(uri):
            return AddressOfRecord(uri)
        return _address_of_text(uri)
    return _address_of_uri(uri)


@remembered(8192)
def _address_of_text(text: str) -> AddressOfRecord:
    scheme, colon, rest = text.partition(":")
    if "@" in scheme or not colon:
        if "@" not in text:
            raise _malformed(text)
        return _address_of_uri(_parse_sip("sip", text, text))
    if scheme.lower() in ("pres", "im"):
        return _address_of_uri(_parse_sip("sip", rest, text))
    return _address_of_uri(parse_uri(text))


def _address_of_uri(uri: URI) -> AddressOfRecord:
    if isinstance(uri, SipURI):
        user = "" if uri.user is None else f"{escape_user(uri.user)}@"
        port = "" if uri.port in (None, _DEFAULT_PORTS[uri.scheme]) else f":{uri.port}"
        return AddressOfRecord(f"sip:{user}{uri.host}{port}")
    if isinstance(uri, TelURI):
        return _address_of_number(uri)
    raise MalformedField("URI", f"{uri.scheme}: names no user")


def _address_of_number(uri: TelURI) -> AddressOfRecord:
    # A local number means something only within its context (RFC 3966 §5.1.4).
    context = uri.parameter("phone-context")
    if uri.number.startswith("+") or not context:
        return AddressOfRecord(f"tel:{uri.number.lower()}")
    return AddressOfRecord(f"tel:{uri.number.lower()};phone-context={context.lower()}")


def domain_of(aor: AddressOfRecord) -> str:
    """Give the host of an address of record, without its port; empty for a number."""
    if not aor.startswith("sip:"):
        return ""
    host = aor[4:].rpartition("@")[2]
    if host.startswith("["):
        return host[: host.index("]") + 1]
    return host.partition(":")[0]


def user_of(aor: AddressOfRecord) -> str | None:
    """Give the user of an address of record, decoded; the number of a ``tel:``."""
    if not aor.startswith("sip:"):
        return aor[4:].partition(";")[0]
    user, at, _ = aor[4:].rpartition("@")
    return _unescape(user) if at else None
