from __future__ import annotations

import pytest

from presproxy.testing.watchers import Line


@pytest.fixture
def line() -> Line:
    return Line()
