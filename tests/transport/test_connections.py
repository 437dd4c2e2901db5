from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectError
from twisted.internet.error import TimeoutError as ConnectTimedOut
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.names.error import DNSNameError
from twisted.python.failure import Failure

from presproxy.errors import LimitReached, forget_traceback
from presproxy.transport.connections import Connections
from presproxy.transport.hop import Hop, Unreachable
from presproxy.transport.locate import Locator
from presproxy.transport.names import Names
from presproxy.transport.sockets import CannotListen
from presproxy.transport.stream import StreamLimits
from presproxy.transport.where import Where

LOOPBACKS = pytest.mark.parametrize("loopback", ["127.0.0.1", "::1"])


@pytest_twisted.async_yield_fixture
async def listener():
    """Listen for connections as a peer would; give its port and a queue of them."""
    ports = []

    async def listen(host, stream_peer):
        factory = Factory.forProtocol(stream_peer)
        factory.noisy = False
        ports.append(reactor.listenTCP(0, factory, interface=host))
        return ports[-1].getHost().port

    yield listen
    for port in ports:
        await port.stopListening()


def written(host):
    return f"[{host}]" if ":" in host else host


@LOOPBACKS
@pytest_twisted.ensureDeferred
async def test_a_datagram_leaves_by_the_socket_of_its_family(
    loopback, open_house, datagram_peer
):
    connections = open_house()
    places = [
        place
        for host in ("127.0.0.1", "::1")
        for place in await connections.listen(Where("udp", 0, host))
    ]
    peer = datagram_peer(loopback)

    flow = await connections.flow_to(f"sip:{written(loopback)}:{peer.address[1]}")
    flow.send(b"a message")
    data, source = await peer.received.get()

    [place] = [each for each in places if each.interface == loopback]
    assert data == b"a message"
    assert source == (loopback, place.port)


@pytest_twisted.ensureDeferred
async def test_a_datagram_leaves_by_the_socket_nearest_to_the_peer(
    open_house, datagram_peer
):
    connections = open_house()
    await connections.listen(Where("udp", 0, "127.0.0.2"))
    await connections.listen(Where("udp", 0, "0.0.0.0"))
    [near] = await connections.listen(Where("udp", 0, "127.0.0.1"))

    flow = await connections.flow_to("sip:127.0.0.1:5060")

    assert flow.local == ("127.0.0.1", near.port)


@pytest_twisted.ensureDeferred
async def test_no_datagram_leaves_the_host_by_the_loopback(open_house):
    connections = open_house()
    await connections.listen(Where("udp", 0, "localhost"))

    with pytest.raises(Unreachable, match="no UDP socket of ours leads there"):
        await connections.flow_to("sip:192.0.2.1;transport=udp")


@pytest_twisted.ensureDeferred
async def test_where_datagrams_came_from_goes_before_the_uri(open_house):
    connections = open_house()
    await connections.listen(Where("udp", 0, "127.0.0.1"))

    flow = await connections.flow_to("sip:alice@10.0.0.1", ("127.0.0.1", 40_000))

    assert flow.peer == ("127.0.0.1", 40_000)


@LOOPBACKS
@pytest_twisted.ensureDeferred
async def test_a_stream_is_opened_and_known_by_where_we_listen(
    loopback, house, open_house, listener, stream_peer, options
):
    connections = open_house()
    [where] = await connections.listen(Where("tcp", 0, loopback))
    port = await listener(loopback, stream_peer)

    flow = await connections.flow_to(f"sip:{written(loopback)}:{port};transport=tcp")
    flow.send(b"a message")
    [peer] = stream_peer.made
    data = await peer.read(9)
    peer.send(options)
    answer, by = await house.received.get()

    assert (data, answer) == (b"a message", options)
    assert by is flow
    assert flow.sent_by == f"{written(loopback)}:{where.port}"


@pytest_twisted.ensureDeferred
async def test_who_listens_for_no_streams_is_known_by_the_one_it_opened(
    open_house, listener, stream_peer
):
    port = await listener("127.0.0.1", stream_peer)

    flow = await open_house().flow_to(f"sip:127.0.0.1:{port};transport=tcp")

    assert flow.sent_by == f"127.0.0.1:{flow.local[1]}"


@pytest_twisted.ensureDeferred
async def test_a_stream_that_is_open_is_used_again(
    house, open_house, call, options, listener, stream_peer
):
    connections = open_house()
    [where] = await connections.listen(Where("tcp", 0, "127.0.0.1"))
    peer = await call(where)
    peer.send(options)
    _, accepted = await house.received.get()
    port = await listener("127.0.0.1", stream_peer)
    uri = f"sip:127.0.0.1:{port};transport=tcp"

    opened = await connections.flow_to(uri)

    assert await connections.flow_to(uri) is opened
    back = f"sip:127.0.0.1:{peer.address[1]};transport=tcp"
    assert await connections.flow_to(back) is accepted


@pytest_twisted.ensureDeferred
async def test_a_stream_that_was_closed_is_opened_anew(
    house, open_house, listener, stream_peer
):
    connections = open_house()
    port = await listener("127.0.0.1", stream_peer)
    uri = f"sip:127.0.0.1:{port};transport=tcp"
    first = await connections.flow_to(uri)
    first.send(b"a message")
    await stream_peer.made[0].read(9)
    stream_peer.made[0].transport.abortConnection()
    await house.closed.get()

    second = await connections.flow_to(uri)

    assert second is not first
    assert second.is_open


