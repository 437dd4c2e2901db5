from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from presproxy.errors import MalformedField
from presproxy.sip.message import build_response, parse_message
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.certificates import Authority
from presproxy.transport.connections import Connections
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

    with pytest.raises(NoAnswer, match=r"waited 0\.2 seconds"):
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
