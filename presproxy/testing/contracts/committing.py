"""
A process which commits as fast as it can, until it is killed.

Run as ``python -m`` with the file and the name of a `StorageContract`, and a folder.
Each line it writes is the key and the version of a record whose commit was answered.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred, gatherResults

from presproxy.interfaces import IStorage
from presproxy.model.record import NEVER, Put
from presproxy.testing.recorders import FakeHouse

KIND = "committed"

#: Commits under way at once.
_WORKERS = 8


def twin(key: str) -> str:
    """Name the record that is always changed together with this one."""
    return key[:-1] + {"a": "b", "b": "a"}[key[-1]]


def payload(version: int) -> bytes:
    """Give what a record of this version must hold."""
    return b"%d " % version * 100


async def _work(storage: IStorage, keys: tuple[str, str], version: int) -> None:
    while True:
        await storage.commit(
            [Put(KIND, key, key, version, NEVER, payload(version + 1)) for key in keys]
        )
        version += 1
        lines = "".join(f"{key} {version}\n" for key in keys)
        os.write(sys.stdout.fileno(), lines.encode())


async def _commit(reactor: Any, make: Any, directory: Path) -> None:
    storage = make(directory)
    await storage.start(FakeHouse(reactor=reactor, storage=storage))
    versions = {
        record.key: record.version
        async for page in storage.scan(KIND)
        for record in page
    }
    workers = [(f"{number}a", f"{number}b") for number in range(_WORKERS)]
    await gatherResults(
        [
            Deferred.fromCoroutine(_work(storage, keys, versions.get(keys[0], 0)))
            for keys in workers
        ],
        consumeErrors=True,
    )


def _main(file: str, name: str, directory: str) -> None:
    spec = importlib.util.spec_from_file_location("contract", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    make = getattr(module, name)().make
    task.react(
        lambda reactor: Deferred.fromCoroutine(_commit(reactor, make, Path(directory)))
    )


if __name__ == "__main__":
    _main(*sys.argv[1:])
