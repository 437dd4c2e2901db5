"""Lamps: PUBLISH and SUBSCRIBE of the package dialog."""

from __future__ import annotations

import re

import pytest

from presproxy.documents.dialoginfo import CONTENT_TYPE
from presproxy.packages.dialog import DialogPackage
from presproxy.testing.desk import Desk

BOB = "sip:bob@example.test"
D1 = (
    '<dialog id="d1" call-id="c1" local-tag="l1" remote-tag="r1" direction="recipient">'
)
D2 = (
    '<dialog id="d2" call-id="c2" local-tag="l2" remote-tag="r2" direction="recipient">'
)


@pytest.fixture
def desk():
    return Desk(packages=(DialogPackage(),))


def document(*dialogs: str, state: str = "full") -> str:
    return (
        '<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" '
        f'state="{state}" entity="{BOB}">{"".join(dialogs)}</dialog-info>'
    )


def dialog(start: str, state: str) -> str:
    return f"{start}<state>{state}</state></dialog>"


def publish(desk: Desk, body: str, **fields: str):
    return desk.publish(
        body,
        {
            "Event": "dialog",
            "Content-Type": CONTENT_TYPE if body else None,
            **{name.replace("_", "-"): value for name, value in fields.items()},
        },
    )


def lamps(desk: Desk) -> list[list[str]]:
    return [
        re.findall(r"<state>(\w+)</state>", notify.text) for notify in desk.notified()
    ]


def version(notify) -> int:
    return int(re.search(r' version="(\d+)"', notify.text.partition("?>")[2])[1])


def test_an_idle_lamp_is_never_an_empty_document(desk):
    watching = desk.subscribe({"Event": "dialog"})
    tag = publish(desk, document(dialog(D1, "confirmed"))).need("sip-etag")
    before = desk.notified()[-1]

    assert publish(desk, "", SIP_If_Match=tag, Expires="0").status == 200
    (idle,) = desk.notified()
    watching.again({"Event": "dialog"})
    (refreshed,) = desk.notified()

    assert '<dialog id="idle"><state>terminated</state></dialog>' in idle.text
    assert 'state="full"' in idle.text
    assert re.sub(r'" version="\d+', "", refreshed.text) == re.sub(
        r'" version="\d+', "", idle.text
    )
    assert [version(each) for each in (before, idle, refreshed)] == [1, 2, 3]


def test_two_branches_ring_and_one_is_answered(desk):
    desk.subscribe({"Event": "dialog"})
    desk.notified()

    one = publish(desk, document(dialog(D1, "early"))).need("sip-etag")
    seen = lamps(desk)
    two = publish(desk, document(dialog(D2, "early"))).need("sip-etag")
    seen += lamps(desk)
    publish(desk, document(dialog(D1, "terminated")), SIP_If_Match=one)
    seen += lamps(desk)
    publish(desk, document(dialog(D2, "confirmed")), SIP_If_Match=two)
    seen += lamps(desk)

    assert seen == [
        ["early"],
        ["early", "early"],
        ["early", "terminated"],
        ["confirmed", "terminated"],
    ]


def test_a_phone_known_to_break_on_two_dialogs_is_shown_one(desk):
    desk.subscribe({"Event": "dialog", "User-Agent": "Linksys/SPA962-6.1.5(a)"})
    desk.notified()

    publish(desk, document(dialog(D1, "confirmed"), dialog(D2, "trying")))

    (notify,) = desk.notified()
    assert re.findall("<state>[a-z]+", notify.text) == ["<state>confirmed"]
    assert notify.get("content-type") == CONTENT_TYPE


def test_a_partial_document_changes_only_what_it_names(desk):
    desk.subscribe({"Event": "dialog"})
    tag = publish(desk, document(dialog(D1, "early"), dialog(D2, "early")))
    desk.notified()

    part = document(dialog(D1, "terminated"), state="partial")
    again = publish(desk, part, SIP_If_Match=tag.need("sip-etag"))

    assert again.status == 200
    assert lamps(desk) == [["early", "terminated"]]
    kept = desk.storage.changes[-1].payload
    assert b'state="full"' in kept
    assert b"c2" in kept


def test_a_phone_that_leaves_the_user_out_of_the_request_uri_means_him_of_to(desk):
    data = desk.write(
        "SUBSCRIBE",
        {"Event": "dialog", "To": "<sip:bob@example.test>"},
        uri="sip:example.test:5060",
    )

    desk.send(data)

    assert f'entity="{BOB}"' in desk.notified()[0].text


@pytest.mark.parametrize("parameter", ["sla", "ma"])
def test_the_state_of_a_shared_line_is_not_that_of_its_users(desk, parameter):
    event = {"Event": f"dialog;{parameter}"}

    assert desk.subscribe(event).status == 489
    assert (
        desk.publish(document(), {**event, "Content-Type": CONTENT_TYPE}).status == 489
    )


def test_what_is_wrong_with_a_document_is_said(desk):
    answer = publish(desk, document('<dialog id="x"/>'))

    assert answer.status == 400
    assert "dialog 1: no state" in answer.data.decode()
