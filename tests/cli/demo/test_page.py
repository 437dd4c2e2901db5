from __future__ import annotations

import pytest

from presproxy.cli.demo.ladder import BEAUTIFUL, PLAIN
from presproxy.cli.demo.page import Page
from presproxy.cli.demo.stage import SERVER, Message
from presproxy.sip.message import parse_message

SUBSCRIBE = b"\r\n".join(
    [
        b"SUBSCRIBE sip:Luser2@contoso.com SIP/2.0",
        b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
        b"From: <sip:Luser1@contoso.com>;tag=1",
        b"To: <sip:Luser2@contoso.com>",
        b"Call-ID: 1",
        b"CSeq: 1 SUBSCRIBE",
        b"Event: presence",
        b"Content-Length: 0",
        b"",
        b"",
    ]
)


def message():
    return Message(0.0, "Luser1", SERVER, SUBSCRIBE, parse_message(SUBSCRIBE))


@pytest.fixture
def page(screen):
    page = Page(screen, BEAUTIFUL)
    page.begin("Subscription", "Luser1 asks.", "Luser1", "Luser2")
    return page


def test_a_part_reads_from_top_to_bottom(page, screen):
    page.show([message()])
    page.verdict("Luser1 sees busy", True, "")

    assert screen.file.getvalue() == (
        "\n"
        "── 1 · Subscription ────────────────────────────────────────────────────────────\n"
        "  Luser1 asks.\n"
        "\n"
        " Luser1               presproxy              Luser2\n"
        "    │                     │                     │\n"
        "    │ SUBSCRIBE ─────────▶│                     │  wants to watch\n"
        "    │                     │                     │  ✓ Luser1 sees busy\n"
    )


def test_all_as_expected_is_said(page, screen):
    for _ in range(3):
        page.verdict("good", True, "")

    assert page.end() is True
    assert screen.file.getvalue().endswith("\n3 of 3 as expected\n")


def test_what_is_not_as_expected_is_said(page, screen):
    page.verdict("good", True, "")
    page.verdict("Luser1 sees busy", False, "saw away")

    assert page.end() is False
    assert "✗ Luser1 sees busy: saw away" in screen.file.getvalue()
    assert screen.file.getvalue().endswith("\n1 of 2 as expected\n")


def test_whole_messages_are_printed_for_who_wants_them(screen):
    page = Page(screen, BEAUTIFUL, full=True)
    page.begin("Subscription", "Luser1 asks.", "Luser1", "Luser2")
    page.show([message()])

    for line in SUBSCRIBE.decode().splitlines():
        assert line in screen.file.getvalue()


def test_it_can_be_written_in_ascii(screen):
    page = Page(screen, PLAIN)
    page.begin("Subscription", "Luser1 asks.", "Luser1", "Luser2")
    page.show([message()])
    page.verdict("Luser1 sees “it”", True, "")

    assert screen.file.getvalue().isascii()
