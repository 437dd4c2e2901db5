from __future__ import annotations

import socket

import attrs
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from presproxy.errors import MalformedField
from presproxy.sip.message import build_response, parse_message
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.certificates import Authority
from presproxy.transport.connections import Connections
from presproxy.transport.hop import Hop, Unreachable
from presproxy.transport.where import Where
from presproxy.useragent import Server, UserAgent
from presproxy.useragent.errors import NoAnswer

ALICE = AddressOfRecord("sip:alice@example.test")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("sip.example.test", "sip.example.test", 0),
        ("192.0.2.1:5070", "192.0.2.1", 5070),
        ("[2001:db8::1]:5070", "2001:db8::1", 5070),
        ("[2001:db8::1]", "2001:db8::1", 0),
        ("2001:db8::1", "2001:db8::1", 0),
    ],
)
def test_a_server_is_read(text, host, port):
    assert Server.parse(text, "tcp") == Server(host, port, "tcp")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":5060",
        "host:",
        "host:x",
        "host:0",
        "host:70000",
        "[::1]5",
        "a@b",
        "sip:h;t",
        "quic:192.0.2.7:5060",
        "sip:192.0.2.7:5060",
        "a:b:c",
        "[host]:5060",
    ],
)
def test_what_is_no_server_is_refused(text):
    with pytest.raises(MalformedField):
        Server.parse(text)


def test_a_server_is_written_as_people_write_it():
    assert str(Server("2001:db8::1", 5070, "tcp")) == "tcp:[2001:db8::1]:5070"


@pytest.mark.parametrize(("transport", "port"), [("udp", 5060), ("tls", 5061)])
def test_the_port_is_the_usual_one_of_the_transport(transport, port):
    server = Server.parse("sip.example.test", transport)

    assert server.address == ("sip.example.test", port)
    assert str(server) == f"{transport}:sip.example.test:{port}"


@pytest_twisted.async_yield_fixture
async def secure_server(tmp_path):
    """A server by TLS that answers everything 200, and the file of its authority."""
    authority = Authority.make(tmp_path)
    path = str(authority.certify(tmp_path / "server.pem", "127.0.0.1"))
    other = Authority.make(tmp_path, "Other")

    def receive(data, flow):
        flow.send(build_response(parse_message(data), 200))

    connections = Connections(reactor, receive)
    [where] = await connections.listen(Where("tls", 0, "127.0.0.1", path, path))
    yield where.port, str(authority.path), str(other.path)
    await connections.stop()


@pytest_twisted.ensureDeferred
async def test_a_server_is_asked_by_tls(secure_server):
    port, authorities, _ = secure_server
    agent = UserAgent(ALICE, Server("127.0.0.1", port, "tls", authorities), reactor)
    seen = []
    agent.tap.listen(seen.append)

    await agent.start()
    response = await agent.options()
    await agent.stop()

    assert response.status == 200
    assert b"Via: SIP/2.0/TLS 127.0.0.1:" in seen[0].data


@pytest_twisted.ensureDeferred
async def test_a_server_that_proves_nothing_is_told_no_word(secure_server):
    port, _, others = secure_server
    agent = UserAgent(ALICE, Server("127.0.0.1", port, "tls", others), reactor)
    seen = []
    agent.tap.listen(seen.append)

    with pytest.raises(NoAnswer, match="certificate verify failed"):
        await agent.start()
    await agent.stop()

    assert seen == []


@pytest_twisted.ensureDeferred
async def test_a_server_that_never_ends_the_handshake_is_given_up(tcp_peer):
    server = Server("127.0.0.1", tcp_peer.port, "tls")
    agent = UserAgent(ALICE, server, reactor, limit=0.2)

    with pytest.raises(NoAnswer, match="no TLS in time"):
        await agent.start()

    await tcp_peer.connection.lost
    await agent.stop()


@pytest_twisted.ensureDeferred
async def test_many_who_send_at_once_open_one_connection(tcp_peer, alice_of, until):
    alice = await alice_of(tcp_peer)
    first = await alice.core.wire.flow()
    await tcp_peer.hang_up()
    await until(lambda: not alice.core.wire.is_open)

    waiting = [Deferred.fromCoroutine(alice.core.wire.flow()) for _ in range(5)]
    flows = [await each for each in waiting]

    assert len({id(each) for each in flows}) == 1
    assert flows[0] is not first


# -- Several hosts


@attrs.define(eq=False)
class Found:
    """A locator that finds what a test says, and knows what it was asked."""

    hops: list[Hop]
    asked: list[str] = attrs.field(factory=list)

    async def locate(self, target, transports):
        self.asked.append(target)
        if not self.hops:
            raise Unreachable(target, "there is no such name")
        return self.hops


def nobody_at(transport):
    """A place where nobody listens."""
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return Hop(transport, "127.0.0.1", probe.getsockname()[1], "farm.test")


async def agent_of(server, hops, **fields):
    agent = UserAgent(ALICE, server, reactor, **fields)
    agent.core.wire.locator = Found(list(hops))
    await agent.start()
    return agent


