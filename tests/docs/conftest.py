"""What more than one test of the pages reads."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"

_captioned = re.compile(
    r"^\.\. code-block:: \w+\n   :caption: (.+)\n\n((?:(?:   .*)?\n)+)", re.MULTILINE
)


@pytest.fixture
def captioned() -> Callable[[str], dict[str, str]]:
    """Give the blocks of a page that have a caption, by the last word of it."""

    def read(page: str) -> dict[str, str]:
        text = (DOCS / f"{page}.rst").read_text()
        return {
            caption.split("/")[-1]: re.sub(r"^   ", "", block, flags=re.MULTILINE)
            for caption, block in _captioned.findall(text)
        }

    return read


@pytest.fixture
def needed() -> Callable[[str], ModuleType]:
    """Import what builds the pages; where it is not installed the test is skipped."""

    def load(name: str) -> ModuleType:
        try:
            return importlib.import_module(name)
        except ImportError:
            why = f"not installed: {name.partition('.')[0]} (pip install -e '.[docs]')"
            if os.environ.get("PRESPROXY_REQUIRE_ALL") == "1":
                pytest.fail(why, pytrace=False)
            pytest.skip(why)

    return load
