"""Our users' state at a real presence server behind: a Kamailio, and watchers there."""

from __future__ import annotations

import pytest

from presproxy.testing.certificates import Authority
from presproxy.testing.instance import wait_for
from presproxy.testing.kamailio import PROGRAM
from presproxy.testing.kamailio_presence import PresenceServer
from presproxy.testing.peer import Peer
from presproxy.testing.wire import pidf

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs kamailio")

#: Seconds; all takes one or two, on a machine with nothing else to do.
LIMIT = 60.0


@pytest.fixture
def passing(servers, tmp_path):
    """A server that passes presence to a Kamailio behind."""

    def start(kamailio, more="", **fields):
        path = tmp_path / "presproxy.toml"
        path.write_text(f'[[publish_upstream]]\nserver = "{kamailio.server}"\n{more}')
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
def test_a_watcher_behind_sees_a_user_here(
    presence_behind, passing, peers, watching, transport
):
    kamailio = presence_behind(transport)
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


def test_the_server_behind_asks_who_we_are(presence_behind, passing, peers, watching):
    kamailio = presence_behind(password="secret")
    server = passing(kamailio, 'username = "presproxy"\npassword = "secret"\n')
    alice = peers(server, "alice@contoso.com")

    alice.publish(body("proved"))

    assert wait_for(lambda: passed(server) == 1, LIMIT)
    assert kamailio.asked("PUBLISH") == ["alice"] * 2


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_server_behind_that_was_killed_is_told_again(
    presence_behind, passing, peers, watching, transport
):
    kamailio = presence_behind(transport)
    server = passing(kamailio)
    users = [peers(server, f"u{number}@contoso.com") for number in range(5)]
    for each in users:
        each.publish(pidf(each.aor, f"before {each.aor}"))
    assert wait_for(lambda: passed(server) == 5, LIMIT)

    kamailio.kill()
    users[0].publish(pidf(users[0].aor, "meanwhile"))
    kamailio.start()

    bob = watching(kamailio)
    seen = [bob.subscribe(each.aor) for each in users]
    seen[0].notified("meanwhile", LIMIT)
    for each, watched in zip(users[1:], seen[1:], strict=True):
        watched.notified(f"before {each.aor}", LIMIT)


def test_after_a_start_of_ours_nobody_is_there_twice(
    presence_behind, passing, peers, watching
):
    kamailio = presence_behind()
    server = passing(kamailio)
    alice, carol = (
        peers(server, "alice@contoso.com"),
        peers(server, "carol@contoso.com"),
    )
    alice.publish(body("before"))
    tag = carol.publish(pidf(carol.aor, "before"), expires=600).need("sip-etag")
    assert wait_for(lambda: passed(server) == 2, LIMIT)

    server.kill()
    server.start()
    carol.publish("", entity_tag=tag, expires=0)
    alice.publish(body("after", "closed"))

    bob = watching(kamailio)
    seen = bob.subscribe(alice.aor)
    text = seen.notified("after", LIMIT).text
    gone = bob.subscribe(carol.aor)
    assert wait_for(lambda: passed(server) == 1, LIMIT)
    assert text.count("<tuple") == 1
    assert "open" not in gone.notified("", LIMIT).text


def test_who_is_passed_and_fetched_is_there_once(
    presence_behind, passing, peers, watching
):
    kamailio = presence_behind()
    host, port = kamailio.address
    server = passing(
        kamailio,
        f'[aggregate]\nserver = "udp:{host}:{port}"\npackages = ["presence"]\n',
    )
    alice, bob = peers(server, "alice@contoso.com"), peers(server, "bob@contoso.com")
    desk = watching(kamailio, "alice@contoso.com")
    server.handle(alice.aor, bob.aor, "allow")
    seen = bob.subscribe(alice.aor)
    behind_us = watching(kamailio).subscribe(alice.aor)

    desk.publish(pidf(alice.aor, "desk", id="desk"))
    seen.notified("desk", LIMIT)
    tag = alice.publish(body("phone")).need("sip-etag")
    both = seen.notified("phone", LIMIT).text
    behind_us.notified("phone", LIMIT)
    for number in range(5):
        tag = alice.publish(body(f"phone {number}"), entity_tag=tag).need("sip-etag")
    behind_us.notified("phone 4", LIMIT)
    last = seen.notified("phone 4", LIMIT).text

    for text in (both, last):
        assert (text.count("<tuple"), "desk" in text) == (2, True)
    assert wait_for(
        lambda: (
            shown_behind(server)
            == [
                ("fetched", True, kamailio.server, True),
                ("passed", True, kamailio.server, True),
            ]
        ),
        LIMIT,
    )
    # What comes from there, again, changes nothing here.
    bob.inbox.clear()
    assert bob.rest(1.0) == []
    alice.publish("", entity_tag=tag, expires=0)
    assert seen.notified("desk", LIMIT).text.count("<tuple") == 1


def passed(server):
    return server.metrics()["presproxy_passed_publications"]


def shown_behind(server):
    return [
        (each["direction"], each["is_there"], each["server"], "phone 4" in each["body"])
        for each in server.show("behind")["items"]
    ]


def test_by_tls_both_sides_prove_who_they_are(tmp_path, passing, peers, watching):
    authority = Authority.make(tmp_path)
    certificate = authority.certify(tmp_path / "kamailio.pem", "127.0.0.2")
    kamailio = PresenceServer.make(
        tmp_path, "tls", certificate=certificate, authority=authority.path
    )
    kamailio.start()
    ours = authority.certify(tmp_path / "ours.pem", "127.0.0.1", "contoso.com")
    try:
        server = passing(
            kamailio,
            f'[transport]\nauthorities = "{authority.path}"\n',
            certificate=ours,
        )
        alice = peers(server, "alice@contoso.com")
        seen = watching(kamailio).subscribe(alice.aor)

        alice.publish(body("here"))

        seen.notified("here", LIMIT)
    finally:
        kamailio.kill()
