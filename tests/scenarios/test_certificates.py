"""Certificates of users and of servers, good and bad, in both directions."""

from __future__ import annotations

import socket
import ssl
from datetime import timedelta

import pytest

from presproxy.testing.certificates import Authority
from presproxy.testing.peer import LIMIT, Peer
from presproxy.testing.wire import Message, fresh, pidf, respond

HERE = "127.0.0.1"
LONG_AGO = timedelta(days=3)
#: Made tomorrow.
TOO_EARLY = timedelta(days=-1)

ALICE, BOB = "alice@contoso.com", "bob@contoso.com"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """An authority of the same name, whom nobody believes."""
    return Authority.make(tmp_path_factory.mktemp("stranger"))


# --- Users


@pytest.fixture(scope="module")
def shared_server(module_servers, authority, tmp_path_factory):
    """One that asks users for a certificate, and takes nothing else."""
    path = authority.certify(tmp_path_factory.mktemp("server") / "server.pem", HERE)
    return module_servers("--auth", "tls", certificate=path, clients=authority.path)


@pytest.fixture
def connect(server, authority):
    """Connects by TLS with a certificate, and gives the peer."""
    made = []

    def done(user, certificate=None):
        context = ssl.create_default_context(cafile=authority.path)
        if certificate is not None:
            context.load_cert_chain(certificate)
        plain = socket.create_connection(server.tls, LIMIT)
        connected = context.wrap_socket(plain, server_hostname=HERE)
        made.append(Peer(server.tls, user, "tls", connected))
        return made[-1]

    yield done
    for peer in made:
        peer.close()


@pytest.fixture
def certificate(authority, tmp_path):
    """Writes a certificate of a user's, by the authority or by another."""

    def done(*names, by=authority, age=timedelta(hours=1)):
        return by.certify(tmp_path / fresh("user"), *names, age=age)

    return done


def publish(peer, note="here"):
    return peer.publish(pidf(peer.aor, note)).status


def is_ended(connecting):
    """Whether a connection ends by itself; by TLS 1.3 a client hears of it as it reads."""
    try:
        peer = connecting()
        peer.send(peer.write("OPTIONS", "sip:contoso.com"))
        return peer.closed_by_server() and peer.inbox == []
    except (ssl.SSLError, ConnectionError):
        return True


def test_who_shows_his_certificate_needs_no_password(connect, certificate):
    alice = connect(ALICE, certificate(f"sip:{ALICE}"))
    bob = connect(BOB, certificate("Bob", f"sip:{BOB}", "sip:robert@contoso.com"))
    note = fresh("note")
    watching = bob.subscribe(alice.aor)
    registered = bob.ask(
        "REGISTER",
        "sip:contoso.com",
        {"To": f"<{bob.aor}>", "Contact": f"<{bob.contact}>"},
    )
    alice.send(alice.write("MESSAGE", bob.aor, {"Content-Type": "text/plain"}, "Hi"))
    text = bob.expect(lambda each: each.method == "MESSAGE")

    assert publish(alice, note) == 200
    assert watching.status == 200
    assert watching.notified(note).method == "NOTIFY"
    assert (registered.status, text.body) == (200, b"Hi")


def test_nobody_speaks_as_another_than_his_certificate_says(connect, certificate):
    mallory = connect(ALICE, certificate("sip:mallory@contoso.com", f"sip:{BOB}"))

    assert publish(mallory) == 403
    assert mallory.subscribe(f"sip:{BOB}").status == 403
    assert mallory.ask("MESSAGE", f"sip:{BOB}").status in {403, 407}


@pytest.mark.parametrize(
    "names",
    [
        ("alice", f"https://{ALICE}"),
        (ALICE,),
        ("sip:contoso.com",),
        ("contoso.com",),
        (f"sip:{ALICE}.example",),
        ("sip:*@contoso.com",),
    ],
    ids=["a page", "a mailbox", "a server", "a host", "another domain", "a star"],
)
def test_a_certificate_for_something_else_proves_no_user(connect, certificate, names):
    assert publish(connect(ALICE, certificate(*names))) == 403


def test_who_has_no_certificate_is_nobody(connect, server, peers):
    assert publish(connect(ALICE)) == 403
    assert publish(peers(server, ALICE, "tcp")) == 403
    assert publish(peers(server, ALICE, "udp")) == 403


