"""GRUUs of users of ours (RFC 5627): given, and led to by."""

from __future__ import annotations

import re

import pytest

URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
OTHER = "urn:uuid:00000000-0000-1000-8000-aabbccddeeff"
PUBLIC = f"sip:bob@example.test;gr={URN}"


def of(urn=URN):
    return f';+sip.instance="<{urn}>"'


@pytest.fixture
def given(phones):
    """Register a phone of bob's, and give it with the GRUUs it was told."""

    def register(urn=URN, phone=None, call_id="one", cseq=1, more="", **fields):
        phone = phone or phones("bob")
        phone.send(
            "REGISTER",
            "sip:example.test",
            {
                "To": "<sip:bob@example.test>",
                "Contact": f"<{phone.contact}>{of(urn)}{more}",
                "Supported": "gruu",
                "Call-ID": f"{phone.contact}{call_id}",
                "CSeq": f"{cseq} REGISTER",
                **fields,
            },
        )
        (answer,) = phone.read()
        assert answer.status == 200
        contact = next((c for c in answer.all("contact") if phone.contact in c), "")
        return phone, dict(re.findall(r'(\w+-gruu)="([^"]*)"', contact))

    return register


def asked(phone):
    return [each.method for each in phone.read()]


def test_who_supports_it_is_given_both(given):
    _, gruus = given()

    assert gruus["pub-gruu"] == PUBLIC
    assert re.fullmatch(r"sip:tgruu\.[\w-]+@example\.test;gr", gruus["temp-gruu"])
    assert "bob" not in gruus["temp-gruu"]


def test_who_does_not_is_given_none(given):
    _, gruus = given(Supported="path")

    assert gruus == {}


def test_octets_that_are_no_text_stay_what_they_are(alice, phones):
    phone = phones("bob")
    data = phone.write(
        "REGISTER",
        "sip:example.test",
        {
            "To": "<sip:bob@example.test>",
            "Contact": f"<{phone.contact}>{of('urn:x:HERE')}",
            "Supported": "gruu",
        },
    )
    phone.send_data(data.replace(b"HERE", b"\xff\xfe"))
    (answer,) = phone.read()
    alice.send("MESSAGE", "sip:bob@example.test;gr=urn:x:%FF%FE")

    assert answer.status == 200
    assert 'pub-gruu="sip:bob@example.test;gr=urn:x:%FF%FE"' in answer.need("contact")
    assert asked(phone) == ["MESSAGE"]
    assert phone.desk.defects == 0


def test_what_a_user_agent_says_of_its_gruu_is_not_believed(given):
    _, gruus = given(more=';pub-gruu="sip:boss@example.test;gr=x";temp-gruu="y"')

    assert gruus["pub-gruu"] == PUBLIC


def test_each_leads_to_its_instance_alone(given, alice):
    one, gruus = given()
    two, others = given(OTHER)

    alice.send("MESSAGE", gruus["pub-gruu"])
    assert (asked(one), asked(two)) == (["MESSAGE"], [])
    alice.send("MESSAGE", others["temp-gruu"])
    assert (asked(one), asked(two)) == ([], ["MESSAGE"])
    alice.send("MESSAGE", "sip:bob@example.test")
    assert (asked(one), asked(two)) == (["MESSAGE"], ["MESSAGE"])


@pytest.mark.parametrize(
    "gr", [URN.upper(), URN.replace(":", "%3A")], ids=["upper case", "escaped"]
)
def test_another_spelling_leads_there_as_well(given, alice, gr):
    phone, _ = given()
    alice.send("MESSAGE", f"sip:bob@example.test;gr={gr}")

    assert asked(phone) == ["MESSAGE"]


def test_the_instance_is_asked_at_the_contact_it_registered(given, alice):
    phone, gruus = given()
    alice.send("MESSAGE", gruus["temp-gruu"])
    (message,) = phone.read()

    assert message.first_line == f"MESSAGE {phone.contact} SIP/2.0"


def test_each_temporary_one_is_new_and_those_before_lead_on(given, alice):
    phone, first = given()
    _, second = given(phone=phone, cseq=2)

    assert first["temp-gruu"] != second["temp-gruu"]
    for gruus in (first, second):
        alice.send("MESSAGE", gruus["temp-gruu"])
        assert asked(phone) == ["MESSAGE"]


@pytest.mark.parametrize("how", ["another Call-ID", "gone and come back"])
def test_a_temporary_one_loses_its_meaning(given, alice, how):
    phone, old = given()
    if how == "another Call-ID":
        given(phone=phone, call_id="two")
    else:
        given(phone=phone, cseq=2, more=";expires=0")
        given(phone=phone, cseq=3)
    alice.send("MESSAGE", old["temp-gruu"])

    assert asked(phone) == []
    assert [each.status for each in alice.read()] == [404]
    alice.send("MESSAGE", PUBLIC)
    assert asked(phone) == ["MESSAGE"]


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        (f"sip:bob@example.test;gr={OTHER}", 480),
        (f"sip:nobody@example.test;gr={URN}", 480),
        ("sip:tgruu.AAAAAAAAAAAAAAAAAAAAAAAAAAAA@example.test;gr", 404),
        ("sip:tgruu.x@example.test;gr", 404),
        ("sip:bob@example.test;gr", 404),
    ],
    ids=["not there", "no such user", "not ours", "no token", "no instance"],
)
def test_what_leads_to_no_instance_is_said(given, alice, uri, status):
    phone, _ = given()
    alice.send("MESSAGE", uri)

    assert [each.status for each in alice.read()] == [status]
    assert asked(phone) == []


def test_a_changed_temporary_one_leads_nowhere(given, alice):
    phone, gruus = given()
    text = gruus["temp-gruu"]
    at = text.index("@") - 3
    alice.send(
        "MESSAGE", text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    )

    assert [each.status for each in alice.read()] == [404]
    assert asked(phone) == []


@pytest.mark.parametrize("kind", ["pub-gruu", "temp-gruu"])
def test_nobody_registers_what_leads_to_himself(given, desk, kind):
    _, gruus = given()
    answer = desk.ask(
        "REGISTER",
        {
            "To": "<sip:bob@example.test>",
            "From": "<sip:bob@example.test>;tag=a",
            "Contact": f"<{gruus[kind]}>",
        },
        uri="sip:example.test",
    )

    assert answer.status == 403


def test_within_a_dialog_it_leads_to_the_instance_as_well(given, alice):
    phone, gruus = given()
    other, _ = given(OTHER)
    alice.send("BYE", gruus["temp-gruu"], {"To": "<sip:bob@example.test>;tag=his"})

    assert (asked(phone), asked(other)) == (["BYE"], [])
