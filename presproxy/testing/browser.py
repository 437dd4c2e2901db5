"""
A user of a library that browsers run, in Node: a process driven by lines of JSON.

What it does and says stands in the script that is handed in.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from presproxy.testing.instance import wait_for

#: Seconds that a process has for signing off.
_LAST_WORDS = 10.0


@attrs.define(eq=False)
class BrowserUser:
    """One process with one account; ``folder`` holds what it said."""

    folder: Path
    name: str
    process: subprocess.Popen[bytes]

    @classmethod
    def start(
        cls,
        folder: Path,
        name: str,
        script: Path,
        setting: Mapping[str, object],
        authorities: Path,
    ) -> BrowserUser:
        """Start it with a setting as the script wants it; it believes ``authorities``."""
        with (
            (folder / f"{name}.events").open("ab") as events,
            (folder / f"{name}.log").open("ab") as log,
        ):
            process = subprocess.Popen(
                ["node", str(script), json.dumps(setting)],
                env={**os.environ, "NODE_EXTRA_CA_CERTS": str(authorities)},
                stdin=subprocess.PIPE,
                stdout=events,
                stderr=log,
            )
        return cls(folder, name, process)

    def do(self, what: str, **fields: object) -> None:
        """Let it do something, as ``do("watch", aor="sip:bob@example.test")``."""
        assert self.process.stdin is not None, "it was made with a pipe"
        self.process.stdin.write(json.dumps({"do": what, **fields}).encode() + b"\n")
        self.process.stdin.flush()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Give what it has said of one kind until now."""
        path = self.folder / f"{self.name}.events"
        lines = path.read_text("utf-8").splitlines(keepends=True)
        # Libraries talk as well, and the last line may be half there.
        said = [
            json.loads(line)
            for line in lines
            if line.startswith("{") and line.endswith("\n")
        ]
        return [event for event in said if event["event"] == name]

    def wait_for(self, name: str, limit: float, **fields: object) -> bool:
        """Wait for it to say something with these fields; say whether it did."""

        def said() -> bool:
            return any(fields.items() <= each.items() for each in self.events(name))

        return wait_for(said, limit)

    def logs(self) -> str:
        """Give all that it has said and logged."""
        return "".join(
            (self.folder / f"{self.name}.{kind}").read_text("utf-8", "replace")
            for kind in ("log", "events")
        )

    def quit(self) -> int:
        """Sign off and end; give the exit status."""
        if self.process.poll() is None:
            self.do("quit")
        try:
            return self.process.wait(_LAST_WORDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(_LAST_WORDS)
            return -signal.SIGKILL
