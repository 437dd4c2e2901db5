"""Calls between user agents of ours, through the whole server without a socket."""

from __future__ import annotations

import gc

import pytest
from twisted.internet.defer import Deferred

from presproxy.sip.message import Request, Response
from presproxy.sip.uri import parse_uri
from presproxy.testing.flows import RecordingStream
from presproxy.testing.phones import Phone
from presproxy.testing.wire import fresh, parameter

BOB = "sip:bob@example.test"
EPID = "CF4L2AMcWg2NmvFJquaVSgAA"
INSTANCE = ';+sip.instance="<urn:uuid:085e0bd8-031c-5a0d-8d9a-f149aae6954a>"'


def one(messages):
    (message,) = messages
    return message


def statuses(phone):
    return [each.status for each in phone.read()]


def ack_fields(sent, answer, **more):
    return {
        "Via": f"SIP/2.0/TCP 192.0.2.50;branch=z9hG4bK{fresh()}",
        "From": sent.need("from"),
        "To": answer.need("to"),
        "Call-ID": sent.call_id,
        "CSeq": f"{sent.cseq} ACK",
        **more,
    }


def within(sent, answer, method, cseq=2):
    """Give the fields of the caller's request within the dialog that an answer made."""
    return {
        "From": sent.need("from"),
        "To": answer.need("to"),
        "Call-ID": sent.call_id,
        "CSeq": f"{cseq} {method}",
        "Route": list(reversed(answer.all("record-route"))),
    }


def from_callee(invite, method, cseq=100, tag="theirs"):
    """Give the fields of the callee's request within the dialog of an INVITE it had."""
    return {
        "From": f"{invite.need('to')};tag={tag}",
        "To": invite.need("from"),
        "Call-ID": invite.call_id,
        "CSeq": f"{cseq} {method}",
        "Route": invite.all("record-route"),
    }


def call(alice, bob, uri=BOB):
    """Let alice call bob, who takes it; give the INVITE, bob's copy of it and the 200."""
    sent = alice.send("INVITE", uri)
    invite = one(bob.read())
    bob.respond(invite)
    answers = alice.read()
    assert [each.status for each in answers] == [100, 200]
    return sent, invite, answers[-1]


# --- Calls


def test_a_call_from_invite_to_bye(desk, alice, bob):
    sent, invite, answer = call(alice, bob)
    alice.send("ACK", bob.contact, ack_fields(sent, answer, Route=routes(answer)))
    ack = one(bob.read())
    alice.send("BYE", bob.contact, within(sent, answer, "BYE"))
    bye = one(bob.read())
    bob.respond(bye)

    assert invite.first_line == f"INVITE {bob.contact} SIP/2.0"
    assert ack.first_line == f"ACK {bob.contact} SIP/2.0"
    assert bye.first_line == f"BYE {bob.contact} SIP/2.0"
    assert ack.get("route") is bye.get("route") is None
    assert statuses(alice) == [200]
    assert bob.read() == []
    assert desk.defects == 0


def test_an_ack_that_is_sent_again_is_known_as_the_same(alice, bob):
    sent, _, answer = call(alice, bob)
    fields = ack_fields(sent, answer, Route=routes(answer))
    ack = alice.send("ACK", bob.contact, fields)
    alice.send_data(ack.data)
    alice.send_data(ack.data.replace(b"z9hG4bK", b"z9hG4bKother"))
    first, again, other = bob.read()

    assert first.branch == again.branch
    assert first.branch != other.branch


def routes(answer):
    return list(reversed(answer.all("record-route")))


def test_the_callee_may_ask_within_the_dialog_too(alice, bob):
    _, invite, _ = call(alice, bob)
    bob.send("BYE", alice.contact, from_callee(invite, "BYE"))
    bye = one(alice.read())
    alice.respond(bye)

    assert bye.first_line == f"BYE {alice.contact} SIP/2.0"
    assert statuses(bob) == [200]


