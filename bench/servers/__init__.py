"""The servers that are measured, each started privately and ended by its pid."""

from __future__ import annotations

from bench.servers.databases import NoDatabase, SqliteDatabase
from bench.servers.kamailio import Kamailio
from bench.servers.postgres import PostgresDatabase
from bench.servers.presproxy import Presproxy
from bench.servers.responder import Responder
from bench.servers.server import DidNotStart, Server

__all__ = ["ALL", "QUICK", "SERVERS", "USUAL", "DidNotStart", "Server"]

#: In the order of the columns.
SERVERS: tuple[Server, ...] = (
    Presproxy(
        "presproxy",
        "presproxy, SQLite",
        "sqlite:path={folder}/presproxy.db:synchronous=full",
        durable=True,
    ),
    Presproxy("presproxy-memory", "presproxy, in memory", "memory", durable=False),
    Kamailio(
        "kamailio-memory",
        "Kamailio, in memory, -x fm",
        NoDatabase(),
        allocator="fm",
        durable=False,
    ),
    Kamailio(
        "kamailio-default",
        "Kamailio, in memory",
        NoDatabase(),
        allocator=None,
        durable=False,
    ),
    Kamailio(
        "kamailio-tmpfs",
        "Kamailio, SQLite in memory, -x fm",
        SqliteDatabase(in_memory=True),
        allocator="fm",
        durable=False,
    ),
    Kamailio(
        "kamailio-sqlite",
        "Kamailio, SQLite, -x fm",
        SqliteDatabase(in_memory=False),
        allocator="fm",
        durable=True,
    ),
    Kamailio(
        "kamailio-postgresql",
        "Kamailio, PostgreSQL, -x fm",
        PostgresDatabase(),
        allocator="fm",
        durable=True,
    ),
    Responder(),
)

#: Those no column is for: as Kamailio is run on a machine with several cores.
_WITHOUT_COLUMN: tuple[Server, ...] = (
    Kamailio(
        "kamailio-workers",
        "Kamailio, in memory, -x fm, 4 workers",
        NoDatabase(),
        allocator="fm",
        durable=False,
        workers=4,
    ),
)

ALL = (*SERVERS, *_WITHOUT_COLUMN)

#: All but the one between: it is slower than the one in memory, and keeps as little.
USUAL = tuple(server.name for server in ALL if server.name != "kamailio-tmpfs")

#: The everyday ones.
QUICK = ("presproxy", "kamailio-memory", "kamailio-workers")
