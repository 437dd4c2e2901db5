from __future__ import annotations

import re

import pytest
import pytest_twisted

from presproxy.auth.digest import DigestAuthenticator
from presproxy.auth.users import write_users
from presproxy.errors import AccessDenied, ConfigurationMistakes, CredentialsRejected
from presproxy.extend.build import build_named
from presproxy.extend.find import find_plugins
from presproxy.extend.uses import parse_use
from presproxy.model.identity import Identity
from presproxy.sip.authfields import Algorithm, parse_challenge
from presproxy.sip.message import parse_message
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.contracts.authenticator import (
    AuthenticatorContract,
    make_flow,
    make_request,
)

ALICE = Identity(AddressOfRecord("sip:alice@example.test"), "digest")


class TestDigestAuthenticator(AuthenticatorContract):
    identity = ALICE

    @pytest.fixture(autouse=True)
    def _answers(self, answer):
        self.answer = answer

    def make(self, directory):
        path = directory / "users"
        write_users(path, {"alice@example.test": "wonderland"})
        return DigestAuthenticator(users=str(path), failures=0)

    def credentials(self, challenges, method, uri):
        return [("Authorization", self.answer(challenges, method=method, uri=uri))]


class TestDigestAuthenticatorWithSHA256(TestDigestAuthenticator):
    def make(self, directory):
        path = directory / "users"
        write_users(path, {"alice@example.test": "wonderland"})
        return DigestAuthenticator(
            users=str(path),
            algorithms=(Algorithm.SHA_256, Algorithm.MD5),
            failures=0,
        )


@pytest.fixture
def start(tmp_path, house, random):
    async def started(**options):
        path = tmp_path / "users"
        write_users(
            path,
            {
                "alice@example.test": "wonderland",
                "bob@example.test": "builder",
                "101@example.test": "4711",
            },
        )
        authenticator = DigestAuthenticator(users=str(path), random=random, **options)
        await authenticator.start(house)
        return authenticator

    return started


@pytest.fixture
def ask(answer):
    """Challenge and answer, with what is given in place of what is right."""

    async def asked(authenticator, *, host="192.0.2.1", challenges=None, **given):
        challenges = challenges or authenticator.challenge(
            make_request(), "example.test", False
        )
        request = make_request([("Authorization", answer(challenges, **given))])
        return await authenticator.authenticate(request, make_flow(host))

    return asked


async def rejection(awaitable):
    """Give why credentials were rejected, and whether only their nonce was old."""
    with pytest.raises(CredentialsRejected) as caught:
        await awaitable
    return caught.value.why, caught.value.stale


