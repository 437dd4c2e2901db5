"""Flows of user agents, and the registrar's part in keeping them (RFC 5626 §6)."""

from __future__ import annotations

import attrs
import pytest

from presproxy.testing.flows import RecordingStream
from presproxy.testing.wire import Message

URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
OTHER = "urn:uuid:00000000-0000-1000-8000-aabbccddeeff"
ALICE = "sip:alice@example.test"


def flow_of(reg_id=1, urn=URN, more=""):
    return f';reg-id={reg_id};+sip.instance="<{urn}>"{more}'


@attrs.define(eq=False)
class Registering:
    """Registers contacts of bob's by flows, and gives the answers."""

    desk: object

    def __call__(self, contact, flow, **fields):
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        standard = {
            "To": "<sip:bob@example.test>",
            "From": "<sip:bob@example.test>;tag=a",
            "Contact": contact,
            "Supported": "path, outbound",
        }
        data = self.desk.write(
            "REGISTER", {**standard, **named}, uri="sip:example.test"
        )
        self.desk.send(data, flow)
        return Message.read(flow.sent[-1][1])

    @property
    def bindings(self):
        server = self.desk.server
        return server.locations.bindings("sip:bob@example.test", server.house.now())


@pytest.fixture
def register(desk):
    return Registering(desk)


CONTACT = "<sip:bob@10.0.0.7:5060;transport=tcp;ob>"


def test_who_asks_for_it_is_told_that_it_was_done(register):
    flow = RecordingStream()
    answer = register(CONTACT + flow_of(), flow)

    assert answer.status == 200
    assert answer.all("require") == ["outbound"]
    assert answer.get("flow-timer") == "120"
    assert flow.expected == 150
    assert answer.all("contact") == [f"{CONTACT}{flow_of()};expires=3600"]


@pytest.mark.parametrize(
    ("contact", "fields"),
    [
        (CONTACT + flow_of(), {"Supported": "path"}),
        (CONTACT + ";reg-id=1", {}),
        (CONTACT + f';+sip.instance="<{URN}>"', {}),
        (CONTACT + ";reg-id=1;+sip.instance=x", {}),
    ],
    ids=["no outbound", "no instance", "no reg-id", "no URN"],
)
def test_a_registration_that_says_less_is_one_as_ever(register, contact, fields):
    flow = RecordingStream()
    answer = register(contact, flow, **fields)

    assert answer.status == 200
    assert answer.get("require") is None
    assert answer.get("flow-timer") is None
    assert flow.expected is None
    assert [each.reg_id for each in register.bindings] == [0]


@pytest.mark.parametrize("reg_id", ["0", "x", "", "2147483648", "99999999999999999999"])
def test_a_reg_id_is_a_number_in_its_range(register, reg_id):
    assert register(CONTACT + flow_of(reg_id), RecordingStream()).status == 400


def test_a_contact_with_a_reg_id_stands_alone(register):
    both = [CONTACT + flow_of(), "<sip:bob@10.0.0.8>"]

    assert register(both, RecordingStream()).status == 400
    assert register.bindings == ()


def test_a_new_flow_takes_the_place_of_the_one_of_its_reg_id(register):
    old = RecordingStream(("192.0.2.50", 40001))
    new = RecordingStream(("192.0.2.50", 40002))
    register(CONTACT + flow_of(), old)
    register("<sip:bob@10.0.0.7:5062;transport=tcp;ob>" + flow_of(), new)

    (binding,) = register.bindings
    assert binding.flow == str(new)
    assert binding.uri == "sip:bob@10.0.0.7:5062;transport=tcp;ob"


@pytest.mark.parametrize(
    "others", [flow_of(2), flow_of(1, OTHER)], ids=["another flow", "another instance"]
)
def test_flows_of_one_contact_stand_beside_each_other(register, others):
    register(CONTACT + flow_of(), RecordingStream(("192.0.2.50", 40001)))
    register(CONTACT + others, RecordingStream(("192.0.2.50", 40002)))

    assert len(register.bindings) == 2


def test_one_flow_can_be_taken_back_alone(register):
    register(CONTACT + flow_of(1), RecordingStream(("192.0.2.50", 40001)))
    second = RecordingStream(("192.0.2.50", 40002))
    register(CONTACT + flow_of(2), second)
    answer = register(CONTACT + flow_of(2, more=";expires=0"), second)

    assert answer.status == 200
    assert [each.reg_id for each in register.bindings] == [1]


