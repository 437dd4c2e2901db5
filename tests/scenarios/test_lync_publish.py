"""A Lync client publishes to a real server: over connections that end, and kills."""

from __future__ import annotations

import pytest

from presproxy.documents.lync.categories import CategoryName
from presproxy.documents.lync.roaming import read_roaming
from presproxy.testing.lync import PUBLISH, note, publish, signing_in, state
from presproxy.testing.peer import Peer

ALICE = "sip:alice@contoso.com"
MACHINE, CHOSEN = CategoryName("state", 988436328, 2), 536870912


class LyncPeer(Peer):
    """A Lync client by TCP."""

    def __init__(self, server):
        super().__init__(server.tcp, transport="tcp")
        self.count = 0

    def named(self):
        self.count += 1
        return {"From": f"<{self.aor}>;tag=t{self.count};epid=b34afb6ebb23"}

    def sign_in(self, expires=None):
        fields = signing_in(f"<sip:127.0.0.1:{self.port};transport=tcp>")
        return self.ask(
            "REGISTER",
            "sip:contoso.com",
            {**self.named(), **fields, "To": f"<{self.aor}>", "Expires": expires},
        )

    def publish_all(self, *publications):
        fields = {**self.named(), "Content-Type": PUBLISH}
        body = publish(self.aor, *publications)
        return self.ask("SERVICE", self.aor, fields, body)


def versions(answer):
    assert answer.status == 200, answer
    return {
        each.name: each.version
        for each in read_roaming(answer.body).categories
        if each.name.instance != 1
    }


@pytest.fixture
def connect():
    peers = []

    def made(server):
        peers.append(LyncPeer(server))
        return peers[-1]

    yield made
    for peer in peers:
        peer.close()


@pytest.fixture
def bob(server):
    peer = Peer(server.udp, "bob@contoso.com")
    yield peer
    peer.close()


@pytest.fixture
def server(servers, tmp_path):
    config = tmp_path / "presproxy.toml"
    config.write_text("[lync]\ngrace = 2\n")
    return servers("--acl", "open", "--config", str(config))


def chosen(availability, version=0):
    return state(availability, version, "static", CHOSEN, kind="userState")


def test_watchers_see_a_client_come_change_and_go(server, connect, bob):
    watching = bob.subscribe(ALICE)
    watching.notified("closed")
    alice = connect(server)
    assert alice.sign_in().status == 200

    alice.publish_all(state(), chosen(6500), note("In a meeting"))
    watching.notified("busy")
    alice.publish_all(chosen(3500, 1), state(3500, 1))
    assert b"busy" not in watching.notified("open").body

    alice.close()
    watching.notified("closed")
    assert server.metrics()["presproxy_endpoints"] == 0


def test_what_was_published_is_there_after_a_kill(server, connect, bob):
    watching = bob.subscribe(ALICE)
    watching.notified("closed")
    alice = connect(server)
    alice.sign_in()
    assert versions(alice.publish_all(state(), chosen(6500))) == {
        MACHINE: 1,
        CategoryName("state", CHOSEN, 2): 1,
    }
    watching.notified("busy")

    server.kill()
    server.start()

    assert b"busy" in bob.fetch(ALICE).body
    again = connect(server)
    assert 'register-action="added"' in again.sign_in().need("presence-state")
    # It is on the version it was told before.
    assert versions(again.publish_all(state(6500, 1)))[MACHINE] == 2
    bob.rest(2.5)
    assert b"busy" in bob.fetch(ALICE).body


def test_who_does_not_come_back_after_a_kill_is_gone(server, connect, bob):
    watching = bob.subscribe(ALICE)
    watching.notified("closed")
    alice = connect(server)
    alice.sign_in()
    alice.publish_all(state(), chosen(6500))
    watching.notified("busy")

    server.kill()
    server.start()

    watching.notified("closed", limit=10.0)
    again = connect(server)
    again.sign_in()
    # What he chose is there, and what his machine said is not.
    assert versions(again.publish_all(chosen(3500, 1), state()))[MACHINE] == 1
