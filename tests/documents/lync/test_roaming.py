from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.lync.categories import Category, CategoryName, ExpireType
from presproxy.documents.lync.containers import Container, Member, MemberType
from presproxy.documents.lync.roaming import (
    NAMESPACE,
    PARTS,
    Roaming,
    read_roaming,
    read_roaming_list,
    write_roaming,
    write_roaming_list,
)
from presproxy.documents.lync.subscribers import Subscriber

ALICE = "sip:alice@example.test"
NOTE = Category(
    CategoryName("note", 0, 200),
    2,
    ExpireType.STATIC,
    b'<note xmlns="u:n"/>',
    1795329060.0,
)
COLLEAGUES = Container(
    200,
    1,
    frozenset({Member(MemberType.SAME_ENTERPRISE), Member(MemberType.USER, "b@c")}),
)
BOB = Subscriber("sip:bob@example.test", MemberType.SAME_ENTERPRISE, False, "Bob")


def roaming_list(content: str) -> bytes:
    return f'<roamingList xmlns="{NAMESPACE}">{content}</roamingList>'.encode()


def roaming_data(content: str) -> bytes:
    return f'<roamingData xmlns="{NAMESPACE}">{content}</roamingData>'.encode()


# --- What is asked for


def test_what_is_asked_for_is_read():
    body = roaming_list(
        '<roaming type="categories"/><roaming type="containers"/><roaming type="x"/>'
    )

    assert read_roaming_list(body) == {"categories", "containers"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<roamingList/>", "the root is 'roamingList', not roamingList of http"),
        (roaming_list("<roaming/>"), "roaming 1: no type"),
        (
            roaming_list('<roaming type="categories"/>' * 21),
            "roamingList: over 20 elements roaming",
        ),
    ],
)
def test_what_is_wrong_with_what_is_asked_for_is_said(why, data, reason):
    assert why(read_roaming_list, data).startswith(reason)


@given(st.frozensets(st.sampled_from(sorted(PARTS))))
def test_what_is_asked_for_is_read_as_it_was_written(parts):
    assert read_roaming_list(write_roaming_list(parts)) == parts


# --- What is told


def test_all_parts_are_written_in_full():
    written = write_roaming(
        ALICE,
        categories=[NOTE],
        cleared=["state"],
        containers=[COLLEAGUES],
        subscribers=[BOB],
    )

    assert written == roaming_data(
        '<categories xmlns="http://schemas.microsoft.com/2006/09/sip/categories"'
        ' uri="sip:alice@example.test">'
        '<category name="note" instance="0" publishTime="2026-11-22T06:31:00Z"'
        ' container="200" version="2" expireType="static"><note xmlns="u:n"/></category>'
        '<category name="state"/></categories>'
        '<containers xmlns="http://schemas.microsoft.com/2006/09/sip/containers">'
        '<container id="200" version="1"><member type="sameEnterprise"/>'
        '<member type="user" value="b@c"/></container></containers>'
        '<subscribers xmlns="http://schemas.microsoft.com/2006/09/sip/presence-subscribers">'
        '<subscriber user="bob@example.test" displayName="Bob" acknowledged="false"'
        ' type="sameEnterprise"/></subscribers>'
    )


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        ({}, b""),
        (
            {"containers": []},
            b'<containers xmlns="http://schemas.microsoft.com/2006/09/sip/containers"/>',
        ),
        (
            {"categories": []},
            b'<categories xmlns="http://schemas.microsoft.com/2006/09/sip/categories"'
            b' uri="sip:alice@example.test"/>',
        ),
    ],
    ids=["nothing", "no containers", "no categories"],
)
def test_only_the_parts_given_are_written(parts, content):
    written = write_roaming(ALICE, **parts)

    expected = b'<roamingData xmlns="%b">%b</roamingData>' % (
        NAMESPACE.encode(),
        content,
    )
    assert written == (expected if content else expected[:-15] + b"/>")


def test_a_name_that_xml_cannot_hold_is_shown_in_part():
    subscriber = Subscriber(
        "sip:eve@example.test", MemberType.USER, True, "E\x00v\udc80e"
    )

    written = write_roaming(ALICE, subscribers=[subscriber])

    assert 'displayName="E\ufffdv\ufffde"'.encode() in written


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<roamingData/>", "the root is 'roamingData', not roamingData of http"),
        (
            roaming_data(
                '<categories xmlns="http://schemas.microsoft.com/2006/09/sip/categories"/>'
            ),
            "categories: no uri",
        ),
        (
            roaming_data(
                '<containers xmlns="http://schemas.microsoft.com/2006/09/sip/containers">'
                '<container id="1"><member/></container></containers>'
            ),
            "container 1, member 1: no type",
        ),
    ],
)
def test_what_is_wrong_with_what_is_told_is_said(why, data, reason):
    assert why(read_roaming, data).startswith(reason)


MEMBERS = st.frozensets(
    st.sampled_from([Member(MemberType.EVERYONE), *COLLEAGUES.members])
)
CONTAINERS = st.builds(Container, st.integers(0, 2**32 - 1), st.integers(0, 9), MEMBERS)
SUBSCRIBERS = st.builds(
    Subscriber,
    st.sampled_from(["sip:bob@example.test", "tel:+4930123"]),
    st.sampled_from(MemberType),
    st.booleans(),
    st.text("ab<&>\"' \u00e4", max_size=5).map(str.strip),
)


def some(each: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | st.lists(each, max_size=3).map(tuple)


@given(
    some(st.just(NOTE)),
    st.sampled_from([(), ("a", "b")]),
    some(CONTAINERS),
    some(SUBSCRIBERS),
)
def test_what_was_written_is_read_the_same(
    categories, cleared, containers, subscribers
):
    written = write_roaming(
        ALICE,
        categories=categories,
        cleared=cleared,
        containers=containers,
        subscribers=subscribers,
    )

    there = categories is not None
    assert read_roaming(written) == Roaming(
        ALICE if there else "",
        categories,
        cleared if there else (),
        containers,
        subscribers,
    )
