from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.lync.containers import (
    BLOCKED,
    MANAGEMENT,
    ContainerChange,
    Member,
    MemberType,
    read_container_members,
    write_container_members,
)


def document(content: str) -> bytes:
    return (
        f'<setContainerMembers xmlns="{MANAGEMENT}">{content}</setContainerMembers>'
    ).encode()


def member(attributes: str) -> bytes:
    return document(f'<container id="200"><member {attributes}/></container>')


def test_a_request_to_block_somebody_is_read():
    body = document(
        '<container id="32000" version="3">'
        '<member action="add" type="user" value="Alice@Example.test"/></container>'
        '<container id="200">'
        '<member action="remove" type="user" value="sip:alice@example.test"/>'
        '<member action="add" type="domain" value="Example.TEST"/>'
        '<member action="add" type="sameEnterprise" value="x"/></container>'
    )

    assert read_container_members(body) == (
        ContainerChange(
            BLOCKED, 3, (Member(MemberType.USER, "alice@example.test"),), ()
        ),
        ContainerChange(
            200,
            0,
            (
                Member(MemberType.DOMAIN, "example.test"),
                Member(MemberType.SAME_ENTERPRISE),
            ),
            (Member(MemberType.USER, "alice@example.test"),),
        ),
    )


def test_a_request_is_written_in_full():
    change = ContainerChange(
        BLOCKED,
        1,
        [Member(MemberType.USER, "a@b")],
        [Member(MemberType.EVERYONE)],
    )

    assert write_container_members([change]) == document(
        '<container id="32000" version="1">'
        '<member action="add" type="user" value="a@b"/>'
        '<member action="remove" type="everyone"/></container>'
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<x/>", "the root is 'x', not setContainerMembers of http://"),
        (document("<container/>"), "container 1: no id"),
        (document('<container id="x"/>'), "container 1: id is 'x', which is no number"),
        (member('type="everyone"'), "container 1, member 1: no action"),
        (
            member('type="everyone" action="move"'),
            "container 1, member 1: action is 'move', not add or remove",
        ),
        (member('action="add"'), "container 1, member 1: no type"),
        (
            member('action="add" type="friends"'),
            "container 1, member 1: type is 'friends', which is none",
        ),
        (member('action="add" type="user"'), "container 1, member 1: no value"),
        (
            member('action="add" type="domain" value=" "'),
            "container 1, member 1: no value",
        ),
        (
            document('<container id="1"/>' * 101),
            "setContainerMembers: over 100 elements container",
        ),
    ],
)
def test_what_is_wrong_is_said(why, data, reason):
    assert why(read_container_members, data).startswith(reason)


WORDS = st.text("abc@.-\u00e4\u00f6'\"<&>", min_size=1, max_size=8)
MEMBERS = st.one_of(
    st.builds(Member, st.sampled_from([MemberType.USER, MemberType.DOMAIN]), WORDS),
    st.builds(
        Member,
        st.sampled_from(
            [each for each in MemberType if each not in ("user", "domain")]
        ),
    ),
)
NUMBERS = st.integers(0, 2**32 - 1)
CHANGES = st.builds(
    ContainerChange,
    NUMBERS,
    NUMBERS,
    st.lists(MEMBERS, max_size=3).map(tuple),
    st.lists(MEMBERS, max_size=3).map(tuple),
)


@given(st.lists(CHANGES, max_size=3).map(tuple))
def test_what_was_written_is_read_the_same(changes):
    assert read_container_members(write_container_members(changes)) == changes
