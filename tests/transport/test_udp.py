from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from presproxy.errors import PresproxyError
from presproxy.transport.ends import OurEnd
from presproxy.transport.traffic import Traffic
from presproxy.transport.udp import MOST_AT_ONCE, UdpTransport
from presproxy.transport.where import Where

LOOPBACKS = pytest.mark.parametrize("loopback", ["127.0.0.1", "::1"])


@LOOPBACKS
@pytest_twisted.ensureDeferred
async def test_a_datagram_comes_with_the_way_back(
    loopback, house, open_house, datagram_peer, options
):
    [where] = await open_house().listen(Where("udp", 0, loopback))
    peer = datagram_peer(loopback)

    peer.send(options, where)
    data, flow = await house.received.get()
    flow.send(b"an answer")
    answer, source = await peer.received.get()

    assert (data, answer) == (options, b"an answer")
    assert (flow.peer, flow.local) == (peer.address, source)
    assert source == (loopback, where.port)
    assert (flow.transport, flow.reliable, flow.is_open) == ("UDP", False, True)


@pytest.mark.parametrize(
    ("loopback", "written"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")]
)
@pytest_twisted.ensureDeferred
async def test_our_end_is_named_as_via_wants_it(
    loopback, written, house, open_house, datagram_peer
):
    [where] = await open_house().listen(Where("udp", 0, loopback))

    datagram_peer(loopback).send(b"a message", where)
    _, flow = await house.received.get()

    assert flow.sent_by == f"{written}:{where.port}"


@LOOPBACKS
@pytest_twisted.ensureDeferred
async def test_bound_to_all_interfaces_our_end_is_the_one_the_peer_reaches(
    loopback, house, open_house, datagram_peer
):
    bound = await open_house().listen(Where("udp", 0))
    port = bound[0].port

    datagram_peer(loopback).send(b"a message", Where("udp", port, loopback))
    _, flow = await house.received.get()

    assert {each.interface for each in bound} == {"0.0.0.0", "::"}
    assert flow.local == (loopback, port)


@pytest_twisted.ensureDeferred
async def test_what_is_advertised_is_named_instead(house, open_house, datagram_peer):
    connections = open_house(advertised="192.0.2.1")
    [four] = await connections.listen(Where("udp", 0, "127.0.0.1"))
    [six] = await connections.listen(Where("udp", 0, "::1"))

    datagram_peer("127.0.0.1").send(b"a message", four)
    _, by_four = await house.received.get()
    datagram_peer("::1").send(b"a message", six)
    _, by_six = await house.received.get()

    assert by_four.sent_by == f"192.0.2.1:{four.port}"
    assert by_six.sent_by == f"[::1]:{six.port}"


@pytest_twisted.ensureDeferred
async def test_a_flow_leads_to_other_addresses_by_the_same_socket(
    house, open_house, datagram_peer
):
    [where] = await open_house().listen(Where("udp", 0, "127.0.0.1"))
    one, other = datagram_peer("127.0.0.1"), datagram_peer("127.0.0.1")

    one.send(b"a message", where)
    _, flow = await house.received.get()
    flow.towards(other.address).send(b"an answer")
    answer, source = await other.received.get()

    assert answer == b"an answer"
    assert source == (where.interface, where.port)
    assert flow.towards(flow.peer) is flow


@pytest.mark.parametrize(
    "peer",
    [("alice.example.test", 5060), ("::1", 5060), ("127.1", 5060), ("", 5060)],
    ids=["a name", "another family", "half an address", "nothing"],
)
@pytest_twisted.ensureDeferred
async def test_what_is_sent_to_no_address_is_lost(
    peer, house, open_house, datagram_peer
):
    [where] = await open_house().listen(Where("udp", 0, "127.0.0.1"))
    datagram_peer("127.0.0.1").send(b"a message", where)
    _, flow = await house.received.get()

    nowhere = flow.towards(peer)
    nowhere.send(b"an answer")

    assert not nowhere.is_open
    assert nowhere.peer == peer
    assert house.count("datagrams_lost") == 1


@pytest.mark.parametrize(
    ("data", "peer"),
    [
        (bytes(65_536), ("127.0.0.1", 9)),
        (b"a message", ("127.0.0.1", 70_000)),
        (b"a message", ("127.0.0.1", 0)),
    ],
    ids=["too long", "no port", "port zero"],
)
@pytest_twisted.ensureDeferred
async def test_what_the_system_does_not_take_is_lost(
    data, peer, house, open_house, datagram_peer
):
    [where] = await open_house().listen(Where("udp", 0, "127.0.0.1"))
    datagram_peer("127.0.0.1").send(b"a message", where)
    _, flow = await house.received.get()

    flow.towards(peer).send(data)

    assert house.count("datagrams_lost") == 1
    assert house.count("messages_sent", transport="udp") == 0


@pytest_twisted.ensureDeferred
async def test_a_datagram_of_the_largest_size_comes_whole(
    house, open_house, datagram_peer
):
    [where] = await open_house().listen(Where("udp", 0, "127.0.0.1"))
    largest = b"x" * 65_507

    datagram_peer("127.0.0.1").send(largest, where)
    data, _ = await house.received.get()

    assert data == largest


@pytest_twisted.ensureDeferred
async def test_what_came_meanwhile_is_read_in_one_turn(
    house, open_house, datagram_peer
):
    [where] = await open_house().listen(Where("udp", 0, "127.0.0.1"))
    peer = datagram_peer("127.0.0.1")

    for number in range(600):
        peer.send(b"message %03d" % number + b"x" * 1000, where)
    await deferLater(reactor, 0)
    at_once = len(house.messages)
    peer.send(b"the last", where)
    while not house.messages or house.messages[-1] != b"the last":
        await deferLater(reactor, 0)

    # As many as the system held.
    assert at_once == len(house.messages) - 1 > 0


@pytest_twisted.ensureDeferred
async def test_keep_alives_are_dropped_without_a_word(house, open_house, datagram_peer):
    [where] = await open_house().listen(Where("udp", 0, "127.0.0.1"))
    peer = datagram_peer("127.0.0.1")

    for data in (b"", b"\0", b"\r\n", b"\r\n\r\n", b"a message"):
        peer.send(data, where)
    data, _ = await house.received.get()

    assert data == b"a message"
    assert house.count("datagrams_ignored") == 4
    assert house.count("messages_received", transport="udp") == 1


@pytest_twisted.ensureDeferred
async def test_messages_are_counted_and_shown_both_ways(
    house, open_house, datagram_peer
):
    [where] = await open_house(now=lambda: 17.0).listen(Where("udp", 0, "127.0.0.1"))
    peer = datagram_peer("127.0.0.1")
    shown = []
    house.tap.listen(shown.append)

    peer.send(b"a message", where)
    _, flow = await house.received.get()
    flow.send(bytes(1301))

    assert [(each.at, each.direction, each.transport) for each in shown] == [
        (17.0, "in", "UDP"),
        (17.0, "out", "UDP"),
    ]
    assert [(each.local, each.peer) for each in shown] == [(flow.local, flow.peer)] * 2
    assert shown[0].data == b"a message"
    assert house.count("octets_received", transport="udp") == 9
    assert house.count("octets_sent", transport="udp") == 1301
    assert house.count("datagrams_long") == 1


@pytest_twisted.ensureDeferred
async def test_a_closed_socket_takes_nothing(house, open_house, datagram_peer):
    connections = open_house()
    [where] = await connections.listen(Where("udp", 0, "127.0.0.1"))
    datagram_peer("127.0.0.1").send(b"a message", where)
    _, flow = await house.received.get()

    await connections.stop()
    flow.send(b"an answer")

    assert not flow.is_open
    assert house.count("datagrams_lost") == 1


@pytest_twisted.ensureDeferred
async def test_a_place_that_is_taken_is_named(open_house):
    [where] = await open_house().listen(Where("udp", 0, "127.0.0.1"))

    with pytest.raises(PresproxyError, match=r"(?i)address already in use") as caught:
        await open_house().listen(where)

    assert str(caught.value).startswith(f"cannot listen on {where}:")


@pytest_twisted.ensureDeferred
async def test_processes_may_share_a_port(open_house):
    [where] = await open_house(share=True).listen(Where("udp", 0, "127.0.0.1"))

    again = await open_house(share=True).listen(where)

    assert again == [where]


class Endless:
    """A socket in which there is always one more datagram, of no octets."""

    read = 0

    def dup(self):
        return self

    def sendto(self, data, peer):
        pass

    def recvfrom_into(self, buffer):
        self.read += 1
        return 0, ("192.0.2.1", 5060)


class Reading:
    """A reactor that reads when it is told to."""

    def addReader(self, reader):
        self.reader = reader


def test_what_never_ends_leaves_the_others_their_turn(house):
    traffic = Traffic(
        "udp", house.receive, tap=house.tap, metrics=house.metrics, now=lambda: 0.0
    )
    transport = UdpTransport(traffic, OurEnd(("192.0.2.9", 5060)), house.metrics)
    endless, reactor = Endless(), Reading()
    transport.open(endless, reactor)

    reactor.reader.doRead()

    assert endless.read == house.count("datagrams_ignored") == MOST_AT_ONCE


@pytest_twisted.ensureDeferred
async def test_who_ends_while_it_reads_reads_no_more(house, open_house, datagram_peer):
    connections = open_house()
    [where] = await connections.listen(Where("udp", 0, "127.0.0.1"))
    peer = datagram_peer("127.0.0.1")
    ended = []

    class Ending:
        def put(self, received):
            ended.append(received)
            Deferred.fromCoroutine(connections.stop())

    house.received = Ending()
    peer.send(b"a message", where)
    peer.send(b"another message", where)
    while not ended:
        await deferLater(reactor, 0)
    await deferLater(reactor, 0)

    [(data, flow)] = ended
    flow.send(b"an answer")
    assert data == b"a message"
    assert not flow.is_open
    assert house.count("datagrams_lost") == 1
