"""In front of a real Kamailio: registrations by Path, and calls through both."""

from __future__ import annotations

import pytest

from presproxy.testing.instance import wait_for
from presproxy.testing.peer import Peer
from presproxy.testing.wire import fresh

pytestmark = [
    pytest.mark.alone,
    pytest.mark.needs("sipp"),
    pytest.mark.needs("kamailio"),
]

#: Seconds.
LIMIT = 30


@pytest.fixture
def behind(kamailio):
    return kamailio()


@pytest.fixture(params=["udp", "tcp"])
def front(request, behind, servers, patient):
    """A server whose way to Kamailio is by one transport."""
    return servers(*patient, "--upstream", f"{behind.uri};transport={request.param}")


@pytest.fixture
def patient(tmp_path):
    """Options by which nothing is refused for being late: the machine may be busy."""
    path = tmp_path / "patient.toml"
    path.write_text("[limits]\nlate = 20\nlate_keeping = 20\n")
    return "--config", str(path)


@pytest.fixture
def register():
    """Registers a user who will be called at a port, and gives both."""

    def done(front, transport="udp"):
        user = fresh("callee")
        peer = Peer(front.udp if transport == "udp" else front.tcp, user, transport)
        peer.aor = f"sip:{user}@contoso.com"
        answer = peer.ask(
            "REGISTER",
            "sip:contoso.com",
            {"Contact": f"<sip:{user}@127.0.0.1:{peer.port}>", "To": f"<{peer.aor}>"},
        )
        assert answer.status == 200
        return user, peer

    return done


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(
    ("caller", "called"),
    [
        ("call", "call_taken"),
        ("cancel", "call_rung_behind"),
        ("refused", "call_refused"),
        ("message", "message_read"),
    ],
)
def test_calls_go_through_both(front, sipp, register, transport, caller, called):
    user, peer = register(front)
    port = peer.port
    peer.close()
    host, ours = front.udp if transport == "udp" else front.tcp

    callee = sipp(called, "-p", str(port), "-s", user, "-m", "20")
    caller = sipp(
        *(caller, f"{host}:{ours}", "-t", "u1" if transport == "udp" else "t1"),
        *("-s", user, "-m", "20", "-r", "10", "-l", "10"),
    )

    assert (caller.finish(), callee.finish()) == ("", "")
    assert wait_for(lambda: front.metrics()["presproxy_relaying"] == 0, LIMIT)
    assert front.metrics()["presproxy_acks_lost_total"] == 0


def told(sender, uri, reader):
    """Send a text from one user to another, who answers; give what came, and the status."""
    data = sender.write("MESSAGE", uri, {"Content-Type": "text/plain"}, "Hi")
    sender.send(data)
    came = reader.expect(lambda each: each.method == "MESSAGE", LIMIT)
    answer = sender.expect(lambda each: each.status >= 200, LIMIT)
    return came.text, answer.status


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_phone_is_called_by_its_own_connection(front, register, transport):
    user, bob = register(front, transport)
    alice = Peer(front.tcp, "alice@contoso.com", "tcp")

    assert told(alice, f"sip:{user}@contoso.com", bob) == ("Hi", 200)


def test_kamailio_is_killed_and_started_in_the_middle(behind, front, register):
    alice = Peer(front.tcp, "alice@contoso.com", "tcp")
    user, bob = register(front)
    to = f"sip:{user}@contoso.com"
    behind.kill()

    assert wait_for(lambda: "is away" in front.log(), LIMIT)
    while_away = alice.ask("MESSAGE", to)
    watched = alice.ask("SUBSCRIBE", to, {"Event": "presence"})
    behind.start()
    assert wait_for(lambda: "is back" in front.log(), LIMIT)
    contact = f"<sip:{user}@127.0.0.1:{bob.port}>"
    fields = {"Contact": contact, "To": f"<{bob.aor}>"}
    again = bob.ask("REGISTER", "sip:contoso.com", fields)

    assert (while_away.status, watched.status) == (503, 200)
    assert again.status == 200
    assert told(alice, to, bob) == ("Hi", 200)
