from __future__ import annotations

import pytest

from presproxy.documents import pidf
from presproxy.documents.datamodel import Person, merged
from presproxy.documents.fragments import DATA_MODEL, PIDF, RPID


def persons(*contents: str) -> list[Person]:
    """Read persons of as many documents, the latest first."""
    found: list[Person] = []
    for content in contents:
        body = (
            f'<presence xmlns="{PIDF}" xmlns:dm="{DATA_MODEL}" xmlns:rpid="{RPID}"'
            f' xmlns:e="urn:e" entity="sip:alice@example.test">{content}</presence>'
        )
        pieces = pidf.read(body.encode()).pieces
        found += [piece for piece in pieces if isinstance(piece, Person)]
    return found


def person(content: str, start: str = 'id="p"') -> str:
    """Read a person, and give what is written within."""
    (only,) = persons(f"<dm:person {start}>{content}</dm:person>")
    written = only.data.decode()
    return written.removeprefix('<dm:person id="p">').removesuffix("</dm:person>")


def activities(*kinds: str) -> str:
    return (
        "<rpid:activities>"
        + "".join(f"<rpid:{kind}/>" for kind in kinds)
        + "</rpid:activities>"
    )


def test_a_person_is_put_into_the_schemas_order():
    assert person(
        "<dm:timestamp>2026-01-01T00:00:00Z</dm:timestamp><dm:note>n</dm:note>"
        "<rpid:mood><rpid:happy/></rpid:mood><e:x/>"
        "<rpid:activities><rpid:away></rpid:away></rpid:activities>"
    ) == (
        "<rpid:activities><rpid:away/></rpid:activities>"
        '<rpid:mood><rpid:happy/></rpid:mood><e:x xmlns:e="urn:e"/>'
        "<dm:note>n</dm:note><dm:timestamp>2026-01-01T00:00:00Z</dm:timestamp>"
    )


def test_a_person_without_id_is_given_one():
    (only,) = persons("<dm:person><dm:note>Ready</dm:note></dm:person>")

    assert only.data == b'<dm:person id="person"><dm:note>Ready</dm:note></dm:person>'


def test_the_attributes_of_a_person_are_kept():
    (only,) = persons('<dm:person e:a="1" id="p"/>')

    assert only.data == b'<dm:person id="p" xmlns:e="urn:e" e:a="1"/>'


def test_a_person_is_given_another_id():
    (only,) = persons('<dm:person id="p"><e:x id="p"/></dm:person>')

    assert only.named(b"q").data == (
        b'<dm:person id="q"><e:x xmlns:e="urn:e" id="p"/></dm:person>'
    )


# --- Activities


@pytest.mark.parametrize(
    ("published", "written"),
    [
        ("<rpid:activities></rpid:activities>", "<rpid:activities/>"),
        (
            activities("away", "on-the-phone", "busy"),
            activities("busy", "on-the-phone", "away"),
        ),
        (
            activities("away", "playing", "meeting"),
            activities("meeting", "playing", "away"),
        ),
        (
            '<rpid:activities until="2026-01-01T00:00:00Z"><rpid:away/><e:x/>'
            "<rpid:note>n</rpid:note></rpid:activities>",
            '<rpid:activities until="2026-01-01T00:00:00Z"><rpid:note>n</rpid:note>'
            '<e:x xmlns:e="urn:e"/><rpid:away/></rpid:activities>',
        ),
        (
            "<rpid:activities><rpid:note>n</rpid:note></rpid:activities>",
            "<rpid:activities><rpid:note>n</rpid:note></rpid:activities>",
        ),
    ],
    ids=["none", "busy first", "away last", "another's in between", "a note only"],
)
def test_the_weightiest_activity_is_written_first(published, written):
    assert person(published) == written


@pytest.mark.parametrize(
    ("published", "written"),
    [
        (["on-the-phone"], ["busy", "on-the-phone"]),
        (["busy", "on-the-phone"], ["busy", "on-the-phone"]),
        (["away"], ["away"]),
    ],
)
def test_busy_can_be_said_beside_on_the_phone(published, written):
    (only,) = persons(f'<dm:person id="p">{activities(*published)}</dm:person>')

    assert activities(*written).encode() in only.saying_busy().data


def test_without_activities_nothing_is_said_beside():
    (only,) = persons('<dm:person id="p"/>')

    assert only.saying_busy() == only


# --- Several persons


@pytest.mark.parametrize(
    ("latest", "other", "written"),
    [
        (activities(), activities("on-the-phone"), activities("on-the-phone")),
        ("", activities("busy"), activities("busy")),
        (activities("away"), activities("busy"), activities("busy", "away")),
        (activities(), activities("away"), "<rpid:activities/>"),
        ("", activities("away"), ""),
        (activities("busy"), activities("busy"), activities("busy")),
        ("<e:x>1</e:x>", "<e:x>2</e:x>", '<e:x xmlns:e="urn:e">1</e:x>'),
        (
            activities("away") + "<e:x/>",
            "<e:y/>",
            activities("away") + '<e:x xmlns:e="urn:e"/><e:y xmlns:e="urn:e"/>',
        ),
        ("<dm:note>1</dm:note>", "<dm:note>2</dm:note>", "<dm:note>1</dm:note>"),
        (
            "<dm:note>1</dm:note>",
            "<e:y/>",
            '<e:y xmlns:e="urn:e"/><dm:note>1</dm:note>',
        ),
    ],
    ids=[
        "busy elsewhere",
        "busy elsewhere, and nothing here",
        "busy elsewhere, away here",
        "away elsewhere",
        "away elsewhere, and nothing here",
        "busy both",
        "the latest's mood",
        "what the latest does not say",
        "the latest's note",
        "the note stays last",
    ],
)
def test_the_latest_says_how_the_person_is_and_others_what_keeps_it_busy(
    latest, other, written
):
    both = persons(
        f'<dm:person id="new">{latest}</dm:person>',
        f'<dm:person id="old">{other}</dm:person>',
    )

    data = merged(both).data.decode()

    start = '<dm:person id="new"'
    assert data == (f"{start}>{written}</dm:person>" if written else f"{start}/>")


def test_what_two_others_say_is_said_once():
    three = persons(
        '<dm:person id="1"/>',
        f'<dm:person id="2">{activities("busy")}<e:x>2</e:x></dm:person>',
        f'<dm:person id="3">{activities("busy", "meeting")}<e:x>3</e:x></dm:person>',
    )

    assert merged(three).data.decode() == (
        f'<dm:person id="1">{activities("busy", "meeting")}'
        '<e:x xmlns:e="urn:e">2</e:x></dm:person>'
    )


def test_what_is_merged_can_be_merged_again():
    one, two = persons(
        '<dm:person id="1"/>',
        f'<dm:person id="2">{activities("busy")}<e:x/></dm:person>',
    )

    assert merged([merged([one, two]), two]) == merged([one, two])


# --- Devices


def test_a_device_without_id_is_given_one():
    body = (
        f'<presence xmlns="{PIDF}" entity="sip:alice@example.test">'
        f'<device xmlns="{DATA_MODEL}"><deviceID>urn:x</deviceID></device></presence>'
    )

    (only,) = pidf.read(body.encode()).pieces

    assert only.data == (
        b'<dm:device id="device"><dm:deviceID>urn:x</dm:deviceID></dm:device>'
    )
    assert only.named(b"d").data == (
        b'<dm:device id="d"><dm:deviceID>urn:x</dm:deviceID></dm:device>'
    )
