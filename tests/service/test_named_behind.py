"""A server behind that is a domain of two hosts, by NAPTR and SRV (RFC 3263)."""

from __future__ import annotations

from itertools import count

import pytest
from twisted.internet import reactor
from twisted.internet.defer import DeferredQueue
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.names import client, dns, server
from twisted.names.authority import FileAuthority

from presproxy.server.front.options import FrontOptions
from presproxy.service import build
from presproxy.testing.waiting import waiting_fixture, waiting_test
from presproxy.testing.wire import Message, compose, cut, respond
from presproxy.transport.locate import Locator
from presproxy.transport.names import Names

HERE = "127.0.0.1"

#: Seconds.
LIMIT = 20

_numbers = count(1)


class Datagrams(DatagramProtocol):
    """One end of datagrams: what comes is told with the way back."""

    def __init__(self, take):
        self.take = take

    def datagramReceived(self, data, address):
        self.take(data, lambda answer: self.transport.write(answer, address))


class Stream(Protocol):
    """One end of a connection."""

    def __init__(self, take):
        self.take = take
        self.rest = b""

    def dataReceived(self, data):
        messages, self.rest = cut(self.rest + data)
        for each in messages:
            self.take(each, self.transport.write)


class Host:
    """One of the hosts behind, which answers all alike."""

    def __init__(self, transport):
        self.status, self.fields = "200 OK", {}
        self.asked = []
        self.streams = []
        if transport == "udp":
            self.door = reactor.listenUDP(0, Datagrams(self.take), interface=HERE)
        else:
            factory = Factory.forProtocol(self.stream)
            factory.noisy = False
            self.door = reactor.listenTCP(0, factory, interface=HERE)
        self.port = self.door.getHost().port
        self.is_dead = False

    def stream(self):
        self.streams.append(made := Stream(self.take))
        return made

    def take(self, data, answer):
        request = Message.read(data)
        if request.method == "MESSAGE":
            self.asked.append(request)
            answer(respond(request, self.status, self.fields))

    async def die(self):
        if not self.is_dead:
            self.is_dead = True
            for each in self.streams:
                each.transport.abortConnection()
            await self.door.stopListening()


class Zone(FileAuthority):
    """All that the name server knows: the service of pbx.test, and its two hosts."""

    def __init__(self, transport, hosts):
        self._by = transport
        self._hosts = hosts
        super().__init__("")

    def loadFile(self, filename):
        service = f"_sip._{self._by}.pbx.test"
        kind = {"udp": b"SIP+D2U", "tcp": b"SIP+D2T"}[self._by]
        names = [f"host{number}.pbx.test" for number in range(len(self._hosts))]
        self.soa = (b"pbx.test", dns.Record_SOA())
        self.records = {
            b"pbx.test": [dns.Record_NAPTR(1, 1, b"s", kind, b"", service)],
            service.encode(): [
                dns.Record_SRV(10 * (number + 1), 1, host.port, name)
                for number, (host, name) in enumerate(
                    zip(self._hosts, names, strict=True)
                )
            ],
            **{name.encode(): [dns.Record_A(HERE)] for name in names},
        }


@pytest.fixture(params=["udp", "tcp"])
def transport(request):
    return request.param


@waiting_fixture
async def hosts(transport):
    """The two hosts, in the order of their priority."""
    both = [Host(transport), Host(transport)]
    yield both
    for each in both:
        await each.die()


@waiting_fixture
async def names(transport, hosts):
    """A name server that is asked over its socket."""
    answering = server.DNSServerFactory([Zone(transport, hosts)])
    protocol = dns.DNSDatagramProtocol(answering)
    port = reactor.listenUDP(0, protocol, interface=HERE)
    place = (HERE, port.getHost().port)
    resolver = client.Resolver(servers=[place], reactor=reactor)
    yield Locator(Names(reactor, resolver, None))
    await port.stopListening()


@waiting_fixture
async def front(make_plan, names):
    """A server that knows the domain behind it by name only."""
    # It is not probed, so that nothing but what is asked here moves anything.
    options = FrontOptions(probe=0, patience=0.5, rest=3600)
    plan = make_plan(upstream="sip:pbx.test", front=options)
    running = build(plan, reactor, locator=names)
    await running.start()
    yield running
    await running.stop()


@waiting_fixture
async def send(front):
    """Sends a text to a user behind, and gives the status it is answered with."""
    came = DeferredQueue()
    port = reactor.listenUDP(
        0, Datagrams(lambda data, _: came.put(Message.read(data))), interface=HERE
    )

    async def sent():
        number, ours = next(_numbers), port.getHost().port
        fields = {
            "Via": f"SIP/2.0/UDP {HERE}:{ours};rport;branch=z9hG4bKnamed{number}",
            "Max-Forwards": "70",
            "From": f"<sip:alice@example.test>;tag=f{number}",
            "To": "<sip:bob@example.test>",
            "Call-ID": f"named{number}",
            "CSeq": "1 MESSAGE",
        }
        data = compose("MESSAGE sip:bob@example.test SIP/2.0", fields, "")
        port.write(data, (HERE, front.bound[0].port))
        while (answer := await came.get().addTimeout(LIMIT, reactor)).status < 200:
            pass
        return answer.status

    yield sent
    await port.stopListening()


def asked(hosts):
    return [len(each.asked) for each in hosts]


@waiting_test
async def test_the_first_is_asked_by_its_priority(hosts, send):
    assert [await send(), await send()] == [200, 200]
    assert asked(hosts) == [2, 0]


@waiting_test
async def test_one_that_answers_503_rests_and_the_second_is_asked(hosts, send):
    hosts[0].status = "503 Service Unavailable"
    hosts[0].fields = {"Retry-After": "60"}

    assert await send() == 200
    assert asked(hosts) == [1, 1]

    hosts[0].status = "200 OK"
    assert await send() == 200
    assert asked(hosts) == [1, 2]


@waiting_test
async def test_one_that_is_dead_rests_and_the_second_is_asked(front, hosts, send):
    assert await send() == 200
    await hosts[0].die()

    assert await send() == 200
    assert await send() == 200
    assert asked(hosts) == [1, 2]
    (upstream,) = front.sight().behind()
    assert [each.rpartition(":")[2] for each in upstream.answering] == [
        str(hosts[1].port)
    ]


@waiting_test
async def test_one_that_answers_503_and_then_dies_is_never_the_end(hosts, send):
    hosts[0].status = "503 Service Unavailable"
    assert await send() == 200
    await hosts[0].die()

    assert [await send(), await send()] == [200, 200]
    assert asked(hosts) == [1, 3]


@pytest.mark.parametrize("transport", ["tcp"])
@waiting_test
async def test_if_both_refuse_connections_503_is_answered(hosts, send):
    for each in hosts:
        await each.die()

    assert await send() == 503
