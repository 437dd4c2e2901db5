"""What is over a limit is refused in words, and the rest goes on."""

from __future__ import annotations

import pytest

from presproxy.testing.wire import PIDF, fresh, pidf

LIMITS = """
min_expires = 2

[limits]
body = 2048
publications_of_one = 3
publications = 6
subscriptions_of_one = 3
subscriptions = 6
contacts_of_one = 2
connections = 6
"""


@pytest.fixture
def server(servers, tmp_path):
    configuration = tmp_path / "presproxy.toml"
    configuration.write_text(LIMITS)
    return servers("--config", str(configuration))


@pytest.fixture
def alice(server, peers):
    return peers(server)


def test_a_body_over_the_limit_is_answered_413(alice):
    assert alice.publish(pidf(alice.aor, "x" * 1700)).status == 200
    assert alice.publish(pidf(alice.aor, "x" * 2048)).status == 413


def test_one_watcher_has_so_many_subscriptions(alice):
    kept = [alice.subscribe(f"sip:bob{n}@contoso.com") for n in range(3)]
    refused = alice.subscribe("sip:bob3@contoso.com")

    assert [each.status for each in kept] == [200, 200, 200]
    assert refused.status == 403
    assert refused.response.need("warning").startswith("399 ")
    assert alice.subscribe("sip:bob3@contoso.com", expires=0).status == 200

    assert kept[0].again(0).status == 200
    assert alice.subscribe("sip:bob3@contoso.com").status == 200


def test_all_watchers_have_so_many_subscriptions(server, alice, peers):
    for name in ("alice", "carol"):
        peer = peers(server, f"{name}@contoso.com")
        for number in range(3):
            assert peer.subscribe(f"sip:bob{number}@contoso.com").status == 200

    refused = peers(server, "dave@contoso.com").subscribe("sip:bob@contoso.com")

    assert refused.status == 503
    assert int(refused.response.need("retry-after")) > 0


def test_one_more_publication_makes_the_oldest_go(server, alice, peers):
    published = [
        # Each from a socket of its own, as each is another device.
        peers(server).publish(pidf(alice.aor, f"number {n}", id=f"t{n}"))
        for n in range(4)
    ]

    text = alice.fetch(alice.aor).text

    assert [each.status for each in published] == [200] * 4
    assert [f"number {n}" in text for n in range(4)] == [False, True, True, True]
    oldest = published[0].need("sip-etag")
    assert alice.publish("", entity_tag=oldest).status == 412


def test_all_have_so_many_publications(server, peers):
    statuses = []
    for name in ("alice", "bob", "carol"):
        for number in range(3):
            peer = peers(server, f"{name}@contoso.com")
            response = peer.publish(pidf(peer.aor, id=f"t{number}"))
            statuses.append(response.status)

    assert statuses == [200] * 6 + [403] * 3


def test_one_user_has_so_many_contacts(alice):
    def register(number: int) -> int:
        contact = f"<sip:alice@127.0.0.1:{7000 + number}>"
        to = {"To": f"<{alice.aor}>", "Contact": contact}
        return alice.ask("REGISTER", "sip:contoso.com", to).status

    assert [register(n) for n in range(3)] == [200, 200, 403]


def test_connections_over_the_limit_are_closed(server, alice, peers):
    connections = [peers(server, transport="tcp") for _ in range(6)]
    assert all(
        each.ask("OPTIONS", "sip:contoso.com").status == 200 for each in connections
    )

    one_more = peers(server, transport="tcp")

    assert one_more.closed_by_server()
    assert alice.ask("OPTIONS", "sip:contoso.com").status == 200
    connections[0].close()
    assert connections[1].ask("OPTIONS", "sip:contoso.com").status == 200


def test_a_contact_list_has_so_many_entries(servers, tmp_path):
    server = servers("--acl", "contacts:limit=2")

    statuses = [
        server.handle("sip:alice@contoso.com", f"sip:{name}@contoso.com", "allow")
        for name in ("bob", "carol", "dave", "carol")
    ]

    assert statuses == [200, 200, 409, 200]


def test_what_expires_makes_room(alice):
    for number in range(3):
        response = alice.publish(
            pidf(alice.aor, id=f"{fresh()}{number}"), {"Content-Type": PIDF}, expires=2
        )
        assert response.status == 200
    for number in range(3):
        assert alice.subscribe(f"sip:bob{number}@contoso.com", expires=2).status == 200

    for number in range(3):
        last = alice.notified("terminated;reason=timeout")
        assert last.status == 0, number

    assert alice.subscribe("sip:bob@contoso.com").status == 200
