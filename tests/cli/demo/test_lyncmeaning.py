from __future__ import annotations

import pytest

from presproxy.cli.demo.meaning import meaning_of
from presproxy.documents.lync import batch, categories, containers, roaming
from presproxy.documents.lync.batch import Batch, BatchAction, BatchResource
from presproxy.documents.lync.categories import (
    Category,
    CategoryName,
    ExpireType,
    write_categories,
)
from presproxy.documents.lync.containers import ContainerChange, Member, MemberType
from presproxy.documents.lync.notes import write_note
from presproxy.documents.lync.state import StateInput, StateKind, write_state
from presproxy.sip.message import build_request, build_response, parse_message
from presproxy.useragent import Presence
from presproxy.useragent.lync.roamed import Roamed
from presproxy.useragent.lync.said import nothing_of, pieces_of

BOB = "sip:Luser2@contoso.com"
FIELDS = [
    ("Via", "SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1"),
    ("From", "<sip:Luser1@contoso.com>;tag=1"),
    ("To", "<sip:Luser1@contoso.com>"),
    ("Call-ID", "1"),
]


def request(method, body=b"", content_type=None, *fields):
    head = [*FIELDS, ("CSeq", f"1 {method}"), *fields]
    return parse_message(
        build_request(method, BOB, head, body, content_type=content_type)
    )


def answered(body, content_type):
    data = build_response(
        request("SUBSCRIBE"), 200, [], body, content_type=content_type
    )
    return parse_message(data)


def published(pieces):
    roamed = Roamed(BOB, {each.name: 1 for each in pieces})
    return roamed.body(roamed.asked(pieces))


def blocking(**change):
    member = (Member(MemberType.USER, "luser1@contoso.com"),)
    changes = [ContainerChange(32000, 0, **dict.fromkeys(change, member))]
    return containers.write_container_members(changes)


ASKED = batch.write_batch(
    Batch(BOB, [BatchAction(True, "1", [BatchResource(BOB)] * 2, ["state"])])
)
SHOWN = write_categories(
    BOB,
    [
        Category(
            CategoryName("state", 1, 200),
            1,
            ExpireType.USER,
            write_state(StateInput(StateKind.AGGREGATE, 9500)),
            1.0,
        ),
        Category(
            CategoryName("note", 0, 200), 1, ExpireType.STATIC, write_note("hm"), 1.0
        ),
    ],
)
ROAMING = roaming.write_roaming_list(["categories"])


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        (request("REGISTER"), "signs in"),
        (request("REGISTER", b"", None, ("Expires", "0")), "signs off"),
        (
            request("SUBSCRIBE", ROAMING, roaming.CONTENT_TYPE),
            "asks what he has here",
        ),
        (request("SUBSCRIBE", ASKED, batch.CONTENT_TYPE), "wants to watch 2 contacts"),
        (
            request("SUBSCRIBE", ASKED, batch.CONTENT_TYPE, ("Expires", "0")),
            "looks once",
        ),
        (
            request(
                "SERVICE",
                published(pieces_of(Presence("brb", "tea"), 7)),
                categories.PUBLISH_TYPE,
            ),
            "says: be right back, “tea”",
        ),
        (
            request("SERVICE", published(nothing_of(7)), categories.PUBLISH_TYPE),
            "",
        ),
        (
            request("SERVICE", blocking(added=1), containers.CONTENT_TYPE),
            "blocks Luser1",
        ),
        (
            request("SERVICE", blocking(removed=1), containers.CONTENT_TYPE),
            "unblocks Luser1",
        ),
        (
            request("BENOTIFY", SHOWN, categories.CONTENT_TYPE),
            "→ Luser1: do not disturb, “hm”",
        ),
        (
            answered(SHOWN, categories.CONTENT_TYPE),
            "→ Luser1: do not disturb, “hm”",
        ),
        (
            request(
                "BENOTIFY",
                roaming.write_roaming(BOB, categories=()),
                roaming.CONTENT_TYPE,
            ),
            "→ Luser1: what he has here",
        ),
        (request("BENOTIFY", b"<categories", categories.CONTENT_TYPE), ""),
    ],
)
def test_a_message_of_lync_is_said_in_a_few_words(message, meaning):
    assert meaning_of(message, "Luser1").plain == meaning
