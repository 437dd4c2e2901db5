"""
What a file of ours looks like, and how to tell it from others'.

A table with a rowid and a second index for kind and key, not one clustered by either:
new records then fill page after page.  With the key's hash as rowid an update is 2 of 16
µs cheaper and a new record costs 34 instead of 9, since each goes to a page of its own
(batches of 100, 700 bytes, SQLite 3.40).

There is no index of owners, as only another node asks for them, and a file has one.  New
records have any owners, so that each of them would write a page of that index: with it,
and with keys in any order, a new record costs 31 µs and writes 17 kB; without, and with
keys in the order of their making (see `presproxy.sip.tokens.Tokens.tag`), 7 µs and 2 kB
(60,000 records of 420 bytes, in batches of 32).
"""

from __future__ import annotations

import sqlite3

from presproxy.errors import StorageUnavailable

#: "prsx", in the file's header.
APPLICATION = 0x70727378

#: Counts up with every change of the tables.
VERSION = 1

_TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    owner TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- Below zero: deleted, that many seconds after 1970.
    expires_at REAL NOT NULL,
    node TEXT NOT NULL,
    payload BLOB NOT NULL,
    UNIQUE (kind, key)
) STRICT;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
COMMIT;
"""

#: Octets.  Each record that is changed writes a page to the journal, and most of a page
#: of SQLite's usual 4,096 is other records: with 2,048 the system's part of a change of
#: one of 1,000 records is 5 instead of 10 µs (700 octets each, in batches of 32).  With
#: 1,024 it is no less, and more of a document lies outside of its page.
PAGE_SIZE = 2048

#: STRICT came with this one.
_OLDEST_ENGINE = (3, 37, 0)


def prepare(connection: sqlite3.Connection, path: str) -> None:
    """
    Make the tables in an empty file; refuse one that is not ours, or is newer.

    Nothing is written to a file that is refused.
    """
    if sqlite3.sqlite_version_info < _OLDEST_ENGINE:
        raise StorageUnavailable(
            f"SQLite is {sqlite3.sqlite_version}; 3.37 or newer is needed"
        )
    version = _version(connection, path)
    if version > VERSION:
        raise StorageUnavailable(
            f"{path} was written by a newer presproxy: its tables have version "
            f"{version}, this one knows {VERSION}"
        )
    if version == 0:
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        connection.executescript(_TABLES)


def _version(connection: sqlite3.Connection, path: str) -> int:
    """Give the version of our tables, 0 for an empty file."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application == APPLICATION:
        return int(version)
    if application or version or tables:
        raise StorageUnavailable(f"{path} holds the data of another program")
    return 0
