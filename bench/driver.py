"""The driver in C: how it is built, and how one run of it is watched."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

_HERE = Path(__file__).parent
_BUILD = _HERE.parent / "build" / "bench"

#: Seconds a run may take beyond what was asked, for its setting up and its drain.
_PATIENCE = 300.0


class DriverFailed(Exception):
    """The driver did not come to the end of its run."""


def build() -> Path:
    """Build what has changed, and give the driver."""
    subprocess.run(
        ["make", "--quiet", "-C", str(_HERE / "load"), f"BUILD={_BUILD}"], check=True
    )
    return _BUILD / "load"


@attrs.define(eq=False)
class Run:
    """
    One run of the driver.

    ``between`` is called right before and right after what is measured, while nothing is
    under way.
    """

    driver: Path
    core: int
    between: Callable[[], None]

    def play(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Run it to its end and give what it counted."""
        process = self._start([*arguments, "--sync"])
        try:
            for word in ("begin", "end"):
                self._expect(process, word)
            return self._result(process)
        finally:
            process.kill()
            process.wait()

    def _start(self, arguments: Sequence[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["taskset", "--cpu-list", str(self.core), str(self.driver), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _expect(self, process: subprocess.Popen[str], word: str) -> None:
        said = process.stdout.readline().strip()
        if said != word:
            raise DriverFailed(f"it said {said!r} instead of {word!r}")
        self.between()
        process.stdin.write("\n")
        process.stdin.flush()

    def _result(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        line = process.stdout.readline()
        if not line:
            raise DriverFailed("it ended without a result")
        return json.loads(line)
