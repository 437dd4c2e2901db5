"""Lync's way of telling, over real sockets: BENOTIFY, before and after ``kill -9``."""

from __future__ import annotations

import pytest

from presproxy.testing.wire import fresh, pidf, respond

WANTED = {"Supported": "ms-benotify", "Proxy-Require": "ms-benotify"}


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_it_survives_kill_9_and_wants_no_answer(servers, peers, transport):
    server = servers()
    alice = peers(server, "alice@contoso.com", transport)
    bob = peers(server, "bob@contoso.com")
    watching = alice.subscribe(bob.aor, WANTED)
    plain = peers(server, "carol@contoso.com").subscribe(bob.aor)
    tag = bob.publish(pidf(bob.aor, "before")).need("sip-etag")
    told = [watching.notified(), watching.notified("before")]
    plain.notified("before")

    server.kill()
    server.start()
    if transport == "tcp":
        # The old connection is gone, and he says so as a client does.
        alice = watching.peer = peers(server, "alice@contoso.com", transport)
        refreshed = watching.again(fields=WANTED)
        assert (refreshed.status, refreshed.get("supported")) == (200, "ms-benotify")
        told.append(watching.notified("before"))
    bob.publish(pidf(bob.aor, "after"), entity_tag=tag)
    told.append(watching.notified("after"))

    assert {each.method for each in told} == {"BENOTIFY"}
    assert [each.cseq for each in told] == sorted({each.cseq for each in told})
    assert plain.notified("after").method == "NOTIFY"


def test_an_answer_to_it_is_counted_and_ends_nothing(server, alice, bob):
    before = server.metrics()["presproxy_stray_responses_total"]
    watching = alice.subscribe(bob.aor, WANTED)
    alice.send(respond(watching.notified(), "481 No Such Dialog"))

    bob.publish(pidf(bob.aor, text := fresh("note")))

    assert watching.notified(text).method == "BENOTIFY"
    assert server.metrics()["presproxy_stray_responses_total"] == before + 1
    assert alice.rest() == []
