"""What goes wrong with a file, and that it is over when the cause is."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from presproxy.errors import Conflict, StorageUnavailable
from presproxy.model.record import NEVER, Delete, Put
from presproxy.storage.database import _PAGE, Database, Walk
from presproxy.storage.file import DatabaseFile
from presproxy.storage.schema import APPLICATION, PAGE_SIZE, VERSION

ALICE = "sip:alice@example.test"
NOW = 1_700_000_000.0

#: Whoever is nobody in particular, on every machine.
_NOBODY = 65534


def put(key: str, staged_on: int = 0, payload: bytes = b"open", **other) -> Put:
    return Put("publication", key, ALICE, staged_on, NEVER, payload, **other)


def make(path: Path, now: Callable[[], float] = lambda: NOW) -> Database:
    return Database(DatabaseFile(str(path), "full", busy=0.0), now)


def held(database: Database) -> sqlite3.Connection:
    with database.file.connection() as connection:
        return connection


def keys(database: Database) -> list[str]:
    return sorted(record.key for record in database.read([ALICE]))


def filled(path: Path, key: str) -> Path:
    """Make a file of one record, which nobody uses."""
    database = make(path)
    database.start()
    database.write([[put(key)]])
    database.close()
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = make(path)
    database.start()
    yield database
    database.close()


@contextmanager
def other_program(path: Path, *statements: str) -> Iterator[sqlite3.Connection]:
    """Be somebody else who uses the file."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    yield connection
    connection.close()


