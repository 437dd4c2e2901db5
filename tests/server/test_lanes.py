from __future__ import annotations

import pytest

from presproxy.server.lanes import Lane, lane_of
from presproxy.testing.wire import compose

TAGGED = "<sip:bob@example.test>;tag=ours"


def written(method, fields=None, body=""):
    standard = {
        "Via": "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1",
        "From": "<sip:alice@example.test>;tag=theirs",
        "To": "<sip:bob@example.test>",
        "Call-ID": "c1",
        "CSeq": f"1 {method}",
        "Expires": "600",
    }
    uri = "sip:bob@example.test"
    return compose(f"{method} {uri} SIP/2.0", {**standard, **(fields or {})}, body)


@pytest.mark.parametrize(
    ("data", "lane"),
    [
        (b"SIP/2.0 200 OK\r\nCSeq: 1 NOTIFY\r\n\r\n", Lane.ANSWER),
        (written("ACK", {"To": TAGGED}), Lane.ANSWER),
        (written("SUBSCRIBE", {"To": TAGGED}), Lane.KEEPING),
        (written("SUBSCRIBE", {"To": None, "t": TAGGED}), Lane.KEEPING),
        (written("SUBSCRIBE", {"To": TAGGED, "Expires": "0"}), Lane.KEEPING),
        (written("PUBLISH", {"SIP-If-Match": "e1"}), Lane.KEEPING),
        (written("PUBLISH", {"SIP-If-Match": "e1", "Expires": "0"}), Lane.KEEPING),
        (written("REGISTER", {"Expires": "0"}), Lane.KEEPING),
        (written("PUBLISH", {"SIP-If-Match": "e1"}, "<presence/>"), Lane.CHANGE),
        (written("PUBLISH", body="<presence/>"), Lane.NEW),
        (written("SERVICE", body="<publish/>"), Lane.CHANGE),
        (written("SUBSCRIBE"), Lane.NEW),
        (written("REGISTER"), Lane.NEW),
        (written("SUBSCRIBE", {"Expires": "0"}), Lane.ASKING),
        (written("OPTIONS"), Lane.ASKING),
        (written("INVITE"), Lane.ASKING),
        (b"nonsense", Lane.ASKING),
        (b"", Lane.ASKING),
    ],
    ids=[
        "response",
        "ACK",
        "refresh of a subscription",
        "compact",
        "unsubscription",
        "refresh of a publication",
        "removal of a publication",
        "deregistration",
        "another state",
        "a first state",
        "categories",
        "a subscription",
        "a registration",
        "a poll",
        "a keep-alive",
        "a call",
        "nonsense",
        "nothing",
    ],
)
def test_what_a_message_is_about(data, lane):
    assert lane_of(data) is lane


def test_a_tag_elsewhere_makes_no_dialog():
    data = written("SUBSCRIBE", {"Subject": "x;tag=1", "User-Agent": ";tag=2"})

    assert lane_of(data) is Lane.NEW
