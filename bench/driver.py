"""The driver in C: how it is built, and how one run of it is watched."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import attrs

_HERE = Path(__file__).parent
_BUILD = _HERE.parent / "build" / "bench"


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

    ``between`` is called with "begin" right before and "end" right after what is
    measured, while nothing is under way.
    """

    driver: Path
    core: int
    between: Callable[[str], None]

    def play(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Run it to its end and give what it counted."""
        command = [str(self.driver), *arguments, "--sync"]
        process = subprocess.Popen(
            ["taskset", "--cpu-list", str(self.core), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            return self._watch(process.stdin, process.stdout)
        finally:
            process.kill()
            process.communicate()

    def _watch(self, told: IO[str], said: IO[str]) -> dict[str, Any]:
        for word in ("begin", "end"):
            line = said.readline().strip()
            if line != word:
                raise DriverFailed(f"it said {line!r} instead of {word!r}")
            self.between(word)
            told.write("\n")
            told.flush()
        line = said.readline()
        if not line:
            raise DriverFailed("it ended without a result")
        counted: dict[str, Any] = json.loads(line)
        return counted
