"""
Processes and what they use, read from ``/proc``.

A server is the process that was started and all below it; threads count with their
process, and children that ended count with whoever waited for them.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")

#: Fields of /proc/PID/stat counted behind the name, which may hold blanks (proc(5)).
_PARENT, _UTIME, _STIME, _CUTIME, _CSTIME, _BEGAN = 1, 11, 12, 13, 14, 19

#: One line of ``smaps_rollup``.
_SIZE = re.compile(r"^(\w+): +(\d+) kB$", re.MULTILINE)

_WITH_US = ("setpriv", "--pdeathsig", "TERM")

#: Seconds a server has to end by itself.
_PATIENCE = 15.0


def start(
    command: Sequence[str],
    core: int,
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    user: str | None = None,
) -> subprocess.Popen[bytes]:
    """
    Start ``command`` on one core, writing what it says to ``log``.

    It leads a process group of its own, so that an interrupt from the keyboard reaches
    only us, who then end it; and it is told to end when we are gone, however that came.
    """
    with log.open("ab") as file:
        return subprocess.Popen(
            [*_WITH_US, "taskset", "--cpu-list", str(core), *command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            user=user,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes], *, hard: bool = False) -> None:
    """
    End the process, by SIGKILL with all below it when asking does not help.

    ``hard`` does so at once, and to all of its group in one moment.
    """
    family = {pid: _began(pid) for pid in tree(process.pid)}
    if hard and process.poll() is None and os.getpgid(process.pid) == process.pid:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid, began in family.items():
        if pid != process.pid and began is not None and _began(pid) == began:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def tree(pid: int) -> Iterator[int]:
    """Give ``pid`` and all processes below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := _parent(int(entry.name))) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += children.get(one, [])


def cpu_of(pid: int) -> float:
    """Give the seconds of CPU, user and system, of the tree below ``pid`` so far."""
    family = [fields for one in tree(pid) if (fields := _stat(one))]
    ticks = sum(int(fields[_UTIME]) + int(fields[_STIME]) for fields in family)
    ticks += sum(int(fields[_CUTIME]) + int(fields[_CSTIME]) for fields in family)
    return ticks / _TICKS


def memory_of(pid: int) -> int:
    """
    Give the octets the tree below ``pid`` has for itself; what it shares counts once (PSS).

    Pages of files, such as libraries, are none of them: of these each process counts as
    much less as there are others that happen to run with the same ones.
    """
    return sum(own_memory(_rollup(one)) for one in tree(pid))


def own_memory(rollup: str) -> int:
    """Read it in what ``/proc/PID/smaps_rollup`` says of one process, in octets."""
    sizes = {name: int(size) for name, size in _SIZE.findall(rollup)}
    own = sizes.get("Pss", 0) - sizes.get("Pss_File", 0) + sizes.get("SwapPss", 0)
    return own * 1024


def resident(pid: int) -> int:
    """Give the octets of one process that are in memory; quick, where `memory_of` is not."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _rollup(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return ""


def _stat(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None


def _parent(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[_PARENT]) if fields else None


def _began(pid: int) -> str | None:
    """Say when a process began; a later one with the same number began at another time."""
    fields = _stat(pid)
    return fields[_BEGAN] if fields else None