@pytest_twisted.ensureDeferred
async def test_all_who_wait_for_a_stream_share_it(open_house, listener, stream_peer):
    connections = open_house()
    port = await listener("127.0.0.1", stream_peer)
    uri = f"sip:127.0.0.1:{port};transport=tcp"

    waiting = [Deferred.fromCoroutine(connections.flow_to(uri)) for _ in range(10)]
    flows = [await each for each in waiting]

    assert len(set(map(id, flows))) == 1
    assert len(stream_peer.made) == 1


@pytest_twisted.ensureDeferred
async def test_a_peer_who_is_not_there_is_named(open_house, datagram_peer):
    # A port that nobody listens on for streams.
    port = datagram_peer("127.0.0.1").address[1]
    uri = f"sip:127.0.0.1:{port};transport=tcp"

    with pytest.raises(Unreachable) as caught:
        await open_house().flow_to(uri)

    assert str(caught.value) == (
        f"{uri} cannot be reached: tcp:127.0.0.1:{port} cannot be reached: "
        "Connection refused"
    )


@pytest_twisted.ensureDeferred
async def test_what_is_known_of_a_failure_is_free_once_it_is_told(
    open_house, datagram_peer, count_living
):
    port = datagram_peer("127.0.0.1").address[1]
    connections = open_house()
    before = count_living(Unreachable)

    told = []

    def failed(failure):
        told.append(str(failure.value))
        forget_traceback(failure.value)

    uri = f"sip:127.0.0.1:{port};transport=tcp"
    Deferred.fromCoroutine(connections.flow_to(uri)).addErrback(failed)
    while not told:
        await deferLater(reactor, 0)

    assert str(port) in told[0]
    assert count_living(Unreachable) == before


@pytest_twisted.ensureDeferred
async def test_the_next_hop_is_tried_when_one_fails(open_house, listener, stream_peer):
    port = await listener("::1", stream_peer)

    flow = await open_house().flow_to(f"sip:localhost:{port};transport=tcp")

    assert flow.peer == ("::1", port)


@pytest_twisted.ensureDeferred
async def test_streams_opened_by_us_count(open_house, listener, stream_peer):
    connections = open_house(limits=StreamLimits(connections=1))
    port = await listener("127.0.0.1", stream_peer)
    other = await listener("127.0.0.1", stream_peer)
    await connections.flow_by(Hop("tcp", "127.0.0.1", port))

    with pytest.raises(LimitReached, match="at most 1 connections"):
        await connections.flow_by(Hop("tcp", "127.0.0.1", other))


@pytest_twisted.ensureDeferred
async def test_of_a_place_in_two_families_both_get_one_port(open_house):
    bound = await open_house().listen(Where("udp", 0, "localhost"))

    assert [each.interface for each in bound] == ["127.0.0.1", "::1"]
    assert len({each.port for each in bound}) == 1


@pytest_twisted.ensureDeferred
async def test_of_a_place_that_is_half_taken_nothing_is_bound(open_house):
    [taken] = await open_house().listen(Where("tcp", 0, "::1"))

    with pytest.raises(CannotListen):
        await open_house().listen(Where("tcp", taken.port, "localhost"))

    free = await open_house().listen(Where("tcp", taken.port, "127.0.0.1"))
    assert free == [Where("tcp", taken.port, "127.0.0.1")]


@pytest_twisted.ensureDeferred
async def test_an_address_of_another_host_is_told(open_house):
    with pytest.raises(CannotListen, match=r"udp:192\.0\.2\.1:5060: Cannot assign"):
        await open_house().listen(Where("udp", 5060, "192.0.2.1"))


@pytest_twisted.ensureDeferred
async def test_no_more_connections_are_taken_while_others_go_on(
    house, open_house, call, options
):
    connections = open_house()
    [where] = await connections.listen(Where("tcp", 0, "127.0.0.1"))
    peer = await call(where)
    peer.send(options)
    _, flow = await house.received.get()

    await connections.stop_accepting()
    flow.send(b"an answer")

    assert await peer.read(9) == b"an answer"
    with pytest.raises(ConnectError, match="refused"):
        await call(where)


# --- Without sockets


@pytest.fixture
def memory():
    return MemoryReactorClock()


@pytest.fixture
def calling(memory, house):
    names = Names(memory, NoNames(), None)
    return Connections(memory, house.receive, locator=Locator(names))


class NoNames:
    def __getattr__(self, method):
        return lambda name, timeout=None: fail(DNSNameError())


def begin(awaitable):
    got = []
    Deferred.fromCoroutine(awaitable).addBoth(got.append)
    return got


def test_a_connection_is_waited_for_so_long(memory, calling):
    got = begin(calling.flow_to("sip:192.0.2.1;transport=tcp"))
    [(host, port, factory, timeout, _)] = memory.tcpClients
    before = list(got)

    factory.clientConnectionFailed(None, Failure(ConnectTimedOut()))

    assert (host, port, timeout) == ("192.0.2.1", 5060, 5.0)
    assert before == []
    assert got[0].type is Unreachable


def test_only_so_many_connections_are_awaited(memory, calling):
    got = []
    for number in range(101):
        got += [begin(calling.flow_to(f"sip:192.0.2.1:{number + 1};transport=tcp"))]

    assert [len(each) for each in got] == [0] * 100 + [1]
    assert got[-1][0].type is LimitReached


def test_a_name_nobody_knows_is_told(calling):
    [failure] = begin(calling.flow_to("sip:nowhere.test"))

    assert failure.type is Unreachable


def test_who_stops_waits_for_no_connection(memory, calling):
    got = begin(calling.flow_to("sip:192.0.2.1;transport=tcp"))

    begin(calling.stop())

    assert memory.connectors[0].stoppedConnecting
    assert got == []
