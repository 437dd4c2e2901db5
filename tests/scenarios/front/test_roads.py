"""Calls through the server and a Kamailio behind it, by any transport on each leg."""

from __future__ import annotations

import itertools

import pytest

from presproxy.testing.instance import wait_for
from presproxy.testing.wire import fresh

pytestmark = [
    pytest.mark.needs("sipp"),
    pytest.mark.needs("kamailio", "kamailio/modules/tls.so"),
]

TRANSPORTS = ("udp", "tcp", "tls")

#: Seconds.
LIMIT = 30

#: There is no fourth Via on this way: what stands for it is another field.
THREE_HOPS = {
    'header="Via:" occurrence="4"': 'header="Max-Forwards:"',
    "Via:[$last]": "Subject:[$last]",
}

#: It may ring at either phone, or both, before it is taken.
RINGS_TWICE = {'<recv response="180"/>': '<recv response="180" optional="true"/>'}

#: Each transport on each leg with each on each other.
MIXES = [
    (near, between, TRANSPORTS[(one + other) % 3])
    for one, near in enumerate(TRANSPORTS)
    for other, between in enumerate(TRANSPORTS)
]


def by(mixes):
    names = ("near", "between", "far")
    return pytest.mark.parametrize(names, mixes, ids=map("-".join, mixes))


every_mix = by(list(itertools.product(TRANSPORTS, repeat=3)))
each_pair = by(MIXES)


@pytest.fixture(autouse=True)
def nothing_is_left(front):
    """Nothing is on its way any more after a test, and no ACK was lost."""
    lost = front.metrics()["presproxy_acks_lost_total"]
    yield
    assert wait_for(lambda: front.metrics()["presproxy_relaying"] == 0, LIMIT)
    assert front.metrics()["presproxy_acks_lost_total"] == lost


def came_by(*transports):
    """What an INVITE is looked at for: its first Via fields."""
    return {
        f'SIP/2.0/[A-Z]+" occurrence="{number}"': f'SIP/2.0/{each.upper()} " '
        f'occurrence="{number}"'
        for number, each in enumerate(transports, 1)
    }


@every_mix
def test_a_call_goes_by_any_transports(call, phone, near, between, far):
    user = fresh("callee")

    called = phone("call_taken", user, far, words=came_by(far, between))
    caller = call("call", user, near)

    assert (caller.finish(), called.finish()) == ("", "")


@each_pair
def test_who_is_called_changes_and_ends_the_call(call, phone, near, far):
    user = fresh("callee")

    called = phone("taken_ended", user, far)
    caller = call("call_ended", user, near)

    assert (caller.finish(), called.finish()) == ("", "")


@each_pair
def test_a_call_that_rings_is_cancelled(call, phone, near, far):
    user = fresh("callee")

    called = phone("call_rung_behind", user, far, words=THREE_HOPS)
    caller = call("cancel", user, near)

    assert (caller.finish(), called.finish()) == ("", "")


@each_pair
def test_a_call_is_refused(call, phone, near, far):
    user = fresh("callee")

    called = phone("call_refused", user, far)
    caller = call("refused", user, near)

    assert (caller.finish(), called.finish()) == ("", "")


@by(MIXES[::4])
def test_a_call_is_refused_for_all_phones(call, phone, near, far):
    user = fresh("callee")

    called = phone("call_refused", user, far, words={"486 Busy Here": "603 Decline"})
    caller = call("refused", user, near, words={'"486"': '"603"'})

    assert (caller.finish(), called.finish()) == ("", "")


@by(MIXES[::4])
def test_nobody_is_registered_who_could_be_called(call, near, far):
    caller = call("refused", fresh("nobody"), near, words={'"486"': '"404"'})

    assert caller.finish() == ""


@each_pair
def test_a_call_rings_twice_and_is_taken_once(call, phone, near, far):
    user = fresh("callee")
    rings = phone("call_rung_behind", user, "udp", words=THREE_HOPS)
    taken = phone("call_taken", user, far)

    caller = call("call", user, near, words=RINGS_TWICE)

    assert [each.finish() for each in (caller, taken, rings)] == ["", "", ""]


@each_pair
def test_who_registered_through_us_is_called_through_us(call, phone_here, near, far):
    user = fresh("callee")

    called = phone_here("call_taken", user, far)
    caller = call("call", user, near)

    assert (caller.finish(), called.finish()) == ("", "")


@by(MIXES[::4])
def test_a_call_to_who_registered_through_us_is_cancelled(call, phone_here, near, far):
    user = fresh("callee")

    called = phone_here("call_rung_behind", user, far)
    caller = call("cancel", user, near)

    assert (caller.finish(), called.finish()) == ("", "")
