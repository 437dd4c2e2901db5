"""The server as a process: it starts, says where it is, and ends."""

from __future__ import annotations

import pytest

from presproxy.testing.instance import NotStarted
from presproxy.testing.wire import pidf


def test_a_watcher_sees_what_is_published(server, peers):
    alice = peers(server, "alice@contoso.com", "tcp")
    bob = peers(server, "bob@contoso.com")

    watching = alice.subscribe("sip:bob@contoso.com")
    first = watching.notified()
    published = bob.publish(pidf(bob.aor, "at the desk"))
    second = watching.notified("at the desk")

    assert (watching.status, published.status) == (200, 200)
    assert "<basic>closed</basic>" in first.text
    assert second.cseq == first.cseq + 1


def test_a_port_that_is_taken_is_one_line_and_status_1(server, servers):
    with pytest.raises(NotStarted) as caught:
        servers(udp=server.udp, expected="cannot start")

    assert "Traceback" not in str(caught.value)
    assert "presproxy cannot start" in str(caught.value)


def test_health_is_told(server):
    assert server.ask("GET", "/healthz") == (200, b"alive\n")
    assert server.ask("GET", "/readyz") == (200, b"ready\n")


def test_who_asks_for_health_leaves_no_line_in_the_log(server):
    before = server.log()

    server.ask("GET", "/metrics")

    assert server.log() == before
