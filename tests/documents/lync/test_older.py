from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.lync.older import (
    AccessEntry,
    DevicePresence,
    OlderPresence,
    read_acl,
    read_older_presence,
    read_pending,
    write_acl,
    write_older_presence,
    write_older_provisioning,
    write_pending,
)

BOB = "sip:bob@example.test"


def test_presence_is_written_in_full():
    presence = OlderPresence(
        BOB,
        300,
        600,
        "a < b",
        "Bob",
        "b@c",
        "+49 30",
        "e1",
        [DevicePresence("e1", 300, 600, 5, "HOST"), DevicePresence("e2", 0, 0)],
    )

    assert write_older_presence(presence).decode() == (
        '<presentity xmlns="http://schemas.microsoft.com/09/2002/sip/presence"'
        ' uri="bob@example.test"><availability aggregate="300" epid="e1"/>'
        '<activity aggregate="600" epid="e1"/><displayName displayName="Bob"/>'
        '<email email="b@c"/><phoneNumber label="" number="+49 30"/><userInfo><note>a &lt; b</note></userInfo><devices>'
        '<devicePresence epid="e1" ageOfPresence="5"><availability aggregate="300"/>'
        '<activity aggregate="600"/><deviceName name="HOST"/></devicePresence>'
        '<devicePresence epid="e2" ageOfPresence="0"><availability aggregate="0"/>'
        '<activity aggregate="0"/></devicePresence></devices></presentity>'
    )


def test_presence_may_be_two_numbers_alone():
    assert write_older_presence(OlderPresence(BOB, 0, 0)) == (
        b'<presentity xmlns="http://schemas.microsoft.com/09/2002/sip/presence"'
        b' uri="bob@example.test"><availability aggregate="0"/>'
        b'<activity aggregate="0"/></presentity>'
    )


@pytest.mark.parametrize("namespace", ["", "u:p", "u:[x]/@'"])
def test_presence_is_read_in_any_namespace(namespace):
    body = (
        f'<presentity xmlns="{namespace}" uri="sip:bob@example.test">'
        '<availability aggregate="300"/><activity aggregate="400"/></presentity>'
    )

    assert read_older_presence(body.encode()) == OlderPresence(BOB, 300, 400)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<presence/>", "the root is 'presence', not presentity"),
        (b"<presentity/>", "presentity: no uri"),
        (b'<presentity uri="a"/>', "presentity: no availability"),
        (
            b'<presentity uri="a"><availability aggregate="1"/></presentity>',
            "presentity: no activity",
        ),
        (
            b'<presentity uri="a"><availability/><activity/></presentity>',
            "availability: no aggregate",
        ),
    ],
)
def test_what_is_wrong_with_presence_is_said(why, data, reason):
    assert why(read_older_presence, data).startswith(reason)


TEXT = st.text("ab<&>\"' \u00e4", max_size=6).map(str.strip)
WORDS = TEXT.filter(bool)
NUMBERS = st.integers(0, 2**32 - 1)


@given(
    st.builds(
        OlderPresence,
        st.just(BOB),
        NUMBERS,
        NUMBERS,
        TEXT,
        TEXT,
        TEXT,
        TEXT,
        TEXT,
        st.lists(
            st.builds(DevicePresence, WORDS, NUMBERS, NUMBERS, NUMBERS, TEXT),
            max_size=3,
        ).map(tuple),
    )
)
def test_presence_is_read_as_it_was_written(presence):
    assert read_older_presence(write_older_presence(presence)) == presence


def test_rights_are_written_in_full():
    entries = [AccessEntry("USER", BOB, "AA"), AccessEntry("ALL", "", "PA")]

    assert write_acl(7, entries).decode() == (
        '<ACLlist deltaNum="7"><userACL>'
        '<ace type="USER" mask="sip:bob@example.test" rights="AA"/>'
        '<ace type="ALL" mask="" rights="PA"/></userACL></ACLlist>'
    )


@given(
    NUMBERS, st.lists(st.builds(AccessEntry, WORDS, TEXT, WORDS), max_size=3).map(tuple)
)
def test_rights_are_read_as_they_were_written(delta, entries):
    assert read_acl(write_acl(delta, entries)) == (delta, entries)


def test_who_waits_is_written_in_full():
    assert write_pending([(BOB, "Bob & co")]) == (
        b'<watchers><watcher uri="sip:bob@example.test" displayName="Bob &amp; co"/>'
        b"</watchers>"
    )


@given(st.lists(st.tuples(WORDS, TEXT), max_size=3).map(tuple))
def test_who_waits_is_read_as_it_was_written(watchers):
    assert read_pending(write_pending(watchers)) == watchers


@pytest.mark.parametrize(
    ("read", "data", "reason"),
    [
        (read_acl, b"<ACLlist/>", "ACLlist: no deltaNum"),
        (
            read_acl,
            b'<ACLlist deltaNum="1"><userACL><ace/></userACL></ACLlist>',
            "ace 1: no type",
        ),
        (read_pending, b"<watchers><watcher/></watchers>", "watcher 1: no uri"),
    ],
)
def test_what_is_wrong_with_a_list_is_said(why, read, data, reason):
    assert why(read, data).startswith(reason)


def test_settings_say_nothing():
    assert write_older_provisioning() == b"<provisioning/>"
