"""Lync clients sign in by Digest, which they know from proxies alone."""

from __future__ import annotations

import attrs
import pytest

from presproxy.auth.digest import DigestAuthenticator
from presproxy.auth.users import write_users
from presproxy.sip.authfields import (
    Algorithm,
    Credentials,
    digest_response,
    ha1,
    parse_challenge,
)
from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingStream
from presproxy.testing.lynclogin import with_field
from presproxy.testing.wire import Message

ALICE = "sip:alice@example.test"
INSTANCE = "085e0bd8-031c-5a0d-8d9a-f149aae6954a"


@attrs.define(eq=False)
class Client:
    """A Lync client on a connection of its own."""

    desk: Desk
    agent: str = "Purple/2.14.12 Sipe/1.25.0 (linux-x86_64)"
    supported: str = "gruu-10, msrtc-event-categories"
    flow: RecordingStream = attrs.field(factory=RecordingStream)
    count: int = 0

    def write(self, method, fields=None):
        self.count += 1
        return self.desk.write(
            method,
            {
                "Via": f"SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK{self.count}",
                "CSeq": f"{self.count} {method}",
                "From": f"<{ALICE}>;tag=f{self.count};epid=b34afb",
                "Contact": "<sip:192.0.2.1:5060;transport=tcp>;"
                f'+sip.instance="<urn:uuid:{INSTANCE}>"',
                "User-Agent": self.agent,
                "Supported": self.supported,
                **(fields or {}),
            },
            uri=ALICE,
        )

    def send(self, data):
        before = len(self.flow.sent)
        self.desk.send(data, self.flow)
        return Message.read(self.flow.sent[before][1])

    def ask(self, method, fields=None):
        return self.send(self.write(method, fields))

    def sign_in(self, answered="Proxy-Authorization", **given):
        """Register, and answer the challenge in the same transaction."""
        data = self.write("REGISTER")
        challenge = self.send(data)
        return self.send(
            with_field(
                data, answered, answer(challenge.need("proxy-authenticate"), **given)
            )
        )


def answer(challenge, password="secret", uri="(null)", qop="auth"):
    """Answer as SIPE does: the count is always 1, and there is no URI."""
    read = parse_challenge(challenge)
    counted = (
        {} if qop is None else {"qop": qop, "nc": "00000001", "cnonce": "45069a69"}
    )
    secret = ha1(Algorithm.MD5, "alice@example.test", read.realm, password)
    response = digest_response(
        Algorithm.MD5, secret, read.nonce, "REGISTER", uri, **counted
    )
    return str(
        Credentials(
            "alice@example.test",
            read.realm,
            read.nonce,
            uri,
            response,
            qop=counted.get("qop"),
            nc_text="00000001",
            cnonce=counted.get("cnonce"),
        )
    )


@pytest.fixture
def server(acl, tmp_path):
    """Make a server that asks for Digest."""

    def made(**options):
        path = tmp_path / "users"
        write_users(path, {"alice@example.test": "secret", "bob@example.test": "b"})
        return Desk(acl, auth=[DigestAuthenticator(users=str(path), **options)])

    return made


def test_the_response_to_no_uri_is_that_of_a_recorded_exchange():
    secret = ha1(Algorithm.MD5, "alice@example.test", "example.test", "secret")

    response = digest_response(
        Algorithm.MD5,
        secret,
        "5ed20ac488bb887c",
        "REGISTER",
        "(null)",
        qop="auth",
        nc="00000001",
        cnonce="45069a69",
    )

    assert response == "3fdaab6f3b66a5df324a04eb0ddb2773"


@pytest.mark.parametrize("method", ["REGISTER", "SUBSCRIBE"])
def test_a_lync_client_is_asked_as_by_a_proxy(server, method):
    answer = Client(server()).ask(method, {"Event": "presence"})

    assert answer.status == 407
    assert answer.need("proxy-authenticate").startswith("Digest ")
    assert answer.get("www-authenticate") is None


@pytest.mark.parametrize("qop", ["auth", None])
def test_a_lync_client_signs_in_without_a_uri(server, qop):
    assert Client(server()).sign_in(qop=qop).status == 200


def test_a_wrong_password_is_asked_for_again(server):
    client = Client(server())

    assert client.sign_in(password="guess").status == 407
    assert client.ask("SUBSCRIBE", {"Event": "presence"}).status == 407


def test_its_connection_is_trusted_after_register(server):
    client = Client(server())
    client.sign_in()

    trusted = client.ask("SUBSCRIBE", {"Event": "presence"})
    other = client.ask(
        "SUBSCRIBE", {"Event": "presence", "From": "<sip:bob@example.test>;tag=1"}
    )

    assert (trusted.status, other.status) == (200, 407)


def test_register_is_asked_for_each_time(server):
    client = Client(server())
    client.sign_in()

    assert client.ask("REGISTER", {"Expires": "0"}).status == 407


def test_another_connection_is_not_trusted(server):
    client = Client(server())
    client.sign_in()
    client.flow = RecordingStream()

    assert client.ask("SUBSCRIBE", {"Event": "presence"}).status == 407


def test_trust_ends_with_its_time(server):
    desk = server(life=60)
    client = Client(desk)
    client.sign_in()

    desk.clock.advance(61)

    assert client.ask("SUBSCRIBE", {"Event": "presence"}).status == 407


@pytest.mark.parametrize(
    "change",
    [
        lambda users: users.write_text("# Nobody is here.\n"),
        lambda users: write_users(users, {"alice@example.test": "another"}),
    ],
    ids=["gone", "another password"],
)
def test_trust_ends_with_the_password(server, tmp_path, change):
    desk = server()
    client = Client(desk)
    client.sign_in()
    change(tmp_path / "users")
    desk.clock.advance(2)

    assert client.ask("SUBSCRIBE", {"Event": "presence"}).status == 407


def test_no_connection_need_be_trusted(server):
    client = Client(server(life=0))

    assert client.sign_in().status == 200
    assert client.ask("SUBSCRIBE", {"Event": "presence"}).status == 407


def test_who_speaks_simple_is_not_trusted(server):
    simple = Client(server(null_uri=True), "baresip", None)
    challenge = simple.ask("REGISTER").need("www-authenticate")
    proved = with_field(simple.write("REGISTER"), "Authorization", answer(challenge))

    assert simple.send(proved).status == 200
    assert simple.ask("SUBSCRIBE", {"Event": "presence"}).status == 401


def test_who_speaks_simple_has_to_name_the_uri(server):
    simple = Client(server(), "baresip", None)
    challenge = simple.ask("REGISTER").need("www-authenticate")
    proved = with_field(simple.write("REGISTER"), "Authorization", answer(challenge))

    assert simple.send(proved).status == 401


@pytest.mark.parametrize(
    ("method", "status"), [("PUBLISH", 407), ("SUBSCRIBE", 407), ("REGISTER", 401)]
)
def test_libpurple_is_asked_as_by_a_proxy_but_for_register(server, method, status):
    client = Client(server(), "Purple/2.14.12", None)

    assert client.ask(method, {"Event": "presence"}).status == status
