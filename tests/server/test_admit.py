"""What is refused at the door, whatever it asks for."""

from __future__ import annotations

import pytest

from presproxy.server.admit import Merged
from presproxy.service.build import METHODS
from presproxy.sip.message import parse_message
from presproxy.testing.flows import RecordingStream
from presproxy.testing.wire import Message, compose, pidf

OURS = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKours"
BODY = pidf("sip:alice@example.test")


def via(branch: str) -> str:
    return f"SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{branch}"


@pytest.mark.parametrize("method", ["X-NEW", "publish", "message"])
def test_an_unknown_method_is_refused_with_405_and_told_those_known(desk, method):
    answer = desk.ask(method)

    assert answer.status == 405
    assert answer.get("allow") == ", ".join(METHODS)


def test_a_cancel_finds_nothing_to_cancel(desk):
    assert desk.ask("CANCEL").status == 481


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("sip:bob@example.test", 200),
        ("sips:bob@example.test", 200),
        ("SIP:bob@EXAMPLE.test", 200),
        ("sip:bob@example.test:5060", 200),
        ("sip:bob@example.test:15060;transport=tcp", 200),
        ("sip:bob@192.0.2.100", 200),
        ("sip:bob@192.0.2.100:5070", 200),
        ("sip:bob@[2001:db8::1]:5060", 200),
        ("sip:bob@[2001:DB8:0::1]", 200),
        ("sip:bob@192.0.2.200", 404),
        ("sip:bob@example.test.evil.test", 404),
        ("sip:bob@fabrikam.test", 404),
        ("tel:+4930123456", 404),
        ("http://example.test", 416),
        ("mailto:bob@example.test", 416),
        ("urn:service:sos", 416),
        ("sip:", 400),
        ("sip:bob@", 400),
        ("sip:bob@example.test:99999", 400),
    ],
)
def test_a_request_uri_is_ours_or_refused(desk, uri, status):
    fields = {"Event": "presence", "To": "<sip:bob@example.test>"}

    assert desk.ask("SUBSCRIBE", fields, uri=uri).status == status


@pytest.mark.parametrize(
    ("method", "hops", "status"),
    [
        ("SUBSCRIBE", "0", 483),
        ("PUBLISH", "0", 483),
        ("SUBSCRIBE", "1", 200),
        ("OPTIONS", "0", 200),
        ("OPTIONS", "-1", 400),
        ("OPTIONS", "256", 400),
        ("SUBSCRIBE", None, 200),
    ],
)
def test_a_request_may_go_no_further_than_max_forwards_says(desk, method, hops, status):
    fields = {"Max-Forwards": hops, "Event": "presence"}

    assert desk.ask(method, fields).status == status


@pytest.mark.parametrize(
    ("fields", "unknown"),
    [
        ({"Require": "path"}, None),
        ({"Require": "PATH"}, None),
        ({"Require": ""}, None),
        ({"Require": "100rel"}, "100rel"),
        ({"Require": ["eventlist, path", "x-new"]}, "eventlist, x-new"),
        ({"Proxy-Require": "x-new"}, None),
        ({"Supported": "x-new"}, None),
    ],
)
def test_what_must_be_understood_and_is_not_is_refused_with_420(desk, fields, unknown):
    answer = desk.ask("OPTIONS", fields)

    assert answer.status == (200 if unknown is None else 420)
    assert answer.get("unsupported") == (unknown if unknown else None)


@pytest.mark.parametrize("method", ["SUBSCRIBE", "PUBLISH", "REGISTER", "OPTIONS"])
def test_a_request_in_a_dialog_that_is_not_there_is_refused_with_481(desk, method):
    fields = {"Event": "presence", "To": "<sip:bob@example.test>;tag=gone"}

    assert desk.ask(method, fields).status == 481


