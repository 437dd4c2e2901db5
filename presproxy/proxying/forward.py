"""
The copies that go on: of a request (RFC 3261 §16.6), and of a response (§16.7).

What is not ours to change stays as it came, in its order; only compact names are
written out, as there are user agents (Lync's) which know no others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import attrs

from presproxy.errors import MalformedField
from presproxy.sip.authfields import parse_credentials
from presproxy.sip.fields import parse_name_address
from presproxy.sip.flow import Flow
from presproxy.sip.head import write_message
from presproxy.sip.header import COMPACT_FORMS, Header
from presproxy.sip.message import VERSION, Request, Response
from presproxy.sip.uri import SipURI, parse_uri

_LONG = {
    short: "-".join(part.capitalize() for part in name.split("-")).replace(
        "Call-Id", "Call-ID"
    )
    for short, name in COMPACT_FORMS.items()
}

#: What the sender proved himself with.  It goes no further where it was meant for us.
_CREDENTIALS = ("authorization", "proxy-authorization")

#: Schemes of [MS-SIPAE], which prove who is at the other end of a connection.
_OF_A_CONNECTION = frozenset({"ntlm", "kerberos", "tls-dsk"})

#: Only who is trusted may say who somebody is, and no user agent is (RFC 3325 §5).  What
#: it would be called by is ours to read, and goes no further once we say it.
ASSERTED = "P-Asserted-Identity"
_PREFERRED = "P-Preferred-Identity"


#: Octets of a datagram that are not fragmented, for all we know; and those which we put
#: into a copy: a Via and a Record-Route, with what they are sealed with.
_UNFRAGMENTED, _ADDED = 1300, 300


@attrs.frozen
class Onward:
    """
    Where a copy of a request goes, and what makes it differ from the request.

    ``uri`` is the new Request-URI and ``routes`` the values of Route; ``record_routes``
    are ours, the one for the next hop first.  ``path`` is ours in a Path (RFC 3327), if it
    is to be in there; ``asserted`` are the values of P-Asserted-Identity.
    """

    uri: str
    routes: Sequence[str]
    forwards: int
    breadth: int
    record_routes: Sequence[str] = ()
    path: str | None = None
    asserted: Sequence[str] = ()


def forwarded(
    request: Request,
    onward: Onward,
    flow: Flow,
    branch: str,
    is_for_us: Callable[[str], bool] = lambda credentials: False,
) -> bytes:
    """
    Write the copy of a request that goes on by ``flow``.

    ``is_for_us`` says of credentials whether they were asked for here.  Raises
    `MalformedField` for what cannot be written.
    """
    header = Header((_written_out(name), value) for name, value in request.header)
    uri, routes = _addressed(onward)
    header.remove("Content-Length")
    header.remove("Route")
    header.remove(ASSERTED)
    if onward.asserted:
        header.remove(_PREFERRED)
    for value in onward.asserted:
        header.add(ASSERTED, value)
    _drop_credentials(header, is_for_us)
    header.set("Max-Forwards", str(onward.forwards))
    header.set("Max-Breadth", str(onward.breadth))
    for value in reversed(onward.record_routes):
        header.push("Record-Route", value)
    if onward.path is not None:
        header.push("Path", onward.path)
    for value in reversed(routes):
        header.push("Route", value)
    header.push("Via", via_of(flow, branch))
    lines = [f"{request.method} {uri} {VERSION}"]
    return write_message(lines, header, request.body)


def is_too_large(request: Request) -> bool:
    """Whether the copy of a request may be fragmented as a datagram (RFC 3261 §18.1.1)."""
    octets = len(request.body) + sum(
        len(name) + len(value) + 4 for name, value in request.header
    )
    return octets + _ADDED > _UNFRAGMENTED


def via_of(flow: Flow, branch: str) -> str:
    """Write our Via for what goes by a flow."""
    # On a stream the response comes back by it anyhow (RFC 3581 §1).
    rport = "" if flow.reliable else ";rport"
    return f"SIP/2.0/{flow.transport} {flow.sent_by}{rport};branch={branch}"


def passed_back(
    response: Response, more: Iterable[tuple[str, str]] = ()
) -> bytes | None:
    """
    Write the copy of a response that goes back, with ``more`` fields at its end.

    None if there is nobody behind us: our Via was the only one (§16.7 step 3).
    """
    header = Header((_written_out(name), value) for name, value in response.header)
    header.pop("Via")
    if "Via" not in header:
        return None
    header.remove(ASSERTED)
    header.remove("Content-Length")
    for name, value in more:
        header.add(name, value)
    lines = [f"SIP/2.0 {response.status} {response.reason}"]
    return write_message(lines, header, response.body)


def _addressed(onward: Onward) -> tuple[str, Sequence[str]]:
    """Give Request-URI and Route; a strict router takes the place of who is asked (step 6)."""
    routes = onward.routes
    if not routes:
        return onward.uri, ()
    first = parse_uri(parse_name_address("Route", routes[0]).uri)
    if not isinstance(first, SipURI):
        raise MalformedField("Route", "no sip: or sips: URI")
    if first.has("lr"):
        return onward.uri, routes
    return str(first), (*routes[1:], f"<{onward.uri}>")


def _drop_credentials(header: Header, is_for_us: Callable[[str], bool]) -> None:
    for name in _CREDENTIALS:
        values = header.get_all(name)
        kept = [value for value in values if not is_for_us(value)]
        if len(kept) < len(values):
            header.remove(name)
            for value in kept:
                header.add(name, value)


def is_of_realm(realms: Collection[str]) -> Callable[[str], bool]:
    """
    Make what knows credentials for one of ``realms``, which are in lower case.

    What Lync's clients prove themselves with is known as well, whatever its realm, and so
    is what cannot be read: nobody behind us could use it.
    """

    def is_for_us(text: str) -> bool:
        if text.partition(" ")[0].lower() in _OF_A_CONNECTION:
            return True
        try:
            credentials = parse_credentials(text)
        except MalformedField:
            return True
        return credentials is not None and credentials.realm.lower() in realms

    return is_for_us


def _written_out(name: str) -> str:
    return _LONG.get(name.lower(), name) if len(name) == 1 else name
