from __future__ import annotations

import io

import pytest
from rich.console import Console


@pytest.fixture
def screen() -> Console:
    """A console of 80 columns whose text can be read: ``screen.file.getvalue()``."""
    return Console(file=io.StringIO(), width=80, highlight=False)
