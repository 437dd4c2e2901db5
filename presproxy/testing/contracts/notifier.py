"""
What an `INotifier` promises, as tests to subclass; and an `IRouteKeeper`, if it is one.

    class TestAcmeNotifier(NotifierContract):
        def make(self, house: FakeHouse) -> INotifier:
            self.acme = FakeAcme()
            return AcmeNotifier(self.acme)

        def route(self, name: str) -> object:
            return self.acme.account(name)

        def received(self, name: str) -> Sequence[bytes]:
            return self.acme.messages(name)

        async def settle(self) -> None:
            await self.acme.is_idle()
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterator, Sequence

import pytest
from zope.interface.verify import verifyObject

from presproxy.interfaces import INotifier, IRouteKeeper
from presproxy.model.decision import FULL
from presproxy.model.identity import Identity
from presproxy.model.notice import EMPTY, Body, Notice, NumberedBody
from presproxy.model.subscription import State, Subscription
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.recorders import FakeHouse
from presproxy.testing.waiting import wait_for, waiting_test

_ALICE = AddressOfRecord("sip:alice@example.test")


class NotifierContract(ABC):
    """
    Tests of everything a notifier promises.

    Watchers answer at once, unless they were told to hesitate or were lost.  Say how to
    do that where a watcher's answer is waited for at all.
    """

    @abstractmethod
    def make(self, house: FakeHouse) -> INotifier:
        """Make one, not yet started; it is started in ``house``."""

    @abstractmethod
    def route(self, name: str) -> object:
        """Give a route to a watcher, who is there from now on."""

    @abstractmethod
    def received(self, name: str) -> Sequence[bytes]:
        """Give the bodies which a watcher has received so far, in their order."""

    def hesitate(self, name: str) -> None:
        """Let a watcher answer nothing from now on."""
        pytest.skip("nobody hesitates")

    def answer(self, name: str) -> None:
        """Let a watcher who hesitated answer what waits for it, and all that follows."""
        raise LookupError(f"{type(self).__name__} does not say how {name} answers")

    def lose(self, name: str) -> None:
        """Let a watcher be gone, so that telling him fails for good."""
        pytest.skip("nobody is lost")

    @abstractmethod
    async def settle(self) -> None:
        """Wait until all that is under way has arrived or failed."""

    # --- What is needed below

    @pytest.fixture
    def house(self) -> FakeHouse:
        """The house it is started in."""
        return FakeHouse()

    @pytest.fixture
    def notifier(self, house: FakeHouse) -> Iterator[INotifier]:
        """One which is ready."""
        notifier = self.make(house)
        wait_for(_awaited(notifier.start(house)))
        yield notifier
        wait_for(_awaited(notifier.stop()))

    def subscription(
        self, house: FakeHouse, name: str, state: State = State.ACTIVE
    ) -> Subscription:
        """Make a subscription of a watcher."""
        return Subscription(
            key=name,
            watcher=Identity(AddressOfRecord(f"sip:{name}@example.test"), "open"),
            presentity=_ALICE,
            package="presence",
            content_type="text/plain",
            expires_at=house.now() + 3600,
            notifier="contract",
            route=self.route(name),
            state=state,
            view=FULL,
            since=house.now(),
        )

    # --- What is promised

    def test_it_provides_the_interface(self, notifier: INotifier) -> None:
        assert verifyObject(INotifier, notifier)

    @waiting_test
    async def test_a_notice_is_taken_and_returned_from_at_once(
        self, notifier: INotifier, house: FakeHouse
    ) -> None:
        bob = self.subscription(house, "bob")

        answer: object = notifier.notify(_notice(b"away", bob))  # type: ignore[func-returns-value]  # that it returns nothing is the question
        await self.settle()

        assert answer is None
        assert list(self.received("bob")) == [b"away"]

    @waiting_test
    async def test_everybody_in_a_notice_is_told(
        self, notifier: INotifier, house: FakeHouse
    ) -> None:
        names = [f"watcher{number}" for number in range(20)]
        watchers = [self.subscription(house, name) for name in names]

        notifier.notify(_notice(b"away", *watchers))
        await self.settle()

        assert {name: list(self.received(name)) for name in names} == {
            name: [b"away"] for name in names
        }

    @waiting_test
    async def test_nobody_else_is_told(
        self, notifier: INotifier, house: FakeHouse
    ) -> None:
        bob, _ = (self.subscription(house, name) for name in ("bob", "carol"))

        notifier.notify(_notice(b"away", bob))
        await self.settle()

        assert list(self.received("carol")) == []

    @waiting_test
    async def test_a_notice_for_nobody_is_none(self, notifier: INotifier) -> None:
        notifier.notify(_notice(b"away"))
        await self.settle()

    @waiting_test
    async def test_what_is_told_apart_arrives_each_and_in_order(
        self, notifier: INotifier, house: FakeHouse
    ) -> None:
        bob = self.subscription(house, "bob")

        for word in (b"away", b"busy", b"away"):
            notifier.notify(_notice(word, bob))
            await self.settle()

        assert list(self.received("bob")) == [b"away", b"busy", b"away"]

    @waiting_test
    async def test_what_is_told_at_once_keeps_its_order_and_the_last_arrives(
        self, notifier: INotifier, house: FakeHouse
    ) -> None:
        bob = self.subscription(house, "bob")
        words = [b"%d" % number for number in range(10)]

        for word in words:
            notifier.notify(_notice(word, bob))
        await self.settle()

        received = list(self.received("bob"))
        assert received == [word for word in words if word in received]
        assert received[-1] == words[-1]

    @waiting_test
    async def test_whoever_hesitates_is_told_the_last_and_nothing_older_after(
        self, notifier: INotifier, house: FakeHouse
    ) -> None:
        bob = self.subscription(house, "bob")
        words = [b"%d" % number for number in range(10)]
        self.hesitate("bob")

        for word in words:
            notifier.notify(_notice(word, bob))
        self.answer("bob")
        await self.settle()

        received = list(self.received("bob"))
        assert received == [word for word in words if word in received]
        assert received[-1] == words[-1]

    @waiting_test
    async def test_whoever_hesitates_keeps_nobody_else_waiting(
        self, notifier: INotifier, house: FakeHouse
    ) -> None:
        bob, carol = (self.subscription(house, name) for name in ("bob", "carol"))
        self.hesitate("bob")

        for word in (b"away", b"busy"):
            notifier.notify(_notice(word, bob, carol))
            await self.settle()

        assert list(self.received("carol")) == [b"away", b"busy"]

    @waiting_test
    async def test_versions_rise_by_one_for_each_watcher(
        self, notifier: INotifier, house: FakeHouse
    ) -> None:
        bob, carol = (self.subscription(house, name) for name in ("bob", "carol"))
        for watchers in ((bob, carol), (bob,), (bob, carol)):
            body = NumberedBody("text/plain", b"v", b"!")
            notifier.notify(Notice(watchers, body))
            await self.settle()

        for name, count in (("bob", 3), ("carol", 2)):
            versions = [int(each[1:-1]) for each in self.received(name)]
            first = versions[0]
            assert versions == list(range(first, first + count))

    @waiting_test
    async def test_a_notice_may_have_no_body(
        self, notifier: INotifier, house: FakeHouse
    ) -> None:
        bob = self.subscription(house, "bob")

        notifier.notify(Notice((bob,), EMPTY))
        notifier.notify(_notice(b"away", bob))
        await self.settle()

        assert self.received("bob")[-1] == b"away"

    @pytest.mark.parametrize("state", State, ids=lambda state: state.value)
    @waiting_test
    async def test_watchers_of_every_state_are_told(
        self, notifier: INotifier, house: FakeHouse, state: State
    ) -> None:
        bob = self.subscription(house, "bob", state)

        notifier.notify(_notice(b"nobody", bob))
        await self.settle()

        assert list(self.received("bob")) == [b"nobody"]

    @waiting_test
    async def test_whoever_is_there_is_not_said_to_be_gone(
        self, notifier: INotifier, house: FakeHouse
    ) -> None:
        bob = self.subscription(house, "bob")

        for word in (b"away", b"busy"):
            notifier.notify(_notice(word, bob))
            await self.settle()

        assert house.ends == []

    @waiting_test
    async def test_whoever_is_lost_is_said_to_be_gone_and_the_others_are_told(
        self, notifier: INotifier, house: FakeHouse
    ) -> None:
        bob, carol = (self.subscription(house, name) for name in ("bob", "carol"))
        self.lose("bob")

        notifier.notify(_notice(b"away", bob, carol))
        await self.settle()

        assert [gone for gone, _ in house.ends] == [bob]
        assert list(self.received("carol")) == [b"away"]

    @waiting_test
    async def test_a_route_that_is_kept_leads_to_the_same_watcher(
        self, notifier: INotifier, house: FakeHouse
    ) -> None:
        keeper = _keeper(notifier)
        bob = self.subscription(house, "bob")
        notifier.notify(_notice(b"away", bob))
        await self.settle()

        payload = keeper.write(bob.route)
        keeper.kept(bob.route, payload)
        bob.route = keeper.read(payload)
        notifier.notify(_notice(b"busy", bob))
        await self.settle()

        assert list(self.received("bob")) == [b"away", b"busy"]

    @pytest.mark.parametrize(
        "payload", [b"", b"nonsense", b"\xff\x00", b"1\n[]"], ids=repr
    )
    def test_what_is_no_route_is_refused(
        self, notifier: INotifier, payload: bytes
    ) -> None:
        keeper = _keeper(notifier)

        with pytest.raises(ValueError, match=r"."):
            keeper.read(payload)


async def _awaited(answer: Awaitable[None]) -> None:
    await answer


def _notice(data: bytes, *subscriptions: Subscription) -> Notice:
    return Notice(subscriptions, Body("text/plain", data), changed_at=1.0)


def _keeper(notifier: INotifier) -> IRouteKeeper:
    if not IRouteKeeper.providedBy(notifier):
        pytest.skip("routes live in memory")
    keeper: IRouteKeeper = IRouteKeeper(notifier)
    return keeper
