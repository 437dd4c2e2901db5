from __future__ import annotations

import pytest

from presproxy.documents.lync.containers import (
    BLOCKED,
    COLLEAGUES,
    CONTENT_TYPE,
    ContainerChange,
    Member,
    MemberType,
    write_container_members,
)
from presproxy.errors import StorageUnavailable
from presproxy.testing.wire import pidf

ALICE, BOB = "sip:alice@example.test", "sip:bob@example.test"
BOB_HIMSELF = Member(MemberType.USER, "bob@example.test")
OURS = Member(MemberType.SAME_ENTERPRISE)


def versions(desk):
    containers = desk.server.lync.lists.containers.table.of(ALICE)
    return {each.id: each.version for each in containers if each.version}


@pytest.fixture
def change(serve):
    """Ask for changes of Alice's containers."""

    def changed(*changes, **options):
        return serve(CONTENT_TYPE, write_container_members(changes), **options)

    return changed


def test_who_is_blocked_sees_nobody_and_who_is_not_any_more_the_truth(
    lync_desk, change
):
    lync_desk.publish(pidf(ALICE, "here"), user="alice")
    lync_desk.subscribe(uri=ALICE, user="bob")
    first = lync_desk.states()

    blocked = change(ContainerChange(BLOCKED, 0, [BOB_HIMSELF]))
    while_blocked = lync_desk.states()
    lync_desk.publish(pidf(ALICE, "hidden"), user="alice")
    hidden = lync_desk.states()
    unblocked = change(ContainerChange(BLOCKED, 1, removed=[BOB_HIMSELF]))
    last = lync_desk.states()

    assert (blocked.status, unblocked.status) == (200, 200)
    assert first == [("active", "here")]
    assert while_blocked == [("active", "closed")]
    assert hidden == []
    assert last == [("active", "hidden")]


def test_the_versions_of_a_request_must_be_the_current_ones(lync_desk, change):
    change(ContainerChange(BLOCKED, 0, [BOB_HIMSELF]))

    answer = change(
        ContainerChange(COLLEAGUES, 0, [BOB_HIMSELF]),
        ContainerChange(BLOCKED, 0, removed=[BOB_HIMSELF]),
    )

    assert answer.status == 409
    assert answer.get("content-type") == "application/msrtc-fault+xml"
    assert '<operation index="2" version="0" curVersion="1"/>' in answer.text
    assert versions(lync_desk) == {BLOCKED: 1}


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"user": "bob"}, 403),
        ({"uri": BOB}, 403),
        ({"uri": "sip:alice@elsewhere.test"}, 404),
    ],
    ids=["somebody's", "another's", "not ours"],
)
def test_only_the_owner_changes_containers(lync_desk, change, options, status):
    answer = change(ContainerChange(BLOCKED, 0, [BOB_HIMSELF]), **options)

    assert answer.status == status
    assert versions(lync_desk) == {}


@pytest.mark.parametrize(
    "changes",
    [
        [ContainerChange(2, 0, [BOB_HIMSELF])],
        [
            ContainerChange(BLOCKED, 0, [BOB_HIMSELF]),
            ContainerChange(555, 0, [BOB_HIMSELF]),
        ],
    ],
    ids=["one of the owner's", "one nobody knows"],
)
def test_other_containers_have_no_members(lync_desk, change, changes):
    answer = change(*changes)

    assert answer.status == 400
    assert "only 100, 200, 300, 400, 32000 have members" in answer.first_line
    assert versions(lync_desk) == {}


@pytest.mark.parametrize("body", ["", "<a", "<setContainerMembers/>"])
def test_what_is_no_change_is_a_bad_request(lync_desk, serve, body):
    answer = serve(CONTENT_TYPE, body)

    assert answer.status == 400
    assert answer.get("content-type") == "application/msrtc-fault+xml"
    assert "<Faultcode>Client.BadCall</Faultcode>" in answer.text
    assert lync_desk.defects == 0


def test_whoever_has_ten_old_versions_a_second_is_sent_away(lync_desk, change):
    change(ContainerChange(BLOCKED, 0, [BOB_HIMSELF]))

    answers = [change(ContainerChange(BLOCKED, 0, [BOB_HIMSELF])) for _ in range(15)]
    lync_desk.sleep(1.1)
    later = change(ContainerChange(BLOCKED, 0, [BOB_HIMSELF]))
    right = change(ContainerChange(BLOCKED, 1, removed=[BOB_HIMSELF]))

    assert [each.status for each in answers] == [409] * 10 + [503] * 5
    assert answers[-1].get("retry-after") == "30"
    assert (later.status, right.status) == (409, 200)


def test_a_change_that_could_not_be_kept_is_none(lync_desk, change):
    lync_desk.storage.failure = StorageUnavailable("the disk is full")
    failed = change(ContainerChange(BLOCKED, 0, [BOB_HIMSELF]))
    lync_desk.storage.failure = None

    again = change(ContainerChange(BLOCKED, 0, [BOB_HIMSELF]))

    assert (failed.status, again.status) == (503, 200)


def test_two_changes_at_once_are_made_one_after_the_other(lync_desk, change):
    lync_desk.storage.hold()
    change(ContainerChange(BLOCKED, 0, [BOB_HIMSELF]))
    change(ContainerChange(BLOCKED, 1, removed=[BOB_HIMSELF]))
    assert lync_desk.storage.waiting == 1

    lync_desk.storage.release()

    assert [each.status for each in lync_desk.messages] == [200, 200]
    assert versions(lync_desk) == {BLOCKED: 2}


def test_a_change_that_is_written_late_is_obeyed_all_the_same(lync_desk, change):
    lync_desk.publish(pidf(ALICE, "here"), user="alice")
    lync_desk.subscribe(uri=ALICE, user="bob")
    lync_desk.states()
    lync_desk.storage.hold()
    change(ContainerChange(BLOCKED, 0, [BOB_HIMSELF]))
    lync_desk.sleep(11)
    late = lync_desk.messages[-1]

    change(ContainerChange(COLLEAGUES, 0, [BOB_HIMSELF]))
    lync_desk.storage.release()
    told = lync_desk.states()

    assert late.status == 503
    assert told == [("active", "closed")]
    assert versions(lync_desk) == {BLOCKED: 1, COLLEAGUES: 1}
