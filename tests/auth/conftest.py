from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from presproxy.sip.authfields import (
    Algorithm,
    Credentials,
    digest_response,
    ha1,
    parse_challenge,
)
from presproxy.testing.recorders import FakeHouse


@pytest.fixture
def house():
    return FakeHouse(domains=("example.test", "other.test"))


@pytest.fixture
def answer():
    """Answer challenges as a user agent does; what is given goes before what is right."""

    def answered(
        challenges: Sequence[str],
        *,
        username: str = "alice",
        password: str = "wonderland",
        method: str = "PUBLISH",
        uri: str = "sip:alice@example.test",
        nc: int | None = 1,
        algorithm: Algorithm | None = None,
        **given: object,
    ) -> str:
        challenge = parse_challenge(challenges[0])
        assert challenge is not None
        algorithm = algorithm or challenge.algorithm or Algorithm.MD5
        counted = (
            {}
            if nc is None
            else {"qop": "auth", "nc": f"{nc:08x}", "cnonce": "0a4f113b"}
        )
        response = digest_response(
            algorithm,
            ha1(algorithm, username, challenge.realm, password),
            challenge.nonce,
            method,
            uri,
            **counted,
        )
        found = {
            "username": username,
            "realm": challenge.realm,
            "nonce": challenge.nonce,
            "uri": uri,
            "response": response,
            "algorithm": algorithm,
            "qop": counted.get("qop"),
            "nc_text": counted.get("nc"),
            "cnonce": counted.get("cnonce"),
        }
        return str(Credentials(**{**found, **given}))

    return answered


@pytest.fixture
def random():
    """A source of bytes which are unlike each other and the same in every run."""
    numbers = itertools.count(1)
    return lambda length: next(numbers).to_bytes(length, "big")
