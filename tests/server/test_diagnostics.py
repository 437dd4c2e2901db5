"""ms-diagnostics: who is told why he is refused, and by which number."""

from __future__ import annotations

import pytest

from presproxy.server.answer import Answer
from presproxy.server.diagnostics import diagnosis, host_of, with_diagnosis
from presproxy.sip.message import parse_message
from presproxy.testing.flows import RecordingFlow
from presproxy.testing.wire import compose

LYNC, OTHER = "<sip:a@b.test>;tag=1;epid=b34a", "<sip:a@b.test>;tag=1"


def told(status: int, *, method="SERVICE", sender=LYNC, reason=None, fields=()):
    data = compose(
        f"{method} sip:a@b.test SIP/2.0",
        {
            "Via": "SIP/2.0/TCP 192.0.2.1",
            "From": sender,
            "To": "<sip:a@b.test>",
            "Call-ID": "1",
            "CSeq": f"1 {method}",
        },
    )
    answer = Answer(status, fields, reason)
    return with_diagnosis(parse_message(data), answer, RecordingFlow()).fields


@pytest.mark.parametrize(
    ("status", "more", "number"),
    [
        (404, {}, 1003),
        (409, {}, 2141),
        (403, {}, 2000),
        (403, {"method": "SUBSCRIBE"}, 2000),
        (403, {"method": "REGISTER"}, 4000),
        (405, {"method": "INFO"}, 1000),
        (503, {"method": "MESSAGE"}, 1000),
    ],
)
def test_a_refusal_has_a_number_and_a_reason(status, more, number):
    ((name, value),) = told(status, reason="So it is", **more)

    assert name == "ms-diagnostics"
    assert value == f'{number};reason="So it is";source="192.0.2.100"'


def test_what_has_no_reason_of_its_own_has_that_of_its_status():
    assert 'reason="Forbidden"' in told(403)[0][1]


@pytest.mark.parametrize("status", [200, 202, 401, 407])
def test_what_refuses_nobody_has_none(status):
    assert told(status) == ()


def test_who_is_none_of_lync_is_not_told():
    assert told(403, sender=OTHER) == ()


def test_what_has_one_already_keeps_it():
    fields = (("Ms-Diagnostics", '1;reason="a";source="b"'),)

    assert told(403, fields=fields) == fields


def test_words_stay_within_their_quotes():
    assert diagnosis(1, 'a "b" c\\d\r\n e', "h") == (
        "ms-diagnostics",
        '1;reason="a \'b\' c/d e";source="h"',
    )


@pytest.mark.parametrize(
    ("sent_by", "host"),
    [
        ("a.test:5060", "a.test"),
        ("a.test", "a.test"),
        ("[2001:db8::1]:5060", "[2001:db8::1]"),
        ("[2001:db8::1]", "[2001:db8::1]"),
    ],
)
def test_the_source_is_our_host(sent_by, host):
    assert host_of(RecordingFlow(sent_by=sent_by)) == host


def test_a_refusal_at_the_desk_says_why(desk):
    refused = desk.ask("SUBSCRIBE", {"Event": "unknown", "From": LYNC})
    others = desk.ask("SUBSCRIBE", {"Event": "unknown"})

    assert refused.need("ms-diagnostics").startswith('2000;reason="Bad Event"')
    assert others.get("ms-diagnostics") is None
