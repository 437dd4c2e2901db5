from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.errors import MalformedField
from presproxy.sip import grammar
from presproxy.sip.fields import (
    LONGEST,
    WILDCARD,
    Contact,
    CSeq,
    MediaRange,
    MediaType,
    NameAddress,
    Via,
    acceptance,
    choose_media_type,
    parse_accept,
    parse_contact,
    parse_cseq,
    parse_media_type,
    parse_name_address,
    parse_seconds,
    parse_via,
    split_values,
)

tokens = st.from_regex(re.compile(grammar.TOKEN, re.ASCII), fullmatch=True)
line = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)
parameters = st.lists(
    st.tuples(tokens, st.none() | tokens | line.map(grammar.quote)), max_size=4
).map(tuple)
uris = st.sampled_from(
    ["sip:alice@example.test", "sip:a;b=c,d@h?x=y", "tel:+49", "urn:service:sos"]
)


# --- Several values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        (" , ,", []),
        ("a", ["a"]),
        (" a , b\t,c ", ["a", "b", "c"]),
        ('"A, B" <sip:a@h>, <sip:b,c@h>', ['"A, B" <sip:a@h>', "<sip:b,c@h>"]),
        (r'"a\",b", c', [r'"a\",b"', "c"]),
        ('a, "b, c', ["a", '"b, c']),
        ("a, <b, c", ["a", "<b, c"]),
        ('<a"b>, c"d, e"', ['<a"b>', 'c"d, e"']),
    ],
)
def test_values_are_cut_at_commas(text, values):
    assert split_values(text) == values


@given(
    st.lists(
        tokens
        | line.map(grammar.quote)
        | line.map(lambda t: f"<{t}>".replace(">>", ">"))
    )
)
def test_values_joined_are_cut_again(values):
    values = [value for value in values if value.count("<") == value.count(">")]
    values = [value for value in values if value[0] != "<" or ">" not in value[:-1]]

    assert split_values(", ".join(values)) == values


# --- Seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        (" 3600\t", 3600),
        ("00000000000000000003600", 3600),
        ("4294967295", LONGEST),
        ("4294967296", LONGEST),
        ("9" * 200, LONGEST),
    ],
)
def test_seconds_are_clamped(text, seconds):
    assert parse_seconds("Expires", text) == seconds


@pytest.mark.parametrize("text", ["", " ", "-1", "+1", "1.5", "1 2", "١", "0x1", "1e3"])
def test_what_is_no_number_of_seconds_is_refused(text):
    with pytest.raises(MalformedField, match=r"^Expires: "):
        parse_seconds("Expires", text)


# --- Via


@pytest.mark.parametrize(
    ("text", "via"),
    [
        (
            "SIP/2.0/UDP example.test:5060;branch=z9hG4bK1;rport",
            Via(
                "2.0",
                "UDP",
                "example.test",
                5060,
                (("branch", "z9hG4bK1"), ("rport", None)),
            ),
        ),
        (
            " SIP /\t2.0 / tls  Example.TEST : 5061 ; received = 192.0.2.1 ",
            Via("2.0", "TLS", "example.test", 5061, (("received", "192.0.2.1"),)),
        ),
        ("SIP/2.0/UDP 192.0.2.20:5060", Via("2.0", "UDP", "192.0.2.20", 5060)),
        ("sip/2.0/udp [2001:DB8::0:1]", Via("2.0", "UDP", "[2001:db8::1]")),
        (
            "SIP/2.0/WSS abc.invalid;alias",
            Via("2.0", "WSS", "abc.invalid", None, (("alias", None),)),
        ),
    ],
)
def test_a_via_is_read(text, via):
    assert parse_via(text) == via


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0 UDP h",
        "HTTP/2.0/UDP h",
        "SIP/2.0/UDP h h",
        "SIP/2.0/UDP h:",
        "SIP/2.0/UDP h:65536",
        "SIP/2.0/UDP h:x",
        "SIP/2.0/UDP [::1",
        "SIP/2.0/UDP [1::2::3]",
        "SIP/2.0/UDP 2001:db8::1",
        "SIP/2.0/UDP h;;branch=x",
        'SIP/2.0/UDP h;branch="x',
    ],
)
def test_a_via_that_cannot_be_read_is_refused(text):
    with pytest.raises(MalformedField, match=r"^Via: "):
        parse_via(text)


