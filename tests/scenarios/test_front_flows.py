"""In front of a real Kamailio: the flows of phones, which break and are made again."""

from __future__ import annotations

import re

import pytest

from presproxy.testing.instance import wait_for
from presproxy.testing.peer import Peer
from presproxy.testing.wire import fresh, pidf

pytestmark = pytest.mark.needs("kamailio")

#: Seconds.
LIMIT = 30

URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"


@pytest.fixture
def behind(kamailio):
    return kamailio(
        more='modparam("registrar", "outbound_mode", 1)\n'
        'modparam("registrar", "gruu_enabled", 1)'
    )


@pytest.fixture
def front(behind, servers, tmp_path):
    path = tmp_path / "patient.toml"
    path.write_text(
        "[limits]\nlate = 20\nlate_keeping = 20\n[transport]\nstun = true\n"
    )
    to = f"{behind.uri};transport=udp"
    return servers("--config", str(path), "--upstream", to)


class Phone(Peer):
    """A phone behind a translator of addresses: its Contact leads nowhere."""

    def register(self, reg_id=1):
        user = self.aor[4:].partition("@")[0]
        contact = f"<sip:{user}@192.0.2.77:5060;ob>;reg-id={reg_id}"
        answer = self.ask(
            "REGISTER",
            "sip:contoso.com",
            {
                "To": f"<{self.aor}>",
                "Contact": f'{contact};+sip.instance="<{URN}>"',
                "Supported": "path, outbound, gruu",
                "Expires": "600",
            },
        )
        assert answer.status == 200
        return answer


@pytest.fixture
def phone(front):
    """Makes the sockets of one phone."""
    user = fresh("bob")

    def make(transport="tcp"):
        server = front.tcp if transport == "tcp" else front.udp
        return Phone(server, f"{user}@contoso.com", transport)

    return make


def text(front, uri, reader=None):
    """Send a text to a URI, which the reader answers; give the status."""
    alice = Peer(front.tcp, "alice@contoso.com", "tcp")
    alice.send(alice.write("MESSAGE", uri, {"Content-Type": "text/plain"}, "Hi"))
    if reader is not None:
        reader.expect(lambda each: each.method == "MESSAGE", LIMIT)
    return alice.expect(lambda each: each.status >= 200, LIMIT).status


def test_a_phone_is_called_by_the_flow_it_has_now(front, phone):
    first = phone()
    answer = first.register()
    assert answer.all("require") == ["outbound"]
    assert answer.get("flow-timer") == "120"
    assert text(front, first.aor, first) == 200

    first.close()
    assert wait_for(lambda: text(front, first.aor) == 430, LIMIT)
    second = phone()
    # It takes the place of the first, which nobody is sent to any more.
    assert len(second.register().all("contact")) == 1
    assert text(front, second.aor, second) == 200


def test_a_gruu_of_the_server_behind_leads_to_its_phone(front, phone):
    bob = phone()
    (contact,) = bob.register().all("contact")
    (gruu,) = re.findall(r'pub-gruu="([^"]*)"', contact)

    assert text(front, gruu, bob) == 200


def test_a_phone_by_datagrams_is_called_after_a_restart(front, phone):
    bob = phone("udp")
    bob.register()
    assert text(front, bob.aor, bob) == 200
    front.kill()
    front.start()

    assert text(front, bob.aor, bob) == 200


def test_a_connection_that_a_restart_ended_leads_to_nobody(front, phone):
    bob = phone()
    bob.register()
    front.kill()
    front.start()
    # Whoever comes now has the numbers that were others' before.
    others = [Peer(front.tcp, "carol@contoso.com", "tcp") for _ in range(3)]
    for each in others:
        each.ask("OPTIONS", "sip:contoso.com")

    assert text(front, bob.aor) == 430
    assert [each.inbox for each in others] == [[], [], []]


def test_a_watcher_is_told_what_he_missed_by_his_new_flow(front, phone):
    alice = Peer(front.tcp, fresh("alice@contoso.com"), "tcp")
    alice.aor = f"sip:{fresh('alice')}@contoso.com"
    bob = phone()
    bob.register()
    watching = bob.subscribe(alice.aor)
    watching.notified()
    bob.close()
    alice.publish(pidf(alice.aor, "away"))
    assert wait_for(lambda: front.metrics()["presproxy_publications"] == 1, LIMIT)

    again = phone()
    again.register()
    notify = again.expect(lambda each: each.method == "NOTIFY", LIMIT)

    assert "away" in notify.text
    assert front.metrics()["presproxy_subscriptions"] == 1
