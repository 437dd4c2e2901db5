"""
What an `IContactACL` promises, as tests to subclass; and an `IContactList`, if it is one.

    class TestAcmeACL(ContactACLContract):
        def make(self, directory: Path) -> IContactACL:
            return AcmeACL(url="acme://…")
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import ClassVar, TypeVar

import pytest
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from presproxy.errors import LimitReached, StorageUnavailable
from presproxy.interfaces import IContactACL, IContactList
from presproxy.model.decision import Decision, Handling
from presproxy.model.identity import Identity
from presproxy.sip.uri import AddressOfRecord, address_of_record
from presproxy.testing.examples import examples
from presproxy.testing.recorders import FakeHouse
from presproxy.testing.waiting import waiting_fixture, waiting_test

T = TypeVar("T")

ALICE = AddressOfRecord("sip:alice@example.test")
BOB = AddressOfRecord("sip:bob@example.test")
EVE = AddressOfRecord("sip:eve@elsewhere.test")

_ADDRESSES = st.one_of(
    st.sampled_from([ALICE, BOB, EVE, address_of_record("tel:+4930123")]),
    st.from_regex(
        r"sip:[a-z*4][a-z0-9.*]{0,8}@[a-z]{1,5}\.test(:5070)?", fullmatch=True
    ).map(address_of_record),
)
_PACKAGES = st.sampled_from(["presence", "dialog", "presence.winfo", "x-unheard-of"])
_IDENTITIES = st.builds(Identity, _ADDRESSES, st.sampled_from(["digest", "open"]))
_QUESTIONS = st.tuples(_IDENTITIES, _ADDRESSES, _PACKAGES)


class ContactACLContract(ABC):
    """
    Tests of everything a contact ACL promises.

    The house it is started in serves ``example.test``, and its storage can be made to
    fail and to hesitate.
    """

    #: Whether `decide` asks somebody outside the process.
    waits: ClassVar[bool] = False
    #: The most entries in a list of what `make` gives; None if that takes too long to try.
    longest: ClassVar[int | None] = None

    @abstractmethod
    def make(self, directory: Path) -> IContactACL:
        """Make one, not yet started; ``directory`` is its own."""

    @pytest.fixture
    def house(self) -> FakeHouse:
        """The house it is started in."""
        return FakeHouse()

    @waiting_fixture
    async def acl(self, tmp_path: Path, house: FakeHouse) -> AsyncIterator[IContactACL]:
        """One which is ready."""
        acl = self.make(tmp_path)
        await acl.start(house)
        yield acl
        await acl.stop()

    @pytest.fixture
    def lists(self, acl: IContactACL) -> IContactList:
        """The same, if its lists can be written."""
        if not IContactList.providedBy(acl):
            pytest.skip("its lists are written elsewhere")
        return IContactList(acl)

    # --- Deciding

    def test_it_provides_the_interface(self, acl: IContactACL) -> None:
        assert verifyObject(IContactACL, acl)

    @waiting_test
    async def test_it_decides_or_has_no_opinion(self, acl: IContactACL) -> None:
        answers = [await acl.decide(*asked) for asked in examples(_QUESTIONS)]

        assert [
            answer
            for answer in answers
            if answer is not None and not isinstance(answer, Decision)
        ] == []

    @waiting_test
    async def test_it_decides_the_same_while_nothing_changes(
        self, acl: IContactACL
    ) -> None:
        questions = examples(_QUESTIONS)
        first = [await acl.decide(*asked) for asked in questions]

        assert [await acl.decide(*asked) for asked in questions] == first

    @waiting_test
    async def test_its_rule_is_one_line_for_people(self, acl: IContactACL) -> None:
        answers = [await acl.decide(*asked) for asked in examples(_QUESTIONS)]

        rules = [answer.rule for answer in answers if answer is not None]
        assert [rule for rule in rules if not rule.strip()] == []
        assert [rule for rule in rules if not rule.isprintable()] == []

    @waiting_test
    async def test_who_watches_is_shown_to_the_presentity_only(
        self, acl: IContactACL
    ) -> None:
        shown = [
            (watcher.aor, presentity)
            for watcher, presentity, _ in examples(_QUESTIONS)
            if (decision := await acl.decide(watcher, presentity, "presence.winfo"))
            and decision.handling is Handling.ALLOW
        ]

        assert [pair for pair in shown if pair[0] != pair[1]] == []

    def test_the_reactor_need_not_turn_for_a_decision(self, acl: IContactACL) -> None:
        if self.waits:
            pytest.skip("it asks somebody outside the process")

        decided = Deferred.fromCoroutine(
            _ask(acl.decide(Identity(BOB, "open"), ALICE, "presence"))
        )

        assert decided.called

    # --- Writing the lists

    def test_it_provides_the_interface_of_a_list(self, lists: IContactList) -> None:
        assert verifyObject(IContactList, lists)

    @pytest.mark.parametrize("handling", list(Handling), ids=lambda each: each.value)
    @pytest.mark.parametrize("watcher", [BOB, EVE], ids=["same domain", "another"])
    @waiting_test
    async def test_what_is_said_of_a_watcher_decides(
        self,
        acl: IContactACL,
        lists: IContactList,
        watcher: AddressOfRecord,
        handling: Handling,
    ) -> None:
        await lists.handle(ALICE, watcher, handling)

        decision = await acl.decide(Identity(watcher, "digest"), ALICE, "presence")
        assert decision is not None
        assert decision.handling is handling

    @waiting_test
    async def test_what_is_said_can_be_read(self, lists: IContactList) -> None:
        await lists.handle(ALICE, BOB, Handling.BLOCK)
        await lists.handle(ALICE, EVE, Handling.ALLOW)
        await lists.handle(ALICE, BOB, Handling.POLITE_BLOCK)

        assert dict(await lists.contacts(ALICE)) == {
            BOB: Handling.POLITE_BLOCK,
            EVE: Handling.ALLOW,
        }

    @waiting_test
    async def test_what_is_said_holds_for_one_presentity(
        self, lists: IContactList
    ) -> None:
        await lists.handle(ALICE, EVE, Handling.ALLOW)

        assert dict(await lists.contacts(BOB)) == {}

    @waiting_test
    async def test_what_is_forgotten_decides_no_more(
        self, acl: IContactACL, lists: IContactList
    ) -> None:
        watcher = Identity(BOB, "digest")
        before = await acl.decide(watcher, ALICE, "presence")
        await lists.handle(ALICE, BOB, Handling.BLOCK)

        await lists.handle(ALICE, BOB, None)

        assert dict(await lists.contacts(ALICE)) == {}
        assert await acl.decide(watcher, ALICE, "presence") == before

    @waiting_test
    async def test_the_watchers_are_decided_about_again(
        self, lists: IContactList, house: FakeHouse
    ) -> None:
        await lists.handle(ALICE, BOB, Handling.BLOCK)

        assert set(house.decided_again) == {ALICE}

    @waiting_test
    async def test_what_is_said_is_there_after_a_start(
        self, lists: IContactList, house: FakeHouse, tmp_path: Path
    ) -> None:
        await lists.handle(ALICE, BOB, Handling.BLOCK)
        await lists.handle(ALICE, EVE, Handling.ALLOW)
        await lists.handle(ALICE, EVE, None)
        house.reactor.advance(10 * 365 * 86400)

        again = self.make(tmp_path)
        await again.start(_rebuilt(house))

        assert dict(await IContactList(again).contacts(ALICE)) == {BOB: Handling.BLOCK}

    @waiting_test
    async def test_what_could_not_be_kept_changes_nothing(
        self, acl: IContactACL, lists: IContactList, house: FakeHouse
    ) -> None:
        watcher = Identity(BOB, "digest")
        before = await acl.decide(watcher, ALICE, "presence")
        house.storage.failure = StorageUnavailable("the disk is full")

        with pytest.raises(StorageUnavailable):
            await lists.handle(ALICE, BOB, Handling.BLOCK)

        assert dict(await lists.contacts(ALICE)) == {}
        assert await acl.decide(watcher, ALICE, "presence") == before
        assert house.decided_again == []

    @waiting_test
    async def test_nothing_is_said_before_it_is_kept(
        self, lists: IContactList, house: FakeHouse
    ) -> None:
        house.storage.hold()
        said = Deferred.fromCoroutine(_ask(lists.handle(ALICE, BOB, Handling.BLOCK)))

        assert dict(await lists.contacts(ALICE)) == {}
        assert house.decided_again == []

        house.storage.release()
        await said
        assert dict(await lists.contacts(ALICE)) == {BOB: Handling.BLOCK}

    @waiting_test
    async def test_what_is_said_last_holds(
        self, lists: IContactList, house: FakeHouse, tmp_path: Path
    ) -> None:
        said = [Handling.BLOCK, Handling.ALLOW, None, Handling.POLITE_BLOCK]
        house.storage.hold()
        under_way = [
            Deferred.fromCoroutine(_ask(lists.handle(ALICE, BOB, handling)))
            for handling in said
        ]

        house.storage.release()
        for each in under_way:
            await each

        again = self.make(tmp_path)
        await again.start(_rebuilt(house))
        expected = {BOB: Handling.POLITE_BLOCK}
        assert dict(await lists.contacts(ALICE)) == expected
        assert dict(await IContactList(again).contacts(ALICE)) == expected

    @waiting_test
    async def test_a_full_list_says_so_and_still_changes(
        self, lists: IContactList
    ) -> None:
        if self.longest is None:
            pytest.skip("its lists are too long to fill one")
        for number in range(self.longest):
            watcher = AddressOfRecord(f"sip:w{number}@example.test")
            await lists.handle(ALICE, watcher, Handling.ALLOW)

        with pytest.raises(LimitReached):
            await lists.handle(ALICE, BOB, Handling.ALLOW)

        await lists.handle(ALICE, watcher, Handling.BLOCK)
        await lists.handle(ALICE, watcher, None)
        await lists.handle(ALICE, BOB, Handling.ALLOW)
        assert len(await lists.contacts(ALICE)) == self.longest


def _rebuilt(house: FakeHouse) -> FakeHouse:
    """Give the house as it is after a start: nothing is left but what was stored."""
    return FakeHouse(reactor=house.reactor, storage=house.storage)


async def _ask(awaitable: Awaitable[T]) -> T:
    return await awaitable
