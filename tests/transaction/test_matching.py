from __future__ import annotations

import pytest

from presproxy.errors import MalformedField
from presproxy.sip.message import build_response, parse_message
from presproxy.testing.flows import RecordingFlow, RecordingStream
from presproxy.transaction.matching import key_of, way_back

SUBSCRIBE = """\
SUBSCRIBE sip:alice@example.test SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKs1\r
Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKs0\r
Max-Forwards: 70\r
From: <sip:bob@example.test>;tag=theirs\r
To: <sip:alice@example.test>;tag=ours\r
Call-ID: c1\r
CSeq: 1 SUBSCRIBE\r
Content-Length: 0\r
\r
"""
#: The same from what knows only RFC 2543.
OLD = SUBSCRIBE.replace(";branch=z9hG4bKs1", "")
INVITE = SUBSCRIBE.replace("SUBSCRIBE", "INVITE")
OLD_INVITE = OLD.replace("SUBSCRIBE", "INVITE")


def read(text, *changes):
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return parse_message(text.encode())


@pytest.mark.parametrize(
    ("text", "changes", "is_same"),
    [
        (SUBSCRIBE, [], True),
        (SUBSCRIBE, [("bKs1", "bKs2")], False),
        (SUBSCRIBE, [("192.0.2.1:5060", "192.0.2.2:5060")], False),
        (SUBSCRIBE, [("192.0.2.1:5060", "192.0.2.1:5070")], False),
        (SUBSCRIBE, [("SUBSCRIBE", "PUBLISH")], False),
        # A departure: libpurple counts on and keeps the branch.
        (SUBSCRIBE, [("CSeq: 1", "CSeq: 2")], False),
        (SUBSCRIBE, [("sip:alice@", "sip:carol@")], True),
        (SUBSCRIBE, [("Call-ID: c1", "Call-ID: c2")], True),
        (SUBSCRIBE, [("theirs", "other"), ("ours", "another")], True),
        (SUBSCRIBE, [("192.0.2.7", "192.0.2.8")], True),
        (
            SUBSCRIBE,
            [("Via: SIP/2.0/UDP 192.0.2.1", "v:  SIP/2.0/UDP  192.0.2.1")],
            True,
        ),
        (INVITE, [("INVITE", "ACK")], True),
        (INVITE, [("INVITE", "ACK"), ("tag=ours", "tag=other")], True),
        (INVITE, [("INVITE", "ACK"), ("bKs1", "bKs2")], False),
        (INVITE, [("INVITE", "ACK"), ("CSeq: 1", "CSeq: 2")], False),
        (INVITE, [("INVITE", "CANCEL")], False),
        (OLD, [], True),
        (OLD, [("SUBSCRIBE sip:alice@", "SUBSCRIBE sip:carol@")], False),
        (OLD, [("tag=ours", "tag=other")], False),
        (OLD, [(";tag=ours", "")], False),
        (OLD, [("tag=theirs", "tag=other")], False),
        (OLD, [("Call-ID: c1", "Call-ID: c2")], False),
        (OLD, [("CSeq: 1", "CSeq: 2")], False),
        (OLD, [("SUBSCRIBE", "PUBLISH")], False),
        (OLD, [("192.0.2.1:5060", "192.0.2.1:5070")], False),
        (OLD, [("192.0.2.1:5060", "192.0.2.1:5060;x=y")], False),
        (OLD, [("192.0.2.7", "192.0.2.8")], True),
        (OLD_INVITE, [("INVITE", "ACK")], True),
        # The To tag of an ACK is the response's, which the INVITE has not.
        (OLD_INVITE, [("INVITE", "ACK"), ("tag=ours", "tag=other")], True),
        (OLD_INVITE, [("INVITE", "ACK"), ("tag=theirs", "tag=other")], False),
        (OLD_INVITE, [("INVITE", "ACK"), ("CSeq: 1", "CSeq: 2")], False),
        (OLD_INVITE, [("INVITE", "ACK"), ("ACK sip:alice@", "ACK sip:carol@")], False),
    ],
    ids=lambda each: "" if isinstance(each, str) else str(each),
)
def test_the_same_request_has_the_same_key(text, changes, is_same):
    assert (key_of(read(text)) == key_of(read(text, *changes))) is is_same


@pytest.mark.parametrize(
    "branch", [";branch=z9hG4bK", ";branch=1", ";branch=", ";branch=z9HG4BKs1", ""]
)
def test_a_branch_that_names_no_transaction_is_matched_by_the_old_rules(branch):
    def with_call_id(call_id):
        return read(SUBSCRIBE, (";branch=z9hG4bKs1", branch), ("Call-ID: c1", call_id))

    assert key_of(with_call_id("Call-ID: c1")) == key_of(with_call_id("Call-ID: c1"))
    assert key_of(with_call_id("Call-ID: c1")) != key_of(with_call_id("Call-ID: c2"))


def test_a_key_of_the_old_rules_is_never_one_of_the_new():
    assert key_of(read(SUBSCRIBE)) != key_of(read(OLD))


@pytest.mark.parametrize("field", ["From: <sip:bob", "To: <sip:alice"])
def test_the_old_rules_need_fields_that_can_be_read(field):
    name = field.partition(":")[0]
    request = read(OLD, (field, f"{name}: ,<<sip:x"))

    with pytest.raises(MalformedField):
        key_of(request)


