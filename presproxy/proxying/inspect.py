"""
What is looked at before a request is passed on (RFC 3261 §16.3, §16.4).

What it says in its Route is read here, and whether that is us; where it goes from here is
decided by whoever knows the users.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2s

import attrs

from presproxy.errors import MalformedField, PresproxyError
from presproxy.sip.fields import NameAddress, parse_name_address
from presproxy.sip.message import Request
from presproxy.sip.tokens import MAGIC_COOKIE
from presproxy.sip.uri import SipURI, TelURI, parse_host, parse_uri

#: Hops a request may take whose sender named no number (RFC 3261 §16.6 step 3).
MAX_FORWARDS = 70

#: Branches that may be open for one request at once, over all proxies, if nobody said so
#: before (RFC 5393 §5.3.1).
MAX_BREADTH = 60

_SECURE = "sips:"

_HOW_TO_COME_HERE = frozenset({"maddr", "transport", "ttl"})

#: The bytes of what tells a loop, which are the end of a branch in hexadecimal digits.
_SIGNED = 8


@attrs.frozen(eq=False)
class NotForwarded(PresproxyError):
    """A request that is not passed on, and the response which says so."""

    status: int
    why: str | None = None
    fields: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return self.why or f"not passed on ({self.status})"


@attrs.frozen
class Passage:
    """
    A request on its way through, read as far as a proxy must.

    ``uri`` is the Request-URI as it is written, ``routes`` the values of Route that are
    left once those that name us are taken off, and ``ours`` the users of these: where
    a proxy finds again what it wrote into its Record-Route.  ``forwards`` and ``breadth``
    are those of the copy that goes on.  With ``has_flow_token`` the last of ours says that
    it names a flow (RFC 5626 §5.1).
    """

    uri: str
    routes: tuple[str, ...]
    ours: tuple[str, ...]
    forwards: int
    breadth: int
    has_flow_token: bool = False

    @property
    def is_secure(self) -> bool:
        """Whether it may leave by TLS alone (§16.6 steps 4 and 7, §26.2.2)."""
        if self.uri[:5].lower() == _SECURE:
            return True
        if not self.routes or _SECURE not in self.routes[0].lower():
            return False
        first = parse_name_address("Route", self.routes[0])
        return first.uri[:5].lower() == _SECURE


IsUs = Callable[[SipURI], bool]


def inspect(request: Request, is_us: IsUs) -> Passage:
    """
    Read what §16.3 and §16.4 ask for; ``is_us`` says whether a URI names us.

    Raises `NotForwarded`, or `MalformedField` for a field that cannot be read.
    """
    uri = request.uri
    target = request.request_uri
    if not isinstance(target, SipURI | TelURI):
        raise NotForwarded(416)
    forwards = _forwards(request)
    _check_extensions(request)
    routes = list(zip(request.values("route"), request.routes, strict=True))
    if routes and isinstance(target, SipURI) and _is_record(target, is_us):
        # A strict router before us took our Record-Route for the one asked for.
        _, asked = routes.pop()
        uri, ours = asked.uri, [target.user or ""]
        if not isinstance(parse_uri(uri), SipURI | TelURI):
            raise NotForwarded(416)
    else:
        ours = []
    uri = _without_maddr(uri, is_us)
    last = None
    while routes and (user := _user_of_ours(routes[0][1], is_us)) is not None:
        ours.append(user)
        last = routes.pop(0)[1]
    left = tuple(value for value, _ in routes)
    breadth = _breadth(request)
    has_token = last is not None and _has_ob(last)
    return Passage(uri, left, tuple(filter(None, ours)), forwards, breadth, has_token)


def loop_signature(secret: bytes, request: Request, *more: str) -> str:
    """
    Give what ends our branch, and tells this request if it comes again unchanged.

    It covers what decides where a request goes (RFC 5393 §4.2.2), with ``more`` that is
    not in it, and ``secret`` makes it ours alone.
    """
    told = "\0".join(
        (
            request.uri,
            request.call_id,
            request.from_.tag or "",
            request.to.tag or "",
            str(request.cseq.number),
            *request.get_all("route"),
            *request.get_all("proxy-require"),
            *request.get_all("proxy-authorization"),
            *more,
        )
    )
    data = told.encode("utf-8", "surrogateescape")
    return blake2s(data, digest_size=_SIGNED, key=secret).hexdigest()


def branch_of(secret: bytes, request: Request) -> str:
    """
    Give the branch of a request that is passed on without a transaction.

    One that comes again gets the same, so that whoever gets it knows it (RFC 3261 §16.11).
    ``secret`` makes that nobody else can tell.
    """
    told = "\0".join(
        (
            request.get_all("via")[0],
            request.method,
            request.call_id,
            request.from_.tag or "",
            request.to.tag or "",
            str(request.cseq.number),
        )
    )
    data = told.encode("utf-8", "surrogateescape")
    return MAGIC_COOKIE + blake2s(data, digest_size=_SIGNED, key=secret).hexdigest()


def is_loop(signature: str, request: Request) -> bool:
    """Whether the request was here before, just as it is (RFC 3261 §16.3 step 4)."""
    for via in request.vias:
        if via.branch is not None and via.branch.endswith(signature):
            return True
    return False


def _forwards(request: Request) -> int:
    left = request.max_forwards
    if left is None:
        return MAX_FORWARDS
    if left == 0:
        raise NotForwarded(483)
    return left - 1


def _breadth(request: Request) -> int:
    text = request.get("max-breadth")
    if text is None:
        return MAX_BREADTH
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise MalformedField("Max-Breadth", f"no number: {text[:60]!r}")
    return min(int(text), MAX_BREADTH)


def _check_extensions(request: Request) -> None:
    """None of those that a proxy must understand is understood here (§16.3 step 5)."""
    unknown: Sequence[str] = request.values("proxy-require")
    if unknown:
        raise NotForwarded(420, None, (("Unsupported", ", ".join(unknown)),))


def _without_maddr(uri: str, is_us: IsUs) -> str:
    """
    Take off the maddr that names us, with the port and the transport it was sent by.

    They said how to come here, and nothing of where to go from here (§16.4).
    """
    if "maddr" not in uri.lower():
        return uri
    target = parse_uri(uri)
    if not isinstance(target, SipURI) or not (maddr := target.parameter("maddr")):
        return uri
    is_bare = ":" in maddr and not maddr.startswith("[")
    host = parse_host("maddr", f"[{maddr}]" if is_bare else maddr)
    if not is_us(attrs.evolve(target, user=None, password=None, host=host)):
        return uri
    left = tuple(
        each for each in target.parameters if each[0].lower() not in _HOW_TO_COME_HERE
    )
    return str(attrs.evolve(target, port=None, parameters=left))


def _has_ob(route: NameAddress) -> bool:
    uri = parse_uri(route.uri)
    return isinstance(uri, SipURI) and uri.has("ob")


def _is_record(uri: SipURI, is_us: IsUs) -> bool:
    """Whether this is what we wrote into a Record-Route, and no user of ours."""
    return uri.has("lr") and is_us(uri)


def _user_of_ours(route: NameAddress, is_us: IsUs) -> str | None:
    """Give the user, which may be empty, of a Route that names us; None if it does not."""
    uri = parse_uri(route.uri)
    if not isinstance(uri, SipURI):
        raise MalformedField("Route", "no sip: or sips: URI")
    return (uri.user or "") if is_us(uri) else None