class TestTheFile:
    def test_nobody_else_may_read_it(self, path: Path, database: Database) -> None:
        database.write([[put("a")]])

        modes = {
            each.name: stat.S_IMODE(each.stat().st_mode)
            for each in path.parent.iterdir()
        }
        assert modes == {
            "state.db": 0o600,
            "state.db-wal": 0o600,
            "state.db-shm": 0o600,
        }

    def test_it_says_whose_it_is(self, path: Path, database: Database) -> None:
        with other_program(path) as other:
            (application,) = other.execute("PRAGMA application_id").fetchone()
            (version,) = other.execute("PRAGMA user_version").fetchone()

        assert (application, version) == (APPLICATION, VERSION)

    def test_its_pages_hold_little_beside_a_record(self, database: Database) -> None:
        (size,) = held(database).execute("PRAGMA page_size").fetchone()

        assert size == PAGE_SIZE

    def test_an_empty_file_is_taken(self, path: Path) -> None:
        path.touch()

        database = make(path)
        database.start()
        outcomes = database.write([[put("a")]])
        database.close()

        assert outcomes == [None]

    @pytest.mark.parametrize("synchronous", [("full", 2), ("normal", 1)])
    def test_writes_are_as_lasting_as_asked(self, path: Path, synchronous) -> None:
        word, number = synchronous
        database = Database(DatabaseFile(str(path), word, 0.0), lambda: NOW)

        connection = held(database)

        assert connection.execute("PRAGMA synchronous").fetchone() == (number,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        database.close()

    def test_what_was_deleted_is_gone_after_a_start(self, path: Path) -> None:
        former = make(path)
        former.start()
        former.write([[put("a"), put("b")], [Delete("publication", "a", ALICE, 1)]])
        former.close()

        database = make(path)
        database.start()

        assert keys(database) == ["b"]
        assert database.write([[put("a")]]) == [None]
        database.close()

    def test_its_journal_does_not_grow_for_ever(
        self, path: Path, database: Database
    ) -> None:
        for version in range(200):
            database.write([[put(f"{n}", version, b"x" * 700) for n in range(100)]])

        assert Path(f"{path}-wal").stat().st_size < 8 * 2**20


class TestAtTheStart:
    def refused(self, path: Path) -> str:
        with pytest.raises(StorageUnavailable) as caught:
            make(path).start()
        assert str(path) in caught.value.why
        return caught.value.why

    def test_a_file_that_is_no_database_is_refused(self, path: Path) -> None:
        path.write_text("[storage]\n" * 500)

        assert "not a database" in self.refused(path)
        assert path.read_text() == "[storage]\n" * 500

    def test_the_database_of_another_program_is_refused(self, path: Path) -> None:
        with other_program(path, "CREATE TABLE bookmark (url TEXT)"):
            pass
        content = path.read_bytes()

        assert "another program" in self.refused(path)
        assert path.read_bytes() == content

    def test_another_programs_empty_database_is_refused(self, path: Path) -> None:
        with other_program(path, "PRAGMA application_id = 4711"):
            pass

        assert "another program" in self.refused(path)

    def test_tables_of_a_newer_version_are_refused(self, path: Path) -> None:
        make(path).start()
        with other_program(path, f"PRAGMA user_version = {VERSION + 1}"):
            pass

        assert f"version {VERSION + 1}" in self.refused(path)

    def test_a_torn_file_is_refused(self, path: Path) -> None:
        database = make(path)
        database.start()
        database.write([[put(f"{n}", payload=b"x" * 700) for n in range(100)]])
        database.close()
        with path.open("r+b") as file:
            file.seek(3 * 4096)
            file.write(os.urandom(10 * 4096))

        assert "malformed" in self.refused(path)

    def test_a_folder_is_refused(self, path: Path) -> None:
        path.mkdir()

        self.refused(path)

    def test_a_missing_folder_is_told(self, path: Path) -> None:
        self.refused(path / "missing" / "state.db")

    def test_a_file_that_another_program_holds_is_told(self, path: Path) -> None:
        make(path).start()

        with other_program(path, "BEGIN EXCLUSIVE"):
            assert "locked" in self.refused(path)

        make(path).start()


class TestWhileItRuns:
    def unavailable(self, database: Database, key: str = "lost") -> str:
        """Let a write fail; say why."""
        with pytest.raises(StorageUnavailable) as caught:
            database.write([[put("also " + key)], [put(key)]])
        return caught.value.why

    def test_it_waits_for_another_program_and_goes_on(
        self, path: Path, database: Database
    ) -> None:
        with other_program(path, "BEGIN EXCLUSIVE"):
            assert self.unavailable(database) == f"{path}: database is locked"

        assert database.write([[put("a")]]) == [None]
        assert keys(database) == ["a"]

    def test_reading_waits_for_no_writer(self, path: Path, database: Database) -> None:
        database.write([[put("a")]])

        with other_program(path, "BEGIN EXCLUSIVE"):
            assert keys(database) == ["a"]

    def test_a_full_disk_is_told_and_left_behind(
        self, path: Path, database: Database
    ) -> None:
        database.write([[put("a")]])
        connection = held(database)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

        with pytest.raises(StorageUnavailable, match="full"):
            database.write([[put("b")], [put("large", payload=b"x" * 100_000)]])
        found = keys(database)
        connection.execute("PRAGMA max_page_count = 1000000")

        assert found == ["a"]
        assert database.write([[put("large", payload=b"x" * 100_000)]]) == [None]

    def test_a_write_that_the_system_refuses_is_told_and_left_behind(
        self, database: Database
    ) -> None:
        database.write([[put("a")]])
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

        resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
        try:
            with pytest.raises(StorageUnavailable):
                database.write([[put("large", payload=b"x" * 200_000)], [put("b")]])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

        assert keys(database) == ["a"]
        assert database.write([[put("large", payload=b"x" * 200_000)]]) == [None]
        assert keys(database) == ["a", "large"]

    def test_a_file_that_was_deleted_is_written_anew_with_all_records(
        self, path: Path, database: Database
    ) -> None:
        database.write([[put("a")]])
        path.unlink()

        assert database.write([[put("b")]]) == [None]
        database.close()

        again = make(path)
        again.start()
        assert keys(again) == ["a", "b"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        again.close()

    def test_so_it_is_when_its_journal_was_deleted_too(
        self, path: Path, database: Database
    ) -> None:
        database.write([[put("a")]])
        for each in path.parent.iterdir():
            each.unlink()

        assert database.write([[put("b")]]) == [None]
        database.close()

        again = make(path)
        again.start()
        assert keys(again) == ["a", "b"]
        assert [each.name for each in path.parent.glob("*.copy")] == []
        again.close()

    def test_a_folder_that_was_deleted_is_waited_for(self, tmp_path: Path) -> None:
        path = tmp_path / "folder" / "state.db"
        path.parent.mkdir()
        database = make(path)
        database.write([[put("a")]])
        for each in path.parent.iterdir():
            each.unlink()
        path.parent.rmdir()

        assert "is gone" in self.unavailable(database)
        assert "is gone" in self.unavailable(database)

        path.parent.mkdir()
        assert database.write([[put("b")]]) == [None]
        assert keys(database) == ["a", "b"]
        database.close()

    def test_another_file_in_its_place_is_left_alone(
        self, path: Path, database: Database
    ) -> None:
        database.write([[put("a")]])
        ours, backup = path.with_name("ours.db"), filled(path.with_name("b.db"), "old")
        content = backup.read_bytes()
        path.rename(ours)
        backup.rename(path)

        assert "replaced" in self.unavailable(database)
        assert "replaced" in self.unavailable(database)
        assert path.read_bytes() == content
        assert Path(f"{path}-wal").stat().st_size == 0

        path.rename(backup)
        ours.rename(path)
        assert database.write([[put("b")]]) == [None]
        assert keys(database) == ["a", "b"]

    @pytest.mark.parametrize("noticed", [True, False], ids=["noticed", "unnoticed"])
    def test_both_files_are_whole_after_a_replacement(
        self, path: Path, noticed: bool
    ) -> None:
        database = make(path)
        database.start()
        database.write([[put("a")]])
        ours, backup = path.with_name("ours.db"), filled(path.with_name("b.db"), "old")
        path.rename(ours)
        backup.rename(path)
        if noticed:
            self.unavailable(database)
        database.close()

        found = []
        for each in (ours, path):
            again = make(each)
            again.start()
            found.append(keys(again))
            again.close()

        assert found == [["a"], ["old"]]

    def test_a_closed_file_is_opened_again(self, database: Database) -> None:
        database.write([[put("a")]])
        database.close()

        assert database.write([[put("b")]]) == [None]
        assert keys(database) == ["a", "b"]


class TestReadOnly:
    """What nobody may write to; root may everything, and becomes nobody for it."""

    @pytest.fixture
    def folder(self) -> Iterator[Path]:
        root = os.geteuid() == 0
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if root:
                os.chown(folder, _NOBODY, _NOBODY)
                os.seteuid(_NOBODY)
            yield folder
            with suppress(FileNotFoundError):
                folder.chmod(0o700)
            if root:
                os.seteuid(0)

    def test_a_file_is_refused_at_the_start(self, folder: Path) -> None:
        path = folder / "state.db"
        make(path).start()
        path.chmod(0o400)

        with pytest.raises(StorageUnavailable, match=f"{path}: Permission denied"):
            make(path).start()

    def test_a_folder_is_refused_at_the_start(self, folder: Path) -> None:
        path = folder / "state.db"
        folder.chmod(0o500)

        with pytest.raises(StorageUnavailable, match=f"{path}: Permission denied"):
            make(path).start()

    def test_a_file_that_becomes_so_is_told_and_left_behind(self, folder: Path) -> None:
        path = folder / "state.db"
        database = make(path)
        database.write([[put("a")]])
        database.close()
        path.chmod(0o400)

        with pytest.raises(StorageUnavailable, match="denied"):
            database.write([[put("b")]])
        path.chmod(0o600)

        assert database.write([[put("c")]]) == [None]
        assert keys(database) == ["a", "c"]
        database.close()


class TestACall:
    @pytest.mark.parametrize(
        "wrong",
        [
            put("\ud800"),
            put("a", 2**63),
            Put("publication", "a", ALICE, 0, float("nan"), b""),
            Put("publication", "a", ALICE, 0, 1.0, "text"),
            Put("publication", "a", ALICE, 0, 1.0, None),
            Put("publication", "a", ALICE, 0, 1.0, object()),
        ],
        ids=["surrogate", "version", "no number", "text", "nothing", "object"],
    )
    def test_with_what_no_engine_takes_fails_alone(
        self, database: Database, wrong: Put
    ) -> None:
        outcomes = database.write([[put("1")], [put("2"), wrong], [put("3")]])

        assert outcomes[0] is outcomes[2] is None
        assert isinstance(outcomes[1], Exception)
        assert not isinstance(outcomes[1], StorageUnavailable | Conflict)
        assert keys(database) == ["1", "3"]

    def test_may_change_a_record_twice(self, database: Database) -> None:
        outcomes = database.write([[put("a", 0), put("a", 1, b"second")]])

        record = database.fetch("publication", "a")
        assert outcomes == [None]
        assert record
        assert (record.version, record.payload) == (2, b"second")

    def test_may_change_it_twice_beside_one_that_conflicts(
        self, database: Database
    ) -> None:
        database.write([[put("taken")]])

        outcomes = database.write([[put("a", 0), put("a", 1)], [put("taken")]])

        assert outcomes[0] is None
        assert isinstance(outcomes[1], Conflict)
        assert database.fetch("publication", "a").version == 2

    def test_that_loses_takes_those_with_it_which_were_staged_on_it(
        self, database: Database
    ) -> None:
        database.write([[put("a")]])

        outcomes = database.write(
            [[put("a", 5)], [put("a", 6)], [put("a", 1)], [put("a", 2)]]
        )

        assert [each is None for each in outcomes] == [False, False, True, True]


class TestAPage:
    def test_is_found_by_its_place_in_the_file(self, database: Database) -> None:
        plan = held(database).execute(
            f"EXPLAIN QUERY PLAN {_PAGE}", (0, 9, "x", "", "")
        )

        assert "INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in str(plan.fetchall())


class TestASweep:
    def swept(self, database: Database, before: float) -> list[int]:
        counts: list[int] = []
        walk: Walk | None = Walk(database.newest())
        while walk:
            count, walk = database.sweep(before, walk)
            counts.append(count)
        return counts

    def test_takes_what_ended_before_and_nothing_else(self, database: Database) -> None:
        database.write(
            [
                [Put("x", "old", ALICE, 0, 50.0, b"")],
                [Put("x", "young", ALICE, 0, 51.0, b"")],
            ]
        )

        assert self.swept(database, 50.5) == [1]
        assert keys(database) == ["young"]

    def test_takes_what_was_deleted_before(self, path: Path) -> None:
        now = [10.0]
        database = make(path, lambda: now[0])
        database.write([[put("early"), put("late")]])
        database.write([[Delete("publication", "early", ALICE, 1)]])
        now[0] = 20.0
        database.write([[Delete("publication", "late", ALICE, 1)]])

        assert self.swept(database, 15.0) == [1]
        assert keys(database) == ["late"]
        database.close()

    def test_goes_in_slices(self, database: Database) -> None:
        database.write([[Put("x", f"{n}", ALICE, 0, 1.0, b"") for n in range(2500)]])

        assert self.swept(database, 2.0) == [1000, 1000, 500]
        assert self.swept(database, 2.0) == [0]
