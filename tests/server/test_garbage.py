"""Whatever is in a request, it is answered, and nothing breaks."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from presproxy.testing.desk import Desk
from presproxy.testing.wire import Message, compose, pidf

BOB = "sip:bob@example.test"

#: What is half right breaks more than what is all wrong.
TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            "*",
            "0",
            "-1",
            "60",
            "4294967296",
            "presence",
            "presence.winfo;id=1",
            "application/pidf+xml",
            "*/*;q=0",
            "gzip",
            "<sip:bob@example.test>",
            "<sip:bob@example.test>;tag=1",
            "<sip:[::1]:99999>",
            "<tel:+49;phone-context=x>",
            "sip:@",
            "<sip:a@b;transport=udp?x=y>;q=.5;expires=9",
            '"',
            '"a" <',
            ",",
            ";",
            "<>",
            "%",
            "=",
            "path",
            "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK",
            "SIP/2.0/UDP [::1]:5060;branch=z9hG4bKx;received=y",
            "1 SUBSCRIBE",
            "2147483648 PUBLISH",
            "\u00fc\u200f",
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40),
)
NAMES = (
    "Accept",
    "Call-ID",
    "Contact",
    "Content-Encoding",
    "Content-Type",
    "CSeq",
    "Event",
    "Expires",
    "From",
    "Max-Forwards",
    "Min-Expires",
    "Path",
    "Record-Route",
    "Require",
    "Route",
    "SIP-If-Match",
    "Supported",
    "To",
    "User-Agent",
    "Via",
)
URIS = st.one_of(
    st.sampled_from(
        [BOB, "sip:example.test", "tel:+49", "sip:x@[::1]", "im:x", "sip:"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1),
)
FIELDS = st.dictionaries(
    st.sampled_from(NAMES), st.one_of(TEXTS, st.lists(TEXTS, max_size=3)), max_size=5
)
BODIES = st.one_of(
    st.sampled_from(["", pidf(BOB), "<presence", "<a/>"]),
    st.text(st.characters(codec="utf-8"), max_size=30),
)
METHODS = st.sampled_from(
    ["PUBLISH", "SUBSCRIBE", "REGISTER", "SERVICE", "OPTIONS", "NOTIFY"]
)


def standard(method: str, desk: Desk) -> dict[str, str]:
    number = next(desk.numbers)
    return {
        "Via": f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{number}",
        "From": "<sip:bob@example.test>;tag=f",
        "To": f"<{BOB}>",
        "Call-ID": f"c{number}",
        "CSeq": f"1 {method}",
        "Contact": "<sip:bob@192.0.2.1>",
        "Event": "presence",
        "Content-Type": "application/pidf+xml",
    }


@settings(max_examples=400)
@given(METHODS, URIS, FIELDS, BODIES)
def test_whatever_is_asked_is_answered_and_is_no_defect(method, uri, fields, body):
    desk = Desk()

    desk.send(
        compose(f"{method} {uri} SIP/2.0", {**standard(method, desk), **fields}, body)
    )
    desk.clock.advance(0)

    assert desk.defects == 0
    statuses = [each.status for each in desk.messages if each.is_response]
    assert len(statuses) <= 1
    assert all(status != 500 for status in statuses)


@settings(max_examples=200)
@given(FIELDS)
def test_whatever_comes_within_a_dialog_is_answered_and_is_no_defect(fields):
    desk = Desk()
    watching = desk.subscribe()
    desk.notified()

    desk.send(watching.write(fields))
    desk.notified()
    desk.clock.advance(0)

    assert desk.defects == 0
    assert all(
        each.status in (200, 400, 403, 404, 405, 420, 423, 481, 482, 483, 489, 500)
        for each in desk.messages
        if each.is_response
    )


@settings(max_examples=100)
@given(st.lists(st.tuples(METHODS, FIELDS, BODIES), max_size=8))
def test_nothing_is_left_over_when_all_has_expired(requests):
    desk = Desk()
    for method, fields, body in requests:
        desk.send(
            compose(
                f"{method} {BOB} SIP/2.0", {**standard(method, desk), **fields}, body
            )
        )
    for message in desk.messages:
        assert Message.read(message.data).data == message.data

    desk.clock.advance(90_000)
    desk.server._turn()
    desk.server._sweep()
    desk.clock.pump([0.0, 100.0])
    desk.server._turn()

    server = desk.server
    assert desk.defects == 0
    assert len(server.agent) == len(server.compositor) == len(server.locations) == 0
    assert len(server.agent.resources) == 0
    assert server.decider.open_questions == {}
