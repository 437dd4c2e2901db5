from __future__ import annotations

import pytest

from presproxy.auth.attempts import Attempts, Guesses, network_of
from presproxy.errors import SignInRefused


def fail(attempts, who, times, now=0.0):
    for _ in range(times):
        attempts.fail(who, now)


@pytest.mark.parametrize(
    ("failures", "waits"), [(0, False), (2, False), (3, True), (4, True)]
)
def test_who_failed_too_often_must_wait(failures, waits):
    attempts = Attempts(3)
    fail(attempts, "eve", failures)

    assert attempts.must_wait("eve", 1.0) is waits


def test_others_need_not_wait():
    attempts = Attempts(3)
    fail(attempts, "eve", 3)

    assert not attempts.must_wait("alice", 1.0)


def test_the_wait_ends_a_window_after_the_last_failure_allowed():
    attempts = Attempts(3, window=60.0)
    fail(attempts, "eve", 2, 0.0)
    fail(attempts, "eve", 1, 50.0)

    assert attempts.must_wait("eve", 109.0)
    assert not attempts.must_wait("eve", 110.0)


def test_after_the_wait_there_are_as_many_attempts_again():
    attempts = Attempts(3, window=60.0)
    fail(attempts, "eve", 3, 0.0)
    fail(attempts, "eve", 2, 60.0)

    assert not attempts.must_wait("eve", 61.0)


def test_failures_of_another_window_do_not_count():
    attempts = Attempts(3, window=60.0)
    fail(attempts, "alice", 2, 0.0)
    fail(attempts, "alice", 2, 60.0)

    assert not attempts.must_wait("alice", 61.0)


def test_nobody_waits_where_nothing_is_counted():
    attempts = Attempts(0)
    fail(attempts, "eve", 1000)

    assert not attempts.must_wait("eve", 0.0)
    assert len(attempts) == 0


def test_the_memory_is_bounded():
    attempts = Attempts(3, limit=10)
    for number in range(100):
        attempts.fail(number, 0.0)

    assert len(attempts) == 10


def test_what_is_over_is_forgotten():
    attempts = Attempts(3, window=60.0)
    for number in range(10):
        attempts.fail(number, 0.0)

    attempts.fail("eve", 60.0)

    assert len(attempts) == 1


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:0db8:0000:0000"),
        ("2001:db8::2:0:0:1", "2001:0db8:0000:0000"),
        ("fe80::1%eth0", "fe80:0000:0000:0000"),
        ("no:address", "no:address"),
    ],
    ids=["IPv4", "IPv6", "another of the same /64", "with a zone", "neither"],
)
def test_a_network_is_what_one_subscriber_has(host, network):
    assert network_of(host) == network


# --- Guesses


def guess(guesses, host, user, times):
    for _ in range(times):
        guesses.fail(host, user, 0.0)


def test_a_user_who_was_guessed_at_too_often_is_refused_from_there():
    guesses = Guesses(2)
    guess(guesses, "192.0.2.1", "alice", 2)

    with pytest.raises(SignInRefused):
        guesses.check("192.0.2.1", "alice", 1.0)
    guesses.check("192.0.2.1", "bob", 1.0)
    guesses.check("192.0.2.2", "alice", 1.0)
    guesses.check("192.0.2.1", "alice", 61.0)


def test_so_is_everybody_after_ten_times_as_many():
    guesses = Guesses(2)
    for number in range(20):
        guess(guesses, "2001:db8::1", f"user{number}", 1)

    with pytest.raises(SignInRefused):
        guesses.check("2001:db8::2", "alice", 1.0)
    guesses.check("2001:db8:0:1::1", "alice", 1.0)


def test_nobody_is_refused_if_none_are_counted():
    guesses = Guesses(0)
    guess(guesses, "192.0.2.1", "alice", 100)

    guesses.check("192.0.2.1", "alice", 1.0)