@pytest.mark.parametrize(
    ("text", "branch", "has_rport", "rport", "received"),
    [
        ("SIP/2.0/UDP h", None, False, None, None),
        ("SIP/2.0/UDP h;branch=;rport=", None, True, None, None),
        ("SIP/2.0/UDP h;Branch=x;RPort=5060;Received=[::1]", "x", True, 5060, "::1"),
        ("SIP/2.0/UDP h;rport=x", None, True, None, None),
        ("SIP/2.0/UDP h;rport=1234567", None, True, None, None),
    ],
)
def test_the_parameters_of_a_via_have_names(text, branch, has_rport, rport, received):
    via = parse_via(text)

    assert (via.branch, via.has_rport, via.rport, via.received) == (
        branch,
        has_rport,
        rport,
        received,
    )


def test_parameters_are_replaced_in_their_places():
    via = parse_via("SIP/2.0/UDP h;RPort;branch=x;received=1.2.3.4;rport=9")

    assert str(via.replace(received="192.0.2.1", rport="5060", new="1")) == (
        "SIP/2.0/UDP h;rport=5060;branch=x;received=192.0.2.1;new=1"
    )


@given(
    st.builds(
        Via,
        tokens,
        tokens.map(str.upper),
        st.sampled_from(["example.test", "192.0.2.1", "[2001:db8::1]"]),
        st.none() | st.integers(0, 65535),
        parameters,
    )
)
def test_a_via_reads_back_the_same(via):
    assert parse_via(str(via)) == via


# --- From, To, Contact


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("<sip:a@h>", NameAddress(None, "sip:a@h")),
        ("<sip:a@h;lr>;tag=1", NameAddress(None, "sip:a@h;lr", (("tag", "1"),))),
        ("sip:a@h;tag=1", NameAddress(None, "sip:a@h", (("tag", "1"),))),
        ("  sip:a@h  ; tag = 1 ", NameAddress(None, "sip:a@h", (("tag", "1"),))),
        ("Alice B <sip:a@h>", NameAddress("Alice B", "sip:a@h")),
        ("Alice<sip:a@h>", NameAddress("Alice", "sip:a@h")),
        ('"" <sip:a@h>', NameAddress("", "sip:a@h")),
        ('"A, \\"B\\" <c>;d" < sip:a@h >', NameAddress('A, "B" <c>;d', "sip:a@h")),
        ("Jörg <sip:a@h>", NameAddress("Jörg", "sip:a@h")),
        ("a@b (work) <sip:a@h>", NameAddress("a@b (work)", "sip:a@h")),
    ],
)
def test_a_name_address_is_read(text, address):
    assert parse_name_address("To", text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<>",
        "< >",
        "<sip:a@h",
        "sip:a@h>",
        '"Alice <sip:a@h>',
        'Al"ice" <sip:a@h>',
        "Alice, B <sip:a@h>",
        "sip:a@h?x=y",
        "sip:a@h, sip:b@h",
        "<sip:a@h>, <sip:b@h>",
        "<sip:a@h> tag=1",
        "<sip:a@h>;tag=1 2",
        "alice",
        "*",
        "<sip:a\x00@h>",
        "A\x01 <sip:a@h>",
    ],
)
def test_a_name_address_that_cannot_be_read_is_refused(text):
    with pytest.raises(MalformedField, match=r"^To: "):
        parse_name_address("To", text)


@given(st.builds(NameAddress, st.none() | line, uris, parameters))
def test_a_name_address_reads_back_the_same(address):
    assert parse_name_address("To", str(address)) == address


def test_an_empty_tag_is_none():
    assert parse_name_address("To", "<sip:a@h>;tag=").tag is None
    assert parse_name_address("To", "<sip:a@h>;Tag=x").tag == "x"


def test_a_name_address_has_an_address_of_record():
    assert parse_name_address("To", "<sip:Alice@H:5060;x>;tag=1").aor == "sip:Alice@h"
    with pytest.raises(MalformedField):
        parse_name_address("To", "<isbn:29>").aor  # noqa: B018


@pytest.mark.parametrize(
    ("text", "q", "expires"),
    [
        ("<sip:a@h>", None, None),
        ("<sip:a@h>;q=0.25;expires=60", 0.25, 60),
        ("sip:a@h;Q=1.000;Expires=99999999999", 1.0, LONGEST),
        ("<sip:a@h>;q=.5", 0.5, None),
    ],
)
def test_a_contact_has_a_preference_and_an_interval(text, q, expires):
    contact = parse_contact(text)

    assert (contact.q, contact.expires) == (q, expires)


