"""Digest as phones compute it: with and without qop, in their own spellings."""

from __future__ import annotations

import hashlib

import pytest

from presproxy.auth.users import write_users
from presproxy.testing.wire import PIDF, Message, fresh, pidf

PASSWORD = "wonder:land ü"
HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


@pytest.fixture(scope="module")
def shared_server(module_servers, tmp_path_factory):
    users = tmp_path_factory.mktemp("users") / "users"
    names = ("alice@contoso.com", "bob@contoso.com")
    write_users(users, dict.fromkeys(names, PASSWORD))
    algorithms = "algorithms=SHA-512-256,SHA-256,MD5"
    return module_servers(
        "--min-expires", "2", "--auth", f"digest:users={users}:{algorithms}"
    )


@pytest.fixture
def alice(server, peers):
    return peers(server)


def register(alice) -> dict[str, str]:
    return {"To": f"<{alice.aor}>", "Expires": "60"}


def nonce(alice) -> str:
    challenge = alice.ask("REGISTER", "sip:contoso.com", register(alice))
    assert challenge.status == 401
    return parameters(challenge.all("www-authenticate")[0])["nonce"]


def parameters(challenge: str) -> dict[str, str]:
    scheme, _, rest = challenge.partition(" ")
    assert scheme == "Digest"
    pairs = (each.split("=", 1) for each in rest.split(", "))
    return {name: value.strip('"') for name, value in pairs}


def digest(algorithm: str, *parts: str) -> str:
    return hashlib.new(HASHES[algorithm], ":".join(parts).encode()).hexdigest()


def response(
    nonce: str,
    *,
    method: str = "REGISTER",
    uri: str = "sip:contoso.com",
    user: str = "alice",
    password: str = PASSWORD,
    algorithm: str = "MD5",
    rest: tuple[str, ...] = (),
) -> str:
    first = digest(algorithm, user, "contoso.com", password)
    second = digest(algorithm, method, uri)
    return digest(algorithm, first, nonce, *rest, second)


def test_each_algorithm_is_a_challenge_of_its_own(alice):
    challenge = alice.ask("REGISTER", "sip:contoso.com", register(alice))

    offered = [parameters(each) for each in challenge.all("www-authenticate")]
    assert [each["algorithm"] for each in offered] == ["SHA-512-256", "SHA-256", "MD5"]
    assert {each["realm"] for each in offered} == {"contoso.com"}
    assert {each["qop"] for each in offered} == {"auth"}


@pytest.mark.parametrize("algorithm", HASHES)
@pytest.mark.parametrize("qop", [True, False])
def test_whoever_proves_it_is_served(alice, algorithm, qop):
    given = nonce(alice)
    rest = ("00000001", "cn", "auth") if qop else ()
    proof = response(given, algorithm=algorithm, rest=rest)
    credentials = (
        f'Digest username="alice", realm="contoso.com", nonce="{given}", '
        f'uri="sip:contoso.com", response="{proof}", algorithm={algorithm}'
    )
    if qop:
        credentials += ', qop=auth, nc=00000001, cnonce="cn"'

    answer = alice.ask(
        "REGISTER", "sip:contoso.com", {**register(alice), "Authorization": credentials}
    )

    assert answer.status == 200


SPELT = [
    'Digest username="alice",realm="contoso.com",nonce="{n}",uri="{u}",response="{r}",algorithm=md5',
    'digest  USERNAME="alice" , realm="contoso.com",nonce="{n}" ,uri="{u}",RESPONSE="{r}"',
    'Digest username="alice",realm="contoso.com",nonce="{n}",uri="{u}",response="{r}",algorithm="MD5"',
    'Digest username="alice", realm="contoso.com", nonce="{n}", uri="{u}", response="{r}", opaque="", nc="00000001"',
]


@pytest.mark.parametrize("spelt", SPELT)
@pytest.mark.parametrize(
    "uri", ["sip:contoso.com", "sip:contoso.com:5060", "sip:CONTOSO.com"]
)
def test_credentials_are_read_as_phones_write_them(alice, spelt, uri):
    given = nonce(alice)
    credentials = spelt.format(n=given, u=uri, r=response(given, uri=uri))

    answer = alice.ask(
        "REGISTER", "sip:contoso.com", {**register(alice), "Authorization": credentials}
    )

    assert answer.status == 200


