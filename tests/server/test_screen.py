"""Whom a user has blocked neither calls him nor writes to him."""

from __future__ import annotations

import pytest

from presproxy.config import Limits, ProxyOptions
from presproxy.model.decision import NEUTRAL, Decision, Handling
from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingStream
from presproxy.testing.phones import Phone
from presproxy.testing.scripted import ScriptedACL

BOB = "sip:bob@example.test"
METHODS = ["INVITE", "MESSAGE", "REFER", "INFO"]


def two(desk, callers="alice"):
    alice, bob = (
        Phone(desk, user, RecordingStream(("192.0.2.50", port)))
        for port, user in enumerate((callers, "bob"), 40001)
    )
    bob.register()
    return alice, bob


def desk_that_says(handling, **more):
    return Desk(ScriptedACL(Decision(handling, "a rule", NEUTRAL)), **more)


def statuses(phone):
    return [each.status for each in phone.read()]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("handling", "status"), [(Handling.BLOCK, 403), (Handling.POLITE_BLOCK, 480)]
)
def test_who_is_blocked_reaches_nobody(method, handling, status):
    desk = desk_that_says(handling)
    alice, bob = two(desk)
    alice.send(method, BOB)

    assert statuses(alice) == [status]
    assert bob.read() == []
    assert desk.acl.asked == [("sip:alice@example.test", BOB, "presence")]
    assert desk.defects == 0


def test_who_is_blocked_politely_is_told_what_he_is_told_when_nobody_is_there():
    desk = desk_that_says(Handling.POLITE_BLOCK)
    alice, _ = two(desk)
    alice.send("MESSAGE", BOB)
    alice.send("MESSAGE", "sip:carol@example.test")
    there, away = (
        [
            field
            for field in each.fields
            if field[0] not in ("to", "via", "from", "call-id")
        ]
        for each in alice.read()
    )

    assert there == away


@pytest.mark.parametrize("handling", [Handling.ALLOW, Handling.CONFIRM, None])
def test_all_others_do(handling):
    desk = Desk(ScriptedACL(handling and Decision(handling, "a rule", NEUTRAL)))
    alice, bob = two(desk)
    alice.send("INVITE", BOB)

    assert [each.method for each in bob.read()] == ["INVITE"]


def test_nobody_is_kept_from_calling_himself():
    desk = desk_that_says(Handling.BLOCK)
    other, bob = two(desk, "bob")
    other.send("INVITE", BOB)

    assert [each.method for each in bob.read()] == ["INVITE"]


def test_a_contact_says_nothing_else_than_its_user():
    desk = desk_that_says(Handling.BLOCK)
    alice, bob = two(desk)
    alice.send("MESSAGE", bob.contact, {"To": f"<{BOB}>;tag=x"})
    alice.send("MESSAGE", "sip:bob@EXAMPLE.test:5060;x=y")

    assert statuses(alice) == [403, 403]
    assert bob.read() == []


def test_a_call_that_is_under_way_goes_on():
    desk = Desk()
    alice, bob = two(desk)
    sent = alice.send("INVITE", BOB)
    (invite,) = bob.read()
    bob.respond(invite)
    answer = alice.read()[-1]
    desk.acl.decision = Decision(Handling.BLOCK, "a rule", NEUTRAL)
    alice.send(
        "INFO",
        bob.contact,
        {
            "From": sent.need("from"),
            "To": answer.need("to"),
            "Call-ID": sent.call_id,
            "Route": list(reversed(answer.all("record-route"))),
        },
    )

    assert [each.method for each in bob.read()] == ["INFO"]


@pytest.mark.parametrize(
    ("more", "uri"),
    [
        (';+sip.instance="<urn:x:1>"', "sip:carol@example.test;gr=urn:x:1"),
        ("", "sip:carol@example.test;transport=tcp"),
    ],
    ids=["GRUU", "contact"],
)
@pytest.mark.parametrize("method", ["MESSAGE", "INVITE", "ACK"])
def test_a_call_with_one_user_leads_to_no_other(method, more, uri):
    desk = Desk()
    alice, bob = two(desk)
    carol = Phone(desk, "carol", RecordingStream(("192.0.2.50", 40003)))
    carol.register(
        more, {} if more else {"Contact": "<sip:carol@example.test;transport=tcp>"}
    )
    sent = alice.send("INVITE", BOB)
    (invite,) = bob.read()
    bob.respond(invite)
    answer = alice.read()[-1]
    desk.acl.decision = Decision(Handling.BLOCK, "a rule", NEUTRAL)
    alice.send(
        method,
        uri,
        {
            "From": sent.need("from"),
            "To": answer.need("to"),
            "Call-ID": sent.call_id,
            "Route": list(reversed(answer.all("record-route"))),
        },
    )

    assert carol.read() == []
    assert desk.defects == 0


def test_who_is_blocked_may_hang_up():
    desk = desk_that_says(Handling.BLOCK)
    alice, bob = two(desk)
    alice.send("BYE", bob.contact, {"To": f"<{BOB}>;tag=x"})

    assert [each.method for each in bob.read()] == ["BYE"]


def test_while_nobody_can_say_it_is_refused_for_now():
    desk = Desk(ScriptedACL(RuntimeError("no idea")))
    alice, bob = two(desk)
    alice.send("INVITE", BOB)
    (answer,) = alice.read()

    assert (answer.status, answer.get("retry-after")) == (503, "30")
    assert bob.read() == []


def test_a_call_given_up_while_it_is_asked_about_goes_nowhere():
    desk = Desk()
    alice, bob = two(desk)
    desk.acl.hold()
    sent = alice.send("INVITE", BOB)
    cancel = {
        "Via": sent.need("via"),
        "From": sent.need("from"),
        "Call-ID": sent.call_id,
        "CSeq": f"{sent.cseq} CANCEL",
    }
    alice.send("CANCEL", BOB, cancel)
    desk.acl.answer(None)

    assert statuses(alice) == [200, 487]
    assert bob.read() == []


def test_without_it_lists_are_about_presence_alone():
    desk = desk_that_says(Handling.BLOCK, more={"proxy": ProxyOptions(screen=False)})
    alice, bob = two(desk)
    alice.send("INVITE", BOB)

    assert [each.method for each in bob.read()] == ["INVITE"]
    assert desk.acl.asked == []


@pytest.mark.parametrize(
    "limits",
    [Limits(relayed=2, relayed_of_one=9), Limits(relayed=9, relayed_of_one=2)],
    ids=["in all", "of one"],
)
def test_the_limits_are_kept(limits):
    desk = Desk(limits=limits)
    alice, bob = two(desk)
    for _ in range(3):
        alice.send("MESSAGE", BOB)

    assert statuses(alice) == [503]
    assert len(bob.read()) == 2
