"""
A server of one's own: a process on free ports of the loopback, with a folder for its state.

For tests that want the whole program, and those that kill it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import attrs

from presproxy.sip.flow import Address

_TWISTD = "from twisted.scripts.twistd import run; run()"

#: Seconds; a start takes about one, and other things may run on the machine.
_START = 30.0
_STOP = 30.0
_REQUEST = 10.0

#: What no log of a server in good health holds.
_trouble = re.compile(r"Traceback \(most recent call last\)|#critical\]|#error\]")


class NotStarted(Exception):
    """The process ended, or was not ready in time; the text is its log."""


@attrs.define(eq=False)
class Instance:
    """
    One server that can be started again and again on the same ports and the same state.

    ``options`` are what is added to the command line; an empty ``storage`` leaves that
    option out.  With a ``certificate``, a file with its key in it as well, it speaks TLS;
    ``clients`` is the file of who certifies peers.
    """

    folder: Path
    options: Sequence[str] = ()
    storage: str = "sqlite:path=presproxy.db"
    domain: str = "contoso.com"
    udp: Address = ("127.0.0.1", 0)
    tcp: Address = ("127.0.0.1", 0)
    http: Address = ("127.0.0.1", 0)
    tls: Address = ("127.0.0.1", 0)
    certificate: Path | None = None
    clients: Path | None = None
    _process: subprocess.Popen[bytes] | None = None
    _logs: int = 0

    # -- Its life --------------------------------------------------------------------

    def start(self) -> None:
        """Start, and wait until it is ready; raises `NotStarted`."""
        self._logs += 1
        with self._log_path().open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _TWISTD, *self._arguments()],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path))},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if not wait_for(lambda: self._is_ready_or_dead(), _START):
            self.kill()
            raise NotStarted(self.log())
        if not self.is_running:
            raise NotStarted(self.log())
        self.udp = self._bound("listening on udp:")
        self.tcp = self._bound("listening on tcp:")
        if self.certificate is not None:
            self.tls = self._bound("listening on tls:")
        self.http = self._bound("HTTP on http://")

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process's id; it must have been started."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_STOP)

    def stop(self) -> int:
        """Ask the process to end, and give its exit status; it is killed if it does not."""
        if self._process is None:
            return 0
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    # -- What it says ----------------------------------------------------------------

    def log(self) -> str:
        """Give what the present process, or the last, has logged."""
        return self._log_path().read_text("utf-8", "replace")

    def logs(self) -> str:
        """Give what all its processes have logged."""
        return "\n".join(
            self._log_path(number).read_text("utf-8", "replace")
            for number in range(1, self._logs + 1)
        )

    def troubles(self) -> list[str]:
        """Give the lines of all logs that tell of something that must not happen."""
        return [line for line in self.logs().splitlines() if _trouble.search(line)]

    def metrics(self) -> dict[str, float]:
        """Give all metrics; a name has its labels behind it as Prometheus writes them."""
        status, body = self.ask("GET", "/metrics")
        if status != 200:
            raise RuntimeError(f"/metrics was answered {status}")
        lines = body.decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def defects(self) -> float:
        """Say how many defects it counts, of whatever kind."""
        return sum(
            value
            for name, value in self.metrics().items()
            if re.match(r"presproxy_(\w+_)?(defects|deliveries_failed)_total", name)
        )

    # -- HTTP ------------------------------------------------------------------------

    def ask(
        self, method: str, path: str, value: Mapping[str, object] | None = None
    ) -> tuple[int, bytes]:
        """Make a request by HTTP, with a JSON body if there is a value."""
        connection = HTTPConnection(*self.http, timeout=_REQUEST)
        body = None if value is None else json.dumps(value)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def show(self, what: str) -> Any:
        """Give one of the API's resources, as ``presentities``; raises if there is none."""
        status, body = self.ask("GET", f"/api/v1/{what}")
        if status != 200:
            raise RuntimeError(f"{what} was answered {status}: {body!r}")
        return json.loads(body)

    def handle(self, presentity: str, watcher: str, handling: str) -> int:
        """Write an entry of a contact list, and give the status of the answer."""
        path = f"/api/v1/contacts/{quote(presentity, '')}/{quote(watcher, '')}"
        return self.ask("PUT", path, {"handling": handling})[0]

    # -- Below -----------------------------------------------------------------------

    def _arguments(self) -> list[str]:
        arguments = ["--nodaemon", "--pidfile=", "presproxy"]
        for transport, (host, port) in (("udp", self.udp), ("tcp", self.tcp)):
            arguments += ["--listen", f"{transport}:{port}:interface={_escaped(host)}"]
        if self.certificate is not None:
            host, port = self.tls
            secure = f"tls:{port}:interface={_escaped(host)}:cert={self.certificate}"
            asked = f":clients={self.clients}" if self.clients is not None else ""
            arguments += ["--listen", f"{secure}{asked}"]
        host, port = self.http
        arguments += ["--http", f"tcp:{port}:interface={_escaped(host)}"]
        arguments += ["--domain", self.domain]
        if self.storage:
            arguments += ["--storage", self.storage]
        return [*arguments, *self.options]

    def _log_path(self, number: int | None = None) -> Path:
        return self.folder / f"server-{number or self._logs}.log"

    def _is_ready_or_dead(self) -> bool:
        return not self.is_running or "presproxy is ready" in self.log()

    def _bound(self, before: str) -> Address:
        found = re.search(
            re.escape(before) + r"\[?([\d.]+|[\da-f:]+)\]?:(\d+)", self.log()
        )
        if found is None:
            raise NotStarted(self.log())
        return found[1], int(found[2])


def _escaped(host: str) -> str:
    """Write a host where colons divide what is said."""
    return host.replace(":", r"\:")


def wait_for(happened: Callable[[], object], limit: float, pause: float = 0.02) -> bool:
    """Look until something has happened or ``limit`` seconds are over; say whether it has."""
    until = time.monotonic() + limit
    while not happened():
        if time.monotonic() >= until:
            return False
        time.sleep(pause)
    return True
