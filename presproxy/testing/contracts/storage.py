"""What an `IStorage` promises."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import IO

import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from zope.interface.verify import verifyObject

from presproxy.errors import Conflict
from presproxy.interfaces import IStorage
from presproxy.model.record import NEVER, Change, Delete, Put, Record
from presproxy.testing.contracts import committing
from presproxy.testing.recorders import FakeHouse
from presproxy.testing.waiting import waiting_fixture, waiting_test

_ALICE = "sip:alice@example.test"
_BOB = "sip:bob@example.test"


def _put(
    key: str,
    staged_on: int = 0,
    payload: bytes = b"open",
    *,
    kind: str = "publication",
    owner: str = _ALICE,
    expires_at: float = NEVER,
    node: str = "",
) -> Put:
    return Put(kind, key, owner, staged_on, expires_at, payload, node)


def _delete(key: str, staged_on: int) -> Delete:
    return Delete("publication", key, _ALICE, staged_on)


def _started(storage: IStorage, changes: Sequence[Change]) -> Deferred[None]:
    """Call ``commit`` and wait for nothing; what it gives may be a coroutine."""

    async def wait() -> None:
        await storage.commit(changes)

    return Deferred.fromCoroutine(wait())


async def _scanned(
    storage: IStorage, kind: str = "publication", node: str | None = None
) -> list[Record]:
    return [record async for page in storage.scan(kind, node) for record in page]


async def _fetched(storage: IStorage, key: str) -> Record:
    record = await storage.fetch("publication", key)
    assert record is not None
    return record


class StorageContract:
    """
    Subclass it under a name that begins with ``Test``, and say how to make a storage.

    ``make`` is called once per test, with an empty folder; two storages made with the
    same folder are the same records, before and after a start.  A class whose storage is
    ``durable`` must be at the top of its module, so that another process finds it.
    """

    def make(self, directory: Path) -> IStorage:
        """Make a storage which is not started."""
        raise LookupError(f"{type(self).__name__} does not say how to make a storage")

    @waiting_fixture
    async def storage(self, tmp_path: Path) -> AsyncIterator[IStorage]:
        storage = self.make(tmp_path)
        await storage.start(FakeHouse(reactor=reactor, storage=storage))
        yield storage
        await storage.stop()

    def test_it_provides_the_interface(self, storage: IStorage) -> None:
        assert verifyObject(IStorage, storage)

    def test_its_lease_holds_after_the_start(self, storage: IStorage) -> None:
        assert storage.lease.holds()

    @waiting_test
    async def test_what_was_committed_is_read_as_it_was(
        self, storage: IStorage
    ) -> None:
        expires_at = 1_700_003_600.125

        await storage.commit([_put("a", expires_at=expires_at, node="here.1")])

        assert await storage.fetch("publication", "a") == Record(
            "publication", "a", _ALICE, 1, expires_at, b"open", "here.1"
        )

    @waiting_test
    async def test_a_record_may_stay_for_ever(self, storage: IStorage) -> None:
        await storage.commit([_put("a", expires_at=NEVER)])

        assert (await _fetched(storage, "a")).expires_at == NEVER

    @pytest.mark.parametrize(
        "payload",
        [b"", b"\0", bytes(range(256)), b"'; --", b"\xff\xfe" * 32_000],
        ids=["empty", "zero", "every byte", "quote", "large"],
    )
    @waiting_test
    async def test_a_payload_is_any_bytes(
        self, storage: IStorage, payload: bytes
    ) -> None:
        await storage.commit([_put("a", payload=payload)])

        assert (await _fetched(storage, "a")).payload == payload

    @pytest.mark.parametrize(
        "key",
        ["", "a b", "Ünïcödé", "\U0001f600", "a\nb", "%", "*", "'", "k" * 2_000],
        ids=[
            "empty",
            "blank",
            "accents",
            "beyond 16 bits",
            "line feed",
            "percent",
            "star",
            "quote",
            "long",
        ],
    )
    @waiting_test
    async def test_a_key_is_any_text(self, storage: IStorage, key: str) -> None:
        await storage.commit([_put(key)])
        await storage.commit([_put(key + "x")])

        assert (await _fetched(storage, key)).key == key
        assert {each.key for each in await _scanned(storage)} == {key, key + "x"}

    @waiting_test
    async def test_keys_differ_by_case_and_by_kind(self, storage: IStorage) -> None:
        await storage.commit(
            [
                _put("a", payload=b"1"),
                _put("A", payload=b"2"),
                _put("a", payload=b"3", kind="contact"),
            ]
        )

        found = [
            await storage.fetch("publication", "a"),
            await storage.fetch("publication", "A"),
            await storage.fetch("contact", "a"),
        ]
        assert [each and each.payload for each in found] == [b"1", b"2", b"3"]

    @waiting_test
    async def test_what_was_never_committed_is_none(self, storage: IStorage) -> None:
        assert await storage.fetch("publication", "a") is None

    @waiting_test
    async def test_no_changes_are_committed_at_once(self, storage: IStorage) -> None:
        await storage.commit([])

        assert await _scanned(storage) == []

    @waiting_test
    async def test_a_change_raises_the_version_by_one(self, storage: IStorage) -> None:
        await storage.commit([_put("a", 0)])
        await storage.commit([_put("a", 1, b"busy")])

        record = await _fetched(storage, "a")
        assert (record.version, record.payload) == (2, b"busy")

    @waiting_test
    async def test_a_change_moves_everything_but_the_key(
        self, storage: IStorage
    ) -> None:
        await storage.commit([_put("a", 0, expires_at=10.0, node="x")])
        await storage.commit([_put("a", 1, expires_at=20.0, node="y", owner=_BOB)])

        record = await _fetched(storage, "a")
        assert (record.expires_at, record.node, record.owner) == (20.0, "y", _BOB)
        assert (await storage.read([_ALICE])).records == []
        assert len((await storage.read([_BOB])).records) == 1

    @pytest.mark.parametrize("staged_on", [0, 1, 3], ids=["none", "older", "newer"])
    @waiting_test
    async def test_a_change_staged_on_another_version_conflicts(
        self, storage: IStorage, staged_on: int
    ) -> None:
        await storage.commit([_put("a", 0)])
        await storage.commit([_put("a", 1, b"second")])

        with pytest.raises(Conflict) as caught:
            await storage.commit([_put("a", staged_on, b"other")])

        assert list(caught.value.records) == [("publication", "a")]
        assert (await _fetched(storage, "a")).payload == b"second"

    @waiting_test
    async def test_a_record_that_was_swept_fits_every_change(
        self, storage: IStorage
    ) -> None:
        await storage.commit([_put("a", 6)])

        assert (await _fetched(storage, "a")).version == 7

    @waiting_test
    async def test_expiry_alone_changes_nothing(self, storage: IStorage) -> None:
        await storage.commit([_put("a", 0, expires_at=1.0)])

        with pytest.raises(Conflict):
            await storage.commit([_put("a", 0)])
        await storage.commit([_put("a", 1)])

        assert (await _fetched(storage, "a")).version == 2

    @waiting_test
    async def test_all_or_none_of_a_call_is_written(self, storage: IStorage) -> None:
        await storage.commit([_put("b", 0), _put("d", 0)])

        with pytest.raises(Conflict) as caught:
            await storage.commit([_put(key) for key in "abcde"])

        assert sorted(caught.value.records) == [
            ("publication", "b"),
            ("publication", "d"),
        ]
        assert sorted(each.key for each in await _scanned(storage)) == ["b", "d"]

    @waiting_test
    async def test_a_conflict_is_that_of_one_call_alone(
        self, storage: IStorage
    ) -> None:
        await storage.commit([_put("taken")])

        calls = [
            _started(storage, [_put(f"{number}")])
            if number % 10
            else _started(storage, [_put(f"{number}"), _put("taken")])
            for number in range(100)
        ]
        outcomes = [await _outcome(call) for call in calls]

        lost = [number for number, each in enumerate(outcomes) if each is not None]
        assert lost == list(range(0, 100, 10))
        assert len(await _scanned(storage)) == 91

    @waiting_test
    async def test_changes_to_a_record_go_in_the_order_of_the_calls(
        self, storage: IStorage
    ) -> None:
        await gatherResults(
            [_started(storage, [_put("a", n, b"%d" % n)]) for n in range(50)]
        )

        record = await _fetched(storage, "a")
        assert (record.version, record.payload) == (50, b"49")

    @waiting_test
    async def test_of_two_staged_on_one_version_the_first_wins(
        self, storage: IStorage
    ) -> None:
        first = _started(storage, [_put("a", 0, b"first")])
        second = _started(storage, [_put("a", 0, b"second")])

        assert await _outcome(first) is None
        assert isinstance(await _outcome(second), Conflict)
        assert (await _fetched(storage, "a")).payload == b"first"

    @waiting_test
    async def test_many_commits_at_once_are_all_written(
        self, storage: IStorage
    ) -> None:
        await gatherResults(
            [_started(storage, [_put(f"{n}", owner=f"{n % 7}")]) for n in range(1000)]
        )

        assert len(await _scanned(storage)) == 1000

    @waiting_test
    async def test_a_call_may_hold_many_changes(self, storage: IStorage) -> None:
        await storage.commit([_put(f"{n}") for n in range(1500)])

        assert len(await _scanned(storage)) == 1500

    @waiting_test
    async def test_a_caller_who_cancels_disturbs_nobody(
        self, storage: IStorage
    ) -> None:
        calls = [_started(storage, [_put(f"a{n}"), _put(f"b{n}")]) for n in range(300)]
        for call in calls[::3]:
            call.cancel()
        outcomes = [await _outcome(call) for call in calls]

        assert all(each is None or type(each) is CancelledError for each in outcomes)
        assert not any(outcomes[1::3] + outcomes[2::3])
        keys = {each.key for each in await _scanned(storage)}
        assert {key[1:] for key in keys if key[0] == "a"} == {
            key[1:] for key in keys if key[0] == "b"
        }
        assert {f"a{n}" for n, each in enumerate(outcomes) if each is None} <= keys

    @waiting_test
    async def test_a_deleted_record_keeps_its_chain_of_versions(
        self, storage: IStorage
    ) -> None:
        await storage.commit([_put("a", 0, node="here.1")])
        await storage.commit([_delete("a", 1)])

        assert await storage.fetch("publication", "a") == Record(
            "publication", "a", _ALICE, 2, 0.0, b""
        )

    @waiting_test
    async def test_a_change_staged_before_a_deletion_cannot_follow_it(
        self, storage: IStorage
    ) -> None:
        await storage.commit([_put("a", 0)])
        await storage.commit([_delete("a", 1)])

        with pytest.raises(Conflict):
            await storage.commit([_put("a", 1)])
        await storage.commit([_put("a", 2, b"again")])

        record = await _fetched(storage, "a")
        assert (record.version, record.payload) == (3, b"again")

    @waiting_test
    async def test_a_deletion_staged_on_another_version_conflicts(
        self, storage: IStorage
    ) -> None:
        await storage.commit([_put("a", 0)])
        await storage.commit([_put("a", 1)])

        with pytest.raises(Conflict):
            await storage.commit([_delete("a", 1)])

        assert (await _fetched(storage, "a")).version == 2

    @waiting_test
    async def test_reading_gives_all_there_is_of_the_owners(
        self, storage: IStorage
    ) -> None:
        await storage.commit(
            [
                _put("kept"),
                _put("expired", expires_at=1.0),
                _put("deleted"),
                _put("other kind", kind="subscription", owner=_BOB),
                _put("carol's", owner="sip:carol@example.test"),
            ]
        )
        await storage.commit([_delete("deleted", 1)])

        snapshot = await storage.read([_ALICE, _BOB, _ALICE])

        assert sorted((each.key, each.version) for each in snapshot.records) == [
            ("deleted", 2),
            ("expired", 1),
            ("kept", 1),
            ("other kind", 1),
        ]

    @waiting_test
    async def test_reading_nobody_gives_nothing(self, storage: IStorage) -> None:
        await storage.commit([_put("a")])

        assert list((await storage.read([])).records) == []

    @waiting_test
    async def test_a_scan_gives_each_record_of_its_kind_once(
        self, storage: IStorage
    ) -> None:
        await storage.commit([_put(f"{n}") for n in range(2500)])
        await storage.commit([_put(f"{n}", kind="contact") for n in range(1200)])

        publications = [page async for page in storage.scan("publication")]

        assert all(0 < len(page) <= 1000 for page in publications)
        keys = [each.key for page in publications for each in page]
        assert sorted(keys) == sorted(f"{n}" for n in range(2500))
        assert len(await _scanned(storage, "contact")) == 1200
        assert await _scanned(storage, "other") == []

    @waiting_test
    async def test_records_are_counted_by_their_kind(self, storage: IStorage) -> None:
        await storage.commit([_put(f"{n}") for n in range(5)])
        await storage.commit([_put("a", kind="contact")])

        kinds = ("publication", "contact", "other")
        assert [await storage.count(kind) for kind in kinds] == [5, 1, 0]

    @waiting_test
    async def test_a_scan_leaves_out_what_was_deleted(self, storage: IStorage) -> None:
        await storage.commit([_put("a"), _put("b")])
        await storage.commit([_delete("a", 1)])

        assert [each.key for each in await _scanned(storage)] == ["b"]

    @waiting_test
    async def test_a_scan_may_be_of_one_node(self, storage: IStorage) -> None:
        await storage.commit([_put("a", node="x"), _put("b", node="y"), _put("c")])

        assert [each.key for each in await _scanned(storage, node="y")] == ["b"]

    @waiting_test
    async def test_changes_during_a_scan_hide_and_double_nothing(
        self, storage: IStorage
    ) -> None:
        await storage.commit([_put(f"{n}") for n in range(2500)])

        keys: list[str] = []
        async for page in storage.scan("publication"):
            keys += [each.key for each in page]
            await storage.commit([_put(each.key, each.version) for each in page[::50]])
            await storage.commit([_put(f"new {len(keys)}")])

        assert len(set(keys)) == len(keys)
        assert set(keys) >= {f"{n}" for n in range(2500)}

    @waiting_test
    async def test_what_is_durable_outlives_a_stop(self, tmp_path: Path) -> None:
        former = self.make(tmp_path)
        _skip_unless_durable(former)
        await former.start(FakeHouse(reactor=reactor, storage=former))
        await former.commit([_put("a", 0), _put("b", 0)])
        await former.commit([_put("a", 1, b"busy"), _delete("b", 1)])
        await former.stop()

        storage = self.make(tmp_path)
        await storage.start(FakeHouse(reactor=reactor, storage=storage))
        records = await _scanned(storage)
        await storage.stop()

        assert records == [
            Record("publication", "a", _ALICE, 2, NEVER, b"busy"),
        ]

    @waiting_test
    async def test_what_is_durable_outlives_a_kill(self, tmp_path: Path) -> None:
        _skip_unless_durable(self.make(tmp_path))

        for answers in (1, 5, 60, 300, 1000):
            answered = self._commit_and_die(tmp_path, answers)
            storage = self.make(tmp_path)
            await storage.start(FakeHouse(reactor=reactor, storage=storage))
            records = await _scanned(storage, committing.KIND)
            await storage.stop()

            found = {each.key: each.version for each in records}
            lost = {
                key: (version, found.get(key))
                for key, version in answered.items()
                if found.get(key, 0) < version
            }
            torn = [
                each.key
                for each in records
                if found[committing.twin(each.key)] != each.version
                or each.payload != committing.payload(each.version)
            ]
            assert (lost, torn) == ({}, [])

    def _commit_and_die(self, directory: Path, answers: int) -> dict[str, int]:
        """Let a process commit until it had some answers; kill it; say what they were."""
        here = [inspect.getfile(type(self)), type(self).__name__, str(directory)]
        with subprocess.Popen(
            [sys.executable, "-m", committing.__name__, *here],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        ) as child:
            assert child.stdout is not None
            lines = [_line(child.stdout) for _ in range(answers)]
            child.send_signal(signal.SIGKILL)
            # The last line may have been cut.
            lines += child.stdout.read().splitlines(keepends=True)
        whole = [line.split() for line in lines if line.endswith(b"\n")]
        return {key.decode(): int(version) for key, version in whole}


def _line(stream: IO[bytes]) -> bytes:
    line = stream.readline()
    assert line, "the committing process ended by itself"
    return line


def _skip_unless_durable(storage: IStorage) -> None:
    if not storage.durable:
        pytest.skip("not durable")


async def _outcome(call: Deferred[None]) -> Exception | None:
    try:
        await call
    except Exception as error:
        return error
    return None
