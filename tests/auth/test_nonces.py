from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.auth.nonces import Nonces

HERE = "192.0.2.1"


@pytest.fixture
def make_nonces(random):
    def made(life=300.0, limit=100):
        return Nonces(life, limit, random)

    return made


def test_a_nonce_is_good_for_the_first_use(make_nonces):
    nonces = make_nonces()

    assert nonces.use(nonces.make(10.0), 1, HERE, 10.0)


def test_nonces_of_one_moment_differ(make_nonces):
    nonces = make_nonces()

    assert len({nonces.make(10.0) for _ in range(100)}) == 100


def test_a_nonce_is_short_and_needs_no_quoting(make_nonces):
    nonce = make_nonces().make(1e9)

    assert len(nonce) == 32
    assert nonce.replace("-", "").replace("_", "").isalnum()


def test_nothing_is_remembered_of_a_nonce_before_its_use(make_nonces):
    nonces = make_nonces()
    for moment in range(1000):
        nonces.make(moment)

    assert len(nonces) == 0


@pytest.mark.parametrize(
    ("age", "is_good"),
    [(0.0, True), (300.0, True), (300.1, False), (-1.0, False)],
    ids=["new", "at the end of its life", "too old", "not made yet"],
)
@pytest.mark.parametrize("used_before", [False, True], ids=["unused", "used"])
def test_a_nonce_has_a_life(make_nonces, age, is_good, used_before):
    nonces = make_nonces(life=300.0)
    nonce = nonces.make(1000.0)
    if used_before:
        nonces.use(nonce, 1, HERE, 1000.0)

    assert nonces.use(nonce, 2, HERE, 1000.0 + age) is is_good


@given(st.text(max_size=40))
def test_a_nonce_of_nobody_is_not_good(nonce):
    nonces = Nonces(300.0, 100, lambda length: bytes(length))

    assert not nonces.use(nonce, 1, HERE, 0.0)


def test_a_nonce_of_another_process_is_not_good(make_nonces):
    nonce = make_nonces().make(10.0)

    assert not make_nonces().use(nonce, 1, HERE, 10.0)


@given(st.integers(0, 31), st.sampled_from("ABCabc019-_=!"))
def test_a_nonce_with_another_sign_in_it_is_not_good(place, sign):
    nonces = Nonces(300.0, 100, lambda length: bytes(length))
    nonce = nonces.make(10.0)
    changed = nonce[:place] + sign + nonce[place + 1 :]

    assert changed == nonce or not nonces.use(changed, 1, HERE, 10.0)


@pytest.mark.parametrize(
    ("counts", "good"),
    [
        ([1, 2, 3], [True, True, True]),
        ([1, 1], [True, False]),
        ([0xD1B], [True]),
        ([1, 0xD1B, 0xD1C], [True, True, True]),
        ([1, 4, 3, 2, 3], [True, True, True, True, False]),
        ([1, 100, 1, 99], [True, True, False, True]),
        ([1, 61, 1], [True, True, False]),
        ([2, 61, 1, 3], [True, True, False, True]),
        ([1, 2**32 - 1, 2**32 - 2, 2**32 - 1], [True, True, True, False]),
        ([0, 0], [True, False]),
    ],
    ids=[
        "in order",
        "the same again",
        "never seen lower",
        "a large gap",
        "out of order",
        "late, before the window",
        "seen, at the window's edge",
        "late, at the window's edge",
        "as high as they go",
        "from nought",
    ],
)
def test_every_count_is_good_once(make_nonces, counts, good):
    nonces = make_nonces()
    nonce = nonces.make(10.0)

    assert [nonces.use(nonce, count, HERE, 10.0) for count in counts] == good


@given(st.lists(st.integers(0, 200), max_size=60))
def test_no_count_is_ever_taken_twice(counts):
    nonces = Nonces(300.0, 100, lambda length: bytes(length))
    nonce = nonces.make(10.0)

    taken = [count for count in counts if nonces.use(nonce, count, HERE, 10.0)]

    assert len(taken) == len(set(taken))


@given(st.permutations(range(1, 60)))
def test_no_order_of_what_was_sent_at_once_loses_any(counts):
    nonces = Nonces(300.0, 100, lambda length: bytes(length))
    nonce = nonces.make(10.0)

    assert all(nonces.use(nonce, count, HERE, 10.0) for count in counts)


def test_the_counts_of_one_nonce_are_not_another_s(make_nonces):
    nonces = make_nonces()
    first, second = nonces.make(10.0), nonces.make(10.0)
    nonces.use(first, 1, HERE, 10.0)

    assert nonces.use(second, 1, HERE, 10.0)


def test_without_counts_a_nonce_is_good_from_where_it_came_first(make_nonces):
    nonces = make_nonces()
    nonce = nonces.make(10.0)

    used = [nonces.use(nonce, None, host, 10.0) for host in (HERE, HERE, "192.0.2.66")]

    assert used == [True, True, False]


def test_the_memory_is_bounded(make_nonces):
    nonces = make_nonces(limit=10)
    for moment in range(100):
        nonces.use(nonces.make(moment), 1, HERE, moment)

    assert len(nonces) == 10


def test_what_was_forgotten_is_never_taken_again(make_nonces):
    nonces = make_nonces(limit=10)
    made = [nonces.make(moment) for moment in range(20)]
    for nonce in made:
        nonces.use(nonce, 1, HERE, 20.0)

    assert [nonces.use(nonce, 1, HERE, 20.0) for nonce in made] == [False] * 20
    assert [nonces.use(nonce, 2, HERE, 20.0) for nonce in made] == (
        [False] * 10 + [True] * 10
    )


def test_a_nonce_older_than_the_forgotten_ones_has_to_be_made_anew(make_nonces):
    nonces = make_nonces(limit=1)
    early, forgotten, late = (nonces.make(moment) for moment in (10.0, 20.0, 30.0))
    nonces.use(forgotten, 1, HERE, 30.0)
    nonces.use(late, 1, HERE, 30.0)

    assert not nonces.use(early, 1, HERE, 30.0)
    assert nonces.use(nonces.make(30.0), 1, HERE, 30.0)


def test_what_outlived_its_life_is_forgotten_in_time(make_nonces):
    nonces = make_nonces(life=300.0)
    nonces.use(nonces.make(0.0), 1, HERE, 0.0)
    nonces.use(nonces.make(100.0), 1, HERE, 100.0)

    nonces.use(nonces.make(350.0), 1, HERE, 350.0)

    assert len(nonces) == 2
