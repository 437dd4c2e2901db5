"""A storage that cannot commit: 503, nobody is told, and it comes back by itself."""

from __future__ import annotations

import os
import resource
import sqlite3
from contextlib import contextmanager

import pytest

from presproxy.testing.instance import NotStarted, wait_for
from presproxy.testing.wire import pidf

#: What the log may hold while nothing can be written.
EXPECTED = "nothing can be written"


@pytest.fixture
def server(servers):
    return servers(storage="sqlite:path=presproxy.db:busy=0.1", expected=EXPECTED)


@contextmanager
def locked(server):
    """Another program holds the file."""
    connection = sqlite3.connect(
        server.folder / "presproxy.db", timeout=5, isolation_level=None
    )
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("ROLLBACK")
    connection.close()


@contextmanager
def full(server):
    """No file of the server's may grow: the disk is full."""
    size = os.path.getsize(server.folder / "presproxy.db-wal")
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, before[1]))
    yield
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)


@pytest.fixture(
    params=[locked, full], ids=["another holds the file", "the disk is full"]
)
def trouble(request, server):
    return lambda: request.param(server)


def is_refused_for_now(response) -> bool:
    return response.status == 503 and int(response.need("retry-after")) == 30


def test_what_cannot_be_kept_is_answered_503_and_nobody_is_told(server, peers, trouble):
    alice, bob = peers(server), peers(server, "bob@contoso.com", "tcp")
    watching = alice.subscribe(bob.aor)
    watching.notified("closed")
    tag = bob.publish(pidf(bob.aor, "before")).need("sip-etag")
    watching.notified("before")

    with trouble():
        changed = bob.publish(pidf(bob.aor, "lost"), entity_tag=tag)
        removed = bob.publish("", entity_tag=tag, expires=0)
        initial = bob.publish(pidf(bob.aor, "new", id="t2"))
        registered = bob.ask("REGISTER", "sip:contoso.com", {"To": f"<{bob.aor}>"})
        subscribed = alice.subscribe(bob.aor)
        refreshed = watching.again()
        ended = watching.again(0)
        handled = server.handle(bob.aor, alice.aor, "block")
        heard = alice.rest()

    for response in (changed, removed, initial, registered, subscribed.response):
        assert is_refused_for_now(response), response
    assert is_refused_for_now(refreshed)
    assert is_refused_for_now(ended)
    assert handled == 503
    assert heard == []


def test_polls_are_answered_while_nothing_can_be_kept(server, peers, trouble):
    alice, bob = peers(server), peers(server, "bob@contoso.com")
    bob.publish(pidf(bob.aor, "before"))

    with trouble():
        notify = alice.fetch(bob.aor)

    assert "before" in notify.text


def test_it_goes_on_by_itself_as_if_nothing_had_been(server, peers, trouble):
    alice, bob = peers(server), peers(server, "bob@contoso.com", "tcp")
    watching = alice.subscribe(bob.aor)
    watching.notified("closed")
    tag = bob.publish(pidf(bob.aor, "before")).need("sip-etag")
    before = watching.notified("before")
    with trouble():
        assert bob.publish(pidf(bob.aor, "lost"), entity_tag=tag).status == 503
        assert watching.again().status == 503

    # The entity-tag was not spent, and the dialog goes on.
    changed = bob.publish(pidf(bob.aor, "after"), entity_tag=tag)
    after = watching.notified("after")

    assert changed.status == 200
    assert after.cseq == before.cseq + 1
    assert watching.again().status == 200
    watching.notified("after")
    assert alice.rest() == []


def test_what_was_answered_503_is_not_there_after_a_kill(server, peers, trouble):
    bob = peers(server, "bob@contoso.com")
    tag = bob.publish(pidf(bob.aor, "before")).need("sip-etag")
    with trouble():
        assert bob.publish(pidf(bob.aor, "lost"), entity_tag=tag).status == 503

    server.kill()
    server.start()

    text = bob.fetch(bob.aor).text
    assert "before" in text
    assert "lost" not in text
    assert bob.publish("", entity_tag=tag).status == 200


def test_a_start_on_something_else_says_why(servers, tmp_path):
    path = tmp_path / "presproxy.db"
    path.write_bytes(b"this is no database" * 1000)

    with pytest.raises(NotStarted, match="file is not a database") as caught:
        servers(storage=f"sqlite:path={path}", expected="cannot start")

    assert "Traceback" not in str(caught.value)


def test_two_servers_do_not_share_a_file(server, servers):
    path = server.folder / "presproxy.db"

    with pytest.raises(
        NotStarted, match=f"in use by another presproxy, process {server.pid}"
    ):
        servers(storage=f"sqlite:path={path}", expected="cannot start")

    assert wait_for(lambda: server.ask("GET", "/readyz")[0] == 200, 5)
