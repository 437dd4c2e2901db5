from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from presproxy.useragent import BadAnswer, NoAnswer, Presence, Refused, presence_in

begin = Deferred.fromCoroutine


async def published(alice, peer, expires="3600"):
    publishing = begin(alice.publish(Presence("busy")))
    request = await peer.asked("PUBLISH")
    peer.answer(request, 200, ("SIP-ETag", "one"), ("Expires", expires))
    return await publishing


@pytest_twisted.ensureDeferred
async def test_the_first_has_a_body_and_no_entity_tag(peer, alice_of):
    alice = await alice_of(peer)
    publishing = begin(alice.publish(Presence("away"), expires=120))

    request = await peer.asked("PUBLISH")
    peer.answer(request, 200, ("SIP-ETag", "one"), ("Expires", "120"))
    publication = await publishing

    assert request.get("sip-if-match") is None
    assert request.content_type.type == "application/pidf+xml"
    assert request.contacts == []
    assert publication.granted == 120


@pytest_twisted.ensureDeferred
async def test_a_refresh_has_the_entity_tag_and_no_body(peer, alice_of):
    publication = await published(await alice_of(peer), peer)
    refreshing = begin(publication.refresh())

    request = await peer.asked("PUBLISH")
    peer.answer(request, 200, ("SIP-ETag", "two"), ("Expires", "3600"))
    await refreshing

    assert request.get("sip-if-match") == "one"
    assert request.body == b""
    assert request.cseq.number == 2
    assert publication.entity_tag == "two"


@pytest_twisted.ensureDeferred
async def test_a_modification_has_the_entity_tag_and_a_body(peer, alice_of):
    alice = await alice_of(peer)
    publication = await published(alice, peer)
    modifying = begin(publication.modify(alice.content(Presence("dnd"))))

    request = await peer.asked("PUBLISH")
    peer.answer(request, 200, ("SIP-ETag", "two"), ("Expires", "3600"))
    await modifying

    assert request.get("sip-if-match") == "one"
    assert presence_in(request.body) == Presence("dnd")


@pytest_twisted.ensureDeferred
async def test_a_removal_has_the_entity_tag_and_expires_at_once(peer, alice_of):
    publication = await published(await alice_of(peer), peer)
    removing = begin(publication.remove())

    request = await peer.asked("PUBLISH")
    peer.answer(request, 200, ("SIP-ETag", "none"), ("Expires", "0"))
    await removing

    assert request.get("sip-if-match") == "one"
    assert request.expires == 0
    assert request.body == b""
    assert publication.entity_tag is None


@pytest_twisted.ensureDeferred
async def test_it_is_refreshed_at_nine_tenths_of_what_was_granted(
    peer, alice_of, clock
):
    await published(await alice_of(peer), peer, expires="600")

    clock.advance(539)
    assert len(peer.sent) == 1
    clock.advance(1)

    assert (await peer.asked("PUBLISH")).get("sip-if-match") == "one"


@pytest_twisted.ensureDeferred
async def test_it_is_refreshed_again_and_again(peer, alice_of, clock, until):
    publication = await published(await alice_of(peer), peer, expires="600")
    tags = []

    for tag in ("two", "three"):
        clock.advance(540)
        request = await peer.asked("PUBLISH")
        tags.append(request.get("sip-if-match"))
        peer.answer(request, 200, ("SIP-ETag", tag), ("Expires", "600"))
        await until(lambda tag=tag: publication.entity_tag == tag)

    assert tags == ["one", "two"]


@pytest_twisted.ensureDeferred
async def test_once_removed_it_is_refreshed_no_more(peer, alice_of, clock):
    publication = await published(await alice_of(peer), peer, expires="600")
    removing = begin(publication.remove())
    peer.answer(await peer.asked("PUBLISH"), 200, ("SIP-ETag", "x"), ("Expires", "0"))
    await removing

    clock.advance(3600)

    assert len(peer.sent) == 2


@pytest_twisted.ensureDeferred
async def test_what_the_server_forgot_is_published_anew(peer, alice_of):
    publication = await published(await alice_of(peer), peer)
    refreshing = begin(publication.refresh())
    peer.answer(await peer.asked("PUBLISH"), 412)

    request = await peer.asked("PUBLISH")
    peer.answer(request, 200, ("SIP-ETag", "new"), ("Expires", "3600"))
    await refreshing

    assert request.get("sip-if-match") is None
    assert presence_in(request.body) == Presence("busy")
    assert publication.entity_tag == "new"


@pytest_twisted.ensureDeferred
async def test_it_lasts_as_long_as_the_server_wants(peer, alice_of):
    alice = await alice_of(peer)
    publishing = begin(alice.publish(Presence("busy"), expires=10))
    peer.answer(await peer.asked("PUBLISH"), 423, ("Min-Expires", "60"))

    request = await peer.asked("PUBLISH")
    peer.answer(request, 200, ("SIP-ETag", "one"), ("Expires", "60"))
    publication = await publishing

    assert request.expires == 60
    assert publication.expires == 60


@pytest_twisted.ensureDeferred
async def test_a_refusal_says_what_was_refused(peer, alice_of):
    alice = await alice_of(peer)
    publishing = begin(alice.publish(Presence("busy")))
    peer.answer(await peer.asked("PUBLISH"), 403)

    with pytest.raises(Refused, match="PUBLISH was answered 403 Forbidden"):
        await publishing


@pytest_twisted.ensureDeferred
async def test_a_yes_without_an_entity_tag_cannot_be_used(peer, alice_of):
    alice = await alice_of(peer)
    publishing = begin(alice.publish(Presence("busy")))
    peer.answer(await peer.asked("PUBLISH"), 200, ("Expires", "60"))

    with pytest.raises(BadAnswer, match="no SIP-ETag"):
        await publishing


@pytest_twisted.ensureDeferred
async def test_a_refresh_refused_for_good_is_told(peer, alice_of, clock):
    alice = await alice_of(peer)
    lost = Deferred()
    publishing = begin(alice.publish(Presence("busy"), lost=lost.callback))
    request = await peer.asked("PUBLISH")
    peer.answer(request, 200, ("SIP-ETag", "one"), ("Expires", "600"))
    await publishing

    clock.advance(540)
    peer.answer(await peer.asked("PUBLISH"), 403)
    error = await lost

    assert isinstance(error, Refused)
    assert error.status == 403


@pytest_twisted.ensureDeferred
async def test_one_publish_is_under_way_at_a_time(peer, alice_of):
    alice = await alice_of(peer)
    publication = await published(alice, peer)
    first = begin(publication.modify(alice.content(Presence("away"))))
    second = begin(publication.modify(alice.content(Presence("dnd"))))

    request = await peer.asked("PUBLISH")
    assert len(peer.sent) == 2
    peer.answer(request, 200, ("SIP-ETag", "two"), ("Expires", "60"))
    await first
    request = await peer.asked("PUBLISH")
    peer.answer(request, 200, ("SIP-ETag", "three"), ("Expires", "60"))
    await second

    assert request.get("sip-if-match") == "two"
    assert presence_in(request.body) == Presence("dnd")


@pytest_twisted.ensureDeferred
async def test_what_nobody_answers_is_told(peer, alice_of, clock):
    alice = await alice_of(peer, limit=2.0)
    publishing = begin(alice.publish(Presence("busy")))
    await peer.asked("PUBLISH")

    clock.advance(2.0)

    with pytest.raises(NoAnswer):
        await publishing
