"""The least a presence server can be, in C: what a run costs the driver."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import attrs

from bench.driver import build
from bench.processes import start
from bench.servers.server import (
    DidNotStart,
    Running,
    Server,
    Wanted,
    ended_if_it_fails,
    said_last,
)


@attrs.frozen
class Responder(Server):
    """``bench/load/responder.c``: no parser to speak of, no check, no timer."""

    family: ClassVar[str] = "responder"

    name: str = "responder"
    title: str = "the least there is, in C"
    durable: bool = False

    def missing(self) -> str | None:
        """Say why it cannot be measured here: it always can."""
        return None

    def versions(self) -> Mapping[str, str]:
        """Name the compiler."""
        said = subprocess.run(["cc", "--version"], capture_output=True, text=True)
        return {"C compiler": said.stdout.splitlines()[0]}

    def start(self, folder: Path, core: int, wanted: Wanted) -> Running:
        """Start it; it knows UDP, and takes everybody for who he says he is."""
        if wanted.transport != "udp" or wanted.digest:
            raise DidNotStart("the responder knows UDP without Digest only")
        log = folder / "responder.log"
        process = start([str(build().with_name("responder"))], core, log)
        with ended_if_it_fails(process):
            end = time.monotonic() + 10
            while time.monotonic() < end:
                if port := log.read_text().strip():
                    return Running(int(port), process)
            raise DidNotStart(said_last(log))
