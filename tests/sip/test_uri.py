from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.errors import MalformedField
from presproxy.sip.uri import (
    AbsoluteURI,
    SipURI,
    TelURI,
    address_of_record,
    domain_of,
    equivalent,
    escape_user,
    parse_uri,
    user_of,
)

# Text as it comes from the wire, bytes which are not UTF-8 included.
wire_text = st.binary(max_size=40).map(
    lambda data: data.decode("utf-8", "surrogateescape")
)
hosts = st.sampled_from(["example.test", "192.0.2.1", "[2001:db8::1]", "a_b", "x-y.z"])
names = st.text("abcXYZ019-_.!~*'()[]/:&+$", min_size=1, max_size=8)
sip_uris = st.builds(
    SipURI,
    st.sampled_from(["sip", "sips"]),
    wire_text.filter(bool),
    st.none() | wire_text,
    hosts,
    st.none() | st.integers(0, 65535),
    st.lists(st.tuples(names, st.none() | names)).map(tuple),
    st.sampled_from(["", "subject=x", "a=1&b=%20"]),
)


def test_a_uri_is_taken_apart():
    uri = parse_uri("SIPS:al%69ce:s%65cret@Example.TEST:5071;transport=TCP;lr?a=b&c=d")

    assert uri == SipURI(
        "sips",
        "alice",
        "secret",
        "example.test",
        5071,
        (("transport", "TCP"), ("lr", None)),
        "a=b&c=d",
    )
    assert (uri.transport, uri.has("lr"), uri.has("maddr")) == ("tcp", True, False)


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:example.test", SipURI("sip", None, None, "example.test")),
        ("sip:[2001:DB8::0:1]", SipURI("sip", None, None, "[2001:db8::1]")),
        ("sip:*97@example.test", SipURI("sip", "*97", None, "example.test")),
        ("sip:#31#@example.test", SipURI("sip", "#31#", None, "example.test")),
        ("sip:a@h;;x=1;", SipURI("sip", "a", None, "h", None, (("x", "1"),))),
        ("sip:a:@h", SipURI("sip", "a", "", "h")),
        ("tel:+49-(30).123;ext=4", TelURI("+4930123", (("ext", "4"),))),
        ("URN:service:sos", AbsoluteURI("urn", "service:sos")),
    ],
)
def test_what_is_in_the_field_is_read(text, uri):
    assert parse_uri(text) == uri


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip:@example.test",
        "sip:a@",
        "sip:a@b@c",
        "sip:a b@example.test",
        "sip:a%zz@example.test",
        "sip:a@example.test:",
        "sip:a@example.test:65536",
        "sip:a@example.test:123456789",
        "sip:2001:db8::1",
        "sip:[2001:db8::1",
        "sip:[2001:db8::1::2]",
        "sip:[2001:db8:::1]",
        "sip:a@[:::]",
        "sip:a@exa$mple",
        "sip:a@h;=x",
        "sip:a@h>",
        "sip:a\x00@h",
        "sip:\ud800@h",
        "tel:",
        "tel:--",
        "tel:+49 30",
        "//example.test",
        "noscheme",
        "mailto:",
    ],
)
def test_what_is_no_uri_is_refused(text):
    with pytest.raises(MalformedField):
        parse_uri(text)


def test_an_escaped_parameter_is_found():
    uri = parse_uri("sip:h;%6C%72;na%6De=v%61lue%25%34%31;MAddr=192.0.2.1")

    assert (uri.parameter("lr"), uri.parameter("name")) == ("", "value%41")
    assert uri.parameter("maddr") == "192.0.2.1"


@given(sip_uris)
def test_a_sip_uri_reads_back_the_same(uri):
    assert parse_uri(str(uri)) == uri


@given(st.text("0123456789*#", min_size=1), st.lists(st.tuples(names, names)))
def test_a_tel_uri_reads_back_the_same(number, parameters):
    uri = TelURI(number, tuple(parameters))

    assert parse_uri(str(uri)) == uri


@given(wire_text | st.builds("sip:{}".format, wire_text) | st.text())
def test_no_text_fails_in_another_way(text):
    for read in (parse_uri, address_of_record):
        with suppress(MalformedField):
            str(read(text))


