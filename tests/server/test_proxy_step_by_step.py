"""
RFC 3261 §16 step by step, each through the whole server.

What a step asks for in many cases has its table elsewhere: §16.4 and step 6 of §16.6 in
``tests/proxying/test_routing.py`` and ``test_any_route.py``, steps 5 to 7 of §16.7 in
``tests/proxying/test_context.py``, §16.10 in ``test_proxied_calls.py``.
"""

from __future__ import annotations

import pytest

from presproxy.testing.flows import RecordingStream
from presproxy.testing.phones import Phone
from presproxy.testing.wire import Message, fresh, respond

BOB = "sip:bob@example.test"
METHODS = ["INVITE", "MESSAGE"]


def one(messages):
    (message,) = messages
    return message


def statuses(phone):
    return [each.status for each in phone.read()]


def final(phone):
    (last,) = [each for each in phone.read() if each.status >= 200]
    return last


# --- §16.3: what is looked at first


@pytest.mark.parametrize(
    ("uri", "fields", "status"),
    [
        (BOB, {"From": "nonsense <"}, 400),
        (BOB, {"CSeq": "1 OTHER"}, 400),
        ("mailto:bob@example.test", {}, 416),
        (BOB, {"Max-Forwards": "0"}, 483),
        (BOB, {"Proxy-Require": "x-new"}, 420),
    ],
    ids=["1: syntax", "1: syntax of CSeq", "2: scheme", "3: hops", "5: extensions"],
)
@pytest.mark.parametrize("method", METHODS)
def test_16_3_what_is_refused_at_the_door(alice, bob, method, uri, fields, status):
    alice.send(method, uri, fields)

    assert final(alice).status == status
    assert bob.read() == []


@pytest.mark.parametrize("method", METHODS)
def test_16_3_step_1_what_is_not_known_is_no_fault(alice, bob, method):
    alice.send(method, BOB, {"X-New": "<<<", "Require": "x-new", "Contact": "<<"})
    request = one(bob.read())

    assert (request.get("x-new"), request.get("require")) == ("<<<", "x-new")


@pytest.mark.parametrize("method", METHODS)
def test_16_3_step_4_a_loop(alice, bob, method):
    alice.send(method, BOB)
    request = one(bob.read())
    lines = request.data.decode().split("\r\n")
    lines[0] = f"{method} {BOB} SIP/2.0"
    bob.send_data("\r\n".join([lines[0], via_of(bob), *lines[1:]]).encode())

    assert final(bob).status == 482


def via_of(phone):
    host, port = phone.flow.peer
    transport = phone.flow.transport
    return f"Via: SIP/2.0/{transport} {host}:{port};branch=z9hG4bK{fresh()}"


@pytest.mark.parametrize("method", METHODS)
def test_16_3_step_6_who_it_is(guarded, authenticator, method):
    phone = Phone(guarded, "alice", RecordingStream())
    phone.send(method, BOB)

    assert final(phone).status == 407


# --- §16.5: to whom


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("sip:bob@elsewhere.test", 404),
        ("tel:+49301234", 404),
        ("sip:carol@example.test", 480),
    ],
    ids=["a domain of others", "a number", "nobody there"],
)
def test_16_5_there_is_no_target(alice, uri, status):
    alice.send("MESSAGE", uri)

    assert final(alice).status == status


# --- §16.6: what is sent on


def test_16_6_step_1_all_else_stays_as_it_was_in_its_order(alice, bob):
    fields = {
        "X-B": ["1", "2"],
        "Subject": '"a, b" ; c',
        "X-A": "é  x",
        "Date": "Thu, 01 Jan 1970 00:00:00 GMT",
    }
    sent = alice.send("MESSAGE", BOB, fields, "body \x00\x01")
    request = one(bob.read())
    changed = {"via", "max-forwards", "max-breadth", "content-length"}
    kept = [each for each in request.fields if each[0] not in changed]

    assert kept == [each for each in sent.fields if each[0] not in changed]
    assert request.body == sent.body


