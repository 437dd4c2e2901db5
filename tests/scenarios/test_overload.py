"""A server that is late: who is refused, who is not, and that it comes back by itself."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from textwrap import dedent

import pytest

from presproxy.testing.instance import wait_for
from presproxy.testing.peer import is_response
from presproxy.testing.wire import PIDF, fresh, pidf

SLUGGISH = """
    import time

    import attrs
    from zope.interface import implementer

    from presproxy.extend.maker import PluginMaker, option
    from presproxy.interfaces import IContactACL
    from presproxy.model.decision import FULL, Decision, Handling

    maker = PluginMaker("acl", "sluggish", __name__ + ":Sluggish", "Takes its time.")


    @implementer(IContactACL)
    @attrs.define(eq=False)
    class Sluggish:
        seconds: float = option("For which nothing else is done.", default=0.03)

        async def start(self, house): ...

        async def stop(self): ...

        async def decide(self, watcher, presentity, package):
            time.sleep(self.seconds)
            return Decision(Handling.ALLOW, "asleep", FULL)
"""

#: More than is done of it in the time that any of it may wait: 1.8 seconds.
MANY = 60


def subscribe(peer, presentity, expires="600"):
    fields = {
        "Event": "presence",
        "Accept": PIDF,
        "Contact": f"<{peer.contact}>",
        "Expires": expires,
    }
    return peer.write("SUBSCRIBE", presentity, fields)


def answers(peer, count):
    return [peer.expect(is_response) for _ in range(count)]


def is_refused_for_now(response):
    return response.status == 503 and 5 <= int(response.need("retry-after")) <= 30


@pytest.fixture
def sluggish(servers, tmp_path, monkeypatch):
    """A server that can do nothing else while it decides about a subscription."""
    folder = tmp_path / "presproxy" / "plugins"
    folder.mkdir(parents=True)
    folder.joinpath("sluggish.py").write_text(dedent(SLUGGISH))
    monkeypatch.syspath_prepend(str(tmp_path))
    return servers("--acl", "sluggish")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_new_requests_are_refused_and_who_is_there_already_is_served(
    sluggish, peers, transport
):
    alice, bob = peers(sluggish), peers(sluggish, "bob@contoso.com")
    carol = peers(sluggish, "carol@contoso.com", transport)
    tag = bob.publish(pidf(bob.aor, "before")).need("sip-etag")
    watching = alice.subscribe(bob.aor)
    watching.notified("before")

    for number in range(MANY):
        carol.send(subscribe(carol, f"sip:user{number}@contoso.com"))
    refreshed = watching.again()
    changed = bob.publish(pidf(bob.aor, "meanwhile"), entity_tag=tag)
    told = alice.notified("meanwhile")
    responses = answers(carol, MANY)
    refused = [each for each in responses if each.status != 200]

    assert (refreshed.status, changed.status) == (200, 200)
    assert told.call_id == watching.call_id
    assert 0 < len(refused) < MANY
    assert all(map(is_refused_for_now, refused))
    assert len({each.branch for each in responses}) == MANY
    metrics = sluggish.metrics()
    assert metrics['presproxy_requests_late_total{lane="new"}'] == len(refused)
    assert metrics["presproxy_late"] == 1
    assert metrics["presproxy_inbox_messages"] == 0
    assert sluggish.log().count("late: ") == 1
    assert sluggish.show("subscriptions")["total"] == 1 + MANY - len(refused)


def test_a_refused_request_that_comes_again_is_refused_again(sluggish, peers):
    carol = peers(sluggish, "carol@contoso.com")
    sent = [subscribe(carol, f"sip:user{n}@contoso.com") for n in range(MANY)]
    for data in sent:
        carol.send(data)
    first = {each.branch: each for each in answers(carol, MANY)}
    for data in sent:
        carol.send(data)
    second = {each.branch: each for each in answers(carol, MANY)}

    assert {branch: each.data for branch, each in first.items()} == {
        branch: each.data for branch, each in second.items()
    }


@contextmanager
def stuck(server):
    """Another program holds the file, for as long as it likes."""
    connection = sqlite3.connect(
        server.folder / "presproxy.db", timeout=5, isolation_level=None
    )
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("ROLLBACK")
    connection.close()


@pytest.fixture
def patient(servers, tmp_path):
    """A server that waits for its disk."""
    configuration = tmp_path / "presproxy.toml"
    configuration.write_text("[limits]\nlate_storage = 0.3\n")
    return servers(
        "--config",
        str(configuration),
        storage="sqlite:path=presproxy.db:busy=9",
    )


def test_while_the_storage_is_stuck_nothing_is_begun_that_needs_it(patient, peers):
    alice, bob = peers(patient), peers(patient, "bob@contoso.com")
    alice.publish(pidf(alice.aor, "before"))

    with stuck(patient):
        fields = {"Event": "presence", "Content-Type": PIDF, "Expires": "600"}
        bob.send(bob.write("PUBLISH", bob.aor, fields, pidf(bob.aor, "patience")))
        refused = until_refused(alice)
        polled = bob.fetch(alice.aor)
    published = bob.expect(is_response)

    assert is_refused_for_now(refused)
    assert "before" in polled.text
    assert published.status == 200
    assert wait_for(
        lambda: alice.subscribe(f"sip:{fresh()}@contoso.com").status == 200, 5
    )


def until_refused(peer):
    """Ask anew until an answer comes at once; what is not refused waits for the disk."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        peer.send(subscribe(peer, f"sip:{fresh()}@contoso.com"))
        peer.pump(0.1)
        if peer.inbox:
            return peer.expect(is_response)
    raise AssertionError("nobody was refused")