@pytest.mark.parametrize("text", ["<sip:a@h>;q=2", "<sip:a@h>;q", "<sip:a@h>;q=-1"])
def test_what_is_no_preference_is_refused(text):
    with pytest.raises(MalformedField):
        parse_contact(text).q  # noqa: B018


def test_a_star_is_the_wildcard():
    assert parse_contact(" * ") is WILDCARD
    assert str(WILDCARD) == "*"


@given(st.builds(Contact, st.none() | line, uris, parameters))
def test_a_contact_reads_back_the_same(contact):
    assert parse_contact(str(contact)) == contact


# --- CSeq


@pytest.mark.parametrize(
    ("text", "cseq"),
    [
        ("1 PUBLISH", CSeq(1, "PUBLISH")),
        (" 0009 \t SUBSCRIBE ", CSeq(9, "SUBSCRIBE")),
        ("2147483647 x", CSeq(2**31 - 1, "x")),
    ],
)
def test_a_cseq_is_read(text, cseq):
    assert parse_cseq(text) == cseq


@pytest.mark.parametrize(
    "text",
    ["", "1", "PUBLISH", "-1 PUBLISH", "1 PUB LISH", "2147483648 x", "9" * 99 + " x"],
)
def test_a_cseq_that_cannot_be_read_is_refused(text):
    with pytest.raises(MalformedField, match=r"^CSeq: "):
        parse_cseq(text)


@given(st.builds(CSeq, st.integers(0, 2**31 - 1), tokens))
def test_a_cseq_reads_back_the_same(cseq):
    assert parse_cseq(str(cseq)) == cseq


# --- Media types


@pytest.mark.parametrize(
    ("text", "media"),
    [
        ("application/pidf+xml", MediaType("application/pidf+xml")),
        (
            'Application / PIDF+xml ; charset="UTF-8"',
            MediaType("application/pidf+xml", (("charset", '"UTF-8"'),)),
        ),
    ],
)
def test_a_media_type_is_read(text, media):
    assert parse_media_type(text) == media


@pytest.mark.parametrize(
    "text", ["", "text", "text/", "/plain", "a/b/c", "a b/c", "a/b,c/d"]
)
def test_what_is_no_media_type_is_refused(text):
    with pytest.raises(MalformedField, match=r"^Content-Type: "):
        parse_media_type(text)


@given(st.builds(MediaType, st.sampled_from(["a/b", "multipart/related"]), parameters))
def test_a_media_type_reads_back_the_same(media):
    assert parse_media_type(str(media)) == media


@given(
    st.lists(
        st.builds(
            MediaRange,
            st.sampled_from(["a/b", "a/*", "*/*"]),
            st.integers(0, 1000).map(lambda number: number / 1000),
            parameters.map(lambda all: tuple(p for p in all if p[0].lower() != "q")),
        ),
        max_size=3,
    )
)
def test_ranges_read_back_the_same(ranges):
    assert parse_accept(map(str, ranges)) == ranges


@pytest.mark.parametrize(
    ("accepted", "content_type", "q"),
    [
        (["application/pidf+xml"], "application/pidf+xml", 1.0),
        (["application/pidf+xml"], "application/xpidf+xml", 0.0),
        (["application/*;q=0.5", "*/*;q=0.1"], "application/pidf+xml", 0.5),
        (["*/*", "application/pidf+xml;q=0"], "application/pidf+xml", 0.0),
        (["*/*;q=0.3"], "text/plain", 0.3),
        (["APPLICATION/PIDF+XML;level=1"], "application/pidf+xml", 1.0),
        ([], "text/plain", 0.0),
    ],
)
def test_the_most_specific_range_decides(accepted, content_type, q):
    assert acceptance(parse_accept(accepted), content_type) == q


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        (["application/pidf+xml", "application/xpidf+xml"], "application/pidf+xml"),
        (["application/xpidf+xml", "application/pidf+xml"], "application/pidf+xml"),
        (["application/xpidf+xml"], "application/xpidf+xml"),
        (["application/pidf+xml;q=0.1", "*/*"], "application/xpidf+xml"),
        (["text/plain"], None),
        (["*/*;q=0"], None),
        ([], None),
    ],
)
def test_the_most_welcome_type_is_chosen(accepted, chosen):
    offered = ("application/pidf+xml", "application/xpidf+xml")

    assert choose_media_type(accepted, offered) == chosen


def test_nothing_is_chosen_of_nothing():
    assert choose_media_type(["*/*"], ()) is None