@pytest.mark.parametrize("method", ["OPTIONS", "NOTIFY", "INFO", "X-ANY", "INVITE"])
def test_whatever_is_asked_within_a_dialog_goes_its_way(alice, bob, method):
    _, invite, _ = call(alice, bob)
    bob.send(method, alice.contact, from_callee(invite, method))

    assert one(alice.read()).method == method


def test_each_side_knows_us_as_it_can_reach_us(alice, bob):
    _, invite, _ = call(alice, bob)
    ours = [parse_uri(each.strip("<>")) for each in invite.all("record-route")]

    transports = [each.transport for each in ours]
    assert transports == (["tcp"] if bob.flow.reliable else [None, "tcp"])
    assert all(each.has("lr") and each.host == "192.0.2.100" for each in ours)


def test_a_strict_router_before_us_is_understood(alice, bob):
    _, invite, _ = call(alice, bob)
    record = invite.all("record-route")[-1].strip("<>")
    rest = invite.all("record-route")[:-1]
    fields = from_callee(invite, "BYE")
    fields["Route"] = [*rest, f"<{alice.contact}>"]
    bob.send("BYE", record, fields)

    assert one(alice.read()).first_line == f"BYE {alice.contact} SIP/2.0"


def test_a_dialog_follows_an_endpoint_that_moved(desk, alice, phones):
    bob = phones("bob", "stream", INSTANCE)
    gruu = f"{BOB};opaque=user:epid:{EPID};gruu"
    sent, _, answer = call(alice, bob)
    bob.flow.close()
    again = phones("bob", "stream", INSTANCE)
    alice.send("MESSAGE", gruu, within(sent, answer, "MESSAGE"))

    assert one(again.read()).method == "MESSAGE"


def test_a_dialog_whose_other_end_is_gone_is_430(alice, phones):
    bob = phones("bob", "stream", "")
    sent, _, answer = call(alice, bob)
    bob.flow.close()
    alice.send("BYE", bob.contact, within(sent, answer, "BYE"))

    assert statuses(alice) == [430]


def test_the_route_of_one_call_opens_no_way_for_another(alice, bob):
    sent, _, answer = call(alice, bob)
    fields = {**within(sent, answer, "BYE"), "Call-ID": "another"}
    alice.send("BYE", "sip:carol@198.51.100.1", fields)

    assert statuses(alice) == [481]
    assert bob.read() == []


def test_without_a_route_of_ours_a_dialog_leads_to_registered_contacts(alice, bob):
    sent, _, answer = call(alice, bob)
    fields = {**within(sent, answer, "BYE"), "Route": None}
    alice.send("BYE", bob.contact, fields)

    assert one(bob.read()).method == "BYE"


@pytest.mark.parametrize("uri", ["sip:x@198.51.100.1", "sip:bob@192.0.2.50:1"])
def test_without_a_route_of_ours_nothing_else_is_reached(alice, bob, uri):
    sent, _, answer = call(alice, bob)
    alice.send("BYE", uri, {**within(sent, answer, "BYE"), "Route": None})

    assert statuses(alice) == [481]


def test_an_ack_without_a_route_of_ours_goes_nowhere(desk, alice, bob):
    sent, _, answer = call(alice, bob)
    alice.send("ACK", "sip:x@198.51.100.1", ack_fields(sent, answer))

    assert bob.read() == alice.read() == []
    assert desk.counted("acks_lost") == 1


def test_each_2xx_that_comes_again_goes_back_again(alice, bob):
    sent = alice.send("INVITE", BOB)
    invite = one(bob.read())
    bob.respond(invite)
    bob.respond(invite)

    assert statuses(alice) == [100, 200, 200]
    assert sent.method == "INVITE"


def test_provisional_responses_go_back_but_100(alice, bob):
    alice.send("INVITE", BOB)
    invite = one(bob.read())
    for status in ("100 Trying", "180 Ringing", "183 Progress"):
        bob.respond(invite, status)

    assert statuses(alice) == [100, 180, 183]


def test_of_what_is_no_invite_no_provisional_response_goes_back(alice, bob):
    alice.send("MESSAGE", BOB)
    bob.respond(one(bob.read()), "183 Progress")

    assert statuses(alice) == []