# --- Comparison


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "sip:%61lice@example.test;transport=TCP",
            "sip:alice@ExAmPlE.tEsT;Transport=tcp",
        ),
        ("sip:carol@example.test", "sip:carol@example.test;newparam=5"),
        ("sip:carol@example.test;security=on", "sip:carol@example.test;newparam=5"),
        (
            "sip:example.test;transport=tcp;method=REGISTER?to=sip:bob%40example.com",
            "sip:example.test;method=REGISTER;transport=tcp?to=sip:bob%40example.com",
        ),
        ("sip:a@h?subject=x&priority=urgent", "sip:a@h?priority=urgent&subject=x"),
        # RFC 5954 §4.2
        ("sip:bob@[2001:db8::9:1]", "sip:bob@[2001:db8::9:01]"),
        ("sip:bob@[0:0:0:0:0:FFFF:129.144.52.38]", "sip:bob@[::ffff:129.144.52.38]"),
        ("tel:+49-30", "tel:+4930"),
        ("urn:a:b", "URN:a:b"),
    ],
)
def test_uris_are_equivalent(one, other):
    assert equivalent(parse_uri(one), parse_uri(other))
    assert equivalent(parse_uri(other), parse_uri(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "sip:ALICE@example.test;Transport=udp",
            "sip:alice@example.test;transport=UDP",
        ),
        ("sip:bob@example.test", "sips:bob@example.test"),
        ("sip:bob@example.test", "sip:bob@example.test:5060"),
        ("sip:bob@example.test", "sip:bob@example.test;transport=udp"),
        ("sip:bob@example.test", "sip:bob@example.test:6000;transport=tcp"),
        ("sip:bob@example.test", "sip:bob:x@example.test"),
        ("sip:bob@example.test;maddr=h", "sip:bob@example.test"),
        ("sip:bob@example.test;user=phone", "sip:bob@example.test"),
        ("sip:carol@example.test;security=on", "sip:carol@example.test;security=off"),
        ("sip:carol@example.test", "sip:carol@example.test?Subject=next%20meeting"),
        ("sip:bob@phone21.example.test", "sip:bob@192.0.2.4"),
        ("sip:bob@example.test", "tel:+4930"),
    ],
)
def test_uris_are_not_equivalent(one, other):
    assert not equivalent(parse_uri(one), parse_uri(other))
    assert not equivalent(parse_uri(other), parse_uri(one))


@given(sip_uris)
def test_every_uri_is_equivalent_to_itself(uri):
    assert equivalent(uri, parse_uri(str(uri)))


# --- Addresses of record


@pytest.mark.parametrize(
    ("text", "aor"),
    [
        ("sip:alice@example.test", "sip:alice@example.test"),
        ("sip:Alice@EXAMPLE.test", "sip:Alice@example.test"),
        ("sips:alice@example.test", "sip:alice@example.test"),
        ("pres:alice@example.test", "sip:alice@example.test"),
        ("im:alice@example.test", "sip:alice@example.test"),
        ("alice@example.test", "sip:alice@example.test"),
        ("alice@example.test:5070", "sip:alice@example.test:5070"),
        ("sip:alice:secret@example.test", "sip:alice@example.test"),
        ("sip:alice@example.test;transport=UDP?a=b", "sip:alice@example.test"),
        ("sip:alice@example.test:5060", "sip:alice@example.test"),
        ("sips:alice@example.test:5061", "sip:alice@example.test"),
        ("sip:alice@example.test:5061", "sip:alice@example.test:5061"),
        ("sip:%61lice%40work@example.test", "sip:alice%40work@example.test"),
        ("sip:j%c3%b6rg@example.test", "sip:j%C3%B6rg@example.test"),
        ("sip:jörg@example.test", "sip:j%C3%B6rg@example.test"),
        ("sip:a%3bb@example.test", "sip:a;b@example.test"),
        ("sip:Example.test:5060", "sip:example.test"),
        ("sip:102@[2001:DB8::1]:5070", "sip:102@[2001:db8::1]:5070"),
        ("tel:+49-30-123;isub=1", "tel:+4930123"),
        ("tel:7042;phone-context=Example.test", "tel:7042;phone-context=example.test"),
    ],
)
def test_an_address_of_record_is_canonical(text, aor):
    assert address_of_record(text) == aor
    assert address_of_record(aor) == aor


def test_a_parsed_uri_has_the_same_address_of_record():
    assert address_of_record(parse_uri("sips:a@H:5061;x")) == "sip:a@h"


@pytest.mark.parametrize(
    "text",
    ["", "alice", "example.test", "mailto:a@b", "urn:x:y", "*", "sip:a@b@c", "a b@c"],
)
def test_what_names_nobody_has_no_address_of_record(text):
    with pytest.raises(MalformedField):
        address_of_record(text)


@given(sip_uris)
def test_an_address_of_record_is_its_own(uri):
    aor = address_of_record(uri)

    assert address_of_record(aor) == aor
    assert user_of(aor) == uri.user
    assert domain_of(aor) == uri.host


@pytest.mark.parametrize(
    ("aor", "user", "domain"),
    [
        ("sip:alice@example.test:5070", "alice", "example.test"),
        ("sip:a%40b@[2001:db8::1]:5070", "a@b", "[2001:db8::1]"),
        ("sip:example.test", None, "example.test"),
        ("tel:7042;phone-context=example.test", "7042", ""),
    ],
)
def test_an_address_of_record_is_taken_apart(aor, user, domain):
    assert (user_of(aor), domain_of(aor)) == (user, domain)


def test_a_user_is_escaped():
    assert escape_user("a b/ö@") == "a%20b/%C3%B6%40"