def test_what_a_proxy_passes_on_is_not_proved_by_its_certificate(connect, certificate):
    alice = connect(ALICE, certificate(f"sip:{ALICE}"))
    vias = [alice.via(), f"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{fresh()}"]
    passed_on = alice.publish(pidf(alice.aor, "x"), {"Via": vias})

    assert passed_on.status == 403
    assert publish(alice) == 200


@pytest.mark.parametrize("wrong", ["expired", "of another authority", "too early"])
def test_a_certificate_that_proves_nothing_ends_the_connection(
    connect, certificate, stranger, authority, wrong
):
    ages = {"expired": LONG_AGO, "too early": TOO_EARLY}
    by = stranger if wrong == "of another authority" else authority
    path = certificate(f"sip:{ALICE}", by=by, age=ages.get(wrong, timedelta(hours=1)))

    assert is_ended(lambda: connect(ALICE, path))
    assert publish(connect(ALICE, certificate(f"sip:{ALICE}"))) == 200


# --- Servers


class Behind:
    """A server behind by TLS, played by a test."""

    def __init__(self, certificate):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.door = socket.create_server((HERE, 0))
        self.door.settimeout(LIMIT)
        self.uri = f"sip:{HERE}:{self.door.getsockname()[1]};transport=tls"

    def accept(self):
        """Give who comes, as a peer; raises what TLS has against it."""
        plain, address = self.door.accept()
        plain.settimeout(LIMIT)
        connected = self.context.wrap_socket(plain, server_side=True)
        return Peer(address, "pbx@contoso.com", "tls", connected)


@pytest.fixture
def behind():
    """Makes servers behind, and closes them."""
    made = []

    def done(certificate):
        made.append(Behind(certificate))
        return made[-1]

    yield done
    for each in made:
        each.door.close()


@pytest.fixture
def front(servers, authority, tmp_path):
    """Starts a server before another, which it calls once it is asked to."""

    def done(uri):
        path = tmp_path / "front.toml"
        path.write_text(
            f'upstream = "{uri}"\n[front]\nprobe = 0\n'
            f'[transport]\nauthorities = "{authority.path}"\n'
        )
        return servers("--config", str(path))

    return done


def test_a_server_that_proves_its_name_is_called(behind, front, certificate, peers):
    pbx = behind(certificate("pbx", HERE))
    alice = peers(front(pbx.uri), ALICE)
    data = alice.write("MESSAGE", "sip:100@contoso.com")
    alice.send(data)
    called = pbx.accept()
    called.answer = lambda request: respond(request, "202 Accepted")
    got = called.expect(lambda each: each.method == "MESSAGE")
    called.close()

    assert got.need("via").startswith("SIP/2.0/TLS ")
    assert alice.answered(Message.read(data).branch).status == 202


@pytest.mark.parametrize(
    ("names", "age", "is_strange", "why"),
    [
        ((HERE,), LONG_AGO, False, "verify failed"),
        ((HERE,), TOO_EARLY, False, "verify failed"),
        (("192.0.2.1", "pbx.contoso.com"), timedelta(hours=1), False, HERE),
        (("contoso.com", "*.contoso.com"), timedelta(hours=1), False, HERE),
        (("x", f"sip:100@{HERE}"), timedelta(hours=1), False, HERE),
        ((HERE,), timedelta(hours=1), True, "verify failed"),
    ],
    ids=[
        "expired",
        "too early",
        "of another name",
        "of the domain alone",
        "of a user there",
        "of another authority",
    ],
)
def test_a_server_that_proves_nothing_is_told_nothing(
    behind, front, certificate, authority, stranger, peers, names, age, is_strange, why
):
    by = stranger if is_strange else authority
    pbx = behind(certificate(*names, by=by, age=age))
    server = front(pbx.uri)
    alice = peers(server, ALICE)
    data = alice.write("MESSAGE", "sip:100@contoso.com")
    alice.send(data)
    try:
        called = pbx.accept()
    except (ssl.SSLError, ConnectionError):
        heard = []
    else:
        assert called.closed_by_server()
        heard = called.inbox
    answer = alice.answered(Message.read(data).branch)
    note = fresh("note")

    assert heard == []
    assert answer.status == 503
    assert why in server.log().partition("is away")[2]
    assert alice.publish(pidf(alice.aor, note)).status == 200
