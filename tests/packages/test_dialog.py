from __future__ import annotations

import re

import attrs
import pytest

from presproxy.documents.dialoginfo import (
    CONTENT_TYPE,
    Dialog,
    DialogInfo,
    Party,
    write,
)
from presproxy.interfaces import IEventPackage, Material
from presproxy.model.decision import container_view
from presproxy.model.publication import EntityTag, Publication
from presproxy.packages.dialog import DialogPackage
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.contracts.package import EventPackageContract

ALICE = AddressOfRecord("sip:alice@example.test")

D1 = Dialog("d1", "early", "c1", "l1", "r1", "recipient")
D2 = Dialog("d2", "early", "c2", "l2", "r2", "initiator")


def body(*dialogs: Dialog) -> bytes:
    return write(DialogInfo(ALICE, dialogs))


def published(*dialogs: Dialog, key: str = "k", at: float = 0.0) -> Publication:
    document = DialogInfo(ALICE, dialogs)
    return Publication(
        key, ALICE, "dialog", EntityTag(key), CONTENT_TYPE, b"", document, 9e9, at
    )


def shown(
    *publications: Publication,
    package: DialogPackage | None = None,
    user_agent: str = "",
) -> str:
    package = package or DialogPackage()
    state = package.compose(Material(ALICE, publications))
    content_type = package.tailored(CONTENT_TYPE, user_agent)
    return package.render(state, content_type).numbered(3).decode()


def states(text: str) -> list[tuple[str, str]]:
    return re.findall(r'<dialog id="([^"]+)".*?<state>(\w+)</state>', text)


class TestDialogPackage(EventPackageContract):
    bodies = (
        (CONTENT_TYPE, body(D1)),
        (CONTENT_TYPE, body(D2, attrs.evolve(D1, state="terminated"))),
        (CONTENT_TYPE, body(Dialog("d1", "confirmed", local=Party("sip:a@b", "A")))),
        (CONTENT_TYPE, body()),
    )

    def make(self) -> IEventPackage:
        return DialogPackage()


def test_who_is_not_on_the_phone_is_shown_a_dialog_that_has_ended():
    idle = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="3" state="full" '
        'entity="sip:alice@example.test"><dialog id="idle"><state>terminated</state>'
        "</dialog></dialog-info>\n"
    )

    assert shown() == idle
    assert shown(published()) == idle
    assert states(shown(package=DialogPackage(idle=False))) == []


def test_the_one_that_matters_most_comes_first():
    names = ["terminated", "trying", "proceeding", "confirmed", "early"]
    calls = [Dialog(name, name, call_id=name) for name in names]

    assert [state for _, state in states(shown(published(*calls)))] == names[::-1]


def test_the_end_of_one_branch_leaves_the_others():
    ended = attrs.evolve(D1, state="terminated")

    two = shown(published(ended, key="a"), published(D2, key="b"))

    assert states(two) == [("d2", "early"), ("d1", "terminated")]


def test_the_latest_word_about_a_call_holds_whoever_published_it():
    confirmed = attrs.evolve(D1, id="other", state="confirmed")

    assert states(shown(published(confirmed, key="b"), published(D1, key="a"))) == [
        ("other", "confirmed")
    ]


def test_calls_by_the_same_id_are_told_apart_and_keep_their_ids():
    one, two = published(D1, key="a"), published(attrs.evolve(D2, id="d1"), key="b")

    ids = {id for id, _ in states(shown(one, two))}
    again = {id for id, _ in states(shown(two, one))}

    assert "d1" in ids
    assert len(ids) == 2
    assert again == ids


@pytest.mark.parametrize("user_agent", ["Linksys/SPA962-6.1.5(a)", "Cisco/SPA504G-7"])
def test_a_phone_that_breaks_on_two_is_shown_one(user_agent):
    two = published(
        attrs.evolve(D2, state="trying"), attrs.evolve(D1, state="confirmed")
    )

    assert len(states(shown(two))) == 2
    assert states(shown(two, user_agent=user_agent)) == [("d1", "confirmed")]


def test_a_phone_that_blinks_for_its_own_call_is_shown_it_as_confirmed():
    package = DialogPackage(single=(), caller_confirmed=("blinky*",))
    both = published(D1, D2)

    calling = shown(both, package=package, user_agent="Blinky 2")

    assert states(calling) == [("d1", "early"), ("d2", "confirmed")]


def test_colleagues_see_calls_and_strangers_see_none():
    package = DialogPackage()
    state = package.compose(Material(ALICE, [published(D1)]))

    assert package.narrow(state, container_view(300)) == state
    for container in (0, 100, 32000):
        assert package.narrow(state, container_view(container)) == package.neutral(
            ALICE
        )


def test_what_a_pbx_says_again_by_the_same_flow_supersedes_that_call_alone():
    package = DialogPackage()
    one, two = DialogInfo(ALICE, (D1,)), DialogInfo(ALICE, (D2,))

    assert package.supersedes(DialogInfo(ALICE, (D1,), 7), one)
    assert not package.supersedes(two, one)


def test_no_more_are_shown_than_wanted():
    calls = [Dialog(f"d{n}", "confirmed", call_id=f"c{n}") for n in range(30)]

    assert len(states(shown(published(*calls)))) == 20


@pytest.mark.parametrize(
    ("state", "said", "told"),
    [
        ("early", "", "recipient"),
        ("proceeding", "", "recipient"),
        ("trying", "", "initiator"),
        ("early", "initiator", "initiator"),
        ("confirmed", "", None),
        ("terminated", "", None),
    ],
)
def test_it_is_said_who_calls_where_a_phone_needs_to_know(state, said, told):
    text = shown(published(Dialog("1", state, direction=said)))

    found = re.search(r' direction="(\w+)"', text)
    assert (found and found[1]) == told
