"""Lync clients sign in by NTLM, and every message is signed."""

from __future__ import annotations

import attrs
import pytest

from presproxy.auth.ntlm import NtlmAuthenticator
from presproxy.auth.users import write_users
from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingStream
from presproxy.testing.lynclogin import NtlmLogin, with_field
from presproxy.testing.wire import Message

ALICE = "sip:alice@example.test"
_NAMES = {"401": "Authorization", "407": "Proxy-Authorization"}
_CHALLENGES = {"401": "www-authenticate", "407": "proxy-authenticate"}


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