def make_register(uri, credentials):
    text = (
        f"REGISTER {uri} SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n"
        "From: <sip:alice@example.test>;tag=a1\r\n"
        "To: <sip:alice@example.test>\r\n"
        "Call-ID: c1@192.0.2.1\r\n"
        "CSeq: 1 REGISTER\r\n"
        f"Authorization: {credentials}\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    return parse_message(text.encode())


# --- Options


def built(text):
    """Make one from what stands on the command line."""
    use = parse_use(text, "--auth")
    return build_named(find_plugins(), "auth", use).plugin


@pytest.mark.parametrize("algorithms", ["", "MD4", "MD5,MD5", "MD5;SHA-256", "SHA256"])
def test_algorithms_are_known_ones_and_each_once(algorithms):
    with pytest.raises(ConfigurationMistakes, match="algorithms"):
        built(f"digest:users=users:algorithms={algorithms}")


def test_all_options_can_be_given_on_the_command_line():
    plugin = built(
        "digest:users=/etc/users:algorithms=SHA-512-256,sha-256,MD5:nonce_life=60:"
        "nonces=10:without_qop=no:null_uri=yes:failures=5"
    )

    assert plugin.users == "/etc/users"
    assert plugin.algorithms == (
        Algorithm.SHA_512_256,
        Algorithm.SHA_256,
        Algorithm.MD5,
    )
    assert (plugin.nonce_life, plugin.nonces, plugin.failures) == (60.0, 10, 5)
    assert (plugin.without_qop, plugin.null_uri) == (False, True)


@pytest_twisted.ensureDeferred
async def test_it_does_not_start_with_a_mistake_in_the_file(tmp_path, house):
    path = tmp_path / "users"
    path.write_text("alice@example.test\n")

    with pytest.raises(ConfigurationMistakes, match="users:1: "):
        await DigestAuthenticator(users=str(path)).start(house)


# --- Challenges


@pytest_twisted.ensureDeferred
async def test_one_challenge_of_md5_is_offered_if_nothing_is_said(start):
    authenticator = await start()

    (challenge,) = authenticator.challenge(make_request(), "example.test", False)

    assert re.fullmatch(
        r'Digest realm="example\.test", nonce="[A-Za-z0-9_-]{32}", algorithm=MD5, '
        r'qop="auth"',
        challenge,
    )


@pytest_twisted.ensureDeferred
async def test_algorithms_are_offered_in_the_order_given(start):
    authenticator = await start(
        algorithms=(Algorithm.SHA_512_256, Algorithm.SHA_256, Algorithm.MD5)
    )

    challenges = authenticator.challenge(make_request(), "example.test", True)

    assert [
        (found.algorithm, found.realm, found.qop, found.stale)
        for found in map(parse_challenge, challenges)
    ] == [
        (Algorithm.SHA_512_256, "example.test", ("auth",), True),
        (Algorithm.SHA_256, "example.test", ("auth",), True),
        (Algorithm.MD5, "example.test", ("auth",), True),
    ]


@pytest_twisted.ensureDeferred
async def test_no_two_challenges_have_one_nonce(start):
    authenticator = await start()

    nonces = {
        parse_challenge(challenge).nonce
        for _ in range(10)
        for challenge in authenticator.challenge(make_request(), "example.test", False)
    }

    assert len(nonces) == 10


# --- Who it is


@pytest.mark.parametrize("algorithm", list(Algorithm), ids=lambda each: each.value)
@pytest_twisted.ensureDeferred
async def test_every_algorithm_is_understood(start, ask, algorithm):
    authenticator = await start(algorithms=(algorithm,))

    assert await ask(authenticator) == ALICE


@pytest.mark.parametrize("username", ["alice", "alice@example.test"])
@pytest_twisted.ensureDeferred
async def test_a_user_is_named_with_his_domain_or_without(start, ask, username):
    authenticator = await start()

    assert await ask(authenticator, username=username) == ALICE


@pytest_twisted.ensureDeferred
async def test_the_identity_is_whose_password_it_is(start, ask):
    authenticator = await start()

    identity = await ask(authenticator, username="bob", password="builder")

    assert identity.aor == "sip:bob@example.test"


@pytest_twisted.ensureDeferred
async def test_credentials_may_be_for_a_proxy(start, answer):
    authenticator = await start()
    challenges = authenticator.challenge(make_request(), "example.test", False)
    request = make_request([("Proxy-Authorization", answer(challenges))])

    assert await authenticator.authenticate(request, make_flow()) == ALICE


@pytest_twisted.ensureDeferred
async def test_credentials_for_another_s_realm_are_passed_over(start, answer):
    authenticator = await start()
    challenges = authenticator.challenge(make_request(), "example.test", False)
    foreign = answer(challenges, realm="elsewhere.test")
    request = make_request(
        [("Authorization", foreign), ("Authorization", answer(challenges))]
    )

    assert await authenticator.authenticate(request, make_flow()) == ALICE
    request = make_request([("Authorization", foreign)])
    assert await authenticator.authenticate(request, make_flow()) is None


@pytest_twisted.ensureDeferred
async def test_one_request_is_one_guess(start, answer):
    authenticator = await start()
    challenges = authenticator.challenge(make_request(), "example.test", False)
    guesses = [
        ("Authorization", answer(challenges, password=password))
        for password in ("guess", "wonderland")
    ]

    why, _ = await rejection(
        authenticator.authenticate(make_request(guesses), make_flow())
    )

    assert why == "unknown user or wrong password"


@pytest_twisted.ensureDeferred
async def test_credentials_for_two_challenges_are_taken_by_the_one_known(start, answer):
    authenticator = await start()
    challenges = authenticator.challenge(make_request(), "example.test", False)
    foreign = 'Digest username="alice", realm="example.test", algorithm=AKAv1-MD5'
    request = make_request(
        [("Authorization", foreign), ("Authorization", answer(challenges))]
    )

    assert await authenticator.authenticate(request, make_flow()) == ALICE


# --- Wrong answers


@pytest.mark.parametrize(
    "given",
    [
        {"password": "guess"},
        {"username": "nobody"},
        {"username": "alice@other.test"},
        {"username": ""},
        {"method": "REGISTER"},
        {"realm": "other.test"},
        {"cnonce": "other"},
        {"nc_text": "00000002"},
        {"response": ""},
        {"response": "0" * 32},
        {"response": "ä" * 32},
        {"nonce": "other"},
        {"algorithm": Algorithm.SHA_256, "response": "0" * 64},
    ],
    ids=lambda given: ", ".join(f"{name} {value}" for name, value in given.items()),
)
@pytest_twisted.ensureDeferred
async def test_every_wrong_answer_is_rejected_in_the_same_words(start, ask, given):
    authenticator = await start()

    assert await rejection(ask(authenticator, **given)) == (
        "unknown user or wrong password",
        False,
    )


@pytest_twisted.ensureDeferred
async def test_md5_is_not_taken_where_it_is_not_offered(start, ask):
    authenticator = await start(algorithms=(Algorithm.SHA_256,))

    why, stale = await rejection(ask(authenticator, algorithm=Algorithm.MD5))

    assert (why, stale) == ("MD5 is not taken", False)


@pytest_twisted.ensureDeferred
async def test_a_stronger_algorithm_is_taken_unasked(start, ask):
    authenticator = await start(algorithms=(Algorithm.MD5,))

    assert await ask(authenticator, algorithm=Algorithm.SHA_256) == ALICE


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"qop": "auth-int"}, "qop"),
        ({"nc_text": None}, "nc"),
        ({"cnonce": None}, "cnonce"),
    ],
    ids=["another qop", "no count", "no cnonce"],
)
@pytest_twisted.ensureDeferred
async def test_half_an_answer_is_rejected(start, ask, given, words):
    authenticator = await start()

    why, stale = await rejection(ask(authenticator, **given))

    assert words in why
    assert not stale


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_read_is_rejected(start):
    authenticator = await start()
    request = make_request([("Authorization", 'Digest username="alice')])

    why, stale = await rejection(authenticator.authenticate(request, make_flow()))

    assert "Authorization" in why
    assert not stale