def test_options_in_a_dialog_tell_whether_it_is_there(desk):
    watching = desk.subscribe()
    within = {
        "From": watching.sent.need("from"),
        "To": watching.answer.need("to"),
        "Call-ID": watching.sent.call_id,
    }

    there = desk.ask("OPTIONS", {**within, "CSeq": "999 OPTIONS"})
    other = desk.ask("OPTIONS", {**within, "Call-ID": "other"})
    refresh = watching.again()

    assert (there.status, other.status) == (200, 481)
    # Nobody was asked who sent it, so its number means nothing to the dialog.
    assert refresh.status == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [("Call-ID", "two words"), ("To", "<sip:bob@"), ("From", "nobody"), ("Via", "x")],
)
def test_what_every_request_must_have_is_read_or_refused(desk, name, value):
    answer = desk.ask("OPTIONS", {name: value})

    assert answer is None or answer.status == 400


# --- Requests which came by two roads


def roads(*branches: str, **other: str) -> list[Message]:
    """Write one request as it comes from proxies, under these branches of theirs."""
    fields = {
        "From": "<sip:alice@example.test>;tag=a",
        "To": "<sip:bob@example.test>",
        "Call-ID": "c",
        "CSeq": "1 OPTIONS",
        **other,
    }
    return [
        parse_message(
            compose(
                "OPTIONS sip:bob@example.test SIP/2.0",
                {"Via": [via(branch), OURS], **fields},
            )
        )
        for branch in branches
    ]


def test_a_request_that_comes_by_two_roads_is_served_once(desk):
    fields = {"From": "<sip:alice@example.test>;tag=a", "Call-ID": "c"}

    statuses = [
        desk.ask("OPTIONS", {**fields, "Via": [via(branch), OURS]}).status
        for branch in ("one", "two", "three")
    ]

    assert statuses == [200, 482, 482]


@pytest.mark.parametrize(
    "other",
    [
        {"CSeq": "2 OPTIONS"},
        {"Call-ID": "d"},
        {"From": "<sip:alice@example.test>;tag=b"},
    ],
)
def test_another_request_is_no_second(other):
    merged = Merged()
    first, second = *roads("one"), *roads("two", **other)

    assert not merged.is_second(first, 0.0)
    assert not merged.is_second(second, 0.0)


def test_the_same_branch_again_is_no_second():
    merged = Merged()
    first, again = roads("one", "one")

    assert not merged.is_second(first, 0.0)
    assert not merged.is_second(again, 0.0)


def test_who_tries_again_by_himself_is_served(desk):
    # Over TCP what was sent over UDP, with a new branch and the same CSeq.
    fields = {
        "From": "<sip:alice@example.test>;tag=a",
        "Call-ID": "c",
        "Event": "presence",
        "Content-Type": "application/pidf+xml",
    }
    stream = RecordingStream()

    first = desk.ask("PUBLISH", fields, BODY, uri="sip:alice@example.test")
    desk.send(desk.write("PUBLISH", fields, BODY, uri="sip:alice@example.test"), stream)

    assert first.status == 200
    assert [Message.read(data).status for _, data in stream.sent] == [200]


def test_a_second_is_forgotten_in_time():
    merged = Merged()
    first, second = roads("one", "two")
    merged.is_second(first, 0.0)

    assert merged.is_second(second, 31.9)
    assert not merged.is_second(second, 32.1)


def test_no_more_are_remembered_than_may_be():
    merged = Merged(most=10)

    for number in range(100):
        merged.is_second(*roads("one", **{"Call-ID": f"c{number}"}), 0.0)

    assert len(merged._seen) == len(merged._order) <= 11


@pytest.mark.parametrize("method", ["SUBSCRIBE", "PUBLISH", "REGISTER"])
def test_who_repeats_a_request_with_credentials_is_served(guarded, method):
    # libpurple keeps the branch and counts on; SIPE keeps both.
    uri = "sip:alice@example.test"
    fields = {
        "Via": OURS,
        "From": f"<{uri}>;tag=a",
        "Call-ID": "c",
        "Event": "presence",
        "Content-Type": "application/pidf+xml",
    }
    proof = {"Authorization": f"I am {uri}"}

    statuses = []
    for more in ({}, proof, {**proof, "CSeq": f"2 {method}"}):
        data = guarded.write(method, {**fields, **more}, BODY, uri=uri)
        guarded.send(data)
        statuses.append(guarded.answer(Message.read(data)).status)

    assert statuses == [401, 200, 200]
