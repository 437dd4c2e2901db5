"""The keys of our tokens, which outlive a start."""

from __future__ import annotations

from itertools import count

import pytest
from twisted.internet.defer import Deferred

from presproxy.errors import Conflict, StorageUnavailable
from presproxy.model.record import NEVER, Put
from presproxy.proxying.keys import SIZE, Keyring
from presproxy.server.keys import KIND, LOOK, NAME, KeptKeys
from presproxy.testing.recorders import RecordingStorage

DAY = 86400.0


class Clock:
    moment = 1_700_000_000.0

    def __call__(self):
        return self.moment


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def storage():
    return RecordingStorage()


@pytest.fixture
def node(storage, clock):
    """Starts nodes on one storage, each with random numbers of its own."""
    numbers = count(1)

    def start(ring=None):
        ring = Keyring(b"made at the start") if ring is None else ring
        kept = KeptKeys(
            ring, storage, lambda size: bytes([next(numbers)]) * size, clock
        )
        look(kept)
        return kept

    return start


def look(kept):
    """Look; what is raised is raised here."""
    failures = []
    Deferred.fromCoroutine(kept.look()).addErrback(failures.append)
    for failure in failures:
        failure.raiseException()


def key(number):
    return bytes([number]) * SIZE


def test_the_first_key_is_kept_and_found_again(node, storage):
    first, second = node(), node()

    assert first.ring.current == second.ring.current == key(1)
    assert second.ring.known == (key(1),)
    assert len(storage.commits) == 1


def test_a_key_is_followed_after_a_week_and_written_with_once_all_know_it(node, clock):
    kept, other = node(), node()
    clock.moment += 8 * DAY
    look(kept)

    assert kept.ring.current == key(1)
    assert kept.ring.known == (key(1), key(2))

    clock.moment += LOOK
    look(other)
    assert other.ring.known == (key(1), key(2))

    clock.moment += LOOK
    look(kept)
    look(other)
    assert kept.ring.current == other.ring.current == key(2)
    assert kept.ring.known == (key(2), key(1))


def test_a_key_is_forgotten_after_three_weeks(node, clock, storage):
    kept = node()
    clock.moment += 8 * DAY
    look(kept)
    clock.moment += 14 * DAY
    look(kept)

    assert key(1) not in kept.ring.known
    assert key(1).hex().encode() not in storage.commits[-1][0].payload


def test_another_node_may_be_faster(node, storage, clock):
    storage.failure = None
    faster = storage.commit
    raced = []

    def commit(changes):
        if not raced:
            raced.append(True)
            payload = f'[[{clock.moment}, "{key(9).hex()}"]]'.encode()
            faster((Put(KIND, NAME, "", 0, NEVER, payload),))
        return faster(changes)

    storage.commit = commit
    kept = node()

    assert kept.ring.known == (key(9),)


def test_nodes_that_are_always_faster_are_given_up(node, storage):
    storage.failure = Conflict(((KIND, NAME),))

    with pytest.raises(StorageUnavailable, match="keep changing"):
        node()


@pytest.mark.parametrize(
    "payload", [b"", b"7", b"[[1]]", b'[["x", "00"]]', b'[[1700000000, "00"]]']
)
def test_what_cannot_be_read_is_replaced(node, storage, payload):
    storage.commit((Put(KIND, NAME, "", 0, NEVER, payload),))
    kept = node()

    assert kept.ring.known == (key(1),)
    assert node().ring.current == key(1)


def test_without_a_storage_nothing_starts(node, storage):
    storage.failure = StorageUnavailable("away")

    with pytest.raises(StorageUnavailable):
        node()
