from __future__ import annotations

from collections.abc import Callable

import pytest

from presproxy.errors import MalformedDocument


@pytest.fixture(scope="session")
def why() -> Callable[..., str]:
    """Give the reason why a reader refuses a document."""

    def refused(read: Callable[..., object], *arguments: object) -> str:
        with pytest.raises(MalformedDocument) as caught:
            read(*arguments)
        return str(caught.value)

    return refused
