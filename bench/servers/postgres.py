"""A private PostgreSQL for Kamailio, run by somebody who is not root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from bench.processes import start, stop
from bench.servers.databases import SCHEMAS, TABLES, Database, Helpers, missing_schema
from bench.servers.server import (
    LOOPBACK,
    DidNotStart,
    ended_if_it_fails,
    free_port,
    said_last,
)

#: Who runs it when we are root, whom PostgreSQL refuses to serve.
_SOMEBODY = "postgres"

_USER = "kamailio"


@attrs.frozen
class _Cluster:
    folder: Path
    port: int
    process: subprocess.Popen[bytes]


class PostgresDatabase(Database):
    """
    PostgreSQL with its defaults: a commit is answered when it is on the disk.

    Kamailio reaches it by TCP on the loopback.
    """

    module = "db_postgres"

    def __init__(self) -> None:
        self._clusters: dict[Path, _Cluster] = {}

    def missing(self) -> str | None:
        """Say what is not installed."""
        if _programs() is None:
            return "PostgreSQL is not installed"
        if _is_root() and not _is_user(_SOMEBODY):
            return f"we are root, and there is no user {_SOMEBODY} to run PostgreSQL"
        return missing_schema(SCHEMAS / "postgres" / "presence-create.sql")

    def versions(self) -> Mapping[str, str]:
        """Name PostgreSQL."""
        said = _run([_program("postgres"), "--version"]).stdout
        return {"PostgreSQL": said.split()[2]}

    def start(self, folder: Path, core: int) -> tuple[Helpers, str]:
        """Make a cluster for ``folder``, or give the one that runs for it."""
        cluster = self._clusters.get(folder)
        if cluster is None:
            cluster = self._clusters[folder] = _make_cluster(core)
            for table in TABLES:
                _psql(cluster.port, "--file", str(SCHEMAS / "postgres" / table))
        url = f"postgres://{_USER}@{LOOPBACK}:{cluster.port}/{_USER}"
        return [cluster.process], url

    def place(self, folder: Path) -> Path:
        """Give the folder of the cluster."""
        return self._clusters[folder].folder

    def clean(self, folder: Path) -> None:
        """End the cluster of ``folder`` and remove it."""
        cluster = self._clusters.pop(folder, None)
        if cluster is not None:
            stop(cluster.process)
            shutil.rmtree(cluster.folder, ignore_errors=True)


def _make_cluster(core: int) -> _Cluster:
    folder = Path(tempfile.mkdtemp(prefix="presproxy-bench-postgres-"))
    try:
        return _fill(folder, core)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _fill(folder: Path, core: int) -> _Cluster:
    if _is_root():
        shutil.chown(folder, _SOMEBODY, _SOMEBODY)
    place = folder / "cluster"
    _run(
        [
            *(_program("initdb"), "--pgdata", str(place), "--username", _USER),
            *("--auth", "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C"),
        ]
    )
    port = free_port()
    options = {
        "port": port,
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": folder,
    }
    log = folder / "postgres.log"
    process = start(
        [
            *(_program("postgres"), "-D", str(place)),
            *(
                word
                for key, value in options.items()
                for word in ("-c", f"{key}={value}")
            ),
        ],
        core,
        log,
        user=_SOMEBODY if _is_root() else None,
    )
    with ended_if_it_fails(process):
        try:
            _wait_until_ready(port)
            _run([_program("createdb"), *_where(port), _USER])
        except subprocess.CalledProcessError as error:
            raise DidNotStart(f"PostgreSQL: {said_last(log)}") from error
    return _Cluster(folder, port, process)


def _wait_until_ready(port: int) -> None:
    """Wait; ``pg_isready`` asks once, and ``psql`` does not wait at all."""
    for _ in range(300):
        command = [_program("pg_isready"), *_where(port), "--timeout", "1"]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return
    raise DidNotStart("PostgreSQL does not listen")


def _psql(port: int, *arguments: str) -> None:
    _run([_program("psql"), *_where(port), "--quiet", "--dbname", _USER, *arguments])


def _where(port: int) -> list[str]:
    return ["--host", LOOPBACK, "--port", str(port), "--username", _USER]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        cwd="/",
        user=_SOMEBODY if _is_root() else None,
    )


def _programs() -> Path | None:
    """Give Debian's folder of the newest version, or where ``postgres`` is found."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found:
        return found[-1].parent
    program = shutil.which("postgres")
    return Path(program).parent if program else None


def _program(name: str) -> str:
    return str((_programs() or Path()) / name)


def _is_root() -> bool:
    return os.geteuid() == 0


def _is_user(name: str) -> bool:
    passwd = Path("/etc/passwd").read_text().splitlines()
    return any(line.startswith(f"{name}:") for line in passwd)
