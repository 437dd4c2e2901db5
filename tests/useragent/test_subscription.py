from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from presproxy.sip.uri import AddressOfRecord
from presproxy.useragent import NoAnswer, Refused, SubscriptionEnded

begin = Deferred.fromCoroutine

BOB = AddressOfRecord("sip:bob@example.test")


async def subscribed(alice, peer, **options):
    """Give the subscription, and the SUBSCRIBE that opened it."""
    subscribing = begin(alice.subscribe(BOB, **options))
    subscribe = await peer.asked("SUBSCRIBE")
    peer.answer(subscribe, 200, ("Expires", "600"), peer.contact)
    return await subscribing, subscribe


@pytest_twisted.ensureDeferred
async def test_it_asks_for_a_package_and_says_what_it_can_read(peer, alice_of):
    _, subscribe = await subscribed(await alice_of(peer), peer)

    assert subscribe.uri == "sip:bob@example.test"
    assert subscribe.get("event") == "presence"
    assert subscribe.get("accept") == "application/pidf+xml"
    assert subscribe.expires == 3600
    assert subscribe.to.tag is None


@pytest_twisted.ensureDeferred
async def test_notifications_come_in_order(peer, alice_of):
    subscription, subscribe = await subscribed(await alice_of(peer), peer)

    for cseq, body in enumerate((b"first", b"second"), 1):
        peer.notify(subscribe, cseq, "active;expires=600", body)
        assert (await peer.answered()).status == 200

    assert (await subscription.next()).body == b"first"
    assert (await subscription.next()).body == b"second"


@pytest_twisted.ensureDeferred
async def test_notifications_can_be_told_at_once(peer, alice_of):
    told = []
    _, subscribe = await subscribed(await alice_of(peer), peer, told=told.append)

    peer.notify(subscribe, 1, "active;expires=600", b"first")
    await peer.answered()

    assert [each.body for each in told] == [b"first"]


@pytest_twisted.ensureDeferred
async def test_a_notify_may_overtake_the_2xx(peer, alice_of):
    alice = await alice_of(peer)
    subscribing = begin(alice.subscribe(BOB))
    subscribe = await peer.asked("SUBSCRIBE")

    peer.notify(subscribe, 1, "active;expires=600", b"early")
    assert (await peer.answered()).status == 200
    peer.answer(subscribe, 200, ("Expires", "600"), peer.contact)
    subscription = await subscribing

    assert (await subscription.next()).body == b"early"


@pytest_twisted.ensureDeferred
async def test_a_refresh_stays_in_the_dialog(peer, alice_of):
    subscription, subscribe = await subscribed(await alice_of(peer), peer)
    refreshing = begin(subscription.refresh())

    refresh = await peer.asked("SUBSCRIBE")
    peer.answer(refresh, 200, ("Expires", "600"), peer.contact)
    await refreshing

    assert refresh.uri == f"sip:127.0.0.1:{peer.port}"
    assert refresh.call_id == subscribe.call_id
    assert refresh.from_.tag == subscribe.from_.tag
    assert refresh.to.tag == "server"
    assert refresh.cseq.number == subscribe.cseq.number + 1


@pytest_twisted.ensureDeferred
async def test_a_dialog_begun_by_a_notify_is_refreshed(peer, alice_of):
    alice = await alice_of(peer)
    subscribing = begin(alice.subscribe(BOB))
    subscribe = await peer.asked("SUBSCRIBE")
    peer.notify(subscribe, 1, "active;expires=600")
    await peer.answered()
    peer.answer(subscribe, 200, ("Expires", "600"), peer.contact)
    subscription = await subscribing
    refreshing = begin(subscription.refresh())

    refresh = await peer.asked("SUBSCRIBE")
    peer.answer(refresh, 200, ("Expires", "600"), peer.contact)
    await refreshing

    assert refresh.uri == f"sip:127.0.0.1:{peer.port}"
    assert refresh.to.tag == "server"
    assert refresh.cseq.number == subscribe.cseq.number + 1


