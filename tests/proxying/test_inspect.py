"""What is looked at before a request is passed on (RFC 3261 §16.3, §16.4)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.errors import MalformedField
from presproxy.proxying.inspect import (
    NotForwarded,
    inspect,
    is_loop,
    loop_signature,
)
from presproxy.sip.message import parse_message

BOB = "sip:bob@example.test"
US = "<sip:us.test;lr>"
TOKEN = "<sip:t@us.test;lr>"
OTHER = "<sip:other.test;lr>"


def is_us(uri):
    return uri.host == "us.test"


@pytest.mark.parametrize(
    ("uri", "routes", "passed", "left", "ours"),
    [
        (BOB, [], BOB, [], []),
        (BOB, [US], BOB, [], []),
        (BOB, [TOKEN], BOB, [], ["t"]),
        (BOB, [US, TOKEN], BOB, [], ["t"]),
        (BOB, [TOKEN, "<sip:u@us.test;lr>", OTHER], BOB, [OTHER], ["t", "u"]),
        (BOB, [f"{TOKEN}, {OTHER}"], BOB, [OTHER], ["t"]),
        (BOB, [OTHER, US], BOB, [OTHER, US], []),
        (BOB, ["<sip:us.test>"], BOB, [], []),
        ("sip:t@us.test;lr", [OTHER, f"<{BOB}>"], BOB, [OTHER], ["t"]),
        ("sip:t@us.test;lr", [US, OTHER, f"<{BOB}>"], BOB, [OTHER], ["t"]),
        ("sip:t@us.test;lr", [], "sip:t@us.test;lr", [], []),
        ("sip:t@us.test", [f"<{BOB}>"], "sip:t@us.test", [f"<{BOB}>"], []),
    ],
    ids=[
        "no Route",
        "us",
        "our Record-Route",
        "preloaded, then our Record-Route",
        "twice us, then another",
        "in one line",
        "another first",
        "us as a strict router",
        "from a strict router",
        "from a strict router, and us again",
        "as from a strict router, but nowhere to go",
        "a user of ours",
    ],
)
def test_what_names_us_is_taken_off(request_of, uri, routes, passed, left, ours):
    request = request_of("INVITE", uri, *(f"Route: {each}" for each in routes))
    passage = inspect(request, is_us)

    assert passage.uri == passed
    assert list(passage.routes) == left
    assert list(passage.ours) == ours


@pytest.mark.parametrize(
    ("uri", "passed"),
    [
        (f"{BOB};maddr=us.test", BOB),
        (f"{BOB}:5070;maddr=US.test;transport=tcp;x=y", f"{BOB};x=y"),
        (f"{BOB};maddr=us.test;ttl=1;user=phone", f"{BOB};user=phone"),
        ("sip:a%20b@x;MADDR=us.test", "sip:a%20b@x"),
        (f"{BOB};maddr=[2001:DB8::1]", BOB),
        (f"{BOB};maddr=2001:db8::1", BOB),
        (f"{BOB};maddr=other.test;transport=tcp", None),
        (f"{BOB};maddr", None),
        ("sip:maddr@example.test:5070", None),
        ("tel:1;maddr=us.test", None),
    ],
)
def test_a_maddr_that_names_us_says_no_more_than_how_to_come_here(
    request_of, uri, passed
):
    passage = inspect(
        request_of("INVITE", uri), lambda uri: uri.host in {"us.test", "[2001:db8::1]"}
    )

    assert passage.uri == (passed or uri)


@pytest.mark.parametrize(
    ("uri", "line", "status"),
    [
        ("mailto:bob@example.test", "X: y", 416),
        (BOB, "Proxy-Require: privacy", 420),
        ("sip:t@us.test;lr", "Route: <mailto:bob@x>", 416),
    ],
)
def test_what_may_not_be_passed_on(request_of, uri, line, status):
    with pytest.raises(NotForwarded) as caught:
        inspect(request_of("INVITE", uri, line), is_us)
    assert caught.value.status == status


def test_an_extension_that_is_not_understood_is_named(request_of):
    with pytest.raises(NotForwarded) as caught:
        inspect(request_of("INVITE", BOB, "Proxy-Require: One, two"), is_us)
    assert caught.value.fields == (("Unsupported", "One, two"),)


@pytest.mark.parametrize(
    ("text", "left"), [("70", 69), ("1", 0), ("255", 254), (None, 70)]
)
def test_a_hop_is_counted(request_of, text, left):
    request = request_of("INVITE", BOB)
    request.__dict__["max_forwards"] = None if text is None else int(text)

    assert inspect(request, is_us).forwards == left


def test_with_no_hop_left_it_goes_nowhere(request_of):
    request = request_of("INVITE", BOB)
    request.__dict__["max_forwards"] = 0

    with pytest.raises(NotForwarded) as caught:
        inspect(request, is_us)
    assert caught.value.status == 483


@pytest.mark.parametrize(
    ("line", "breadth"),
    [("X: y", 60), ("Max-Breadth: 7", 7), ("Max-Breadth: 999999999", 60)],
)
def test_how_wide_it_may_be_forked(request_of, line, breadth):
    assert inspect(request_of("INVITE", BOB, line), is_us).breadth == breadth


@pytest.mark.parametrize(
    "line",
    [
        "Max-Breadth: x",
        "Max-Breadth: -1",
        "Max-Breadth: ٣",
        "Max-Breadth: 1234567890",
        "Route: <>",
        "Route: <tel:1>",
        "Route: <sip:@>",
    ],
)
def test_what_cannot_be_read_is_malformed(request_of, line):
    with pytest.raises(MalformedField):
        inspect(request_of("INVITE", BOB, line), is_us)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=60))
def test_no_route_fails_in_another_way(text):
    data = (
        f"INVITE {BOB} SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nRoute: {text}\r\n"
        "From: <sip:a@b>\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n"
    )
    with suppress(MalformedField, NotForwarded):
        inspect(parse_message(data.encode()), is_us)


@pytest.mark.parametrize(
    ("uri", "routes", "is_secure"),
    [
        ("sips:bob@example.test", [], True),
        ("SIPS:bob@example.test", [US], True),
        (BOB, ["<sips:other.test;lr>"], True),
        (BOB, [US, '"x" <SIPS:other.test;lr>'], True),
        (BOB, ["<sips:us.test;lr>"], False),
        (BOB, [OTHER, "<sips:other.test;lr>"], False),
        (BOB, ['"sips:" <sip:sips@other.test;lr>'], False),
        ("sip:sips@example.test", [], False),
    ],
    ids=[
        "Request-URI",
        "in capitals",
        "Route",
        "Route behind ours",
        "ours alone",
        "a later one",
        "a name",
        "a user",
    ],
)
def test_what_leaves_by_tls_alone(request_of, uri, routes, is_secure):
    request = request_of("INVITE", uri, *(f"Route: {each}" for each in routes))

    assert inspect(request, is_us).is_secure is is_secure


# --- Loops


def came_again(request_of, signature, *more, uri=BOB):
    via = f"Via: SIP/2.0/TCP us.test;branch=z9hG4bKours.1.{signature}"
    return request_of("INVITE", uri, via, *more)


def test_what_comes_again_as_it_was_is_a_loop(request_of):
    signature = loop_signature(b"s", request_of("INVITE", BOB))
    again = came_again(request_of, signature)

    assert loop_signature(b"s", again) == signature
    assert is_loop(signature, again)


@pytest.mark.parametrize(
    "change",
    [
        {"uri": "sip:carol@example.test"},
        {"more": ["Route: <sip:us.test;lr>"]},
        {"more": ["Proxy-Require: x"]},
        {"more": ["Proxy-Authorization: Digest x=y"]},
    ],
    ids=["Request-URI", "Route", "Proxy-Require", "credentials"],
)
def test_what_comes_again_to_go_elsewhere_is_none(request_of, change):
    before = loop_signature(b"s", request_of("INVITE", BOB))
    uri = change.get("uri", BOB)
    again = came_again(request_of, before, *change.get("more", ()), uri=uri)

    assert not is_loop(loop_signature(b"s", again), again)


def test_nobody_else_can_make_it_look_like_a_loop(request_of):
    request = request_of("INVITE", BOB)

    assert loop_signature(b"s", request) != loop_signature(b"t", request)
