from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.lync.batch import (
    CATEGORY_LIST,
    NAMESPACE,
    Batch,
    BatchAction,
    BatchResource,
    TooMany,
    read_batch,
    write_batch,
)

ALICE = "sip:alice@example.test"


def batch(content: str, start: str = f'uri="{ALICE}" name=""') -> bytes:
    return f'<batchSub xmlns="{NAMESPACE}" {start}>{content}</batchSub>'.encode()


def action(content: str, start: str = 'name="subscribe" id="1"') -> bytes:
    return batch(f"<action {start}>{content}</action>")


def read(data: bytes) -> Batch:
    return read_batch(data, 100)


def test_what_sipe_asks_for_is_read():
    body = action(
        '<adhocList><resource uri="sip:bob@example.test"/>\n'
        '<resource uri="sip:carol@example.test"><context/></resource></adhocList>\n'
        f'<categoryList xmlns="{CATEGORY_LIST}"><category name="note"/>'
        '<category name="state"/><category name="note"/></categoryList>',
        'name="subscribe" id="63792024"',
    )

    assert read(body) == Batch(
        ALICE,
        (
            BatchAction(
                True,
                "63792024",
                (
                    BatchResource("sip:bob@example.test"),
                    BatchResource("sip:carol@example.test", True),
                ),
                ("note", "state"),
            ),
        ),
    )


def test_some_are_taken_out():
    body = action(
        '<adhocList><resource uri="sip:bob@example.test"/></adhocList>',
        'name="unsubscribe"',
    )

    assert read(body).actions == (
        BatchAction(False, "", (BatchResource("sip:bob@example.test"),)),
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<batchSub/>", "the root is 'batchSub', not batchSub of http"),
        (batch("", ""), "batchSub: no uri"),
        (batch("<action/>"), "action 1: no name"),
        (
            action("<adhocList/>", 'name="look"'),
            "action 1: name is 'look', not subscribe or unsubscribe",
        ),
        (action(""), "action 1: no adhocList"),
        (action("<adhocList/><adhocList/>"), "action 1: more than one adhocList"),
        (
            action('<adhocList><resource uri="a"/><resource/></adhocList>'),
            "action 1, adhocList, resource 2: no uri",
        ),
        (
            action(
                f'<adhocList/><categoryList xmlns="{CATEGORY_LIST}"><category/>'
                "</categoryList>"
            ),
            "action 1, categoryList, category 1: no name",
        ),
        (
            batch('<action name="subscribe"><adhocList/></action>' * 21),
            "batchSub: over 20 elements action",
        ),
        (
            action(
                f'<adhocList/><categoryList xmlns="{CATEGORY_LIST}">'
                + '<category name="n"/>' * 101
                + "</categoryList>"
            ),
            "action 1, categoryList: over 50 elements category",
        ),
    ],
)
def test_what_is_wrong_is_said(why, data, reason):
    assert why(read, data).startswith(reason)


def resources(count: int) -> str:
    return "".join(f'<resource uri="u{number}"/>' for number in range(count))


def test_too_many_resources_are_an_error_of_their_own():
    halves = (
        f'<action name="subscribe"><adhocList>{resources(3)}</adhocList></action>'
    ) * 2

    with pytest.raises(TooMany, match="over 5 resources"):
        read_batch(batch(halves), 5)

    assert len(read_batch(batch(halves), 6).actions) == 2


def test_ten_thousand_resources_are_too_many_and_nothing_else():
    with pytest.raises(TooMany, match="over 100 resources"):
        read(action(f"<adhocList>{resources(10_000)}</adhocList>"))


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["x" * 65], "category 1: name has over 64 letters"),
        ([f"x{n}" for n in range(51)], "categoryList: over 50 elements category"),
    ],
    ids=["long", "many"],
)
def test_names_of_categories_are_few_and_short(why, names, reason):
    asked = BatchAction(True, "1", [BatchResource(ALICE)], names)

    assert why(read_batch, write_batch(Batch(ALICE, [asked])), 1).endswith(reason)


# --- There and back

URIS = st.text("abc:@.\u00e4<&>\"'", min_size=1, max_size=8)
ACTIONS = st.builds(
    BatchAction,
    st.booleans(),
    st.text("01a", max_size=3),
    st.lists(st.builds(BatchResource, URIS, st.booleans()), max_size=4).map(tuple),
    st.lists(URIS, max_size=3, unique=True).map(tuple),
)


@given(st.builds(Batch, URIS, st.lists(ACTIONS, max_size=3).map(tuple)))
def test_what_was_written_is_read_the_same(written):
    assert read(write_batch(written)) == written
