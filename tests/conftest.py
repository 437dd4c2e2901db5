from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

# One profile for everybody: the same examples each time, and no deadline, since a busy
# machine is no failure.  ``--hypothesis-profile=long`` looks further, by hand.
settings.register_profile("presproxy", deadline=None, derandomize=True, database=None)
settings.register_profile("long", deadline=None, max_examples=5000)
settings.load_profile("presproxy")

#: Where shared libraries and the modules of programs are.
_LIBRARIES = ("/usr/lib", "/usr/lib/*-linux-gnu", "/lib", "/usr/local/lib")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "needs(tool, ...): a program, a shared library as libx.so.0 or baresip/"
        'modules/x.so, a module as "import x", or a file by its whole path.  Where one is not installed the test is skipped with its name; '
        "with PRESPROXY_REQUIRE_ALL=1 it fails.",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        missing = [tool for tool in mark.args if not is_installed(tool)]
        if not missing:
            continue
        why = f"not installed: {', '.join(missing)}"
        if os.environ.get("PRESPROXY_REQUIRE_ALL") == "1":
            pytest.fail(why, pytrace=False)
        pytest.skip(why)


def is_installed(tool: str) -> bool:
    if tool.startswith("import "):
        return find_spec(tool.removeprefix("import ")) is not None
    if tool.startswith("/"):
        return Path(tool).exists()
    if ".so" not in tool:
        # Debian keeps servers out of the way of users.
        path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
        return shutil.which(tool, path=path) is not None
    return any(
        next(Path("/").glob(f"{folder[1:]}/{tool}"), None) for folder in _LIBRARIES
    )