@pytest.mark.parametrize(
    ("via", "peer", "stamped", "goes_to"),
    [
        (
            "UDP 192.0.2.1:5060;branch=z9hG4bKs1",
            ("192.0.2.1", 5060),
            "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKs1",
            ("192.0.2.1", 5060),
        ),
        # Cisco's 79xx send from one port and listen on another.
        (
            "UDP 192.0.2.1:5060;branch=z9hG4bKs1",
            ("192.0.2.1", 49152),
            "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKs1",
            ("192.0.2.1", 5060),
        ),
        (
            "UDP 192.0.2.1;branch=z9hG4bKs1",
            ("192.0.2.1", 49152),
            "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKs1",
            ("192.0.2.1", 5060),
        ),
        (
            "UDP 10.0.0.9:5080;branch=z9hG4bKs1",
            ("192.0.2.1", 49152),
            "SIP/2.0/UDP 10.0.0.9:5080;branch=z9hG4bKs1;received=192.0.2.1",
            ("192.0.2.1", 5080),
        ),
        (
            "UDP phone.example.test;branch=z9hG4bKs1",
            ("192.0.2.1", 49152),
            "SIP/2.0/UDP phone.example.test;branch=z9hG4bKs1;received=192.0.2.1",
            ("192.0.2.1", 5060),
        ),
        (
            "UDP 10.0.0.9:5080;rport;branch=z9hG4bKs1",
            ("192.0.2.1", 49152),
            "SIP/2.0/UDP 10.0.0.9:5080;rport=49152;branch=z9hG4bKs1;received=192.0.2.1",
            ("192.0.2.1", 49152),
        ),
        (
            "UDP 192.0.2.1:5060;rport;branch=z9hG4bKs1",
            ("192.0.2.1", 5060),
            "SIP/2.0/UDP 192.0.2.1:5060;rport=5060;branch=z9hG4bKs1;received=192.0.2.1",
            ("192.0.2.1", 5060),
        ),
        # Nobody else is hit, whatever the Via says.
        (
            "UDP 192.0.2.1:5060;maddr=198.51.100.9;branch=z9hG4bKs1",
            ("192.0.2.1", 5060),
            "SIP/2.0/UDP 192.0.2.1:5060;maddr=198.51.100.9;branch=z9hG4bKs1",
            ("192.0.2.1", 5060),
        ),
        (
            "UDP 10.0.0.9:5080;received=198.51.100.9;branch=z9hG4bKs1",
            ("192.0.2.1", 49152),
            "SIP/2.0/UDP 10.0.0.9:5080;received=192.0.2.1;branch=z9hG4bKs1",
            ("192.0.2.1", 5080),
        ),
        # Snom's plug and play.
        (
            "UDP 192.0.2.1:5060",
            ("192.0.2.1", 2048),
            "SIP/2.0/UDP 192.0.2.1:5060",
            ("192.0.2.1", 2048),
        ),
        (
            "UDP [2001:db8::9]:5070;branch=z9hG4bKs1",
            ("2001:db8::9", 49152),
            "SIP/2.0/UDP [2001:db8::9]:5070;branch=z9hG4bKs1",
            ("2001:db8::9", 5070),
        ),
        (
            "UDP [2001:DB8:0::9]:5070;branch=z9hG4bKs1",
            ("2001:db8::9", 49152),
            "SIP/2.0/UDP [2001:DB8:0::9]:5070;branch=z9hG4bKs1",
            ("2001:db8::9", 5070),
        ),
        (
            "UDP [2001:db8::1]:5070;branch=z9hG4bKs1",
            ("2001:db8::9", 49152),
            "SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bKs1;received=2001:db8::9",
            ("2001:db8::9", 5070),
        ),
        (
            "UDP [2001:db8::1]:5070;branch=z9hG4bKs1",
            ("fe80::9%eth0", 5070),
            "SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bKs1;received=fe80::9",
            ("fe80::9%eth0", 5070),
        ),
    ],
    ids=[
        "as it says",
        "another port",
        "the default port",
        "behind a translator",
        "a name",
        "rport behind a translator",
        "rport",
        "maddr",
        "received of its own",
        "no branch",
        "IPv6",
        "IPv6 written otherwise",
        "IPv6 from elsewhere",
        "IPv6 link-local",
    ],
)
def test_a_response_goes_back_by_the_topmost_via(via, peer, stamped, goes_to):
    flow = RecordingFlow(peer)
    request = read(SUBSCRIBE, ("UDP 192.0.2.1:5060;branch=z9hG4bKs1", via))

    back = way_back(request, flow)

    assert back.peer == goes_to
    assert top_via(request) == stamped


def test_it_may_always_go_to_the_source():
    flow = RecordingFlow(("192.0.2.1", 49152))

    assert way_back(read(SUBSCRIBE), flow, to_source=True) is flow


def test_on_a_stream_it_goes_back_on_the_stream():
    stream = RecordingStream(("192.0.2.9", 49152))
    request = read(SUBSCRIBE, ("UDP 192.0.2.1:5060", "tcp 127.0.0.1:5060"))

    assert way_back(request, stream) is stream
    assert top_via(request).endswith(";received=192.0.2.9")


def top_via(request):
    """As responses will have it."""
    lines = build_response(request, 200).decode().split("\r\n")
    return next(line for line in lines if line.startswith("Via: "))[5:]
