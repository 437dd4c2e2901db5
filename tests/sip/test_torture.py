"""
The torture messages of RFC 4475 and RFC 5118, and what becomes of each.

A message may be read whole, have a field that is refused when somebody asks for it, or be
refused at once; and then it can be answered or not.  Where this is another fate than the
documents propose, the row says so.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from presproxy.errors import MalformedField
from presproxy.sip.message import (
    MalformedMessage,
    Request,
    build_response,
    parse_message,
)

MESSAGES = Path(__file__).parents[1] / "torture"

#: What user agents and servers read of a message before they answer it.
FIELDS = (
    "via",
    "vias",
    "from_",
    "to",
    "call_id",
    "cseq",
    "max_forwards",
    "contacts",
    "expires",
    "routes",
    "record_routes",
    "event",
    "content_type",
)

READ = [
    "4475-wsinv",
    "4475-intmeth",
    "4475-esc01",
    "4475-escnull",
    "4475-esc02",
    "4475-lwsdisp",
    "4475-longreq",
    "4475-dblreq",
    "4475-semiuri",
    "4475-transports",
    "4475-mpart01",
    "4475-unreason",
    "4475-noreason",
    # Whether headers in a Request-URI are refused or passed over, its reader decides.
    "4475-escruri",
    # Nobody here asks for the time.
    "4475-baddate",
    # Spaces within the brackets may be taken for what they are worth.
    "4475-badaspec",
    "4475-badbranch",
    "4475-unkscm",
    "4475-novelsc",
    "4475-unksm2",
    "4475-bext01",
    "4475-invut",
    "4475-regaut01",
    "4475-bcast",
    "4475-zeromf",
    "4475-cparam01",
    "4475-cparam02",
    "4475-regescrt",
    "4475-sdp01",
    "4475-inv2543",
    "5118-ipv6-good",
    "5118-port-ambiguous",
    "5118-port-unambiguous",
    "5118-via-received-param-with-delim",
    "5118-via-received-param-no-delim",
    "5118-mult-ip-in-header",
    "5118-ipv4-mapped-ipv6",
    "5118-ipv6-bug-abnf-3-colons",
    "5118-ipv6-correct-abnf-2-colons",
]

REFUSED_WHEN_ASKED = [
    ("4475-badinv01", {"via", "vias", "contacts"}),
    ("4475-quotbal", {"to"}),
    ("4475-ltgtruri", {"request_uri"}),
    ("4475-regbadct", {"contacts"}),
    ("4475-baddn", {"from_"}),
    ("5118-ipv6-bad", {"request_uri"}),
]

REFUSED = [
    ("4475-clerr", 400, "shorter than its Content-Length"),
    ("4475-ncl", 400, "no Content-Length"),
    ("4475-scalar02", 400, "CSeq"),
    ("4475-lwsruri", 400, "start-line"),
    ("4475-lwsstart", 400, "start-line"),
    ("4475-trws", 400, "start-line"),
    ("4475-badvers", 505, "SIP/7.0"),
    ("4475-mismatch01", 400, "method in CSeq"),
    ("4475-mismatch02", 400, "method in CSeq"),
    ("4475-multi01", 400, "twice"),
    ("4475-mcl01", 400, "twice"),
]

DROPPED = [
    ("4475-scalarlg", "CSeq"),
    ("4475-bigcode", "status line"),
    # There is no response without From, To and Call-ID to copy.
    ("4475-insuf", "missing"),
    # The grammar allows a NUL within a quoted pair; nobody writes it, and what is
    # written in C would end the line there.  Without that line there is no To.
    ("4475-intmeth-nul", "NUL"),
]


def wire(name):
    return (MESSAGES / f"{name}.sip").read_bytes()


def refused_fields(message):
    names = (*FIELDS, "request_uri") if isinstance(message, Request) else FIELDS
    refused = set()
    for name in names:
        try:
            getattr(message, name)
        except MalformedField:
            refused.add(name)
    return refused


def test_every_message_has_its_row():
    rows = [*READ, *(row[0] for row in (*REFUSED_WHEN_ASKED, *REFUSED, *DROPPED))]

    assert sorted(rows) == sorted(path.stem for path in MESSAGES.glob("*.sip"))


@pytest.mark.parametrize("name", READ)
def test_what_may_be_read_is_read(name):
    message = parse_message(wire(name))

    assert refused_fields(message) == set()


@pytest.mark.parametrize(("name", "fields"), REFUSED_WHEN_ASKED)
def test_a_field_is_refused_when_it_is_asked_for(name, fields):
    message = parse_message(wire(name))

    assert refused_fields(message) == fields


@pytest.mark.parametrize(("name", "status", "why"), REFUSED)
def test_what_is_refused_can_be_answered(name, status, why):
    with pytest.raises(MalformedMessage) as caught:
        parse_message(wire(name))

    error = caught.value
    assert why in str(error)
    assert error.status == status
    answer = build_response(error.request, status)
    assert answer.startswith(b"SIP/2.0 %d " % status)
    assert all(str(via).encode() in answer for via in error.request.vias)


@pytest.mark.parametrize(("name", "why"), DROPPED)
def test_what_cannot_be_answered_is_dropped(name, why):
    with pytest.raises(MalformedMessage, match=why) as caught:
        parse_message(wire(name))

    assert caught.value.request is None


# --- What the documents say of single messages


def test_spaces_and_folds_are_nothing():
    message = parse_message(wire("4475-wsinv"))

    assert [str(via) for via in message.vias] == [
        "SIP/2.0/UDP 192.0.2.9;branch=401kdj",
        "SIP/2.0/TCP hop.example.test;branch=z9hG4bK7jhq2",
        "SIP/2.0/UDP 192.0.2.77;branch=z9hG4bK55pp",
    ]
    assert (message.to.uri, message.to.tag) == (
        "sip:rooms@green.example.test",
        "7hd2k1",
    )
    assert message.from_.display == 'Dora \\"quoted\\"'
    assert message.max_forwards == 70
    assert str(message.cseq) == "12 SUBSCRIBE"
    assert message.get("unheardoffield") == "first piece second piece of it"
    assert message.get("subject") == ""
    assert message.contacts[0].q == 0.25
    assert message.body == b"hello!"


def test_a_method_may_be_any_token():
    message = parse_message(wire("4475-intmeth"))

    assert message.method == "!odd-Method0987_*+`.%of'course~"
    assert message.request_uri.user == "2_odd.USER~(is-it!ok)&yes'it+is$/or?,/;;*"
    assert message.request_uri.password == "&pass+word=2,x!*y$z~w_v.(u't-s)"
    assert message.to.display == "BEL:\x07 DEL:\x7f"
    assert message.from_.tag == "_word~4'+`*%!-."


def test_only_uris_are_unescaped():
    uri = parse_message(wire("4475-esc01")).request_uri
    contact = parse_message(wire("4475-esc01")).contacts[0]
    method = parse_message(wire("4475-esc02")).method

    assert (uri.user, uri.host) == ("sips:nobody@example.test", "example.com")
    assert contact.aor == "sip:dora@host5.example.com"
    assert method == "RE%47IST%45R"


def test_an_escaped_nul_is_a_character_like_any():
    message = parse_message(wire("4475-escnull"))

    assert message.to.aor == "sip:nul-%00-nul@example.test"
    assert [contact.aor for contact in message.contacts] == [
        "sip:%00@host5.example.test",
        "sip:%00%00@host5.example.test",
    ]


def test_an_escaped_name_of_a_field_is_another_name():
    message = parse_message(wire("4475-esc02"))

    assert [contact.aor for contact in message.contacts] == [
        "sip:one@host1.example.test",
        "sip:three@host3.example.test",
    ]


def test_what_is_behind_the_body_is_cut_off():
    message = parse_message(wire("4475-dblreq"))

    assert (message.method, message.body) == ("REGISTER", b"")


def test_a_semicolon_may_be_part_of_the_user():
    uri = parse_message(wire("4475-semiuri")).request_uri

    assert (uri.user, uri.host) == ("user;par=u@example.com", "example.test")
    assert uri.parameters == ()


def test_a_body_may_hold_anything():
    message = parse_message(wire("4475-mpart01"))

    assert bytes(range(256)) in message.body
    assert message.content_type.parameter("boundary") == "7a9cbec02ceef655"


def test_a_parameter_behind_a_bare_uri_is_of_the_field():
    bare = parse_message(wire("4475-cparam01")).contacts[0]
    bracketed = parse_message(wire("4475-cparam02")).contacts[0]

    assert bare.parameter("unknownparam") == ""
    assert bracketed.parameter("unknownparam") is None


def test_what_only_knows_rfc_2543_has_no_branch_and_no_tag():
    message = parse_message(wire("4475-inv2543"))

    assert message.via.branch is None
    assert message.from_.tag is None
    assert message.max_forwards is None


@pytest.mark.parametrize(
    ("name", "host", "port"),
    [
        ("port-ambiguous", "[2001:db8::10:5070]", None),
        ("port-unambiguous", "[2001:db8::10]", 5070),
        ("ipv6-bug-abnf-3-colons", "[2001:db8::c000:201]", None),
        ("ipv6-correct-abnf-2-colons", "[2001:db8::c000:201]", None),
    ],
)
def test_what_is_in_brackets_is_the_address(name, host, port):
    uri = parse_message(wire(f"5118-{name}")).request_uri

    assert (uri.host, uri.port) == (host, port)


@pytest.mark.parametrize("name", ["with-delim", "no-delim"])
def test_received_may_have_brackets_or_not(name):
    via = parse_message(wire(f"5118-via-received-param-{name}")).via

    assert via.received == "2001:db8::9:255"


def test_an_ipv4_address_may_be_mapped():
    vias = parse_message(wire("5118-ipv4-mapped-ipv6")).vias

    assert [via.host for via in vias] == ["[::ffff:192.0.2.10]", "[::ffff:192.0.2.2]"]
