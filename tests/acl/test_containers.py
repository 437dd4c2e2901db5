from __future__ import annotations

import pytest
import pytest_twisted

from presproxy.acl.containers import ContainersACL
from presproxy.documents.lync.containers import (
    BLOCKED,
    COLLEAGUES,
    PERSONAL,
    ContainerChange,
    Member,
    MemberType,
)
from presproxy.events.containers import CONTAINERS
from presproxy.model.decision import NEUTRAL, Decision, Handling, container_view
from presproxy.model.identity import Identity
from presproxy.model.record import NEVER, Put
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.contracts.acl import ContactACLContract
from presproxy.testing.recorders import FakeHouse

ALICE = AddressOfRecord("sip:alice@example.test")
BOB = AddressOfRecord("sip:bob@example.test")
EVE = AddressOfRecord("sip:eve@elsewhere.test")

OURS = Member(MemberType.SAME_ENTERPRISE)


class TestContainersACL(ContactACLContract):
    def make(self, directory):
        return ContainersACL()


@pytest.fixture
def put(house):
    """Put somebody into one of Alice's containers, or take him out."""

    async def change(number, member, *, is_out=False):
        table = house.containers.table
        members = ([], [member]) if is_out else ([member], [])
        version = table.all_of(ALICE).version_of(number)
        await house.containers.change(
            ALICE, [ContainerChange(number, version, *members)]
        )

    return change


@pytest.fixture
def decide(house):
    acl = ContainersACL()

    async def decided(watcher, package="presence"):
        await acl.start(house)
        return await acl.decide(Identity(watcher, "digest"), ALICE, package)

    return decided


@pytest_twisted.ensureDeferred
async def test_of_users_who_have_none_it_has_no_opinion(decide):
    answers = [await decide(watcher) for watcher in (ALICE, BOB, EVE)]

    assert answers == [None, None, None]


@pytest_twisted.ensureDeferred
async def test_a_watcher_sees_the_container_he_is_in(decide, put):
    await put(PERSONAL, Member(MemberType.USER, "bob@example.test"))

    assert await decide(BOB) == Decision(
        Handling.ALLOW,
        "container 400 (friends and family) of alice@example.test "
        "has user bob@example.test",
        container_view(PERSONAL),
    )


@pytest_twisted.ensureDeferred
async def test_a_kind_of_watchers_sees_it_too(decide, put):
    await put(PERSONAL, OURS)
    await put(COLLEAGUES, OURS, is_out=True)

    decision = await decide(BOB)

    assert decision.view == container_view(PERSONAL)
    assert decision.rule.endswith("of alice@example.test has sameEnterprise")


@pytest_twisted.ensureDeferred
async def test_the_blocked_see_nobody_at_home(decide, put):
    await put(BLOCKED, Member(MemberType.USER, "eve@elsewhere.test"))

    assert await decide(EVE) == Decision(
        Handling.POLITE_BLOCK,
        "container 32000 (blocked) of alice@example.test has user eve@elsewhere.test",
        NEUTRAL,
    )


@pytest_twisted.ensureDeferred
async def test_to_block_one_decides_nothing_about_others(decide, put):
    await put(BLOCKED, Member(MemberType.USER, "eve@elsewhere.test"))

    assert await decide(BOB) is None
    assert await decide(AddressOfRecord("sip:max@elsewhere.test")) is None


@pytest_twisted.ensureDeferred
async def test_who_is_in_none_sees_the_container_of_all_others(decide, put):
    await put(COLLEAGUES, OURS, is_out=True)

    assert await decide(BOB) == Decision(
        Handling.ALLOW,
        "in no container of alice@example.test: container 0",
        container_view(0),
    )


@pytest.mark.parametrize(
    ("handling", "has_opinion"),
    [
        (Handling.BLOCK, False),
        (Handling.POLITE_BLOCK, False),
        (Handling.CONFIRM, False),
        (Handling.ALLOW, True),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_kind_lets_nobody_in_whom_the_list_keeps_out_by_name(
    house, decide, put, handling, has_opinion
):
    await put(COLLEAGUES, OURS)
    await house.contacts.handle(ALICE, BOB, handling)

    assert (await decide(BOB) is not None) is has_opinion


@pytest.mark.parametrize("entry", [BOB, "sip:*@example.test"])
@pytest_twisted.ensureDeferred
async def test_who_is_in_none_sees_nothing_if_the_list_keeps_him_out(
    house, decide, put, entry
):
    await put(COLLEAGUES, OURS, is_out=True)
    await house.contacts.handle(ALICE, AddressOfRecord(entry), Handling.BLOCK)

    assert await decide(BOB) is None


@pytest_twisted.ensureDeferred
async def test_who_is_in_a_container_by_name_is_in_it_whatever_the_list_says(
    house, decide, put
):
    await put(PERSONAL, Member(MemberType.USER, "bob@example.test"))
    await house.contacts.handle(ALICE, BOB, Handling.BLOCK)

    assert (await decide(BOB)).handling is Handling.ALLOW


@pytest_twisted.ensureDeferred
async def test_about_himself_the_next_one_is_asked(decide, put):
    await put(BLOCKED, OURS)

    assert await decide(ALICE) is None
    assert await decide(ALICE, "presence.winfo") is None


@pytest_twisted.ensureDeferred
async def test_no_container_shows_who_watches(decide, put):
    await put(PERSONAL, OURS)

    assert (await decide(BOB, "presence.winfo")).handling is Handling.BLOCK


@pytest_twisted.ensureDeferred
async def test_watchers_are_decided_about_again_when_they_move(house, put):
    await put(BLOCKED, Member(MemberType.USER, "bob@example.test"))

    assert house.decided_again == [ALICE]


@pytest_twisted.ensureDeferred
async def test_containers_are_there_after_a_start(house, put):
    await put(BLOCKED, Member(MemberType.USER, "bob@example.test"))
    again = FakeHouse(storage=house.storage)
    acl = ContainersACL()
    await acl.start(again)

    decision = await acl.decide(Identity(BOB, "digest"), ALICE, "presence")

    assert decision.handling is Handling.POLITE_BLOCK


@pytest_twisted.ensureDeferred
async def test_it_does_not_start_with_containers_it_cannot_read(house):
    await house.storage.commit([Put(CONTAINERS, ALICE, ALICE, 0, NEVER, b"?")])

    with pytest.raises(ValueError, match="containers"):
        await ContainersACL().start(house)
