from __future__ import annotations

import pytest

from presproxy.server.front.options import FrontOptions
from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingStream
from presproxy.testing.phones import Phone
from presproxy.transport.hop import Hop, Unreachable

UPSTREAM = "sip:pbx.example.test"

#: Two machines, the first by datagrams.
FIRST, SECOND = Hop("udp", "192.0.2.10", 5070), Hop("tcp", "192.0.2.11", 5070)


class Behind:
    """What there is behind a server: hops, some of which cannot be reached."""

    def __init__(self, desk):
        self.desk = desk
        self.hops = [FIRST]
        self.refusing = set()
        self.located = []
        self.streams = {}
        front = desk.server.core.proxy.front
        for upstream in front.upstreams.values():
            upstream.locate, upstream.flow_by = self.locate, self.flow_by
        desk.server.core.proxy.targets.ways.datagrams_to = self.towards

    async def towards(self, peer):
        return self.desk.flow.towards(peer)

    async def locate(self, uri):
        self.located.append(uri)
        if not self.hops:
            raise Unreachable(uri, "nobody knows its name")
        host = uri.removeprefix("sip:").partition(":")[0]
        return [each for each in self.hops if each.host == host] or self.hops

    async def flow_by(self, hop):
        if hop in self.refusing:
            raise Unreachable(str(hop), "it was refused")
        if hop.transport == "udp":
            return self.desk.flow.towards(hop.address)
        return self.stream(hop)

    def stream(self, hop):
        flow = self.streams.get(hop)
        if flow is None or not flow.is_open:
            flow = self.streams[hop] = RecordingStream(hop.address)
        return flow

    def at(self, hop):
        """Give the server at a hop, as a phone that sends and reads."""
        flow = self.desk.flow.towards(hop.address)
        return Phone(
            self.desk, "pbx", flow if hop.transport == "udp" else self.stream(hop)
        )


@pytest.fixture
def build(acl):
    """Builds a server in front of another, and gives both."""

    def done(auth=(), route=(), behind=True, **options):
        desk = Desk(
            acl,
            auth=auth,
            more={
                "upstream": UPSTREAM if behind else None,
                "front": FrontOptions(**options),
                "route": tuple(route),
            },
        )
        return desk, Behind(desk)

    return done


@pytest.fixture
def front(build):
    return build()


@pytest.fixture
def desk(front):
    return front[0]


@pytest.fixture
def behind(front):
    return front[1]


@pytest.fixture
def pbx(behind):
    """The server behind, which has sent and been sent something."""
    return behind.at(FIRST)


@pytest.fixture
def phone_of():
    """Makes user agents of a desk."""
    ports = iter(range(40001, 41000))

    def make(desk, user, kind="stream"):
        peer = ("192.0.2.50", next(ports))
        flow = RecordingStream(peer) if kind == "stream" else desk.flow.towards(peer)
        return Phone(desk, user, flow)

    return make


@pytest.fixture
def alice(desk, phone_of):
    return phone_of(desk, "alice")


@pytest.fixture(params=["stream", "datagram"])
def bob(request, desk, phone_of):
    return phone_of(desk, "bob", request.param)