@pytest.mark.parametrize(
    ("contact", "uri"),
    [
        ("sip:bob@192.0.2.9;x=y", "sip:bob@192.0.2.9;x=y"),
        ("sip:bob@192.0.2.9?Subject=x", "sip:bob@192.0.2.9"),
        ("sip:bob@192.0.2.9;method=BYE;x", "sip:bob@192.0.2.9;x"),
        ("sip:method@192.0.2.9;Method=INVITE?a=b", "sip:method@192.0.2.9"),
        ("sip:b%3fb@192.0.2.9;x=%3bmethod%3d1", "sip:b%3fb@192.0.2.9;x=%3bmethod%3d1"),
    ],
)
def test_16_6_step_2_the_request_uri_is_the_targets_without_what_may_not_be_in_it(
    alice, phones, contact, uri
):
    bob = phones("bob")
    bob.send(
        "REGISTER", "sip:example.test", {"To": f"<{BOB}>", "Contact": f"<{contact}>"}
    )
    assert statuses(bob) == [200]
    alice.send("MESSAGE", BOB)

    assert one(bob.read()).first_line == f"MESSAGE {uri} SIP/2.0"


@pytest.mark.parametrize(("said", "left"), [("70", "69"), ("1", "0"), (None, "70")])
def test_16_6_step_3_a_hop_is_counted(alice, bob, said, left):
    alice.send("MESSAGE", BOB, {"Max-Forwards": said})

    assert one(bob.read()).get("max-forwards") == left


def test_16_6_step_4_we_stay_in_the_way_of_what_begins_a_dialog(alice, bob):
    for method in ("INVITE", "MESSAGE", "REFER", "INFO"):
        alice.send(method, BOB, {"Record-Route": "<sip:before.test;lr>"})
    routes = {each.method: each.all("record-route") for each in bob.read()}

    assert routes["MESSAGE"] == routes["INFO"] == ["<sip:before.test;lr>"]
    for method in ("INVITE", "REFER"):
        *ours, last = routes[method]
        assert last == "<sip:before.test;lr>"
        assert all(each.endswith(";lr>") and "@192.0.2.100" in each for each in ours)


def test_16_6_step_7_a_contact_is_reached_by_the_flow_it_came_by(alice, phones):
    bobs = [phones("bob", kind, "") for kind in ("stream", "datagram")]
    alice.send("MESSAGE", BOB)

    assert [len(bob.read()) for bob in bobs] == [1, 1]


def test_16_6_step_8_our_via_is_on_top_and_its_branch_is_new(alice, phones):
    bobs = [phones("bob", "stream", "") for _ in range(3)]
    sent = alice.send("INVITE", BOB)
    requests = [one(bob.read()) for bob in bobs]
    branches = {each.branch for each in requests}

    assert len(branches) == 3
    assert all(each.startswith("z9hG4bK") for each in branches)
    assert all(sent.branch in each.all("via")[1] for each in requests)
    assert all("SIP/2.0/TCP 192.0.2.100" in each.all("via")[0] for each in requests)


def test_16_6_step_9_a_length_is_added(alice, phones):
    # A datagram may come without.
    carol = phones("carol", "datagram")
    bob = phones("bob", "stream", "")
    carol.send("MESSAGE", BOB, {"Content-Length": None}, "four")

    assert one(bob.read()).get("content-length") == "4"


def test_16_6_step_10_it_is_sent_again_until_it_is_heard(desk, alice, phones):
    bob = phones("bob", "datagram", "")
    alice.send("MESSAGE", BOB)
    desk.sleep(1.6)
    sent = [each.data for each in bob.read()]

    assert len(sent) == 3
    assert len(set(sent)) == 1


def test_16_6_step_11_timer_c_runs_for_what_rings(desk, alice, phones):
    bob = phones("bob", "stream", "")
    alice.send("INVITE", BOB)
    bob.respond(one(bob.read()), "180 Ringing")
    desk.sleep(179)
    before = bob.read()
    desk.sleep(11)

    assert before == []
    assert [each.method for each in bob.read()] == ["CANCEL"]


