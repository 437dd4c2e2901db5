"""Kamailio is killed and started while calls go through it."""

from __future__ import annotations

from collections import Counter

import pytest

from presproxy.testing.instance import wait_for

pytestmark = [
    pytest.mark.alone,
    pytest.mark.needs("sipp"),
    pytest.mark.needs("kamailio", "kamailio/modules/tls.so"),
]

#: Seconds.
LIMIT = 60

#: How many calls, and how many begin in a second; no answer takes fifteen seconds.
TRAFFIC = ("-m", "700", "-r", "40", "-recv_timeout", "15000")
LOGGED = ("-trace_logs", "-log_file", "said")

#: Whoever is called is at one place, which outlasts a kill.
GATEWAY = """
    if (is_method("INVITE") && $rU == "gateway") {{
        record_route();
        $du = "sip:127.0.0.1:{}";
        t_relay();
        exit;
    }}
"""


@pytest.fixture(params=["udp", "tcp", "tls"])
def between(request):
    return request.param


@pytest.fixture
def gateway(sipp, free_port):
    """Who takes all calls, at a port."""
    port = free_port()
    sipp("call_taken_at_once", "-p", str(port), "-s", "gateway", limit=4 * LIMIT)
    return port


@pytest.fixture
def behind(kamailio, certified, gateway):
    return kamailio(**certified, served=GATEWAY.format(gateway))


@pytest.fixture
def front(servers, setting, behind, between):
    options, fields = setting
    return servers(*options, "--upstream", behind.uri_by(between), **fields)


def said(calls):
    """Count how calls went."""
    return Counter(calls.read("said").splitlines())


def test_each_call_is_taken_or_refused_and_later_all_are_taken(front, behind, call):
    calls = call("call_tried", "gateway", "tcp", *TRAFFIC, *LOGGED, limit=2 * LIMIT)

    assert wait_for(lambda: said(calls)["ended"] > 50, LIMIT)
    behind.kill()
    assert wait_for(lambda: "is away" in front.log(), LIMIT)
    known = said(calls)["refused"]
    assert wait_for(lambda: said(calls)["refused"] > known + 50, LIMIT)
    behind.start()
    assert wait_for(lambda: "is back" in front.log(), LIMIT)
    taken = said(calls)["ended"]
    assert wait_for(lambda: said(calls)["ended"] > taken + 50, LIMIT)
    later = call("call_tried", "gateway", "udp", "-m", "50", "-r", "50", *LOGGED)

    assert (later.finish(), said(later)) == ("", {"ended": 50})
    assert calls.finish() == ""
    assert said(calls).total() == 700
    assert wait_for(lambda: front.metrics()["presproxy_relaying"] == 0, LIMIT)
