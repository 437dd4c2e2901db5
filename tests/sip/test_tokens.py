from __future__ import annotations

import os
import random

import pytest

from presproxy.sip import grammar
from presproxy.sip.tokens import MAGIC_COOKIE, Pool, Tokens


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


def test_two_processes_have_other_branches():
    source = random.Random(1).randbytes

    assert Tokens(source).branch()[:23] != Tokens(source).branch()[:23]


def test_all_others_come_from_the_source():
    tokens = Tokens(lambda length: b"\xfb" * length)

    assert tokens.tag() == "fbfb" + "00000001" + "fb" * 8
    assert tokens.call_id() == "fb" * 16
    assert tokens.entity_tag() == "fb" * 12
    assert tokens.nonce() == "-_v7-_v7-_v7-_v7-_v7-w"


def test_tags_are_in_the_order_of_their_making(tokens):
    made = [tokens.tag() for _ in range(300)]

    assert made == sorted(set(made))


def test_all_are_tokens(tokens):
    made = (tokens.tag, tokens.call_id, tokens.entity_tag, tokens.nonce)

    assert all(grammar.is_token(make()) for make in made)


def test_a_pool_gives_each_byte_once_and_draws_many_at_a_time():
    drawn = []

    def random(count):
        drawn.append(count)
        return os.urandom(count)

    pool = Pool(random)
    given = [pool(8) for _ in range(1000)]

    assert len(set(given)) == 1000
    assert {len(each) for each in given} == {8}
    assert drawn == [4096, 4096]


def test_a_pool_gives_more_than_it_draws_at_a_time():
    assert len(Pool(os.urandom)(10_000)) == 10_000
