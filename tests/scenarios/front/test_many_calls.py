"""Many calls at a fixed rate through the server and a Kamailio behind it; none may fail."""

from __future__ import annotations

import pytest

from presproxy.testing.instance import wait_for
from presproxy.testing.wire import fresh

pytestmark = [
    pytest.mark.alone,
    pytest.mark.needs("sipp"),
    pytest.mark.needs("kamailio", "kamailio/modules/tls.so"),
]

#: Calls that begin in a second, and how many there may be at once.
RATE = ("-r", "100", "-l", "2000")

#: Seconds for a run, and for what is on its way to be over.
LIMIT = 400
OVER = 60

#: The transports to the caller, to Kamailio, and to who is called.
MIXES = [
    ("udp", "udp", "udp"),
    ("udp", "tcp", "tcp"),
    ("udp", "tls", "tls"),
    ("tcp", "udp", "tcp"),
    ("tcp", "tcp", "tls"),
    ("tcp", "tls", "udp"),
    ("tls", "udp", "tls"),
    ("tls", "tcp", "udp"),
    ("tls", "tls", "tcp"),
]
mixes = pytest.mark.parametrize(
    ("near", "between", "far"), MIXES, ids=map("-".join, MIXES)
)


@pytest.fixture
def run(call, front):
    """Lets many calls be made, and waits until all is over."""

    def done(phone, count, near, far):
        user = fresh("callee")
        lost = front.metrics()["presproxy_acks_lost_total"]
        called = phone("call_taken", user, far, count=count, limit=LIMIT)
        caller = call("call", user, near, "-m", str(count), *RATE, limit=LIMIT)
        assert (caller.finish(), called.finish()) == ("", "")
        assert wait_for(lambda: front.metrics()["presproxy_relaying"] == 0, OVER)
        assert front.metrics()["presproxy_acks_lost_total"] == lost

    return done


@pytest.mark.parametrize(
    ("near", "between", "far"), [("tcp", "tls", "udp")], ids=["tcp-tls-udp"]
)
def test_five_hundred_calls(run, phone, near, far):
    run(phone, 500, near, far)


@pytest.mark.calls
@mixes
def test_ten_thousand_calls(run, phone, near, far):
    run(phone, 10_000, near, far)


@pytest.mark.calls
@pytest.mark.parametrize("between", ["udp", "tls"])
@pytest.mark.parametrize(("near", "far"), [("udp", "udp"), ("tls", "tcp")])
def test_ten_thousand_calls_that_come_by_us_twice(run, phone_here, near, far):
    run(phone_here, 10_000, near, far)
