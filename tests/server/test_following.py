"""Watchers whose flow broke are found again by their user agent's new registration."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.defer import Deferred

from presproxy.testing.desk import Desk, shown
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.testing.wire import Message, compose, pidf, respond

URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
OTHER = "urn:uuid:00000000-0000-1000-8000-aabbccddeeff"
BOB = "sip:bob@example.test"
TRANSPORTS = ["stream", "datagram"]


@attrs.define(eq=False, repr=False)
class Watcher:
    """A user agent of alice's that comes by flows of its own, and answers NOTIFYs or not."""

    desk: Desk
    flow: RecordingFlow
    instance: str = URN
    numbers: int = 0
    unread: dict = attrs.field(factory=dict)

    def ask(self, method, uri, **fields):
        self.numbers += 1
        host, port = self.flow.peer
        via = f"SIP/2.0/{self.flow.transport} {host}:{port};rport;branch=z9hG4bK"
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        standard = {
            "Via": f"{via}{id(self)}{self.numbers}",
            "Max-Forwards": "70",
            "From": f"<sip:alice@example.test>;tag={self.numbers}",
            "To": f"<{uri}>",
            "Call-ID": f"{method}{id(self)}",
            "CSeq": f"{self.numbers} {method}",
            "Contact": "<sip:alice@10.0.0.7:5060>",
        }
        data = compose(f"{method} {uri} SIP/2.0", {**standard, **named}, "")
        self.desk.send(data, self.flow)
        came = self.read()
        (answer,) = [each for each in came if each.is_response]
        self.unread[self.flow] = [each for each in came if each is not answer]
        return answer

    def register(self, flow=None, reg_id="1"):
        if flow is not None:
            self.flow = flow
        contact = f'<sip:alice@10.0.0.7:5060>;+sip.instance="<{self.instance}>"'
        answer = self.ask(
            "REGISTER",
            "sip:example.test",
            To="<sip:alice@example.test>",
            Contact=contact if reg_id is None else f"{contact};reg-id={reg_id}",
            Supported="outbound",
        )
        assert answer.status == 200

    def subscribe(self, more=""):
        contact = f"<sip:alice@10.0.0.7:5060>{more}"
        answer = self.ask("SUBSCRIBE", BOB, Event="presence", Contact=contact)
        assert answer.status == 200
        return answer

    def read(self, flow=None):
        flow = flow or self.flow
        self.desk.clock.advance(0)
        messages = [Message.read(data) for peer, data in flow.sent if peer == flow.peer]
        flow.sent.clear()
        return self.unread.pop(flow, []) + messages

    def told(self, flow=None, *, answers=True):
        """Give what was told by the flow, and answer."""
        states = []
        while fresh := [e for e in self.read(flow) if e.method == "NOTIFY"]:
            for each in fresh:
                states.append(shown(each))
                if answers:
                    self.desk.send(respond(each), flow or self.flow)
        return states


@pytest.fixture
def flow_from(desk):
    def make(kind, port):
        peer = ("192.0.2.50", port)
        return RecordingStream(peer) if kind == "stream" else RecordingFlow(peer)

    return make


@pytest.fixture
def watcher(desk, flow_from):
    return Watcher(desk, flow_from("stream", 40001))


OF_ITS_OWN = f';+sip.instance="<{URN}>"'


@pytest.mark.parametrize("more", ["", OF_ITS_OWN], ids=["registered", "in SUBSCRIBE"])
def test_what_changed_while_nobody_was_there_is_told_by_the_new_flow(
    desk, watcher, flow_from, more
):
    watcher.register()
    watcher.subscribe(more)
    watcher.told()
    watcher.flow.close()
    desk.publish(pidf(BOB, "away"))
    desk.publish(pidf(BOB, "back"))
    desk.clock.advance(0)

    watcher.register(flow_from("stream", 40002))

    assert watcher.told() == ["back"]
    desk.publish(pidf(BOB, "gone"))
    assert watcher.told() == ["gone"]
    assert desk.defects == 0


def test_who_subscribes_first_is_found_by_his_own_word(desk, watcher, flow_from):
    watcher.subscribe(OF_ITS_OWN)
    watcher.told()
    watcher.flow.close()
    watcher.register(flow_from("stream", 40002))
    desk.publish(pidf(BOB, "away"))

    assert watcher.told() == ["away"]


def test_a_refresh_without_a_contact_is_of_the_same_instance(desk, watcher, flow_from):
    first = watcher.subscribe(OF_ITS_OWN)
    watcher.told()

    refreshed = watcher.ask(
        "SUBSCRIBE",
        BOB,
        Event="presence",
        Contact=None,
        From=first.need("from"),
        To=first.need("to"),
    )
    watcher.told()
    watcher.flow.close()
    watcher.register(flow_from("stream", 40002))
    desk.publish(pidf(BOB, "away"))

    assert refreshed.status == 200
    assert watcher.told() == ["away"]


