"""Lync clients sign in by NTLM, and every message is signed."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from presproxy.auth.digest import DigestAuthenticator
from presproxy.auth.ntlm import NtlmAuthenticator
from presproxy.auth.users import write_users
from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingStream
from presproxy.testing.lynclogin import NtlmLogin, parameters, with_field
from presproxy.testing.wire import Message

ALICE = "sip:alice@example.test"
INSTANCE = '+sip.instance="<urn:uuid:085e0bd8-031c-5a0d-8d9a-f149aae6954a>"'
CHANGES = [
    lambda users: Path(users).write_text("# Nobody is here.\n"),
    lambda users: write_users(users, {"alice@example.test": "another"}),
]
_NAMES = {"401": "Authorization", "407": "Proxy-Authorization"}
_CHALLENGES = {"401": "www-authenticate", "407": "proxy-authenticate"}


INSTANCE = "085e0bd8-031c-5a0d-8d9a-f149aae6954a"


@attrs.define(eq=False)
class Client:
    """A Lync client on a connection of its own."""

    desk: Desk
    mode: str = "401"
    user: str = "alice"
    login: NtlmLogin = attrs.field(factory=NtlmLogin)
    flow: RecordingStream = attrs.field(factory=RecordingStream)
    count: int = 0

    def write(self, method, fields=None, uri=ALICE):
        self.count += 1
        return self.desk.write(
            method,
            {
                "Via": f"SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK{self.count}",
                "CSeq": f"{self.count} {method}",
                "From": f"<sip:{self.user}@example.test>;tag=f{self.count};epid=b34afb",
                "Contact": "<sip:192.0.2.1:5060;transport=tcp>;"
                f'+sip.instance="<urn:uuid:{INSTANCE}>"',
                "User-Agent": "Purple/2.14.12 Sipe/1.25.0 (linux-x86_64)",
                "Supported": "gruu-10, msrtc-event-categories",
                **(fields or {}),
            },
            uri=uri,
            user=self.user,
        )

    def send(self, data):
        """Send a message; give the answer as it came, and as it reads."""
        before = len(self.flow.sent)
        self.desk.send(data, self.flow)
        return Message.read(self.flow.sent[before][1])

    def register(self, credentials=None):
        data = self.write("REGISTER")
        if credentials is not None:
            data = with_field(data, _NAMES[self.mode], credentials)
        return self.send(data)

    def challenge(self, answer):
        return answer.need(_CHALLENGES[self.mode])

    def begin(self):
        """Go as far as the challenge that wants the proof."""
        first = self.challenge(self.register())
        return self.challenge(self.register(self.login.answer(first)))

    def prove(self, challenge):
        data = self.write("REGISTER")
        credentials = self.login.answer(challenge, data if self.mode == "401" else b"")
        return self.send(with_field(data, _NAMES[self.mode], credentials))

    def sign_in(self):
        return self.prove(self.begin())

    def ask(self, method, fields=None, uri=ALICE):
        return self.send(self.login.sign(self.write(method, fields, uri)))


@pytest.fixture
def users(tmp_path):
    path = tmp_path / "users"
    write_users(path, {"alice@example.test": "secret", "bob@example.test": "builder"})
    return str(path)


@pytest.fixture
def server(acl, users):
    """Make a server that asks for NTLM."""

    def made(**options):
        return Desk(acl, auth=[NtlmAuthenticator(users=users, **options)])

    return made


def test_the_first_challenge_names_the_scheme(server):
    answer = Client(server(target="presproxy.example.test")).register()

    assert answer.status == 401
    assert answer.need("www-authenticate") == (
        'NTLM realm="SIP Communications Service", '
        'targetname="presproxy.example.test", version=4'
    )


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_user_signs_in_and_all_answers_are_signed(server, version):
    client = Client(server(versions=(version,)))

    answer = client.sign_in()
    again = client.ask("REGISTER", {"Expires": "600"})
    watching = client.ask("SUBSCRIBE", {"Event": "presence"}, "sip:bob@example.test")

    assert (answer.status, again.status, watching.status) == (200, 200, 200)
    assert client.login.is_signed(answer.data)
    assert client.login.is_signed(again.data)
    assert client.login.is_signed(watching.data)
    assert client.login.version == version


def test_a_notification_is_signed(server):
    desk = server()
    client = Client(desk)
    client.sign_in()
    client.ask(
        "SUBSCRIBE",
        {
            "Event": "presence",
            "Supported": "ms-benotify",
            "Contact": "<sip:a@192.0.2.1;transport=tcp>",
        },
        "sip:bob@example.test",
    )

    desk.clock.advance(1)

    told = [data for _, data in client.flow.sent if b"NOTIFY sip" in data[:20]]
    assert [client.login.is_signed(each) for each in told] == [True]


# --- Who gets in


def test_a_wrong_password_is_challenged_anew(server):
    client = Client(server(), login=NtlmLogin(password="guess"))

    answer = client.sign_in()

    assert answer.status == 401
    assert "gssapi-data" not in answer.need("www-authenticate")
    assert client.flow.seal is None


def test_somebody_unknown_looks_like_a_wrong_password(server):
    desk = server()
    nobody = Client(desk, user="carol", login=NtlmLogin("carol@example.test"))
    wrong = Client(desk, login=NtlmLogin(password="guess"))

    assert nobody.sign_in().all("www-authenticate") == wrong.sign_in().all(
        "www-authenticate"
    )


@pytest.mark.parametrize(
    "login",
    [
        "CORP\\alice",
        "CORP\\Alice",
        "example.test\\alice",
        "EXAMPLE.TEST\\alice",
        "alice",
    ],
)
def test_a_user_may_be_named_as_windows_does(server, login):
    client = Client(server(), login=NtlmLogin(login))

    assert client.sign_in().status == 200


@pytest.mark.parametrize("version", [3, 4])
def test_who_proves_to_be_somebody_else_is_refused(server, version):
    client = Client(
        server(versions=(version,)), login=NtlmLogin("bob@example.test", "builder")
    )

    assert client.sign_in().status == 403
    assert client.ask("SUBSCRIBE", {"Event": "presence"}).status == 403


def test_too_many_wrong_passwords_are_refused(server):
    desk = server(failures=2)
    guessing = [
        Client(desk, login=NtlmLogin(password="guess")).sign_in().status
        for _ in range(3)
    ]

    assert guessing == [401, 401, 403]
    assert Client(desk).sign_in().status == 403
    desk.clock.advance(61)
    assert Client(desk).sign_in().status == 200


# --- Handshakes that go wrong


def test_a_proof_is_good_once(server):
    client = Client(server())
    data = client.write("REGISTER")
    proof = client.login.answer(client.begin(), data)

    client.send(with_field(data, "Authorization", proof))
    again = client.send(with_field(client.write("REGISTER"), "Authorization", proof))

    assert again.status == 401


def test_a_proof_is_good_on_its_connection_alone(server):
    desk = server()
    client, eve = Client(desk), Client(desk)
    challenge = client.begin()
    eve.begin()

    data = eve.write("REGISTER")
    proof = client.login.answer(challenge, data)

    assert eve.send(with_field(data, "Authorization", proof)).status == 401
    assert eve.flow.seal is None


def test_a_proof_for_another_challenge_is_rejected(server):
    client = Client(server())
    old = client.begin()
    client.begin()

    assert client.prove(old).status == 401


def test_a_challenge_does_not_wait_for_ever(server):
    desk = server()
    client = Client(desk)
    challenge = client.begin()

    desk.clock.advance(61)

    assert client.prove(challenge).status == 401


@pytest.mark.parametrize("end", [10, 50, -20, -4])
def test_a_proof_cut_short_is_rejected(server, end):
    client = Client(server())
    proof = client.login.answer(client.begin())
    token = parameters(proof)["gssapi-data"]

    answer = client.register(proof.replace(token, token[:end]))

    assert answer.status == 401
    assert client.desk.defects == 0


@pytest.mark.parametrize("version", [4])
def test_the_proof_has_to_be_signed_from_version_4_on(server, version):
    client = Client(server(versions=(version,)))
    challenge = client.begin()

    unsigned = client.register(client.login.answer(challenge))

    assert unsigned.status == 401
    assert client.flow.seal is None


def test_a_proof_signed_for_another_request_is_rejected(server):
    client = Client(server())
    proof = client.login.answer(client.begin(), client.write("REGISTER"))

    assert client.register(proof).status == 401


@pytest.mark.parametrize(
    "credentials",
    [
        "NTLM",
        "NTLM realm",
        'NTLM realm="SIP Communications Service"',
        'NTLM realm="SIP Communications Service", gssapi-data="%%%", version=4',
        'NTLM realm="SIP Communications Service", gssapi-data="AAAA", version=4',
        'NTLM realm="SIP Communications Service", gssapi-data="", version=9',
        'NTLM realm="SIP Communications Service", opaque="0", crand="0", cnum="1"',
        'NTLM realm="another", gssapi-data=""',
    ],
)
def test_what_is_no_answer_is_challenged(server, credentials):
    client = Client(server())

    answer = client.register(credentials)

    assert answer.status == 401
    assert "opaque" not in answer.need("www-authenticate")
    assert client.desk.defects == 0


# --- Signatures


def test_a_request_without_a_signature_is_challenged(server):
    client = Client(server())
    client.sign_in()

    answer = client.send(client.write("SUBSCRIBE", {"Event": "presence"}))

    assert answer.status == 401


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"sip:alice@example.test>;tag", b"sip:bob@example.test>;tag"),
        (b"To: <sip:alice", b"To: <sip:bob"),
        (b"Expires: 600", b"Expires: 0"),
        (b'cnum="2"', b'cnum="3"'),
    ],
)
def test_a_request_that_was_altered_is_challenged(server, was, becomes):
    client = Client(server())
    client.sign_in()
    data = client.login.sign(client.write("REGISTER", {"Expires": "600"}))
    assert was in data

    answer = client.send(data.replace(was, becomes, 1))
    later = client.ask("REGISTER")

    assert (answer.status, later.status) == (401, 401)


def test_a_signed_request_is_good_once(server):
    client = Client(server())
    client.sign_in()
    data = client.login.sign(client.write("REGISTER", {"Expires": "600"}))

    first = client.send(data)
    second = client.send(data.replace(b"branch=z9hG4bK", b"branch=z9hG4bKx"))

    assert (first.status, second.status) == (200, 401)
    assert client.desk.counted("sign_in_answers") == 2


def test_a_signed_request_is_good_on_its_connection_alone(server):
    desk = server()
    client, eve = Client(desk), Client(desk)
    client.sign_in()
    data = client.login.sign(client.write("REGISTER"))

    assert eve.send(data).status == 401


def test_an_association_ends_with_its_connection(server):
    client = Client(server())
    client.sign_in()
    data = client.login.sign(client.write("REGISTER"))

    client.flow.close()
    client.flow = RecordingStream()

    assert client.send(data).status == 401


def test_an_association_ends_with_its_time(server):
    desk = server(life=60)
    client = Client(desk)
    client.sign_in()

    desk.clock.advance(61)

    assert client.ask("REGISTER").status == 401
    assert client.sign_in().status == 200


@pytest.mark.parametrize("change", CHANGES, ids=["gone", "another password"])
def test_an_association_ends_with_the_password(server, users, change):
    desk = server()
    client = Client(desk)
    client.sign_in()
    change(users)
    desk.clock.advance(2)

    assert client.ask("SUBSCRIBE", {"Event": "presence"}).status == 401


@pytest.mark.parametrize("change", CHANGES, ids=["gone", "another password"])
def test_trust_ends_with_the_password(trusting, users, change):
    client = trusting()
    client.sign_in()
    change(users)
    client.desk.clock.advance(2)

    plain = client.send(client.write("SUBSCRIBE", {"Event": "presence"}))

    assert plain.status == 407


def test_a_user_may_prove_himself_anew(server):
    client = Client(server())
    client.sign_in()
    old = client.login

    client.login = NtlmLogin()
    answer = client.sign_in()
    late = client.send(old.sign(client.write("REGISTER")))

    assert answer.status == 200
    assert client.login.is_signed(answer.data)
    assert late.status == 401


def test_wrong_signatures_again_and_again_end_the_connection(server):
    desk = server()
    client = Client(desk)
    client.sign_in()
    client.login.session_key = bytes(16)

    statuses = [client.ask("SUBSCRIBE", {"Event": "presence"}).status for _ in range(3)]
    open_before = client.flow.is_open
    desk.clock.advance(0)

    assert statuses == [401, 401, 403]
    assert (open_before, client.flow.is_open) == (True, False)


def test_who_signs_in_again_may_be_wrong_as_often_as_before(server):
    client = Client(server())
    for _ in range(3):
        client.sign_in()
        client.ask("REGISTER")
        client.send(client.write("SUBSCRIBE", {"Event": "presence"}))
        client.login.session_key = bytes(16)
        client.ask("SUBSCRIBE", {"Event": "presence"})

    client.desk.clock.advance(0)

    assert client.flow.is_open
    assert client.sign_in().status == 200


# --- Whom it asks


@pytest.mark.parametrize(
    "fields",
    [
        {"Via": "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1"},
        {"User-Agent": "baresip", "Supported": "path"},
        {"User-Agent": "Purple/2.14.12", "Supported": None},
        {
            "Via": [
                "SIP/2.0/TCP 192.0.2.7;branch=z9hG4bK2",
                "SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1",
            ]
        },
    ],
    ids=["datagrams", "a phone", "libpurple's own", "behind a proxy"],
)
def test_some_are_not_asked(server, fields):
    client = Client(server())

    assert client.send(client.write("REGISTER", fields)).status == 403


def test_phones_are_asked_for_digest_beside_it(acl, users):
    desk = Desk(
        acl, auth=[NtlmAuthenticator(users=users), DigestAuthenticator(users=users)]
    )

    phone = desk.ask("REGISTER", uri=ALICE)

    assert [each[:6] for each in phone.all("www-authenticate")] == ["Digest"]
    assert Client(desk).sign_in().status == 200


# --- Trusting the connection


@pytest.fixture
def trusting(server):
    """Make a client of a server that asks as a proxy does."""

    def made(**options):
        return Client(server(mode="407", **options), mode="407")

    return made


def test_a_connection_is_trusted_after_register(trusting):
    client = trusting()

    answer = client.sign_in()
    plain = client.send(client.write("SUBSCRIBE", {"Event": "presence"}))

    assert (answer.status, plain.status) == (200, 200)
    assert client.flow.seal is None
    assert answer.get("authentication-info") is None


def test_what_stands_where_a_signature_would_is_passed_over(trusting):
    client = trusting()
    challenge = client.begin()
    null = ', crand="(null)", cnum="(null)", response="(null)"'

    assert client.register(client.login.answer(challenge) + null).status == 200


def test_register_is_asked_for_each_time(trusting):
    client = trusting()
    client.sign_in()

    assert client.register().status == 407


@pytest.mark.parametrize(
    "fields",
    [
        {"From": "<sip:bob@example.test>;tag=1"},
        {
            "Via": [
                "SIP/2.0/TCP 192.0.2.7;branch=z9hG4bK2",
                "SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1",
            ]
        },
    ],
    ids=["another user", "by a proxy"],
)
def test_others_on_the_connection_are_not_trusted(trusting, fields):
    client = trusting()
    client.sign_in()

    answer = client.send(client.write("SUBSCRIBE", {"Event": "presence", **fields}))

    assert answer.status in (403, 407)


def test_trust_ends_with_its_time(trusting):
    client = trusting(life=60)
    client.sign_in()

    client.desk.clock.advance(61)

    assert client.send(client.write("SUBSCRIBE", {"Event": "presence"})).status == 407


def test_trust_is_for_the_connection_alone(trusting):
    client = trusting()
    client.sign_in()
    client.flow = RecordingStream()

    assert client.send(client.write("SUBSCRIBE", {"Event": "presence"})).status == 407


def test_a_wrong_password_is_refused_for_good(trusting):
    client = trusting()
    client.login.password = "guess"

    answer = client.sign_in()

    assert (answer.status, answer.reason) == (403, "unknown user or wrong password")
    assert 'reason="unknown user' in answer.need("ms-diagnostics")
    assert client.send(client.write("SUBSCRIBE", {"Event": "presence"})).status == 407