# --- §16.7: what comes back


def test_16_7_step_2_each_sign_of_life_sets_timer_c_anew(desk, alice, phones):
    bob = phones("bob", "stream", "")
    alice.send("INVITE", BOB)
    invite = one(bob.read())
    for _ in range(3):
        bob.respond(invite, "183 Session Progress")
        desk.sleep(120)

    assert bob.read() == []


def test_16_7_step_3_our_via_is_taken_off_and_a_response_for_us_goes_nowhere(
    desk, alice, phones
):
    bob = phones("bob", "stream", "")
    sent = alice.send("INVITE", BOB)
    invite = one(bob.read())
    bob.respond(invite, "180 Ringing")
    ringing = alice.read()[-1]
    ours = [("via", invite.all("via")[0])]
    rest = [each for each in invite.fields if each[0] != "via"]
    cut = Message(b"", invite.first_line, [*ours, *rest], b"")
    bob.send_data(respond(cut, "183 Session Progress"))

    assert ringing.all("via") == sent.all("via")
    assert alice.read() == []
    assert desk.defects == 0


@pytest.mark.parametrize("status", ["181 Forwarded", "200 OK"])
def test_16_7_step_5_it_goes_back_at_once(alice, phones, status):
    bobs = [phones("bob", "stream", "") for _ in range(2)]
    alice.send("INVITE", BOB)
    bobs[0].respond(one(bobs[0].read()), status)

    assert statuses(alice) == [100, int(status[:3])]


def test_16_7_step_6_a_refusal_waits_for_the_others(alice, phones):
    bobs = [phones("bob", "stream", "") for _ in range(2)]
    alice.send("INVITE", BOB)
    bobs[0].respond(one(bobs[0].read()), "404 Not Found")
    before = statuses(alice)
    bobs[1].respond(one(bobs[1].read()), "302 Moved Temporarily")

    assert (before, statuses(alice)) == ([100], [302])


def test_16_7_step_8_record_route_goes_back_as_it_was_copied(alice, bob):
    alice.send("INVITE", BOB)
    invite = one(bob.read())
    bob.respond(invite)

    assert alice.read()[-1].all("record-route") == invite.all("record-route")


def test_16_7_step_9_all_else_goes_back_as_it_was(alice, bob):
    alice.send("MESSAGE", BOB)
    fields = {"X-New": "<<<", "Warning": '399 x "y, z"', "Server": "éx"}
    bob.respond(one(bob.read()), "299 Whatever else", fields)
    answer = one(alice.read())

    assert answer.first_line == "SIP/2.0 299 Whatever else"
    assert {name: answer.get(name.lower()) for name in fields} == fields


def test_16_7_step_10_a_200_cancels_who_still_rings(alice, phones):
    bobs = [phones("bob", "stream", "") for _ in range(2)]
    alice.send("INVITE", BOB)
    first, second = (one(bob.read()) for bob in bobs)
    bobs[1].respond(second, "180 Ringing")
    bobs[0].respond(first)

    assert [each.method for each in bobs[1].read()] == ["CANCEL"]


# --- §16.8, §16.9: what does not come


def test_16_8_who_does_not_end_a_cancelled_call_is_taken_for_408(desk, alice, phones):
    bob = phones("bob", "stream", "")
    alice.send("INVITE", BOB)
    bob.respond(one(bob.read()), "180 Ringing")
    desk.sleep(190)
    (cancel,) = bob.read()
    bob.send_data(respond(cancel))
    desk.sleep(41)

    assert final(alice).status == 408


def test_16_9_what_cannot_be_sent_is_no_hang(desk, alice, phones):
    bob = phones("bob", "stream", "")
    alice.send("INVITE", BOB)
    bob.flow.close()
    desk.sleep(5)

    assert 400 <= final(alice).status < 600
