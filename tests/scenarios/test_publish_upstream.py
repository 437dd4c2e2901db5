"""Our users' state at a real presence server behind: a Kamailio, and watchers there."""

from __future__ import annotations

import pytest

from presproxy.testing.instance import wait_for
from presproxy.testing.kamailio import PROGRAM
from presproxy.testing.kamailio_presence import PresenceServer
from presproxy.testing.peer import Peer
from presproxy.testing.wire import pidf

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs kamailio")

#: Seconds; all takes one or two, on a machine with nothing else to do.
LIMIT = 60.0


@pytest.fixture
def behind(tmp_path, instances_shown):
    started = []

    def start(transport="udp", password=""):
        folder = tmp_path / "kamailio"
        folder.mkdir()
        one = PresenceServer.make(folder, transport, password)
        started.append(one)
        instances_shown.append(one)
        one.start()
        return one

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def passing(servers, tmp_path):
    """A server that passes presence to a Kamailio behind."""

    def start(kamailio, more="", **fields):
        path = tmp_path / "presproxy.toml"
        host, port = kamailio.address
        path.write_text(
            "[[publish_upstream]]\n"
            f'server = "{kamailio.transport}:{host}:{port}"\n{more}'
        )
        return servers("--config", str(path), **fields)

    return start


@pytest.fixture
def watching():
    """Makes watchers at the server behind."""
    opened = []

    def watch(kamailio, user="bob@contoso.com"):
        peer = Peer(kamailio.address, user)
        opened.append(peer)
        return peer

    yield watch
    for each in opened:
        each.close()


def body(note, basic="open"):
    return pidf("sip:alice@contoso.com", note, basic)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_watcher_behind_sees_a_user_here(behind, passing, peers, watching, transport):
    kamailio = behind(transport)
    server = passing(kamailio)
    alice = peers(server, "alice@contoso.com")
    seen = watching(kamailio).subscribe(alice.aor)

    tag = alice.publish(body("here")).need("sip-etag")
    seen.notified("here", LIMIT)
    tag = alice.publish(body("changed"), entity_tag=tag).need("sip-etag")
    seen.notified("changed", LIMIT)
    assert server.metrics()["presproxy_passed_publications"] == 1
    alice.publish("", entity_tag=tag, expires=0)

    assert wait_for(
        lambda: server.metrics()["presproxy_passed_publications"] == 0, LIMIT
    )
    last = seen.peer.expect(lambda message: message.method == "NOTIFY", LIMIT)
    assert "open" not in last.text