# --- Nonces


@pytest_twisted.ensureDeferred
async def test_a_nonce_may_be_used_again_with_a_higher_count(start, ask):
    authenticator = await start()
    challenges = authenticator.challenge(make_request(), "example.test", False)

    for count in (1, 2, 0xD1B):
        assert await ask(authenticator, challenges=challenges, nc=count) == ALICE


@pytest_twisted.ensureDeferred
async def test_the_same_credentials_are_not_taken_twice(start, ask):
    authenticator = await start()
    challenges = authenticator.challenge(make_request(), "example.test", False)
    await ask(authenticator, challenges=challenges)

    _, stale = await rejection(ask(authenticator, challenges=challenges))

    assert stale


@pytest_twisted.ensureDeferred
async def test_an_old_nonce_is_all_that_is_wrong(start, ask, house):
    authenticator = await start(nonce_life=300.0)
    challenges = authenticator.challenge(make_request(), "example.test", False)
    house.reactor.advance(301)

    assert await rejection(ask(authenticator, challenges=challenges)) == (
        "the nonce is no longer good",
        True,
    )


@pytest_twisted.ensureDeferred
async def test_a_nonce_from_before_a_restart_is_old(start, ask):
    before = await start()
    challenges = before.challenge(make_request(), "example.test", False)
    authenticator = await start()

    _, stale = await rejection(ask(authenticator, challenges=challenges))

    assert stale


