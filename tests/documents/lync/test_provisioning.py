from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.lync.provisioning import (
    read_provisioning,
    read_provisioning_groups,
    write_provisioning,
    write_provisioning_query,
)

ASKED = "http://schemas.microsoft.com/2006/09/sip/provisioninggrouplist"
TOLD = "http://schemas.microsoft.com/2006/09/sip/provisiongrouplist-notification"


def query(content: str) -> bytes:
    return (
        f'<provisioningGroupList xmlns="{ASKED}">{content}</provisioningGroupList>'
    ).encode()


def test_each_group_is_asked_for_once():
    body = query(
        '<provisioningGroup name="ServerConfiguration"/>'
        '<provisioningGroup name="ucPolicy"/><provisioningGroup name="ucPolicy"/>'
    )

    assert read_provisioning(body) == ("ServerConfiguration", "ucPolicy")


def test_groups_are_told_without_anything_in_them():
    assert write_provisioning(["ServerConfiguration"]).decode() == (
        f'<provisionGroupList xmlns="{TOLD}">'
        '<provisionGroup name="ServerConfiguration"/></provisionGroupList>'
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<x/>", "the root is 'x', not provisioningGroupList of http"),
        (query("<provisioningGroup/>"), "provisioningGroup 1: no name"),
        (
            query('<provisioningGroup name="n"/>' * 101),
            "provisioningGroupList: over 100 elements provisioningGroup",
        ),
    ],
)
def test_what_is_wrong_is_said(why, data, reason):
    assert why(read_provisioning, data).startswith(reason)


NAMES = st.lists(
    st.text("abc<&>\"'", min_size=1, max_size=5), max_size=4, unique=True
).map(tuple)


@given(NAMES)
def test_what_was_written_is_read_the_same(names):
    assert read_provisioning(write_provisioning_query(names)) == names
    assert read_provisioning_groups(write_provisioning(names)) == names
