"""A watcher whose connection nobody reads, among others who are told everything."""

from __future__ import annotations

import pytest

from presproxy.testing.wire import pidf

#: Each change takes so many octets: of a hundred, some fit into what the systems hold.
NOTE = "x" * 40_000
CHANGES = 150

#: Twisted's own buffer and a message, far below all the changes.
BUFFERED = 2**20


@pytest.mark.parametrize(
    "fields", [{}, {"Supported": "ms-benotify"}], ids=["NOTIFY", "BENOTIFY"]
)
def test_who_does_not_read_keeps_nobody_waiting_and_is_told_the_last_at_last(
    servers, peers, fields
):
    server = servers()
    deaf = peers(server, "deaf@contoso.com", "tcp")
    alice = peers(server, "alice@contoso.com", "tcp")
    bob = peers(server, "bob@contoso.com", "tcp")
    others = [alice.subscribe(bob.aor), deaf.subscribe(bob.aor, fields)]
    for each in others:
        each.notified()
    tag, numbers = None, []
    for number in range(CHANGES):
        body = pidf(bob.aor, f"{number} {NOTE}")
        tag = bob.publish(body, entity_tag=tag).need("sip-etag")
        others[0].notified(f">{number} x")
        numbers.append(others[0].peer is alice)
    metrics = server.metrics()

    last = others[1].notified(f">{CHANGES - 1} x")

    assert last.method == ("BENOTIFY" if fields else "NOTIFY")
    assert numbers == [True] * CHANGES
    assert metrics['presproxy_connections_buffered{transport="tcp"}'] < BUFFERED
    assert metrics["presproxy_notify_replaced_total"] > 0
    assert [each.cseq for each in deaf.inbox] == sorted(e.cseq for e in deaf.inbox)