@pytest_twisted.async_yield_fixture
async def answering():
    """Makes servers that answer all alike, and gives where they are."""
    made = []

    async def make(transport, status=200, *, is_mute=False):
        def receive(data, flow):
            if not is_mute:
                flow.send(build_response(parse_message(data), status))

        connections = Connections(reactor, receive)
        made.append(connections)
        [where] = await connections.listen(Where(transport, 0, "127.0.0.1"))
        return Hop(transport, "127.0.0.1", where.port, "farm.test")

    yield make
    for each in made:
        await each.stop()


@pytest_twisted.ensureDeferred
async def test_a_host_that_cannot_be_reached_is_passed_over(answering):
    hops = [nobody_at("tcp"), await answering("tcp")]

    agent = await agent_of(Server("farm.test", 0, "tcp"), hops)
    response = await agent.options()
    await agent.stop()

    assert response.status == 200
    assert agent.core.wire.locator.asked == ["sip:farm.test;transport=tcp"]


@pytest_twisted.ensureDeferred
async def test_a_host_that_says_nothing_is_left_for_the_next(answering):
    hops = [await answering("udp", is_mute=True), await answering("udp")]
    agent = await agent_of(Server("farm.test"), hops, limit=0.3)

    with pytest.raises(NoAnswer):
        await agent.options()
    response = await agent.options()
    await agent.stop()

    assert response.status == 200


@pytest_twisted.ensureDeferred
async def test_a_host_that_answers_503_is_left_for_the_next(answering):
    hops = [await answering("udp", 503), await answering("udp")]
    agent = await agent_of(Server("farm.test"), hops)

    statuses = [(await agent.options()).status for _ in range(3)]
    await agent.stop()

    assert statuses == [503, 200, 200]


@pytest_twisted.ensureDeferred
async def test_where_all_are_away_they_are_asked_all_the_same(answering):
    hops = [await answering("udp", 503), await answering("udp", 503)]
    agent = await agent_of(Server("farm.test"), hops)

    statuses = [(await agent.options()).status for _ in range(4)]
    await agent.stop()

    assert statuses == [503] * 4


@pytest_twisted.ensureDeferred
async def test_the_only_host_is_never_left_alone(answering):
    agent = await agent_of(Server("farm.test"), [await answering("udp", 503)])
    before = await agent.address()

    await agent.options()

    assert await agent.address() == before
    await agent.stop()


@pytest_twisted.ensureDeferred
async def test_what_is_known_to_the_system_alone_is_found(answering):
    hop = await answering("udp")
    agent = await agent_of(Server("127.0.0.1", hop.port), [])

    response = await agent.options()
    await agent.stop()

    assert response.status == 200


@pytest.mark.parametrize(
    ("server", "uri"),
    [
        (Server("farm.test"), "sip:farm.test;transport=udp"),
        (Server("farm.test", 5070, "tcp"), "sip:farm.test:5070;transport=tcp"),
        (Server("farm.test", 0, "tls"), "sips:farm.test"),
        (Server("2001:db8::1", 0, "udp"), "sip:[2001:db8::1];transport=udp"),
        (Server("2001:db8::1", 5070, "udp"), "sip:[2001:db8::1]:5070;transport=udp"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_hosts_are_looked_for_as_those_of_a_uri(server, uri):
    found = Found([nobody_at("tcp")])
    agent = UserAgent(ALICE, server, reactor)
    agent.core.wire.locator = found

    with pytest.raises(NoAnswer, match="refused"):
        await agent.start()
    await agent.stop()

    assert found.asked == [uri]


# -- Whom the certificate is for (RFC 5922)


@pytest.mark.parametrize(
    ("names", "is_proved"),
    [
        (("farm.test",), True),
        (("sip:farm.test",), True),
        (("sip:other.test", "farm.test"), False),
        (("*.test",), False),
        (("host1.farm.test",), False),
    ],
    ids=["its name", "its domain", "another domain", "a star", "the host found for it"],
)
@pytest_twisted.ensureDeferred
async def test_the_server_has_to_prove_the_name_it_was_asked_by(
    tmp_path, names, is_proved
):
    authority = Authority.make(tmp_path)
    path = str(authority.certify(tmp_path / "server.pem", *names))
    connections = Connections(
        reactor, lambda data, flow: flow.send(build_response(parse_message(data), 200))
    )
    [where] = await connections.listen(Where("tls", 0, "127.0.0.1", path, path))
    hop = Hop("tls", "127.0.0.1", where.port, "farm.test")
    server = Server("farm.test", 0, "tls", str(authority.path))

    try:
        if is_proved:
            agent = await agent_of(server, [hop])
            assert (await agent.options()).status == 200
        else:
            agent = UserAgent(ALICE, server, reactor)
            agent.core.wire.locator = Found([hop])
            with pytest.raises(NoAnswer, match=r"not for farm\.test"):
                await agent.start()
        await agent.stop()
    finally:
        await connections.stop()