def test_a_gruu_names_the_instance_as_well(desk, watcher, flow_from):
    gruu = f"<sip:alice@example.test;gr={URN}>"
    watcher.ask("SUBSCRIBE", BOB, Event="presence", Contact=gruu)
    watcher.told()
    watcher.flow.close()
    watcher.register(flow_from("stream", 40002))
    desk.publish(pidf(BOB, "away"))

    assert watcher.told() == ["away"]


@pytest.mark.parametrize("kind", TRANSPORTS)
def test_what_is_on_its_way_by_the_old_flow_is_told_at_once(desk, flow_from, kind):
    first, second = flow_from(kind, 40001), flow_from(kind, 40002)
    watcher = Watcher(desk, first)
    _allow_datagrams(desk)
    watcher.register()
    watcher.subscribe(OF_ITS_OWN)
    watcher.told()
    desk.publish(pidf(BOB, "away"))
    # It goes to where nobody is any more.
    assert watcher.told(first, answers=False) == ["away"]

    watcher.register(second)
    assert watcher.told() == ["away"]

    # That nobody answered by the old flow ends nothing.
    desk.sleep(40)
    assert len(desk.subscriptions) == 1
    desk.publish(pidf(BOB, "back"))
    assert watcher.told() == ["back"]
    # What timer E repeats is the old one.
    assert "back" not in watcher.told(first)


def test_another_instance_is_told_nothing(desk, watcher, flow_from):
    watcher.register()
    watcher.subscribe()
    watcher.told()
    watcher.flow.close()
    desk.publish(pidf(BOB, "away"))
    other = Watcher(desk, flow_from("stream", 40002), OTHER)
    other.register()

    assert other.told() == []


def test_another_user_of_the_same_instance_is_told_nothing(desk, watcher, flow_from):
    watcher.register()
    watcher.subscribe()
    watcher.told()
    watcher.flow.close()
    desk.publish(pidf(BOB, "away"))
    desk.ask(
        "REGISTER",
        {
            "To": "<sip:carol@example.test>",
            "Contact": f"<sip:carol@192.0.2.9>{OF_ITS_OWN};reg-id=1",
            "Supported": "outbound",
        },
        uri="sip:example.test",
        user="carol",
    )

    assert desk.notified() == []


@pytest.mark.parametrize("kind", TRANSPORTS)
def test_a_twin_that_knows_no_flows_takes_nothing_away(desk, flow_from, kind):
    watcher = Watcher(desk, flow_from(kind, 40001))
    watcher.subscribe(OF_ITS_OWN)
    watcher.told()
    twin = Watcher(desk, flow_from(kind, 40002))
    for each in (watcher, twin):
        each.register(reg_id=None)
    desk.publish(pidf(BOB, "away"))

    assert (watcher.told(), twin.told()) == (["away"], [])


def test_a_second_flow_leaves_what_goes_by_the_first(desk, watcher, flow_from):
    watcher.register()
    watcher.subscribe()
    first = watcher.flow
    watcher.told()
    watcher.register(flow_from("stream", 40002), reg_id="2")
    desk.publish(pidf(BOB, "away"))

    assert watcher.told(first) == ["away"]
    assert watcher.told() == []


def test_the_second_flow_takes_over_when_the_first_breaks(desk, watcher, flow_from):
    watcher.register()
    watcher.subscribe()
    watcher.told()
    first = watcher.flow
    watcher.register(flow_from("stream", 40002), reg_id="2")
    first.close()
    desk.publish(pidf(BOB, "away"))

    assert watcher.told() == ["away"]


def test_after_a_start_the_new_registration_leads_to_who_watched(desk, flow_from):
    watcher = Watcher(desk, flow_from("stream", 40001))
    watcher.subscribe(OF_ITS_OWN)
    watcher.told()
    watcher.flow.close()
    again = restarted(desk)
    watcher.desk = again
    watcher.register(flow_from("stream", 40002))
    again.publish(pidf(BOB, "away"))

    assert watcher.told() == ["away"]


def test_nothing_is_kept_of_who_has_left(desk, watcher):
    following = desk.server.following
    watcher.register()
    watcher.subscribe()
    assert len(following) == 1

    desk.sleep(3700)
    assert (len(desk.subscriptions), len(following)) == (0, 0)


def _allow_datagrams(desk):
    """As if STUN kept them alive."""
    outbound = desk.server.core.steps["REGISTER"].outbound
    desk.server.core.steps["REGISTER"].outbound = attrs.evolve(outbound, stun=True)


def restarted(desk):
    """Give the same server after a start: another one, with the same records."""
    again = Desk(desk.acl, storage=desk.storage)
    again.clock.advance(desk.clock.seconds())
    done = []
    restoring = Deferred.fromCoroutine(again.server._restore())
    restoring.addCallback(done.append)
    assert done
    return again
