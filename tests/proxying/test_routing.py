"""
Routes that go on as they should (RFC 3261 §16.4, §16.6 step 6, §16.12).

What reads a request and what writes its copy are put in a row with routers of other
makes, which know no more than the text: one that is loose, and one that is strict, as
RFC 2543 had them.
"""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.proxying.forward import Onward, forwarded
from presproxy.proxying.inspect import inspect
from presproxy.sip.fields import parse_name_address
from presproxy.sip.message import parse_message
from presproxy.sip.uri import parse_uri
from presproxy.testing.flows import RecordingFlow


def uri_of(route):
    return parse_name_address("Route", route).uri


def host_of(uri):
    """Give the host of a URI; empty for a number."""
    return getattr(parse_uri(uri), "host", "")


def is_loose(route):
    return parse_uri(uri_of(route)).has("lr")


@attrs.frozen
class OnItsWay:
    """Request-URI and values of Route, and whether a strict router is to have it next."""

    uri: str
    routes: tuple[str, ...] = ()
    to_strict: bool = attrs.field(default=False, eq=False)

    @property
    def next_hop(self):
        """Where it goes next (§16.6 step 7)."""
        if self.routes and not self.to_strict:
            return uri_of(self.routes[0])
        return self.uri

    def written_for_strict(self):
        """Put a strict router into the Request-URI (§16.6 step 6)."""
        if not self.routes or is_loose(self.routes[0]):
            return self
        first, *rest = self.routes
        return OnItsWay(uri_of(first), (*rest, f"<{self.uri}>"), to_strict=True)


def pass_us(came, ours):
    """Pass a request by what is tested; ``ours`` are the hosts that are us."""
    lines = "".join(f"Route: {each}\r\n" for each in came.routes)
    data = (
        f"INFO {came.uri} SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\n{lines}"
        "From: <sip:a@b>;tag=1\r\nTo: <sip:b@b>;tag=2\r\nCall-ID: 1\r\n"
        "CSeq: 1 INFO\r\nContent-Length: 0\r\n\r\n"
    )
    request = parse_message(data.encode())
    passage = inspect(request, lambda uri: uri.host in ours)
    onward = Onward(passage.uri, passage.routes, passage.forwards, passage.breadth)
    copy = parse_message(forwarded(request, onward, RecordingFlow(), "z9hG4bK2"))
    to_strict = bool(passage.routes) and not is_loose(passage.routes[0])
    return OnItsWay(copy.uri, tuple(copy.values("route")), to_strict)


def pass_loose(came, host):
    """Do what a loose router does, whose Record-Route names ``host``."""
    uri, routes = came.uri, came.routes
    if host_of(uri) == host:
        uri, routes = uri_of(routes[-1]), routes[:-1]
    while routes and host_of(uri_of(routes[0])) == host:
        routes = routes[1:]
    return OnItsWay(uri, routes).written_for_strict()


def pass_strict(came, host):
    """Do what a strict router does: the next of the Route is who is asked for."""
    assert host_of(came.uri) == host
    first, *rest = came.routes
    return OnItsWay(uri_of(first), tuple(rest), to_strict=True)


# --- The examples of the text


BOB = "sip:callee@domain.com"
P1, P2, P3, P4 = (
    "<sip:p1.example.com;lr>",
    "<sip:p2.domain.com;lr>",
    "<sip:p3.middle.com>",
    "<sip:p4.domain.com;lr>",
)


@pytest.mark.parametrize(
    ("us", "uri", "routes", "goes_uri", "goes_routes", "next_hop"),
    [
        ("p1.example.com", BOB, [P1], BOB, [], BOB),
        (
            "p1.example.com",
            "sip:callee@u2.domain.com",
            [P1, P2],
            "sip:callee@u2.domain.com",
            [P2],
            "sip:p2.domain.com;lr",
        ),
        (
            "p2.domain.com",
            "sip:callee@u2.domain.com",
            [P2],
            "sip:callee@u2.domain.com",
            [],
            "sip:callee@u2.domain.com",
        ),
        (
            "p4.domain.com",
            "sip:callee@u2.domain.com",
            [P4, P3, P2, P1],
            "sip:p3.middle.com",
            [P2, P1, "<sip:callee@u2.domain.com>"],
            "sip:p3.middle.com",
        ),
        (
            "p2.domain.com",
            "sip:p2.domain.com;lr",
            [P1, "<sip:callee@u2.domain.com>"],
            "sip:callee@u2.domain.com",
            [P1],
            "sip:p1.example.com;lr",
        ),
        (
            "p4.domain.com",
            "sip:p4.domain.com;lr",
            ["<sip:callee@u2.domain.com>"],
            "sip:callee@u2.domain.com",
            [],
            "sip:callee@u2.domain.com",
        ),
    ],
    ids=[
        "16.12.1.1: the last proxy with nothing left",
        "16.12.1.1: within the dialog, the first",
        "16.12.1.1: within the dialog, the second",
        "16.12.1.2: a strict router is next",
        "16.12.1.2: a strict router was before",
        "16.12.1.2: a strict router was before, and nobody is left",
    ],
)
def test_the_examples(us, uri, routes, goes_uri, goes_routes, next_hop):
    goes = pass_us(OnItsWay(uri, tuple(routes)), {us})

    assert goes == OnItsWay(goes_uri, tuple(goes_routes))
    assert goes.next_hop == next_hop


