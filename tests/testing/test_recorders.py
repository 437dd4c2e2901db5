"""The stand-ins do what tests rely on."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from presproxy.errors import Conflict, StorageUnavailable
from presproxy.interfaces import IHouse, IStorage
from presproxy.model.record import NEVER, Put
from presproxy.testing.recorders import FakeHouse, RecordingStorage


def put(key: str, staged_on: int = 0) -> Put:
    return Put("publication", key, "sip:alice@example.test", staged_on, NEVER, b"")


def outcome(call: Deferred[None]) -> object:
    """Give what came of a call, ``waiting`` if nothing yet."""
    outcomes: list[object] = ["waiting"]
    call.addCallbacks(outcomes.append, lambda failure: outcomes.append(failure.value))
    return outcomes[-1]


def test_they_provide_their_interfaces():
    assert verifyObject(IStorage, RecordingStorage())
    assert verifyObject(IHouse, FakeHouse())


def test_commits_are_kept_in_order_and_those_that_conflict_are_not():
    storage = RecordingStorage()

    assert outcome(storage.commit([put("a"), put("b")])) is None
    assert isinstance(outcome(storage.commit([put("c"), put("a")])), Conflict)
    assert outcome(storage.commit([put("a", 1)])) is None

    assert storage.commits == [(put("a"), put("b")), (put("a", 1),)]
    assert storage.changes == [put("a"), put("b"), put("a", 1)]


def test_it_fails_while_it_is_told_to():
    storage = RecordingStorage()
    storage.failure = StorageUnavailable("disk full")

    failed = outcome(storage.commit([put("a")]))
    storage.failure = None

    assert str(failed) == "disk full"
    assert storage.commits == []
    assert outcome(storage.commit([put("a")])) is None


def test_held_calls_wait_until_they_are_released():
    storage = RecordingStorage()
    storage.hold()
    calls = [storage.commit([put("a", n)]) for n in range(2)]
    cancelled = storage.commit([put("b")])
    cancelled.addErrback(lambda failure: None)
    cancelled.cancel()

    assert storage.waiting == 3
    assert storage.commits == []
    storage.release()

    assert [outcome(call) for call in calls] == [None, None]
    assert storage.commits == [(put("a", 0),), (put("a", 1),)]
    assert outcome(storage.commit([put("a", 2)])) is None


def test_a_release_that_fails_tells_the_held():
    storage = RecordingStorage()
    storage.hold()
    call = storage.commit([put("a")])
    storage.failure = StorageUnavailable("disk full")
    storage.release()

    assert isinstance(outcome(call), StorageUnavailable)


def test_the_time_in_a_house_goes_by_hand():
    house = FakeHouse()
    began = house.now()

    house.reactor.advance(5)

    assert house.now() == began + 5


def test_a_house_has_a_storage_of_its_own():
    one, other = FakeHouse(), FakeHouse()

    assert one.storage is not other.storage
