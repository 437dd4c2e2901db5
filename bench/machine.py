"""Where it was measured, and when: what a reader needs to compare."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.servers.server import Server


def describe_machine() -> dict[str, str]:
    """Name the machine, the system, the interpreter and its build, and the date."""
    load = ", ".join(f"{average:.2f}" for average in os.getloadavg())
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') >> 20} MB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load before": load,
        "interpreter": f"{platform.python_implementation()} {sys.version.split()[0]}",
        "built by": platform.python_compiler(),
        "built with": sysconfig.get_config_var("CONFIG_ARGS") or "unknown",
        "optimised by a profile": "yes" if _is_optimised() else "not said by the build",
        "receive buffer": f"{_limit('rmem_max')} octets at most",
    }


def describe_versions(servers: Sequence[Server]) -> Mapping[str, str]:
    """Name all that was measured, with the versions."""
    return {
        "benchmark": version("presproxy"),
        **{
            name: what for server in servers for name, what in server.versions().items()
        },
    }


def _is_optimised() -> bool:
    """
    Whether the interpreter says that a profile of its use went into it (PGO).

    Debian's has one and does not say so.
    """
    words = " ".join(
        str(sysconfig.get_config_var(name) or "")
        for name in ("CONFIG_ARGS", "PY_CORE_CFLAGS", "PY_CFLAGS")
    )
    return "--enable-optimizations" in words or "-fprofile-use" in words


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if "model name" in line)
    return next(names, platform.processor() or "unknown")


def _limit(name: str) -> str:
    path = Path("/proc/sys/net/core") / name
    return path.read_text().strip() if path.exists() else "unknown"
