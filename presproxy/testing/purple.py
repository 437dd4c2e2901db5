"""
A user with libpurple, which Pidgin is made of: a process driven by lines of JSON.

What it does and says stands in the driver that is handed in.
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

#: Python with nothing installed: the driver wants only the libraries of the system.
_PYTHON = "python3"

#: Seconds that libpurple has for signing off.
_LAST_WORDS = 10.0


@attrs.frozen
class Sight:
    """
    How a user sees a buddy.

    ``status`` is as the protocol calls it, ``text`` what stands under the name.
    """

    alias: str
    groups: list[str]
    online: bool
    status: str
    text: str


@attrs.define(eq=False)
class PurpleUser:
    """
    One process with one account.

    ``folder`` holds its files: what it knows between two runs, ``events`` and ``log``.
    """

    folder: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(
        cls, folder: Path, driver: Path, setting: Mapping[str, object]
    ) -> PurpleUser:
        """Start it with a setting as the driver wants it, but for the folder."""
        home = {"HOME": str(folder), "TERM": "dumb"}
        whole = json.dumps({**setting, "folder": str(folder)})
        with (
            (folder / "events").open("ab") as events,
            (folder / "log").open("ab") as log,
        ):
            process = subprocess.Popen(
                [_PYTHON, str(driver), whole],
                cwd=folder,
                env={**os.environ, **home},
                stdin=subprocess.PIPE,
                stdout=events,
                stderr=log,
            )
        return cls(folder, process)

    def do(self, what: str, **fields: object) -> None:
        """Let it do something, as ``do("status", to="busy")``."""
        assert self.process.stdin is not None, "it was made with a pipe"
        self.process.stdin.write(json.dumps({"do": what, **fields}).encode() + b"\n")
        self.process.stdin.flush()

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """Give what it has said until now, all or those of a name."""
        lines = (self.folder / "events").read_text("utf-8").splitlines(keepends=True)
        # The last line may be half there.
        said = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event for event in said if not name or event["event"] == name]

    def sights(self) -> dict[str, Sight]:
        """Give how it sees its buddies now."""
        seen = self.events("buddies")
        buddies = seen[-1]["buddies"] if seen else {}
        return {name: Sight(**fields) for name, fields in buddies.items()}

    def groups(self) -> list[str]:
        """Give the groups of its list, those without anybody in them as well."""
        seen = self.events("buddies")
        return list(seen[-1]["groups"]) if seen else []

    def logs(self) -> str:
        """Give all that it has said and logged."""
        return "".join(
            (self.folder / name).read_text("utf-8", "replace")
            for name in ("log", "events")
        )

    def quit(self) -> int:
        """Sign off and end; give the exit status."""
        self.do("quit")
        try:
            return self.process.wait(_LAST_WORDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    def kill(self) -> None:
        """End it without a word."""
        self.process.kill()
        self.process.wait(_LAST_WORDS)

    def is_signed_on(self) -> bool:
        """Whether it signed on, and nothing has ended that."""
        said = [event["event"] for event in self.events()]
        ons = [each for each in said if each in ("signed-on", "signed-off")]
        return bool(ons) and ons[-1] == "signed-on"

    def wait_until_signed_on(self, limit: float) -> bool:
        """Wait for it to sign on; say whether it has."""
        return wait_for(self.is_signed_on, limit)