def test_a_way_of_loose_and_strict_routers_to_its_end():
    """§16.12.1.2: the whole of it, with P3 strict and all others us."""
    target = "sip:callee@u2.domain.com"
    request = OnItsWay(target, (P4, P3, P2, P1))
    seen = []
    for host in ("p4.domain.com", "p3.middle.com", "p2.domain.com", "p1.example.com"):
        assert host_of(request.next_hop) == host
        strict = host == "p3.middle.com"
        request = pass_strict(request, host) if strict else pass_us(request, {host})
        seen.append(request.uri)

    assert request == OnItsWay(target)
    assert seen == ["sip:p3.middle.com", "sip:p2.domain.com;lr", target, target]


# --- Any legal Route set


USERS = st.one_of(
    st.none(),
    st.sampled_from(
        ["t0ken-_", "a%20b", "%3Clr%3E", "a;b=c", "a,b", "%40", "a?b", "ü"]
    ),
)
PARAMETERS = st.lists(
    st.sampled_from(
        [
            ";transport=tcp",
            ";transport=WSS",
            ";ftag=a-b",
            ";x-any",
            ";x=%20",
            ";maddr=192.0.2.77",
            ";ttl=1",
            ";r2=on",
            ";did=8f5.4e2",
        ]
    ),
    unique=True,
    max_size=3,
).map("".join)
HOSTS = st.sampled_from(
    ["h{}.test", "192.0.2.{}", "[2001:db8::{}]", "[::ffff:10.0.0.{}]"]
)
PORTS = st.sampled_from(["", ":5060", ":65535"])
NAMES = st.sampled_from(["", "P ", '"a, <b>; \\"c\\"" '])
BEHIND = st.sampled_from(["", ";x=y", ";lr"])
LOOSE = st.sampled_from([";lr", ";lr=on", ";LR", ";lr=true"])


@st.composite
def routers(draw, number, lr):
    """One element of a Route set, and its host."""
    host = draw(HOSTS).format(number + 10)
    user = draw(USERS)
    before = "" if user is None else f"{user}@"
    uri = f"sip:{before}{host}{draw(PORTS)}{draw(PARAMETERS)}{lr}"
    return host, f"{draw(NAMES)}<{uri}>{draw(BEHIND)}"


@st.composite
def ways(draw):
    """
    Routers in the order of the way: which of them we are, and how each is written.

    We are there once, twice in a row (as for two transports), or again later.
    """
    kinds = draw(
        st.lists(
            st.sampled_from(["us", "loose", "strict"]), min_size=1, max_size=7
        ).filter(lambda each: "us" in each)
    )
    hops = []
    for number, kind in enumerate(kinds):
        lr = "" if kind == "strict" else draw(LOOSE)
        hops.append((kind, *draw(routers(number, lr))))
    return hops


TARGETS = st.sampled_from(
    [
        "sip:bob@192.0.2.200:5070;transport=tcp",
        "sip:bob@[2001:db8::ff]",
        "sips:b%20b@phone.test;gr=urn:x",
        "sip:192.0.2.200;ob",
        "tel:+49301234",
    ]
)


@given(ways(), TARGETS)
def test_any_route_set_is_followed_to_its_end(hops, target):
    ours = {host for kind, host, _ in hops if kind == "us"}
    # As its user agent sends it (§12.2.1.1), who reads the last of the set as any other.
    request = OnItsWay(
        target, tuple(value for _, _, value in hops)
    ).written_for_strict()
    visited = []
    kinds = {host: kind for kind, host, _ in hops}
    while (host := host_of(request.next_hop)) in kinds:
        visited.append(host)
        if kinds[host] == "us":
            request = pass_us(request, ours)
        elif kinds[host] == "loose":
            request = pass_loose(request, host)
        else:
            request = pass_strict(request, host)
        assert len(visited) <= len(hops)
    once = [
        host
        for number, (kind, host, _) in enumerate(hops)
        if not (kind == "us" and number and hops[number - 1][0] == "us")
    ]

    assert request == OnItsWay(target)
    assert visited == once


@given(ways(), TARGETS)
def test_what_is_others_stays_as_it_was_written(hops, target):
    values = tuple(value for _, _, value in hops)
    first = next(n for n, (kind, _, _) in enumerate(hops) if kind == "us")
    rest = values[first:]
    ours = {host for kind, host, _ in hops if kind == "us"}
    goes = pass_us(OnItsWay(target, rest), ours)
    left = list(rest)
    while left and hops[len(values) - len(left)][0] == "us":
        del left[0]

    if left and not is_loose(left[0]):
        assert goes.uri == str(parse_uri(uri_of(left[0])))
        assert list(goes.routes) == [*left[1:], f"<{target}>"]
    else:
        assert goes == OnItsWay(target, tuple(left))
