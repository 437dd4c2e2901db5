"""What every storage promises, held against ours."""

from __future__ import annotations

from pathlib import Path

from presproxy.interfaces import IStorage
from presproxy.storage.memory import MemoryStorage
from presproxy.storage.sqlite import SqliteStorage
from presproxy.testing.contracts.storage import StorageContract
from presproxy.testing.recorders import RecordingStorage


class TestMemoryStorage(StorageContract):
    def make(self, directory: Path) -> IStorage:
        return MemoryStorage()


class TestSqliteStorage(StorageContract):
    def make(self, directory: Path) -> IStorage:
        return SqliteStorage(path=str(directory / "state.db"))


class TestRecordingStorage(StorageContract):
    def make(self, directory: Path) -> IStorage:
        return RecordingStorage()
