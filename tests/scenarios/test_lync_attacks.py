"""Clients that mean harm, at a real server that asks for NTLM and signs."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest

from presproxy.auth.users import write_users
from presproxy.documents.lync import batch, containers
from presproxy.documents.lync.batch import Batch, BatchAction, BatchResource
from presproxy.documents.lync.containers import (
    BLOCKED,
    ContainerChange,
    Member,
    MemberType,
)
from presproxy.testing.lync import PUBLISH, note, publish, signing_in
from presproxy.testing.lynclogin import NtlmLogin, parameters, with_field
from presproxy.testing.peer import Peer
from presproxy.testing.wire import Message

ALICE, BOB = "sip:alice@contoso.com", "sip:bob@contoso.com"
PASSWORDS = {"alice@contoso.com": "wonderland", "bob@contoso.com": "builder"}
BATCH = {
    "Event": "presence",
    "Content-Type": batch.CONTENT_TYPE,
    "Require": "adhoclist, categoryList",
    "Supported": ["ms-piggyback-first-notify", "ms-benotify"],
}


@pytest.fixture(scope="module")
def server(module_servers, tmp_path_factory):
    users = tmp_path_factory.mktemp("users") / "users"
    write_users(users, PASSWORDS)
    return module_servers("--auth", f"ntlm:users={users}")


class Client:
    """A Lync client on a connection of its own."""

    def __init__(self, server, user):
        self.login = NtlmLogin(user, PASSWORDS[user])
        self.peer = Peer(server.tcp, user, "tcp")

    def write(self, method, uri=None, fields=None, body=""):
        named = {
            "From": f"<{self.peer.aor}>;tag=1;epid=b34afb",
            "User-Agent": "UCCAPI/15.0",
            **(fields or {}),
        }
        return self.peer.write(method, uri or self.peer.aor, named, body)

    def send(self, data):
        self.peer.send(data)
        return self.peer.answered(Message.read(data).branch)

    def ask(self, method, uri=None, fields=None, body=""):
        return self.send(self.login.sign(self.write(method, uri, fields, body)))

    def register(self, credentials=None):
        host, port = self.peer.contact.strip("<>").removeprefix("sip:").split(":")[:2]
        fields = {"To": f"<{self.peer.aor}>"}
        fields |= signing_in(f"<sip:{host.rpartition('@')[2]}:{port}>")
        data = self.write("REGISTER", "sip:contoso.com", fields)
        if credentials is not None:
            given = credentials(data)
            data = with_field(data, "Authorization", given)
        return self.send(data)

    def challenge(self):
        """Go as far as the challenge that wants a proof."""
        first = self.register().need("www-authenticate")
        again = self.register(lambda data: self.login.answer(first))
        return again.need("www-authenticate")

    def sign_in(self):
        challenge = self.challenge()
        return self.register(lambda data: self.login.answer(challenge, data))


@pytest.fixture
def connect(server):
    """Makes clients."""
    made = []

    def connected(user):
        made.append(Client(server, f"{user}@contoso.com"))
        return made[-1]

    yield connected
    for each in made:
        each.peer.close()


@pytest.fixture
def signed_in(connect):
    """Makes clients that have signed in."""

    def made(user):
        client = connect(user)
        assert client.sign_in().status == 200
        return client

    return made


def test_what_somebody_signed_is_good_on_no_other_connection(signed_in):
    alice, bob = signed_in("alice"), signed_in("bob")
    signed = alice.login.sign(alice.write("SERVICE", None, {"Content-Type": PUBLISH}))

    replayed = bob.send(signed)
    himself = bob.send(bob.write("SUBSCRIBE", ALICE, {"Event": "presence"}))

    assert (replayed.status, himself.status) == (401, 401)


def test_nobody_signs_for_another(signed_in):
    bob = signed_in("bob")
    fields = {"From": f"<{ALICE}>;tag=1;epid=b34afb", "Content-Type": PUBLISH}

    answer = bob.ask("SERVICE", ALICE, fields, publish(ALICE, note("mine")))

    assert answer.status == 403
    assert answer.get("ms-diagnostics") is not None


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (PUBLISH, publish(BOB, note("his"))),
        (PUBLISH, publish(ALICE, note("mine"))),
        (
            containers.CONTENT_TYPE,
            containers.write_container_members(
                [ContainerChange(BLOCKED, 0, [Member(MemberType.EVERYONE)])]
            ).decode(),
        ),
    ],
    ids=["for her", "as hers", "her containers"],
)
def test_what_is_anothers_is_changed_by_nobody_else(signed_in, content_type, body):
    bob = signed_in("bob")

    answer = bob.ask("SERVICE", ALICE, {"Content-Type": content_type}, body)

    assert answer.status == 403


def test_a_proof_cut_short_at_any_octet_lets_nobody_in(connect):
    alice = connect("alice")
    statuses = set()
    for length in range(0, 300, 23):
        challenge = alice.challenge()

        def cut(data, challenge=challenge, length=length):
            whole = alice.login.answer(challenge, data)
            token = parameters(whole.partition(" ")[2])["gssapi-data"]
            short = b64encode(b64decode(token)[:length]).decode()
            return whole.replace(token, short)

        statuses.add(alice.register(cut).status)

    assert statuses == {401}
    assert alice.sign_in().status == 200


@pytest.mark.parametrize("number", [1_001, 1_500, 10_000])
def test_a_batch_of_very_many_is_refused_and_nothing_else(server, signed_in, number):
    alice = signed_in("alice")
    resources = [BatchResource(f"sip:u{n}@contoso.com") for n in range(number)]
    body = batch.write_batch(Batch(ALICE, [BatchAction(True, "1", resources)]))
    answer = alice.ask("SUBSCRIBE", None, BATCH, body.decode())

    assert answer.status in (413, 513)
    assert signed_in("bob").ask("OPTIONS", "sip:contoso.com").status == 200
    assert server.defects() == 0


def test_who_calls_speaks_in_nobody_elses_name(connect, signed_in):
    alice, bob = signed_in("alice"), signed_in("bob")
    bob.peer.answer = None
    bob.peer.send(bob.login.sign(bob.write("INVITE", ALICE)))
    invite = alice.peer.expect(lambda each: each.method == "INVITE")
    mallory = connect("bob")
    fields = {
        "From": "<sip:boss@contoso.com>;tag=1",
        "To": f"<{ALICE}>;tag=2",
        "Call-ID": invite.call_id,
        "Route": invite.all("record-route"),
    }

    answer = mallory.send(mallory.write("MESSAGE", ALICE, fields, "Pay at once"))

    assert answer.status == 407
    assert [each for each in alice.peer.rest() if each.method == "MESSAGE"] == []