def test_a_refusal_is_acknowledged_on_its_hop(alice, bob):
    sent = alice.send("INVITE", BOB)
    invite = one(bob.read())
    bob.respond(invite, "486 Busy Here")
    ack = one(bob.read())
    answer = alice.read()[-1]
    alice.send_data(
        sent.data.replace(b"INVITE", b"ACK").replace(
            sent.need("to").encode(), answer.need("to").encode()
        )
    )

    assert ack.first_line == f"ACK {bob.contact} SIP/2.0"
    assert (ack.branch, ack.cseq) == (invite.branch, 1)
    assert ack.need("to").endswith(";tag=theirs")
    assert answer.status == 486
    assert bob.read() == alice.read() == []


# --- Ends of calls that were not taken


def cancel(phone, sent, **fields):
    data = sent.data.replace(b"INVITE", b"CANCEL")
    for name, value in fields.items():
        data = data.replace(sent.need(name).encode(), value.encode())
    phone.send_data(data)


def test_a_cancel_reaches_who_rings_and_the_487_comes_back(alice, bob):
    sent = alice.send("INVITE", BOB)
    invite = one(bob.read())
    bob.respond(invite, "180 Ringing")
    cancel(alice, sent)
    cancelled = one(bob.read())
    bob.respond(cancelled)
    bob.respond(invite, "487 Request Terminated")

    assert cancelled.first_line == f"CANCEL {bob.contact} SIP/2.0"
    assert cancelled.branch == invite.branch
    assert cancelled.need("cseq") == "1 CANCEL"
    assert statuses(alice) == [100, 180, 200, 487]
    assert [each.method for each in bob.read()] == ["ACK"]


def test_a_cancel_waits_until_something_is_heard(alice, bob):
    sent = alice.send("INVITE", BOB)
    invite = one(bob.read())
    cancel(alice, sent)
    before = bob.read()
    bob.respond(invite, "100 Trying")

    assert before == []
    assert one(bob.read()).method == "CANCEL"


def test_a_cancel_without_a_branch_is_known_on_the_same_connection(alice, bob):
    sent = alice.send("INVITE", BOB)
    bob.respond(one(bob.read()), "180 Ringing")
    via = sent.need("via").partition(";")[0]
    cancel(alice, sent, via=via)

    assert one(bob.read()).method == "CANCEL"


def test_a_cancel_without_a_branch_by_another_connection_is_not(alice, phones, bob):
    sent = alice.send("INVITE", BOB)
    bob.respond(one(bob.read()), "180 Ringing")
    via = sent.need("via").partition(";")[0]
    mallory = phones("mallory")
    cancel(mallory, sent, via=via)

    assert statuses(mallory) == [481]
    assert bob.read() == []


def test_a_cancel_of_nothing_is_481(alice, bob):
    alice.send("CANCEL", BOB)

    assert statuses(alice) == [481]


def test_who_is_accepted_ends_the_others(alice, phones):
    taken, ringing = phones("bob", "stream", ""), phones("bob", "stream", "")
    alice.send("INVITE", BOB)
    invite = one(taken.read())
    ringing.respond(one(ringing.read()), "180 Ringing")
    taken.respond(invite)

    assert statuses(alice) == [100, 180, 200]
    assert one(ringing.read()).method == "CANCEL"


def test_a_second_2xx_of_a_fork_goes_back_too(alice, phones):
    bobs = [phones("bob", "stream", "") for _ in range(2)]
    alice.send("INVITE", BOB)
    invites = [one(bob.read()) for bob in bobs]
    for number, (bob, invite) in enumerate(zip(bobs, invites, strict=True)):
        bob.respond(invite, tag=f"t{number}")
    tags = [parameter(each.need("to"), "tag") for each in alice.read()[1:]]

    assert tags == ["t0", "t1"]


# --- Time


