from __future__ import annotations

import pytest

from presproxy.documents.messagesummary import Count, MessageSummary, read, write
from presproxy.errors import MalformedDocument

WHOLE = MessageSummary(
    is_waiting=True,
    account="sip:alice-vm@example.test",
    counts=(Count("Voice-Message", 2, 5, (0, 0)), Count("Fax-Message", 1, 0)),
)


def test_it_is_written_as_readers_want_it():
    assert write(WHOLE) == (
        b"Messages-Waiting: yes\r\n"
        b"Message-Account: sip:alice-vm@example.test\r\n"
        b"Voice-Message: 2/5 (0/0)\r\n"
        b"Fax-Message: 1/0\r\n"
    )
    assert write(MessageSummary()) == b"Messages-Waiting: no\r\n"


def test_what_is_written_reads_back_the_same():
    assert read(write(WHOLE)) == WHOLE


def test_it_is_read_in_any_case_and_order_with_any_ends_of_lines():
    loose = (
        b"fax-message:1/0\nMESSAGES-WAITING : Yes\nX-Other: 1\r\n"
        b"voice-message: 2/5(0/0)\nmessage-account: sip:alice-vm@example.test\n"
        b"\nTo: alice\nSubject: not shown\n"
    )

    assert read(loose) == WHOLE


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no Messages-Waiting"),
        (b"Voice-Message: 1/0\r\n", "no Messages-Waiting"),
        (b"Messages-Waiting: maybe\r\n", "Messages-Waiting is 'maybe', not yes or no"),
        (b"Messages-Waiting\r\n", "line 1 has no colon"),
        (b"Messages-Waiting: no\nmessages-waiting: yes\n", "line 2: .* comes twice"),
        (b"Messages-Waiting: yes\nVoice-Message: two\n", "Voice-Message is 'two'"),
        (
            b"Messages-Waiting: yes\nMessage-Account: a\rb\n",
            "line 2 is too long, or no",
        ),
        (b"\xff", "not in UTF-8"),
        (b"Messages-Waiting: yes\n" + b"a:b\n" * 5000, "over 16384 octets"),
    ],
)
def test_what_is_wrong_is_said(data, why):
    with pytest.raises(MalformedDocument, match=why):
        read(data)
