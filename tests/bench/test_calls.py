"""The load's calls: what they are made of, and what a proxy does wrong with them."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.faulty_proxy import Proxy, honest

pytestmark = pytest.mark.needs("cc", "make")

#: The load makes as many.
CALLS = 20

WRONG = ("failed", "lost", "astray", "stray_responses", "unreadable")


def wrong(counted):
    return {name: counted[name] for name in WRONG if counted[name]}


def changed(when, old, new):
    """Replace something in what begins with ``when``."""
    return lambda text: [text.replace(old, new) if text.startswith(when) else text]


def once(when, instead):
    """Do something else with the first message that begins so."""
    left = [1]

    def damage(text):
        if text.startswith(when) and left:
            left.clear()
            return instead(text)
        return honest(text)

    return damage


def test_a_call_is_all_of_it_and_nothing_is_wrong_with_an_honest_proxy(play):
    proxy = Proxy()
    counted = play(proxy, "call")

    assert (counted["operations"], wrong(counted)) == (CALLS, {})
    assert Counter(proxy.seen) == {
        "REGISTER": 2,
        **dict.fromkeys(("INVITE", "180", "ACK", "BYE"), CALLS),
        "200": 2 * CALLS,
    }


@pytest.mark.parametrize(
    "damage",
    [
        changed("INVITE", ":p1@", ":p0@"),
        changed("INVITE", "audio", "video"),
        changed("ACK", ";tag=d", ";tag=e"),
        changed("BYE", "BYE sip:p", "BYE sip:q"),
        changed("SIP/2.0 200", "Contact: <sip:p", "Contact: <sip:q"),
        changed("SIP/2.0 200", "PCMA", "PCMX"),
        lambda text: [] if text.startswith("SIP/2.0 180") else [text],
        lambda text: (
            [text, text.replace("branch=", "branch=z9hG4bKx")]
            if text.startswith("INVITE")
            else [text]
        ),
    ],
    ids=[
        "to another user",
        "another offer",
        "acknowledged to another tag",
        "hung up at another",
        "another contact",
        "another answer",
        "no ringing",
        "forked",
    ],
)
def test_what_comes_otherwise_or_elsewhere_is_seen(play, damage):
    counted = play(Proxy(damage), "call")

    assert wrong(counted)["astray"] >= CALLS // 2


@pytest.mark.parametrize(
    ("what", "again"),
    [("INVITE", 1), ("SIP/2.0 200", 1), ("ACK", 1), ("BYE", 1)],
)
def test_what_is_lost_once_is_sent_again(play, what, again):
    counted = play(Proxy(once(what, lambda text: [])), "call", "--timeout", "5")

    assert (counted["operations"], counted["lost"]) == (CALLS, 0)
    if what != "ACK":
        assert counted["retransmissions_sent"] == again


def test_an_ack_that_never_comes_is_missed(play):
    counted = play(Proxy(lambda text: [] if text.startswith("ACK") else [text]), "call")

    assert wrong(counted) == {"astray": CALLS}


def test_a_call_that_is_not_passed_on_is_lost(play):
    counted = play(Proxy(once("INVITE", lambda text: [])), "call", "-n", "3")

    assert counted["operations"] == 2
    assert wrong(counted) == {"failed": 1, "lost": 1}


def test_a_refusal_is_a_failure_and_is_acknowledged(play):
    acknowledged = []

    def busy(text):
        if text.startswith("SIP/2.0 200 OK\r\n") and " INVITE" in text:
            return [text.replace("200 OK", "486 Busy Here", 1)]
        if text.startswith("ACK"):
            acknowledged.append(text)
            return []
        return [text]

    counted = play(Proxy(busy), "call", "-n", "3")

    assert (counted["operations"], counted["failed"]) == (0, 3)
    assert len(acknowledged) == counted["statuses"]["486"] == 3