@pytest_twisted.ensureDeferred
async def test_it_is_refreshed_at_nine_tenths_of_what_was_granted(
    peer, alice_of, clock
):
    await subscribed(await alice_of(peer), peer)

    clock.advance(539)
    assert len(peer.sent) == 1
    clock.advance(1)

    assert (await peer.asked("SUBSCRIBE")).to.tag == "server"


@pytest_twisted.ensureDeferred
async def test_a_notify_may_shorten_the_interval(peer, alice_of, clock):
    _, subscribe = await subscribed(await alice_of(peer), peer)
    peer.notify(subscribe, 1, "active;expires=100")
    await peer.answered()

    clock.advance(90)

    assert (await peer.asked("SUBSCRIBE")).to.tag == "server"


@pytest_twisted.ensureDeferred
async def test_it_lasts_as_long_as_the_server_wants(peer, alice_of):
    alice = await alice_of(peer)
    subscribing = begin(alice.subscribe(BOB, expires=10))
    peer.answer(await peer.asked("SUBSCRIBE"), 423, ("Min-Expires", "60"))

    subscribe = await peer.asked("SUBSCRIBE")
    peer.answer(subscribe, 200, ("Expires", "60"), peer.contact)
    subscription = await subscribing

    assert subscribe.expires == 60
    assert subscription.granted == 60


@pytest_twisted.ensureDeferred
async def test_unsubscribing_waits_for_the_last_notification(peer, alice_of):
    subscription, subscribe = await subscribed(await alice_of(peer), peer)
    leaving = begin(subscription.unsubscribe())

    unsubscribe = await peer.asked("SUBSCRIBE")
    peer.answer(unsubscribe, 200, ("Expires", "0"), peer.contact)
    peer.notify(subscribe, 1, "terminated;reason=timeout", b"last")
    await leaving

    assert unsubscribe.expires == 0
    assert unsubscribe.to.tag == "server"
    assert (await subscription.next()).body == b"last"
    assert not subscription.is_alive


@pytest_twisted.ensureDeferred
async def test_unsubscribing_from_what_is_gone_is_as_good(peer, alice_of):
    subscription, _ = await subscribed(await alice_of(peer), peer)
    leaving = begin(subscription.unsubscribe())

    peer.answer(await peer.asked("SUBSCRIBE"), 481)
    await leaving

    assert not subscription.is_alive


@pytest_twisted.ensureDeferred
async def test_a_fetch_looks_once(peer, alice_of):
    alice = await alice_of(peer)
    fetching = begin(alice.fetch(BOB))

    subscribe = await peer.asked("SUBSCRIBE")
    peer.answer(subscribe, 200, ("Expires", "0"), peer.contact)
    peer.notify(subscribe, 1, "terminated;reason=timeout", b"now")
    notification = await fetching

    assert subscribe.expires == 0
    assert notification.body == b"now"
    assert notification.is_last


@pytest_twisted.ensureDeferred
async def test_a_fetch_without_a_notify_ends(peer, alice_of, clock, until):
    alice = await alice_of(peer, limit=2.0)
    fetching = begin(alice.fetch(BOB))
    subscribe = await peer.asked("SUBSCRIBE")
    peer.answer(subscribe, 200, ("Expires", "0"), peer.contact)
    await until(lambda: alice.core.usages[_key(subscribe)].dialog)

    clock.advance(2.0)

    with pytest.raises(NoAnswer, match="no notification within 2 seconds"):
        await fetching


@pytest_twisted.ensureDeferred
async def test_when_the_server_ends_it_that_is_told(peer, alice_of):
    lost = []
    alice = await alice_of(peer)
    subscription, subscribe = await subscribed(alice, peer, lost=lost.append)

    peer.notify(subscribe, 1, "terminated;reason=probation;retry-after=20")
    await peer.answered()

    assert [(each.reason, each.retry_after) for each in lost] == [("probation", 20)]
    assert (await subscription.next()).is_last
    with pytest.raises(SubscriptionEnded, match=r"bob@example\.test has ended: prob"):
        await subscription.next()