def test_a_contact_without_a_flow_takes_the_place_of_its_flows(register):
    register(CONTACT + flow_of(1), RecordingStream())
    register(CONTACT + flow_of(2), RecordingStream())
    register(CONTACT, RecordingStream(), Supported="path")

    assert [each.reg_id for each in register.bindings] == [0]


def test_two_spellings_of_a_uuid_are_one_instance(register):
    register(CONTACT + flow_of(), RecordingStream())
    register(CONTACT + flow_of(urn=URN.upper()), RecordingStream())

    assert len(register.bindings) == 1


BY_PROXY = "SIP/2.0/TCP proxy.example.test;branch=z9hG4bKp"


@pytest.mark.parametrize(
    ("paths", "status"),
    [
        (["<sip:edge.example.test;lr;ob>"], 200),
        (["<sip:core.example.test;lr>", "<sip:t@edge.example.test;lr;ob>"], 200),
        (["<sip:core.example.test;lr;ob>", "<sip:edge.example.test;lr>"], 439),
        ([], 439),
        (["nothing"], 400),
    ],
    ids=["takes part", "behind another", "not the first one", "no Path", "unreadable"],
)
def test_the_first_hop_has_to_take_part(register, paths, status):
    via = [BY_PROXY, "SIP/2.0/TCP 10.0.0.7:5060;branch=z9hG4bKu"]
    flow = RecordingStream()
    answer = register(CONTACT + flow_of(), flow, Via=via, Path=paths or None)

    assert answer.status == status
    if status == 200:
        assert answer.all("require") == ["outbound"]
        # Whose flow it is says how often to speak by it.
        assert answer.get("flow-timer") is None
        assert flow.expected is None


def test_439_is_for_nobody_who_did_not_ask(register):
    via = [BY_PROXY, "SIP/2.0/TCP 10.0.0.7:5060;branch=z9hG4bKu"]

    answer = register(CONTACT + flow_of(), RecordingStream(), Via=via, Supported="path")
    assert answer.status == 200


def test_by_datagrams_no_flow_lasts_that_nothing_keeps_alive(register, desk):
    answer = register(CONTACT + flow_of(), desk.flow)

    assert answer.status == 200
    assert answer.get("require") is None


FAILED = "430 Flow Failed"


# -- Calls by flows ------------------------------------------------------------------


@pytest.fixture
def flows(phones, desk):
    """A user agent of bob's that has two flows."""

    def make(number):
        phone = phones("bob")
        outbound = {"Supported": "outbound"}
        phone.register(flow_of(number), outbound)
        return phone

    return [make(1), make(2)]


def test_one_user_agent_is_asked_by_one_of_its_flows(alice, flows):
    alice.send("MESSAGE", "sip:bob@example.test")

    assert [len(each.read()) for each in flows] == [0, 1]


def test_user_agents_of_their_own_are_asked_each(alice, flows, phones):
    another = phones("bob", "stream", flow_of(1, OTHER), Supported="outbound")
    alice.send("MESSAGE", "sip:bob@example.test")

    assert [len(each.read()) for each in [*flows, another]] == [0, 1, 1]


def test_a_flow_that_is_closed_is_passed_over(alice, flows):
    flows[1].flow.close()
    alice.send("MESSAGE", "sip:bob@example.test")

    assert len(flows[0].read()) == 1


def test_a_flow_that_failed_is_followed_by_another(alice, flows):
    alice.send("MESSAGE", "sip:bob@example.test")
    (asked,) = flows[1].read()
    flows[1].respond(asked, FAILED)

    (again,) = flows[0].read()
    assert again.method == "MESSAGE"
    assert alice.read() == []

    flows[0].respond(again)
    assert [each.status for each in alice.read()] == [200]


def test_a_flow_that_closes_meanwhile_is_followed_by_another(desk, alice, flows):
    alice.send("MESSAGE", "sip:bob@example.test")
    assert len(flows[1].read()) == 1
    flows[1].flow.close()
    desk.sleep(2)

    (again,) = flows[0].read()
    flows[0].respond(again)
    assert 200 in [each.status for each in alice.read()]


def test_any_other_refusal_is_the_answer_of_the_user_agent(alice, flows):
    alice.send("MESSAGE", "sip:bob@example.test")
    (asked,) = flows[1].read()
    flows[1].respond(asked, "486 Busy Here")

    assert flows[0].read() == []
    assert [each.status for each in alice.read()] == [486]


def test_where_all_flows_failed_nobody_is_there(alice, flows):
    alice.send("MESSAGE", "sip:bob@example.test")
    for phone in reversed(flows):
        (asked,) = phone.read()
        phone.respond(asked, FAILED)

    assert [each.status for each in alice.read()] == [430]
