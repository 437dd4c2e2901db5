"""SIPp as user agents: many calls by one scenario."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

#: Seconds; each run takes a few.
_LIMIT = 30

#: Letters of what SIPp says that are worth reading.
_SAID = 3000


class Sipp:
    """
    One process of SIPp, which plays ``scenario`` from the address ``host``.

    ``folder`` is made for what it writes.  Of the scenario's text ``words`` are replaced by
    others.
    """

    def __init__(
        self,
        folder: Path,
        scenario: Path,
        *options: str,
        host: str = "127.0.0.1",
        limit: int = _LIMIT,
        words: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir()
        text = scenario.read_text("utf-8")
        for word, other in (words or {}).items():
            text = text.replace(word, other)
        scenario = folder / scenario.name
        scenario.write_text(text, "utf-8")
        self._limit = limit
        self._folder = folder
        self._log = (folder / "log").open("w+")
        self._process = subprocess.Popen(
            [
                *("sipp", "-sf", str(scenario), "-i", host),
                *("-nostdin", "-timeout", str(limit), "-timeout_error"),
                *("-recv_timeout", "10000", "-trace_err", "-error_file", "errors"),
                *options,
            ],
            cwd=folder,
            env={"TERM": "dumb", "PATH": "/usr/bin:/usr/local/bin"},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def finish(self) -> str:
        """Wait for its end, and give what it says if that is no good one."""
        status = self._process.wait(self._limit + 10)
        if status == 0:
            return ""
        self._log.seek(0)
        return f"{status}: {self._log.read()[-_SAID:]}\n{self.read('errors')[:_SAID]}"

    def read(self, name: str) -> str:
        """Give what a file of its folder holds by now."""
        path = self._folder / name
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait(self._limit)
        self._log.close()
