"""What an `IStorage` that calls itself durable promises: to lose nothing it answered."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
from twisted.internet import reactor

from presproxy.interfaces import IStorage
from presproxy.model.record import NEVER, Record
from presproxy.testing.contracts import committing
from presproxy.testing.contracts.changes import ALICE, delete, put, scanned
from presproxy.testing.recorders import FakeHouse
from presproxy.testing.waiting import waiting_test


class DurabilityContract:
    """
    The part of `StorageContract` that starts a storage again on the same folder.

    The class that is tested is found by its name, in a process of its own.
    """

    def make(self, directory: Path) -> IStorage:
        """Make a storage which is not started."""
        raise LookupError(f"{type(self).__name__} does not say how to make a storage")

    @waiting_test
    async def test_what_is_durable_outlives_a_stop(self, tmp_path: Path) -> None:
        former = self.make(tmp_path)
        _skip_unless_durable(former)
        await former.start(FakeHouse(reactor=reactor, storage=former))
        await former.commit([put("a", 0), put("b", 0)])
        await former.commit([put("a", 1, b"busy"), delete("b", 1)])
        await former.stop()

        storage = self.make(tmp_path)
        await storage.start(FakeHouse(reactor=reactor, storage=storage))
        records = await scanned(storage)
        await storage.stop()

        assert records == [
            Record("publication", "a", ALICE, 2, NEVER, b"busy"),
        ]

    @waiting_test
    async def test_what_is_durable_outlives_a_kill(self, tmp_path: Path) -> None:
        _skip_unless_durable(self.make(tmp_path))

        for answers in (1, 5, 60, 300, 1000):
            answered = self._commit_and_die(tmp_path, answers)
            storage = self.make(tmp_path)
            await storage.start(FakeHouse(reactor=reactor, storage=storage))
            records = await scanned(storage, committing.KIND)
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
