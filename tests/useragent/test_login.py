from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from presproxy.sip.authfields import (
    Algorithm,
    digest_response,
    ha1,
    parse_credentials,
)
from presproxy.useragent import Account

begin = Deferred.fromCoroutine

ACCOUNT = Account("alice", "wonderland")
REALM = "example.test"


def challenge(algorithm="SHA-256", nonce="n1", extra='qop="auth"', realm=REALM):
    named = f", algorithm={algorithm}" if algorithm else ""
    more = f", {extra}" if extra else ""
    return f'Digest realm="{realm}", nonce="{nonce}"{named}{more}'


def proves(request, name="authorization", realm=REALM):
    """Whether a request's credentials are alice's."""
    given = next(
        each
        for each in map(parse_credentials, request.get_all(name))
        if each.realm == realm
    )
    algorithm = given.algorithm or Algorithm.MD5
    return given.username == "alice" and given.response == digest_response(
        algorithm,
        ha1(algorithm, "alice", realm, "wonderland"),
        given.nonce,
        request.method,
        request.uri,
        qop=given.qop,
        nc=given.nc_text,
        cnonce=given.cnonce,
    )


async def challenged(peer, asking, *challenges, status=401):
    """Answer a request with challenges, and give the request that answers those."""
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    request = await peer.asked("OPTIONS")
    peer.answer(request, status, *((name, each) for each in challenges))
    return request, await peer.asked("OPTIONS")


@pytest.mark.parametrize("algorithm", [None, "MD5", "md5", "SHA-256", "SHA-512-256"])
@pytest.mark.parametrize("extra", ['qop="auth"', 'qop="auth-int,auth"', ""])
@pytest_twisted.ensureDeferred
async def test_it_proves_who_it_is(peer, alice_of, algorithm, extra):
    alice = await alice_of(peer, account=ACCOUNT)
    asking = begin(alice.options())

    first, second = await challenged(peer, asking, challenge(algorithm, extra=extra))
    peer.answer(second, 200)

    assert (await asking).status == 200
    assert first.get("authorization") is None
    assert proves(second)
    assert second.cseq.number == first.cseq.number + 1
    assert second.call_id == first.call_id


@pytest_twisted.ensureDeferred
async def test_it_answers_the_first_challenge_it_can(peer, alice_of):
    alice = await alice_of(peer, account=ACCOUNT)
    asking = begin(alice.options())

    _, second = await challenged(
        peer,
        asking,
        "Bearer realm=x",
        challenge("SHA-1024"),
        challenge("SHA-512-256", extra='qop="auth-int"'),
        challenge("SHA-256"),
        challenge("MD5"),
    )
    peer.answer(second, 200)
    await asking

    (credentials,) = map(parse_credentials, second.get_all("authorization"))
    assert credentials.algorithm is Algorithm.SHA_256


@pytest_twisted.ensureDeferred
async def test_a_proxy_and_a_server_are_both_answered(peer, alice_of):
    alice = await alice_of(peer, account=ACCOUNT)
    asking = begin(alice.options())

    _, second = await challenged(
        peer, asking, challenge(realm="proxy.test"), status=407
    )
    peer.answer(second, 401, ("WWW-Authenticate", challenge()))
    third = await peer.asked("OPTIONS")
    peer.answer(third, 200)
    await asking

    assert proves(third, "proxy-authorization", "proxy.test")
    assert proves(third)


@pytest_twisted.ensureDeferred
async def test_the_challenge_of_a_proxy_may_stand_beside_one_that_nobody_here_knows(
    peer, alice_of
):
    alice = await alice_of(peer, account=ACCOUNT)
    asking = begin(alice.options())

    first = await peer.asked("OPTIONS")
    peer.answer(
        first,
        401,
        ("WWW-Authenticate", 'NTLM realm="x", targetname="y", version=4'),
        ("Proxy-Authenticate", challenge()),
    )
    second = await peer.asked("OPTIONS")
    peer.answer(second, 200)
    await asking

    assert proves(second, "proxy-authorization")
    assert second.get("authorization") is None


@pytest_twisted.ensureDeferred
async def test_a_nonce_is_used_again_and_counted(peer, alice_of):
    alice = await alice_of(peer, account=ACCOUNT)
    asking = begin(alice.options())
    _, second = await challenged(peer, asking, challenge())
    peer.answer(second, 200)
    await asking

    again = begin(alice.options())
    third = await peer.asked("OPTIONS")
    peer.answer(third, 200)
    await again

    assert proves(third)
    assert parse_credentials(second.get("authorization")).nc_text == "00000001"
    assert parse_credentials(third.get("authorization")).nc_text == "00000002"


@pytest_twisted.ensureDeferred
async def test_a_stale_nonce_is_answered_again(peer, alice_of):
    alice = await alice_of(peer, account=ACCOUNT)
    asking = begin(alice.options())

    _, second = await challenged(peer, asking, challenge())
    stale = challenge(nonce="n2", extra='qop="auth", stale=true')
    peer.answer(second, 401, ("WWW-Authenticate", stale))
    third = await peer.asked("OPTIONS")
    peer.answer(third, 200)
    await asking

    assert parse_credentials(third.get("authorization")).nonce == "n2"
    assert parse_credentials(third.get("authorization")).nc_text == "00000001"


@pytest_twisted.ensureDeferred
async def test_a_wrong_password_is_tried_once(peer, alice_of):
    alice = await alice_of(peer, account=Account("alice", "looking-glass"))
    asking = begin(alice.options())

    _, second = await challenged(peer, asking, challenge())
    peer.answer(second, 401, ("WWW-Authenticate", challenge(nonce="n2")))

    assert (await asking).status == 401
    assert not proves(second)


@pytest_twisted.ensureDeferred
async def test_nonces_which_are_always_stale_come_to_an_end(peer, alice_of):
    alice = await alice_of(peer, account=ACCOUNT)
    asking = begin(alice.options())

    for _ in range(4):
        stale = challenge(extra='qop="auth", stale=true')
        peer.answer(await peer.asked("OPTIONS"), 401, ("WWW-Authenticate", stale))

    assert (await asking).status == 401


@pytest_twisted.ensureDeferred
async def test_without_an_account_nothing_is_proved(peer, alice_of):
    alice = await alice_of(peer)
    asking = begin(alice.options())

    peer.answer(await peer.asked("OPTIONS"), 401, ("WWW-Authenticate", challenge()))

    assert (await asking).status == 401


def test_a_password_is_not_shown():
    assert "wonderland" not in repr(ACCOUNT)