@pytest_twisted.ensureDeferred
async def test_when_a_refresh_finds_no_dialog_that_is_told(peer, alice_of, clock):
    lost = Deferred()
    await subscribed(await alice_of(peer), peer, lost=lost.callback)

    clock.advance(540)
    peer.answer(await peer.asked("SUBSCRIBE"), 481)
    error = await lost

    assert isinstance(error, Refused)
    assert error.status == 481


@pytest_twisted.ensureDeferred
async def test_a_refusal_says_what_was_refused(peer, alice_of):
    alice = await alice_of(peer)
    subscribing = begin(alice.subscribe(BOB))
    peer.answer(await peer.asked("SUBSCRIBE"), 403)

    with pytest.raises(Refused, match="SUBSCRIBE was answered 403 Forbidden"):
        await subscribing
    assert alice.core.usages == {}


@pytest.mark.parametrize(
    ("notify", "status"),
    [
        ({"cseq": 4}, 500),
        ({"cseq": 6, "event": "dialog"}, 489),
        ({"cseq": 6, "without": "Event"}, 489),
        ({"cseq": 6, "without": "Subscription-State"}, 400),
        ({"cseq": 6, "from_tag": "another"}, 481),
        ({"cseq": 7}, 200),
    ],
    ids=[
        "a number already passed",
        "another package",
        "no package",
        "no state",
        "a fork's dialog",
        "a gap in the numbers",
    ],
)
@pytest_twisted.ensureDeferred
async def test_each_notify_is_answered_by_what_it_is(peer, alice_of, notify, status):
    _, subscribe = await subscribed(await alice_of(peer), peer)
    peer.notify(subscribe, 5, "active;expires=600")
    await peer.answered()

    peer.notify(subscribe, state="active;expires=600", **notify)

    assert (await peer.answered()).status == status


@pytest_twisted.ensureDeferred
async def test_a_notify_of_no_subscription_is_answered_481(peer, alice_of):
    subscription, subscribe = await subscribed(await alice_of(peer), peer)
    peer.notify(subscribe, 1, "terminated;reason=noresource")
    await peer.answered()

    peer.notify(subscribe, 2, "active;expires=600")

    assert (await peer.answered()).status == 481
    assert not subscription.is_alive


@pytest_twisted.ensureDeferred
async def test_a_repeated_notify_is_told_once(peer, alice_of):
    told = []
    _, subscribe = await subscribed(await alice_of(peer), peer, told=told.append)

    for _ in range(2):
        peer.notify(subscribe, 1, "active;expires=600")
        assert (await peer.answered()).status == 200

    assert len(told) == 1


@pytest_twisted.ensureDeferred
async def test_when_the_connection_breaks_it_is_refreshed_by_another(
    tcp_peer, alice_of, clock, until
):
    alice = await alice_of(tcp_peer)
    _, subscribe = await subscribed(alice, tcp_peer)

    tcp_peer.break_off()
    await until(lambda: not alice.core.wire.is_open)
    clock.advance(1)
    refresh = await tcp_peer.asked("SUBSCRIBE")

    assert refresh.to.tag == "server"
    assert refresh.contacts[0].uri != subscribe.contacts[0].uri


@pytest_twisted.ensureDeferred
async def test_who_stops_waits_for_no_notification(peer, alice_of):
    alice = await alice_of(peer)
    subscription, _ = await subscribed(alice, peer)
    waiting = begin(subscription.next())

    await alice.stop()

    with pytest.raises(NoAnswer, match="has stopped"):
        await waiting


def _key(subscribe):
    return subscribe.call_id, subscribe.from_.tag
