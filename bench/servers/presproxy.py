"""presproxy, as ``twistd`` runs it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

import attrs

from bench.processes import start
from bench.servers.server import (
    DOMAIN,
    LOOPBACK,
    PASSWORD,
    Running,
    Server,
    Wanted,
    free_port,
    wait_until_it_answers,
)

#: What its speed depends on.
_MADE_OF = ("presproxy", "Twisted", "lxml", "attrs")


@attrs.frozen
class Presproxy(Server):
    """The server with its defaults: contact lists, presence.winfo, one storage."""

    family: ClassVar[str] = "presproxy"

    name: str
    title: str
    #: As ``--storage`` takes it; ``{folder}`` is where state is kept.
    storage: str
    durable: bool = True

    def missing(self) -> str | None:
        """Say why it cannot be measured here: it always can."""
        return None

    def versions(self) -> Mapping[str, str]:
        """Name what it is made of."""
        return {
            "Python": sys.version.split()[0],
            **{name: version(name) for name in _MADE_OF},
            "SQLite": sqlite3.sqlite_version,
        }

    def start(self, folder: Path, core: int, wanted: Wanted) -> Running:
        """Start it and wait until it answers."""
        port = wanted.port or free_port()
        log = folder / "presproxy.log"
        twistd = [_ours("twistd"), "-n", "--pidfile=", "presproxy"]
        options = self._options(folder, port, wanted)
        process = start([*twistd, *options], core, log, folder=folder)
        wait_until_it_answers(process, port, wanted.transport, log)
        return Running(port, process)

    def _options(self, folder: Path, port: int, wanted: Wanted) -> list[str]:
        auth = []
        if wanted.digest:
            users = folder / "users"
            if not users.exists():
                _write_users(users, wanted.users)
            auth = ["--auth", f"digest:users={users}"]
        config = []
        if settings := _settings(wanted):
            file = folder / "presproxy.toml"
            file.write_text(settings)
            config = ["--config", str(file)]
        transports = [wanted.transport, *(["tcp"] if wanted.also_tcp else [])]
        return [
            *(
                word
                for transport in transports
                for word in ("--listen", f"{transport}:{port}:interface={LOOPBACK}")
            ),
            *("--http", f"tcp:{wanted.http}:interface={LOOPBACK}"),
            *("--domain", DOMAIN),
            *("--storage", self.storage.format(folder=folder)),
            *("--acl", "contacts"),
            *auth,
            *config,
        ]


def _settings(wanted: Wanted) -> str:
    """Write what no option of the command line says; empty if there is nothing."""
    settings = ""
    if wanted.behind:
        server = f"sip:{LOOPBACK}:{wanted.behind};transport={wanted.transport}"
        settings += _BEHIND.format(server=server)
    if wanted.late:
        settings += f"[limits]\nlate = {wanted.late}\nlate_keeping = {wanted.late}\n"
    return settings


#: What it is asked about presence, it asks the server behind; calls go there by themselves.
_BEHIND = """\
upstream = "{server}"

[[route]]
action = "aggregate"
package = ["presence"]

"""


def _ours(program: str) -> str:
    return str(Path(sys.executable).with_name(program))


def _write_users(path: Path, count: int) -> None:
    lines = [
        f"{kind}{number}@{DOMAIN}:{PASSWORD}"
        for kind in "pw"
        for number in range(count)
    ]
    command = [_ours("presproxy"), "passwd", str(path), "--batch"]
    subprocess.run(
        command,
        input="\n".join(lines),
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )
