from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from presproxy.useragent import Refused

begin = Deferred.fromCoroutine


async def registered(alice, peer, expires=600, **options):
    """Give the registration, and the REGISTER that made it."""
    registering = begin(alice.register(**options))
    register = await peer.asked("REGISTER")
    contact = ("Contact", f"<{register.contacts[0].uri}>;expires={expires}")
    peer.answer(register, 200, contact)
    return await registering, register


@pytest_twisted.ensureDeferred
async def test_it_binds_its_own_address(peer, alice_of):
    _, register = await registered(await alice_of(peer), peer)

    assert register.uri == "sip:example.test"
    assert register.to.uri == register.from_.uri == "sip:alice@example.test"
    assert register.expires == 3600
    assert register.contacts[0].uri == f"sip:alice@127.0.0.1:{register.via.port}"


@pytest_twisted.ensureDeferred
async def test_it_binds_another_address(peer, alice_of):
    contact = "sip:alice@192.0.2.7"
    _, register = await registered(await alice_of(peer), peer, contact=contact)

    assert register.contacts[0].uri == contact


@pytest_twisted.ensureDeferred
async def test_it_is_refreshed_by_the_same_call_id(peer, alice_of, clock):
    _, register = await registered(await alice_of(peer), peer)

    clock.advance(540)
    refresh = await peer.asked("REGISTER")

    assert refresh.call_id == register.call_id
    assert refresh.cseq.number == register.cseq.number + 1


@pytest_twisted.ensureDeferred
async def test_it_lasts_as_long_as_the_server_wants(peer, alice_of):
    registering = begin((await alice_of(peer)).register(expires=10))
    peer.answer(await peer.asked("REGISTER"), 423, ("Min-Expires", "60"))

    register = await peer.asked("REGISTER")
    peer.answer(register, 200, ("Contact", "<sip:a@192.0.2.1>;expires=60"))
    await registering

    assert register.expires == 60


@pytest_twisted.ensureDeferred
async def test_it_is_removed(peer, alice_of, clock):
    registration, _ = await registered(await alice_of(peer), peer)
    removing = begin(registration.remove())

    register = await peer.asked("REGISTER")
    peer.answer(register, 200)
    await removing
    clock.advance(3600)

    assert register.expires == 0
    assert len(peer.sent) == 2


@pytest_twisted.ensureDeferred
async def test_a_refusal_says_what_was_refused(peer, alice_of):
    registering = begin((await alice_of(peer)).register())
    peer.answer(await peer.asked("REGISTER"), 404)

    with pytest.raises(Refused, match="REGISTER was answered 404 Not Found"):
        await registering
