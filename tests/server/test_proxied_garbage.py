"""Whatever is passed on, and whatever comes back: no defect, and an end."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingStream
from presproxy.testing.phones import Phone
from presproxy.testing.wire import Message, respond

BOB = "sip:bob@example.test"
CONTACT = "sip:bob@192.0.2.50:40002;transport=tcp"

METHODS = st.sampled_from(
    ["MESSAGE", "INVITE", "ACK", "CANCEL", "BYE", "INFO", "REFER", "NOTIFY", "X-ANY"]
)
TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            "0",
            "1",
            "<sip:example.test;lr>",
            "<sip:192.0.2.100:5060;lr>",
            "<sip:AAAA@192.0.2.100;lr>",
            "<sip:elsewhere.test>",
            "<>",
            "*",
            f"<{CONTACT}>",
            f"<{BOB};opaque=user:epid:x;gruu>;tag=t",
            "SIP/2.0/UDP x;branch=z9hG4bK",
            "Digest realm=",
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=40).map(
        str.strip
    ),
)
NAMES = st.sampled_from(
    [
        "Authorization",
        "Contact",
        "From",
        "Max-Breadth",
        "Max-Forwards",
        "Path",
        "Proxy-Authorization",
        "Proxy-Require",
        "Record-Route",
        "Route",
        "Supported",
        "To",
        "Via",
    ]
)
FIELDS = st.dictionaries(
    NAMES, st.one_of(TEXTS, st.lists(TEXTS, max_size=3)), max_size=4
)
URIS = st.sampled_from(
    [
        BOB,
        CONTACT,
        "sip:example.test;lr",
        "sip:AAAA@192.0.2.100:5060;lr",
        f"{BOB};opaque=user:epid:;gruu",
        "sips:bob@example.test",
        "tel:+49",
        "im:bob@example.test",
        "sip:",
    ]
)
STATUSES = st.integers(100, 699)
REASONS = st.sampled_from(["", " OK", " ☎", ' "'])


def phones():
    desk = Desk()
    alice = Phone(desk, "alice", RecordingStream(("192.0.2.50", 40001)))
    bob = Phone(desk, "bob", RecordingStream(("192.0.2.50", 40002)))
    bob.register()
    return desk, alice, bob


@settings(max_examples=300)
@given(METHODS, URIS, FIELDS)
def test_whatever_is_to_be_passed_on(method, uri, fields):
    desk, alice, bob = phones()

    alice.send(method, uri, fields)
    finals = [each for each in alice.read() if each.status >= 200]
    came = bob.read()

    assert desk.defects == 0
    assert len(finals) + len(came) <= 1
    assert all(each.status != 500 for each in finals)


@settings(max_examples=60)
@given(
    st.sampled_from(["MESSAGE", "INVITE"]),
    st.lists(st.tuples(STATUSES, REASONS, FIELDS), max_size=5),
)
def test_whatever_comes_back(method, answers):
    desk, alice, bob = phones()
    alice.send(method, BOB)
    (request,) = bob.read()

    for status, reason, fields in answers:
        kept = [each for each in request.fields if each[0].title() not in fields]
        changed = Message(b"", request.first_line, kept, b"")
        data = respond(changed, f"{status}{reason}", fields)
        for name in (b"via", b"cseq"):
            data = data.replace(b"\r\n%b:" % name, b"\r\n%b:" % name.title(), 1)
        bob.send_data(data)
    desk.sleep(33)
    bob.flow.close()
    desk.sleep(8)
    statuses = [each.status for each in alice.read()]
    refusals = [each for each in statuses if each >= 300]
    proxy, layer = desk.server.core.proxy, desk.server.core.layer

    assert desk.defects == 0
    assert len(refusals) <= 1
    assert len(proxy.under_way) == 0
    assert layer.clients == 0
