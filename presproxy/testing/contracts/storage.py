"""What an `IStorage` promises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from zope.interface.verify import verifyObject

from presproxy.errors import Conflict
from presproxy.interfaces import IStorage
from presproxy.model.record import NEVER, Change, Record
from presproxy.testing.contracts.changes import ALICE, BOB, delete, put, scanned
from presproxy.testing.contracts.durability import DurabilityContract
from presproxy.testing.recorders import FakeHouse
from presproxy.testing.waiting import waiting_fixture, waiting_test


def _started(storage: IStorage, changes: Sequence[Change]) -> Deferred[None]:
    """Call ``commit`` and wait for nothing; what it gives may be a coroutine."""

    async def wait() -> None:
        await storage.commit(changes)

    return Deferred.fromCoroutine(wait())


async def _fetched(storage: IStorage, key: str) -> Record:
    record = await storage.fetch("publication", key)
    assert record is not None
    return record


class StorageContract(DurabilityContract):
    """
    Subclass it under a name that begins with ``Test``, and say how to make a storage.

    ``make`` is called once per test, with an empty folder; two storages made with the
    same folder are the same records, before and after a start.  A class whose storage is
    ``durable`` must be at the top of its module, so that another process finds it.
    """

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

        await storage.commit([put("a", expires_at=expires_at, node="here.1")])

        assert await storage.fetch("publication", "a") == Record(
            "publication", "a", ALICE, 1, expires_at, b"open", "here.1"
        )

    @waiting_test
    async def test_a_record_may_stay_for_ever(self, storage: IStorage) -> None:
        await storage.commit([put("a", expires_at=NEVER)])

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
        await storage.commit([put("a", payload=payload)])

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
        await storage.commit([put(key)])
        await storage.commit([put(key + "x")])

        assert (await _fetched(storage, key)).key == key
        assert {each.key for each in await scanned(storage)} == {key, key + "x"}

    @waiting_test
    async def test_keys_differ_by_case_and_by_kind(self, storage: IStorage) -> None:
        await storage.commit(
            [
                put("a", payload=b"1"),
                put("A", payload=b"2"),
                put("a", payload=b"3", kind="contact"),
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

        assert await scanned(storage) == []

    @waiting_test
    async def test_a_change_raises_the_version_by_one(self, storage: IStorage) -> None:
        await storage.commit([put("a", 0)])
        await storage.commit([put("a", 1, b"busy")])

        record = await _fetched(storage, "a")
        assert (record.version, record.payload) == (2, b"busy")

    @waiting_test
    async def test_a_change_moves_everything_but_the_key(
        self, storage: IStorage
    ) -> None:
        await storage.commit([put("a", 0, expires_at=10.0, node="x")])
        await storage.commit([put("a", 1, expires_at=20.0, node="y", owner=BOB)])

        record = await _fetched(storage, "a")
        assert (record.expires_at, record.node, record.owner) == (20.0, "y", BOB)
        assert (await storage.read([ALICE])).records == []
        assert len((await storage.read([BOB])).records) == 1

    @pytest.mark.parametrize("staged_on", [0, 1, 3], ids=["none", "older", "newer"])
    @waiting_test
    async def test_a_change_staged_on_another_version_conflicts(
        self, storage: IStorage, staged_on: int
    ) -> None:
        await storage.commit([put("a", 0)])
        await storage.commit([put("a", 1, b"second")])

        with pytest.raises(Conflict) as caught:
            await storage.commit([put("a", staged_on, b"other")])

        assert list(caught.value.records) == [("publication", "a")]
        assert (await _fetched(storage, "a")).payload == b"second"

    @waiting_test
    async def test_a_record_that_was_swept_fits_every_change(
        self, storage: IStorage
    ) -> None:
        await storage.commit([put("a", 6)])

        assert (await _fetched(storage, "a")).version == 7

    @waiting_test
    async def test_expiry_alone_changes_nothing(self, storage: IStorage) -> None:
        await storage.commit([put("a", 0, expires_at=1.0)])

        with pytest.raises(Conflict):
            await storage.commit([put("a", 0)])
        await storage.commit([put("a", 1)])

        assert (await _fetched(storage, "a")).version == 2

    @waiting_test
    async def test_all_or_none_of_a_call_is_written(self, storage: IStorage) -> None:
        await storage.commit([put("b", 0), put("d", 0)])

        with pytest.raises(Conflict) as caught:
            await storage.commit([put(key) for key in "abcde"])

        assert sorted(caught.value.records) == [
            ("publication", "b"),
            ("publication", "d"),
        ]
        assert sorted(each.key for each in await scanned(storage)) == ["b", "d"]

    @waiting_test
    async def test_a_conflict_is_that_of_one_call_alone(
        self, storage: IStorage
    ) -> None:
        await storage.commit([put("taken")])

        calls = [
            _started(storage, [put(f"{number}")])
            if number % 10
            else _started(storage, [put(f"{number}"), put("taken")])
            for number in range(100)
        ]
        outcomes = [await _outcome(call) for call in calls]

        lost = [number for number, each in enumerate(outcomes) if each is not None]
        assert lost == list(range(0, 100, 10))
        assert len(await scanned(storage)) == 91

    @waiting_test
    async def test_changes_to_a_record_go_in_the_order_of_the_calls(
        self, storage: IStorage
    ) -> None:
        await gatherResults(
            [_started(storage, [put("a", n, b"%d" % n)]) for n in range(50)]
        )

        record = await _fetched(storage, "a")
        assert (record.version, record.payload) == (50, b"49")

    @waiting_test
    async def test_of_two_staged_on_one_version_the_first_wins(
        self, storage: IStorage
    ) -> None:
        first = _started(storage, [put("a", 0, b"first")])
        second = _started(storage, [put("a", 0, b"second")])

        assert await _outcome(first) is None
        assert isinstance(await _outcome(second), Conflict)
        assert (await _fetched(storage, "a")).payload == b"first"

    @waiting_test
    async def test_many_commits_at_once_are_all_written(
        self, storage: IStorage
    ) -> None:
        await gatherResults(
            [_started(storage, [put(f"{n}", owner=f"{n % 7}")]) for n in range(1000)]
        )

        assert len(await scanned(storage)) == 1000

    @waiting_test
    async def test_a_call_may_hold_many_changes(self, storage: IStorage) -> None:
        await storage.commit([put(f"{n}") for n in range(1500)])

        assert len(await scanned(storage)) == 1500

    @waiting_test
    async def test_a_caller_who_cancels_disturbs_nobody(
        self, storage: IStorage
    ) -> None:
        calls = [_started(storage, [put(f"a{n}"), put(f"b{n}")]) for n in range(300)]
        for call in calls[::3]:
            call.cancel()
        outcomes = [await _outcome(call) for call in calls]

        assert all(each is None or type(each) is CancelledError for each in outcomes)
        assert not any(outcomes[1::3] + outcomes[2::3])
        keys = {each.key for each in await scanned(storage)}
        assert {key[1:] for key in keys if key[0] == "a"} == {
            key[1:] for key in keys if key[0] == "b"
        }
        assert {f"a{n}" for n, each in enumerate(outcomes) if each is None} <= keys

    @waiting_test
    async def test_a_deleted_record_keeps_its_chain_of_versions(
        self, storage: IStorage
    ) -> None:
        await storage.commit([put("a", 0, node="here.1")])
        await storage.commit([delete("a", 1)])

        assert await storage.fetch("publication", "a") == Record(
            "publication", "a", ALICE, 2, 0.0, b""
        )

    @waiting_test
    async def test_a_change_staged_before_a_deletion_cannot_follow_it(
        self, storage: IStorage
    ) -> None:
        await storage.commit([put("a", 0)])
        await storage.commit([delete("a", 1)])

        with pytest.raises(Conflict):
            await storage.commit([put("a", 1)])
        await storage.commit([put("a", 2, b"again")])

        record = await _fetched(storage, "a")
        assert (record.version, record.payload) == (3, b"again")

    @waiting_test
    async def test_a_deletion_staged_on_another_version_conflicts(
        self, storage: IStorage
    ) -> None:
        await storage.commit([put("a", 0)])
        await storage.commit([put("a", 1)])

        with pytest.raises(Conflict):
            await storage.commit([delete("a", 1)])

        assert (await _fetched(storage, "a")).version == 2

    @waiting_test
    async def test_reading_gives_all_there_is_of_the_owners(
        self, storage: IStorage
    ) -> None:
        await storage.commit(
            [
                put("kept"),
                put("expired", expires_at=1.0),
                put("deleted"),
                put("other kind", kind="subscription", owner=BOB),
                put("carol's", owner="sip:carol@example.test"),
            ]
        )
        await storage.commit([delete("deleted", 1)])

        snapshot = await storage.read([ALICE, BOB, ALICE])

        assert sorted((each.key, each.version) for each in snapshot.records) == [
            ("deleted", 2),
            ("expired", 1),
            ("kept", 1),
            ("other kind", 1),
        ]

    @waiting_test
    async def test_reading_nobody_gives_nothing(self, storage: IStorage) -> None:
        await storage.commit([put("a")])

        assert list((await storage.read([])).records) == []

    @waiting_test
    async def test_a_scan_gives_each_record_of_its_kind_once(
        self, storage: IStorage
    ) -> None:
        await storage.commit([put(f"{n}") for n in range(2500)])
        await storage.commit([put(f"{n}", kind="contact") for n in range(1200)])

        publications = [page async for page in storage.scan("publication")]

        assert all(0 < len(page) <= 1000 for page in publications)
        keys = [each.key for page in publications for each in page]
        assert sorted(keys) == sorted(f"{n}" for n in range(2500))
        assert len(await scanned(storage, "contact")) == 1200
        assert await scanned(storage, "other") == []

    @waiting_test
    async def test_records_are_counted_by_their_kind(self, storage: IStorage) -> None:
        await storage.commit([put(f"{n}") for n in range(5)])
        await storage.commit([put("a", kind="contact")])

        kinds = ("publication", "contact", "other")
        assert [await storage.count(kind) for kind in kinds] == [5, 1, 0]

    @waiting_test
    async def test_a_scan_leaves_out_what_was_deleted(self, storage: IStorage) -> None:
        await storage.commit([put("a"), put("b")])
        await storage.commit([delete("a", 1)])

        assert [each.key for each in await scanned(storage)] == ["b"]

    @waiting_test
    async def test_a_scan_may_be_of_one_node(self, storage: IStorage) -> None:
        await storage.commit([put("a", node="x"), put("b", node="y"), put("c")])

        assert [each.key for each in await scanned(storage, node="y")] == ["b"]

    @waiting_test
    async def test_changes_during_a_scan_hide_and_double_nothing(
        self, storage: IStorage
    ) -> None:
        await storage.commit([put(f"{n}") for n in range(2500)])

        keys: list[str] = []
        async for page in storage.scan("publication"):
            keys += [each.key for each in page]
            await storage.commit([put(each.key, each.version) for each in page[::50]])
            await storage.commit([put(f"new {len(keys)}")])

        assert len(set(keys)) == len(keys)
        assert set(keys) >= {f"{n}" for n in range(2500)}


async def _outcome(call: Deferred[None]) -> Exception | None:
    try:
        await call
    except Exception as error:
        return error
    return None
