from __future__ import annotations

import random

import pytest

from presproxy.sip import grammar
from presproxy.sip.tokens import MAGIC_COOKIE, Tokens


@pytest.fixture
def tokens():
    return Tokens(random.Random(1).randbytes)


def test_branches_are_unlike_each_other(tokens):
    branches = [tokens.branch() for _ in range(2000)]

    assert len(set(branches)) == 2000
    assert all(each.startswith(MAGIC_COOKIE) for each in branches)
    assert all(map(grammar.is_token, branches))


def test_branches_are_unlike_each_other_even_without_randomness():
    tokens = Tokens(bytes)

    assert len({tokens.branch() for _ in range(2000)}) == 2000


def test_a_branch_does_not_tell_the_next(tokens):
    words = [tokens.branch().rpartition(".")[2] for _ in range(2000)]

    assert {len(word) for word in words} == {12}
    assert len(set(words)) == 2000
