from __future__ import annotations

import pytest

from presproxy.testing.agency import Agency


@pytest.fixture
def agency() -> Agency:
    return Agency()