@pytest_twisted.ensureDeferred
async def test_a_wrong_password_does_not_learn_that_its_nonce_was_old(
    start, ask, house
):
    authenticator = await start()
    challenges = authenticator.challenge(make_request(), "example.test", False)
    house.reactor.advance(3600)

    _, stale = await rejection(
        ask(authenticator, challenges=challenges, password="guess")
    )

    assert not stale


# --- Without qop (RFC 2069)


@pytest_twisted.ensureDeferred
async def test_an_answer_without_qop_is_taken_as_often_as_it_comes(start, ask):
    authenticator = await start()
    challenges = authenticator.challenge(make_request(), "example.test", False)

    for _ in range(3):
        assert await ask(authenticator, challenges=challenges, nc=None) == ALICE


@pytest_twisted.ensureDeferred
async def test_an_answer_without_qop_is_not_taken_from_another_address(start, ask):
    authenticator = await start()
    challenges = authenticator.challenge(make_request(), "example.test", False)
    await ask(authenticator, challenges=challenges, nc=None)

    _, stale = await rejection(
        ask(authenticator, challenges=challenges, nc=None, host="192.0.2.66")
    )

    assert stale


@pytest_twisted.ensureDeferred
async def test_a_count_without_qop_counts_nothing(start, ask):
    authenticator = await start()
    challenges = authenticator.challenge(make_request(), "example.test", False)
    libpurple = {"nc": None, "nc_text": "00000001"}

    for _ in range(2):
        assert await ask(authenticator, challenges=challenges, **libpurple) == ALICE


@pytest_twisted.ensureDeferred
async def test_answers_without_qop_can_be_forbidden(start, ask):
    authenticator = await start(without_qop=False)

    why, stale = await rejection(ask(authenticator, nc=None))

    assert (why, stale) == ("credentials without qop are not taken", False)


# --- What the credentials are for