def test_nobody_answers_an_invite(desk, alice, phones):
    bob = phones("bob", "datagram", "")
    alice.send("INVITE", BOB)
    desk.sleep(33)

    assert [each.method for each in bob.read()] == ["INVITE"] * 7
    assert statuses(alice) == [100, 408]


def test_nobody_answers_anything_else(desk, alice, phones):
    phones("bob", "datagram", "")
    alice.send("MESSAGE", BOB)
    desk.sleep(40)

    assert statuses(alice) == [100]
    assert desk.server.core.layer.servers == 0
    assert desk.defects == 0


def test_ringing_is_given_up_after_timer_c(desk, alice, phones):
    bob = phones("bob", "stream", "")
    alice.send("INVITE", BOB)
    invite = one(bob.read())
    bob.respond(invite, "180 Ringing")
    desk.sleep(175)
    before = bob.read()
    desk.sleep(15)
    cancelled = one(bob.read())
    desk.sleep(45)

    assert before == []
    assert cancelled.method == "CANCEL"
    assert statuses(alice) == [100, 180, 408]
    assert desk.defects == 0


def test_each_sign_of_life_lets_it_ring_longer(desk, alice, phones):
    bob = phones("bob", "stream", "")
    alice.send("INVITE", BOB)
    invite = one(bob.read())
    for _ in range(3):
        bob.respond(invite, "180 Ringing")
        desk.sleep(170)

    assert bob.read() == []


def test_who_hangs_up_by_closing_is_not_waited_for(desk, alice, phones):
    bob = phones("bob", "stream", "")
    alice.send("INVITE", BOB)
    bob.respond(one(bob.read()), "180 Ringing")
    bob.flow.close()
    desk.sleep(5)

    assert statuses(alice) == [100, 180, 480]


def test_of_a_call_that_is_taken_no_request_is_kept(alice, bob):
    before = requests_kept()
    _, invite, answer = call(alice, bob)

    assert requests_kept() == before
    # A further 2xx, as another phone behind bob sends it, is still passed back.
    bob.respond(invite)
    assert [each.status for each in alice.read()] == [answer.status]


def test_while_a_phone_still_rings_its_request_is_kept(alice, phones):
    before = requests_kept()
    bobs = [phones("bob", "stream", "") for _ in range(2)]
    alice.send("INVITE", BOB)
    bobs[0].respond(one(bobs[0].read()), "200 OK")
    ringing = one(bobs[1].read())
    kept = requests_kept() - before
    bobs[1].respond(ringing, "180 Ringing")

    assert kept == 1
    assert one(bobs[1].read()).method == "CANCEL"


def test_of_what_a_phone_says_while_it_is_called_nothing_is_kept(alice, phones):
    bob = phones("bob", "stream", "")
    alice.send("INVITE", BOB)
    invite = one(bob.read())
    before = requests_kept(Response)
    for status in ("100 Trying", "180 Ringing") * 20:
        bob.respond(invite, status, {"P-Asserted-Identity": "<sip:boss@x>"})

    assert requests_kept(Response) - before == 0
    assert "180" in str(alice.read()[-1].first_line)


def requests_kept(kind=Request):
    gc.collect()
    return sum(type(each) is kind for each in gc.get_objects())


def test_nothing_is_left_over(desk, alice, phones):
    bobs = [phones("bob", "stream", "") for _ in range(2)]
    alice.send("INVITE", BOB)
    for bob in bobs:
        bob.respond(one(bob.read()), "200 OK")
    desk.sleep(33)
    proxy, layer = desk.server.core.proxy, desk.server.core.layer

    assert (layer.clients, layer.servers, layer.remembered) == (0, 0, 0)
    assert (len(proxy.under_way), proxy.under_way.calls, len(proxy._legs)) == (0, 0, 0)


def test_too_many_at_once_are_refused_for_now(desk, alice, phones):
    bob = phones("bob", "stream", "")
    desk.server.core.proxy.under_way.most = 1
    alice.send("INVITE", BOB)
    alice.send("MESSAGE", BOB)

    assert statuses(alice) == [100, 503]
    assert len(bob.read()) == 1


