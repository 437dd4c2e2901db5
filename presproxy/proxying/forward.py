"""
The copies that go on: of a request (RFC 3261 §16.6), and of a response (§16.7).

What is not ours to change stays as it came, in its order; only compact names are
written out, as there are user agents (Lync's) which know no others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import attrs

from presproxy.errors import MalformedField
from presproxy.sip.authfields import parse_credentials
from presproxy.sip.fields import parse_name_address
from presproxy.sip.flow import Flow
from presproxy.sip.head import write_message
from presproxy.sip.message import VERSION, Request, Response
from presproxy.sip.uri import SipURI, parse_uri

#: What the sender proved himself with.  It goes no further where it was meant for us.
_CREDENTIALS = {
    "authorization": "Authorization",
    "proxy-authorization": "Proxy-Authorization",
}

#: Schemes of [MS-SIPAE], which prove who is at the other end of a connection.
_OF_A_CONNECTION = frozenset({"ntlm", "kerberos", "tls-dsk"})

#: Only who is trusted may say who somebody is, and no user agent is (RFC 3325 §5).  What
#: it would be called by is ours to read, and goes no further once we say it.
ASSERTED = "P-Asserted-Identity"
_PREFERRED = "P-Preferred-Identity"

#: What is written anew in a copy of a request: all Vias are above it.
_REPLACED = frozenset(
    {
        *("via", "route", "max-forwards", "max-breadth", "content-length"),
        *(*_CREDENTIALS, ASSERTED.lower()),
    }
)
_REPLACED_ONCE_ASSERTED = _REPLACED | {_PREFERRED.lower()}

#: The same of a response.
_TAKEN_OFF = frozenset({"via", "content-length", ASSERTED.lower()})


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
    uri, routes = _addressed(onward)
    lines = [
        f"{request.method} {uri} {VERSION}",
        f"Via: {via_of(flow, branch)}",
        *(f"Via: {value}" for value in request.get_all("via")),
        *(f"Route: {value}" for value in routes),
        *(f"Record-Route: {value}" for value in onward.record_routes),
    ]
    if onward.path is not None:
        lines.append(f"Path: {onward.path}")
    lines.append(f"Max-Forwards: {onward.forwards}")
    lines.append(f"Max-Breadth: {onward.breadth}")
    lines += request.lines(_REPLACED_ONCE_ASSERTED if onward.asserted else _REPLACED)
    lines += (f"{ASSERTED}: {value}" for value in onward.asserted)
    lines += _others_credentials(request, is_for_us)
    return write_message(lines, (), request.body)


def is_too_large(request: Request) -> bool:
    """Whether the copy of a request may be fragmented as a datagram (RFC 3261 §18.1.1)."""
    return request.octets + _ADDED > _UNFRAGMENTED


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
    below = response.values("via")[1:]
    if not below:
        return None
    lines = [
        f"{VERSION} {response.status} {response.reason}",
        *(f"Via: {value}" for value in below),
        *response.lines(_TAKEN_OFF),
    ]
    return write_message(lines, more, response.body)


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


def _others_credentials(
    request: Request, is_for_us: Callable[[str], bool]
) -> Iterator[str]:
    """Give the lines with credentials that were asked for elsewhere."""
    for name, written in _CREDENTIALS.items():
        for value in request.get_all(name):
            if not is_for_us(value):
                yield f"{written}: {value}"


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
