"""No watcher sees an older state after a newer one, and a slow one the latest only."""

from __future__ import annotations

import re
import select
import time
from itertools import pairwise

import attrs
import pytest

from presproxy.testing.peer import Peer, is_notify
from presproxy.testing.wire import Message, fresh, pidf, respond

_number = re.compile(r"<note>(\w+)-(\d+)</note>").findall


@attrs.define(eq=False)
class Onlooker:
    """
    One dialog, and what was told in it: (CSeq, the numbers of all devices).

    ``delay`` is how many seconds he takes to answer a NOTIFY.
    """

    peer: Peer
    delay: float = 0.0
    told: list[tuple[int, dict[str, int]]] = attrs.field(factory=list)
    wrong: list[str] = attrs.field(factory=list)
    unanswered: Message | None = None
    answer_at: float = 0.0

    def take(self, notify: Message) -> None:
        if self.unanswered is not None:
            if notify.data != self.unanswered.data:
                self.wrong.append(
                    f"two in flight: {self.unanswered} and {notify.data!r}"
                )
            return
        numbers = {device: int(number) for device, number in _number(notify.text)}
        if self.told:
            cseq, before = self.told[-1]
            if notify.cseq <= cseq:
                self.wrong.append(f"CSeq {notify.cseq} after {cseq}")
            for device, number in before.items():
                if numbers.get(device, -1) < number:
                    self.wrong.append(f"{numbers} after {before}")
        self.told.append((notify.cseq, numbers))
        self.unanswered = notify
        self.answer_at = time.monotonic() + self.delay

    def answer_if_time(self) -> None:
        if self.unanswered is not None and time.monotonic() >= self.answer_at:
            self.peer.send(respond(self.unanswered))
            self.unanswered = None


@attrs.define(eq=False)
class Device:
    """Publishes rising numbers as fast as it is answered."""

    peer: Peer
    name: str
    last: int
    number: int = 0
    tag: str | None = None
    branch: str = ""

    @property
    def is_done(self) -> bool:
        return self.number == self.last and not self.branch

    def go_on(self) -> None:
        if self.branch or self.number == self.last:
            return
        self.number += 1
        body = pidf(self.peer.aor, f"{self.name}-{self.number}", id=self.name)
        fields = {
            "Event": "presence",
            "Content-Type": "application/pidf+xml",
            "SIP-If-Match": self.tag,
        }
        data = self.peer.write("PUBLISH", self.peer.aor, fields, body)
        self.branch = Message.read(data).branch
        self.peer.send(data)

    def take(self, response: Message) -> None:
        assert response.status == 200, response.data
        assert response.branch == self.branch
        self.tag, self.branch = response.need("sip-etag"), ""


class Stage:
    """Onlookers by their dialogs, devices by their sockets, and the loop they share."""

    def __init__(self) -> None:
        self.onlookers: dict[str, Onlooker] = {}
        self.devices: list[Device] = []
        self.peers: list[Peer] = []

    def add(self, peer: Peer, presentity: str, delay: float = 0.0) -> Onlooker:
        """Subscribe by a peer, which may have other dialogs, too."""
        peer.answer = lambda request: None
        if peer not in self.peers:
            self.peers.append(peer)
        call_id = fresh("call")
        onlooker = self.onlookers[call_id] = Onlooker(peer, delay)
        fields = {
            "Call-ID": call_id,
            "Event": "presence",
            "From": f"<sip:{fresh('w')}@contoso.com>;tag=1",
        }
        peer.send(peer.write("SUBSCRIBE", presentity, fields))
        return onlooker

    def run(self, last: dict[str, int], limit: float = 30.0) -> None:
        """Go on until all have been told the last numbers."""
        until = time.monotonic() + limit
        while not self._is_over(last):
            assert time.monotonic() < until, self._missing(last)
            self.turn()

    def turn(self) -> None:
        for device in self.devices:
            device.go_on()
        devices = {each.peer: each for each in self.devices}
        sockets = {each.socket: each for each in [*self.peers, *devices]}
        for ready in select.select(list(sockets), [], [], 0.005)[0]:
            peer = sockets[ready]
            peer.pump(0)
            inbox, peer.inbox = peer.inbox, []
            for message in inbox:
                if is_notify(message):
                    self.onlookers[message.call_id].take(message)
                elif message.method == "PUBLISH":
                    devices[peer].take(message)
                else:
                    assert message.status == 200, message.data
        for onlooker in self.onlookers.values():
            onlooker.answer_if_time()

    def _is_over(self, last: dict[str, int]) -> bool:
        return all(each.is_done for each in self.devices) and not self._missing(last)

    def _missing(self, last: dict[str, int]) -> list[Onlooker]:
        return [
            each
            for each in self.onlookers.values()
            if not each.told or each.told[-1][1] != last or each.unanswered is not None
        ]

    def wrong(self) -> list[str]:
        return [wrong for each in self.onlookers.values() for wrong in each.wrong]


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture
def presentity():
    return f"{fresh('busy')}@contoso.com"


def test_many_watchers_of_rapid_changes_see_no_older_state(
    server, peers, stage, presentity
):
    for number in range(60):
        peer = peers(server, transport=("udp", "tcp")[number % 2])
        stage.add(peer, f"sip:{presentity}")
    stage.run({})
    for name, transport in (("phone", "udp"), ("desk", "tcp")):
        stage.devices.append(Device(peers(server, presentity, transport), name, 100))

    stage.run({"phone": 100, "desk": 100})

    assert stage.wrong() == []
    fastest = max(len(each.told) for each in stage.onlookers.values())
    assert fastest > 20


def test_a_slow_watcher_is_told_the_latest_only(server, peers, stage, presentity):
    slow = [
        stage.add(peers(server, transport=transport), f"sip:{presentity}", delay)
        for transport in ("udp", "tcp")
        for delay in (0.1, 0.3)
    ]
    fast = stage.add(peers(server, transport="tcp"), f"sip:{presentity}")
    stage.run({})
    stage.devices.append(Device(peers(server, presentity), "phone", 150))

    stage.run({"phone": 150})

    assert stage.wrong() == []
    assert all(len(each.told) < len(fast.told) for each in slow)
    numbers = [told["phone"] for _, told in slow[1].told[1:]]
    assert any(later > earlier + 1 for earlier, later in pairwise(numbers))


def test_more_watchers_than_fit_in_a_slice_see_no_older_state(
    server, peers, stage, presentity
):
    roads = [peers(server, transport="tcp") for _ in range(4)]
    for number in range(1300):
        stage.add(roads[number % 4], f"sip:{presentity}")
        if number % 100 == 99:
            stage.run({})
    stage.devices.append(Device(peers(server, presentity), "phone", 30))

    stage.run({"phone": 30})

    assert stage.wrong() == []


def test_changes_while_a_watcher_is_away_are_not_told_later_out_of_order(
    server, peers, stage, presentity
):
    """A watcher who reads nothing for a while, and then all at once."""
    onlooker = stage.add(peers(server, transport="tcp"), f"sip:{presentity}")
    stage.run({})
    device = Device(peers(server, presentity), "phone", 40)
    stage.devices.append(device)
    away, stage.peers = stage.peers, []
    while not device.is_done:
        stage.turn()
    stage.peers = away

    stage.run({"phone": 40})

    assert stage.wrong() == []
    assert len(onlooker.told) <= 4