@pytest.mark.parametrize(
    ("request_uri", "uri"),
    [
        ("sip:example.test", "sip:example.test"),
        ("sip:example.test", "sip:example.test:5060"),
        ("sip:example.test:5060", "sip:example.test"),
        ("sip:example.test;transport=tcp", "sip:example.test"),
        ("sip:example.test", "sips:Example.TEST;transport=tls"),
        ("sip:101@example.test;user=phone", "sip:%3101@example.test"),
        ("sip:alice@[2001:db8::1]", "sip:alice@[2001:DB8:0::1]:5070"),
        ("tel:+49-30-123", "tel:+4930123"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_uri_is_compared_loosely(start, answer, request_uri, uri):
    authenticator = await start()
    challenges = authenticator.challenge(make_request(), "example.test", False)
    request = make_register(request_uri, answer(challenges, method="REGISTER", uri=uri))

    assert await authenticator.authenticate(request, make_flow()) == ALICE


@pytest.mark.parametrize(
    ("request_uri", "uri"),
    [
        ("sip:bob@example.test", "sip:alice@example.test"),
        ("sip:alice@example.test", "sip:example.test"),
        ("sip:alice@example.test", "sip:alice@other.test"),
        ("sip:alice@example.test", "sip:Alice@example.test"),
        ("sip:alice@example.test", "tel:+4930123"),
        ("sip:alice@example.test", "(null)"),
        ("sip:alice@example.test", ""),
        ("sip:alice@example.test", "*"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_credentials_for_another_uri_are_rejected(
    start, answer, request_uri, uri
):
    authenticator = await start()
    challenges = authenticator.challenge(make_request(), "example.test", False)
    request = make_register(request_uri, answer(challenges, method="REGISTER", uri=uri))

    why, stale = await rejection(authenticator.authenticate(request, make_flow()))

    assert "uri" in why
    assert not stale


@pytest_twisted.ensureDeferred
async def test_the_uri_which_sipe_writes_can_be_allowed(start, answer):
    authenticator = await start(null_uri=True)
    challenges = authenticator.challenge(make_request(), "example.test", False)
    request = make_register(
        "sip:example.test", answer(challenges, method="REGISTER", uri="(null)")
    )

    assert await authenticator.authenticate(request, make_flow()) == ALICE


# --- User agents, as they write it


@pytest_twisted.ensureDeferred
async def test_a_desk_phone_of_old(start, answer):
    authenticator = await start()
    challenges = authenticator.challenge(make_request(), "example.test", False)
    credentials = answer(
        challenges,
        username="101",
        password="4711",
        method="REGISTER",
        uri="sip:example.test:5060",
        nc=None,
    )
    credentials = credentials.replace("algorithm=MD5", "algorithm=md5")
    request = make_register("sip:example.test", credentials.replace(", ", ","))

    identity = await authenticator.authenticate(request, make_flow())

    assert identity.aor == "sip:101@example.test"


@pytest_twisted.ensureDeferred
async def test_quotes_where_they_do_not_belong(start, answer):
    authenticator = await start()
    challenges = authenticator.challenge(make_request(), "example.test", False)
    credentials = answer(challenges).replace("qop=auth", 'qop="auth"')
    credentials = credentials.replace("algorithm=MD5", 'algorithm="MD5"')
    request = make_request([("Authorization", credentials)])

    assert await authenticator.authenticate(request, make_flow()) == ALICE


# --- Guessing


async def guess(ask, authenticator, times, **given):
    for _ in range(times):
        with pytest.raises(CredentialsRejected):
            await ask(authenticator, password="guess", **given)


@pytest_twisted.ensureDeferred
async def test_too_many_wrong_passwords_end_all_attempts_for_a_minute(
    start, ask, house
):
    authenticator = await start(failures=3)
    await guess(ask, authenticator, 3)

    with pytest.raises(AccessDenied):
        await ask(authenticator)

    house.reactor.advance(60)
    assert await ask(authenticator) == ALICE


@pytest_twisted.ensureDeferred
async def test_unknown_users_have_as_many_attempts(start, ask):
    authenticator = await start(failures=3)
    await guess(ask, authenticator, 3, username="nobody")

    with pytest.raises(AccessDenied):
        await ask(authenticator, username="nobody")


@pytest.mark.parametrize(
    "given",
    [
        {"host": "192.0.2.2"},
        {"username": "bob", "password": "builder"},
    ],
    ids=["the same user elsewhere", "another user behind the same address"],
)
@pytest_twisted.ensureDeferred
async def test_others_go_on(start, ask, given):
    authenticator = await start(failures=3)
    await guess(ask, authenticator, 3)

    assert await ask(authenticator, **given) is not None


@pytest_twisted.ensureDeferred
async def test_guesses_at_many_users_end_all_attempts_from_there(start, ask):
    authenticator = await start(failures=3)
    for number in range(30):
        await guess(ask, authenticator, 1, username=f"user{number}")

    with pytest.raises(AccessDenied):
        await ask(authenticator)
    assert await ask(authenticator, host="192.0.2.2") == ALICE


@pytest_twisted.ensureDeferred
async def test_old_nonces_and_missing_credentials_are_no_failures(start, ask, house):
    authenticator = await start(failures=3, nonce_life=300.0)
    challenges = authenticator.challenge(make_request(), "example.test", False)
    house.reactor.advance(301)

    for _ in range(50):
        assert await authenticator.authenticate(make_request(), make_flow()) is None
        await rejection(ask(authenticator, challenges=challenges))

    assert await ask(authenticator) == ALICE


@pytest_twisted.ensureDeferred
async def test_failures_need_not_be_counted(start, ask):
    authenticator = await start(failures=0)
    await guess(ask, authenticator, 300)

    assert await ask(authenticator) == ALICE


# --- What is counted


@pytest_twisted.ensureDeferred
async def test_answers_are_counted_by_their_outcome(start, ask, house):
    authenticator = await start()
    challenges = authenticator.challenge(make_request(), "example.test", False)
    await ask(authenticator, challenges=challenges)
    await rejection(ask(authenticator, challenges=challenges))
    await guess(ask, authenticator, 2)

    counted = {
        dict(sample.labels).get("outcome"): sample.source
        for sample in house.metrics
        if sample.name == "digest_answers"
    }
    assert {outcome: source.value for outcome, source in counted.items()} == {
        "proved": 1,
        "wrong": 2,
        "stale": 1,
    }