def counted(alice, given: str, nc: str, **fields) -> Message:
    proof = response(given, rest=(nc, "cn", "auth"))
    credentials = (
        f'Digest username="alice", realm="contoso.com", nonce="{given}", '
        f'uri="sip:contoso.com", response="{proof}", qop=auth, nc={nc}, cnonce="cn"'
    )
    return alice.ask(
        "REGISTER",
        "sip:contoso.com",
        {**register(alice), "Authorization": credentials, **fields},
    )


def test_a_count_may_begin_anywhere_and_is_good_once(alice):
    given = nonce(alice)

    answers = [
        counted(alice, given, nc)
        for nc in ("00000d1b", "00000d1b", "00000d1c", "00000d1b", "00001000")
    ]

    assert [each.status for each in answers] == [200, 401, 200, 401, 200]
    again = parameters(answers[1].all("www-authenticate")[0])
    assert again["stale"].lower() == "true"


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "looking-glass"},
        {"user": "nobody"},
        {"method": "PUBLISH"},
        {"uri": "sip:fabrikam.com"},
    ],
    ids=lambda value: next(iter(value)),
)
def test_what_proves_nothing_is_challenged_anew(alice, wrong):
    given = nonce(alice)
    user, uri = wrong.get("user", "alice"), wrong.get("uri", "sip:contoso.com")
    credentials = (
        f'Digest username="{user}", realm="contoso.com", nonce="{given}", '
        f'uri="{uri}", response="{response(given, **wrong)}"'
    )

    answer = alice.ask(
        "REGISTER", "sip:contoso.com", {**register(alice), "Authorization": credentials}
    )

    assert answer.status == 401
    assert parameters(answer.all("www-authenticate")[0]).get("stale") != "true"


def test_a_nonce_of_nobody_is_stale(alice):
    given = "AaIMlg1TvFgEhhHxlGeTaQY4HWJKuRhk"
    answer = counted(alice, given, "00000001")

    assert answer.status == 401
    assert parameters(answer.all("www-authenticate")[0])["stale"].lower() == "true"


def test_who_proved_to_be_alice_does_not_speak_as_bob(alice):
    given = nonce(alice)
    bob = "<sip:bob@contoso.com>"

    answer = counted(alice, given, "00000001", From=f"{bob};tag=1", To=bob)

    assert answer.status == 403


def test_nothing_is_published_or_watched_without_a_proof(server, alice):
    name = fresh("nobody")
    fields = {"From": f"<sip:{name}@contoso.com>;tag=1"}
    statuses = [
        alice.ask(
            method,
            f"sip:{name}@contoso.com",
            {**fields, "Event": event, "Content-Type": PIDF},
            pidf(f"sip:{name}@contoso.com"),
        ).status
        for method in ("PUBLISH", "SUBSCRIBE")
        for event in ("presence", "presence.winfo")
    ]

    assert statuses == [401, 401, 401, 401]
    assert alice.rest() == []
    shown = server.show("presentities?count=1000")["items"]
    assert name not in str(shown)


def test_after_many_wrong_passwords_a_user_waits_and_others_do_not(server, peers):
    alice, bob = peers(server), peers(server, "bob@contoso.com")
    given = nonce(alice)
    credentials = (
        'Digest username="{user}", realm="contoso.com", nonce="{nonce}", '
        'uri="sip:contoso.com", response="{response}"'
    )

    def tried(peer, user: str, password: str) -> int:
        proof = response(given, user=user, password=password)
        text = credentials.format(user=user, nonce=given, response=proof)
        fields = {**register(peer), "Authorization": text}
        return peer.ask("REGISTER", "sip:contoso.com", fields).status

    statuses = [tried(alice, "alice", f"guess {n}") for n in range(30)]

    assert statuses[0] == 401
    assert statuses[-1] == 403
    assert tried(alice, "alice", PASSWORD) == 403
    assert tried(bob, "bob", PASSWORD) == 200