def test_too_many_of_one_keep_no_other_from_calling(desk, alice, phones):
    bob, carol = phones("bob", "stream", ""), phones("carol", "stream")
    desk.server.core.proxy.under_way.most_of_one = 2
    for _ in range(3):
        alice.send("INVITE", BOB)
    carol.send("INVITE", BOB)
    invites = bob.read()
    for invite in invites:
        bob.respond(invite, "486 Busy")

    alice.send("INVITE", BOB)

    assert statuses(alice) == [100, 100, 503, 486, 486, 100]
    assert statuses(carol) == [100, 486]
    assert len(desk.server.core.proxy.under_way.senders) == 1


def test_who_stops_ends_what_rings(desk, alice, phones):
    bob = phones("bob", "stream", "")
    alice.send("INVITE", BOB)
    bob.respond(one(bob.read()), "180 Ringing")
    desk.server.core.close()

    assert statuses(alice) == [100, 180, 503]
    assert one(bob.read()).method == "CANCEL"


def test_who_stops_does_not_wait_for_what_rings(desk, alice, phones):
    bob = phones("bob", "stream", "")
    alice.send("INVITE", BOB)
    bob.respond(one(bob.read()), "180 Ringing")

    assert desk.server.core.finish().called


def test_a_cancel_before_the_way_is_found_ends_it_there(desk, alice, phones):
    bob = phones("bob", "datagram", "")
    found: Deferred[object] = Deferred()
    desk.server.core.proxy.targets.ways.datagrams_to = lambda peer: found
    sent = alice.send("INVITE", BOB)
    cancel(alice, sent)
    found.callback(bob.flow)

    assert statuses(alice) == [200, 487]
    assert bob.read() == []


def test_a_request_with_credentials_takes_the_place_of_the_one_challenged(
    guarded, authenticator
):
    alice, bob = (
        Phone(guarded, user, RecordingStream(("192.0.2.50", port)))
        for port, user in enumerate(("alice", "bob"), 40001)
    )
    bob.register(fields={"Authorization": f"I am {bob.aor}"})
    sent = alice.send("INVITE", BOB)
    proved = sent.data.replace(
        b"\r\nContact", b"\r\nAuthorization: I am sip:alice@example.test\r\nContact"
    )
    alice.send_data(proved)
    bob.respond(one(bob.read()), "180 Ringing")
    cancel(alice, sent)

    assert statuses(alice) == [407, 100, 180, 200]
    assert one(bob.read()).method == "CANCEL"


# --- A flow that breaks in the middle of a call


def come_again(phones, user, more=INSTANCE):
    """Let a user agent come by another stream, with another contact, and register."""
    return phones(user, "stream", more)


@pytest.mark.parametrize("who", ["the caller", "the callee"])
def test_the_end_of_a_call_goes_by_the_new_flow_of_the_same_instance(phones, who):
    caller = phones("alice", "stream", INSTANCE)
    callee = phones("bob", "stream", INSTANCE)
    sent, invite, answer = call(caller, callee)
    if who == "the caller":
        callee.flow.close()
        again = come_again(phones, "bob")
        caller.send("BYE", callee.contact, within(sent, answer, "BYE"))
    else:
        caller.flow.close()
        again = come_again(phones, "alice")
        callee.send("BYE", caller.contact, from_callee(invite, "BYE"))

    assert [each.method for each in again.read()] == ["BYE"]


@pytest.mark.parametrize(
    ("user", "more"),
    [
        ("bob", ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-aabbccddeeff>"'),
        ("carol", INSTANCE),
    ],
    ids=["another instance", "another user"],
)
def test_nobody_else_is_taken_for_who_has_gone(phones, user, more):
    caller = phones("alice", "stream", INSTANCE)
    callee = phones("bob", "stream", INSTANCE)
    sent, _, answer = call(caller, callee)
    callee.flow.close()
    other = come_again(phones, user, more)
    caller.send("BYE", callee.contact, within(sent, answer, "BYE"))

    assert other.read() == []
    assert statuses(caller) == [430]
