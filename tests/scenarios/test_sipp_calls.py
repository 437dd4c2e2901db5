"""Calls and texts from one SIPp through the server to another."""

from __future__ import annotations

import pytest

from presproxy.testing.instance import wait_for
from presproxy.testing.wire import fresh

pytestmark = pytest.mark.needs("sipp")

#: Seconds; each takes a few.
LIMIT = 30


@pytest.fixture
def callee(server, peers):
    """Registers somebody by UDP, and gives the user and the port to be listened on."""

    def register():
        user = fresh("callee")
        peer = peers(server, f"{user}@contoso.com")
        fields = {
            "Contact": f"<sip:{user}@127.0.0.1:{peer.port}>",
            "To": f"<{peer.aor}>",
        }
        assert peer.ask("REGISTER", "sip:contoso.com", fields).status == 200
        port = peer.port
        peer.close()
        return user, port

    return register


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(
    ("caller", "called"),
    [
        ("call", "call_taken"),
        ("cancel", "call_rung"),
        ("refused", "call_refused"),
        ("message", "message_read"),
    ],
)
def test_two_hundred_at_once(server, sipp, callee, transport, caller, called):
    before = server.metrics()
    user, port = callee()
    host, ours = server.udp if transport == "udp" else server.tcp
    count = ("-m", "200", "-r", "100", "-l", "100")

    called = sipp(called, "-p", str(port), "-s", user, "-m", "200")
    caller = sipp(
        *(caller, f"{host}:{ours}", "-t", "u1" if transport == "udp" else "t1"),
        *("-s", user, *count),
    )

    assert (caller.finish(), called.finish()) == ("", "")
    assert wait_for(lambda: server.metrics()["presproxy_relaying"] == 0, LIMIT)
    after = server.metrics()
    assert after["presproxy_acks_lost_total"] == before["presproxy_acks_lost_total"]


def test_a_call_rings_everywhere_and_ends_where_it_is_not_taken(
    server, sipp, callee, peers
):
    user, port = callee()
    rings = peers(server, f"{user}@contoso.com", "tcp")
    contact = f"<sip:{user}@127.0.0.1:{rings.port};transport=tcp>"
    fields = {"Contact": contact, "To": f"<{rings.aor}>"}
    assert rings.ask("REGISTER", "sip:contoso.com", fields).status == 200
    rings.answer = lambda request: None

    called = sipp("call_taken", "-p", str(port), "-s", user, "-m", "1")
    host, ours = server.udp
    caller = sipp("call", f"{host}:{ours}", "-s", user, "-m", "1")
    invite = rings.expect(lambda each: each.method == "INVITE")

    assert invite.first_line == f"INVITE {contact.strip('<>')} SIP/2.0"
    assert (caller.finish(), called.finish()) == ("", "")
