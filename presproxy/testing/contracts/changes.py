"""Changes that a storage is asked for, and what is read back."""

from __future__ import annotations

from presproxy.interfaces import IStorage
from presproxy.model.record import NEVER, Delete, Put, Record

ALICE = "sip:alice@example.test"
BOB = "sip:bob@example.test"


def put(
    key: str,
    staged_on: int = 0,
    payload: bytes = b"open",
    *,
    kind: str = "publication",
    owner: str = ALICE,
    expires_at: float = NEVER,
    node: str = "",
) -> Put:
    """Ask for one more publication, or for another state of one."""
    return Put(kind, key, owner, staged_on, expires_at, payload, node)


def delete(key: str, staged_on: int) -> Delete:
    """Ask for the end of a publication."""
    return Delete("publication", key, ALICE, staged_on)


async def scanned(
    storage: IStorage, kind: str = "publication", node: str | None = None
) -> list[Record]:
    """Give all records of a kind, whatever the pages."""
    return [record async for page in storage.scan(kind, node) for record in page]
