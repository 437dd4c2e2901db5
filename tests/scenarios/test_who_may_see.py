"""Who may see whom, as watchers and presentities are told."""

from __future__ import annotations

from presproxy.testing.wire import PIDF, fresh, pidf

WINFO = "application/watcherinfo+xml"


def test_a_user_nobody_knows_is_like_one_who_is_offline_or_politely_blocks(
    server, alice, peers
):
    offline, polite = (fresh(name) for name in ("offline", "polite"))
    for name in (offline, polite):
        peer = peers(server, f"{name}@contoso.com")
        tag = peer.publish(pidf(peer.aor)).need("sip-etag")
        if name == offline:
            peer.publish("", entity_tag=tag, expires=0)
    assert server.handle(f"sip:{polite}@contoso.com", alice.aor, "polite-block") == 200

    seen = {}
    unknown = fresh("unknown")
    for name in (offline, polite, unknown):
        watching = alice.subscribe(f"sip:{name}@contoso.com", expires=0)
        notify = watching.notified()
        seen[name] = (
            watching.status,
            notify.get("subscription-state"),
            notify.text.replace(name, "NAME"),
        )

    assert seen[offline] == seen[polite] == seen[unknown]
    assert "<basic>closed</basic>" in seen[unknown][2]


def test_who_is_politely_blocked_is_told_of_no_change(server, alice, bob):
    server.handle(bob.aor, alice.aor, "polite-block")
    watching = alice.subscribe(bob.aor)
    watching.notified()

    bob.publish(pidf(bob.aor, "secret"))

    assert watching.status == 200
    assert alice.rest() == []


def test_who_is_blocked_is_answered_403(server, alice, bob):
    server.handle(bob.aor, alice.aor, "block")

    assert alice.subscribe(bob.aor).status == 403
    assert alice.rest() == []


def test_who_is_blocked_later_is_told_no_more(server, alice, bob):
    watching = alice.subscribe(bob.aor)
    watching.notified()

    server.handle(bob.aor, alice.aor, "block")
    last = watching.notified()
    bob.publish(pidf(bob.aor, "secret"))

    assert last.need("subscription-state").startswith("terminated;reason=rejected")
    assert alice.rest() == []
    assert watching.again().status == 481


def test_a_stranger_waits_and_the_presentity_is_told(server, bob, peers):
    carol = peers(server, f"{fresh('carol')}@fabrikam.com")
    bob.publish(pidf(bob.aor, "secret"))
    winfo = bob.subscribe(bob.aor, event="presence.winfo")
    winfo.notified()

    waiting = carol.subscribe(bob.aor)
    pending = waiting.notified()
    told = winfo.notified(carol.aor)
    server.handle(bob.aor, carol.aor, "allow")
    active = waiting.notified("secret")
    told_again = winfo.notified(carol.aor)

    assert waiting.status == 200
    assert pending.need("subscription-state").startswith("pending;expires=")
    assert "secret" not in pending.text
    assert 'status="pending"' in told.text
    assert told.get("content-type") == WINFO
    assert active.need("subscription-state").startswith("active;expires=")
    assert 'status="active"' in told_again.text


def test_who_watches_is_shown_to_nobody_else(server, alice, bob):
    assert alice.subscribe(bob.aor, event="presence.winfo").status == 403


def test_nobody_publishes_or_registers_for_somebody_else(alice, bob):
    publish = alice.ask(
        "PUBLISH",
        bob.aor,
        {"Event": "presence", "Content-Type": PIDF},
        pidf(bob.aor),
    )
    register = alice.ask("REGISTER", "sip:contoso.com", {"To": f"<{bob.aor}>"})

    assert (publish.status, register.status) == (403, 403)


def test_nobody_refreshes_the_subscription_of_somebody_else(alice, bob):
    watching = alice.subscribe(bob.aor)
    tag = watching.sent.need("from").partition(";")[2]

    response = watching.again(600, {"From": f"<{bob.aor}>;{tag}"})

    assert response.status == 403
