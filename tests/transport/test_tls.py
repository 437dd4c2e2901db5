from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
import pytest_twisted
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.endpoints import (
    clientFromString,
    connectProtocol,
    wrapClientTLS,
)
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.task import deferLater
from zope.interface import implementer

from presproxy.testing.certificates import Authority, trusting
from presproxy.transport.certificates import (
    Certificate,
    Trust,
    UnusableCertificate,
)
from presproxy.transport.hop import Hop, Unreachable
from presproxy.transport.stream import StreamLimits
from presproxy.transport.tls import SecureConnection
from presproxy.transport.where import Where

NAME = "presproxy.example.test"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def certificate(authority, tmp_path):
    return authority.certify(tmp_path / "server.pem", NAME)


@pytest.fixture
def secure(open_house, certificate):
    """Listen by TLS on the loopback; give the connections and the place."""

    async def listen(**options):
        connections = open_house(**options)
        path = str(certificate)
        place = Where("tls", 0, "127.0.0.1", path, path)
        [bound] = await connections.listen(place)
        return connections, bound

    return listen


@pytest_twisted.async_yield_fixture
async def call_securely(authority, stream_peer):
    """Connect by TLS; what was connected is closed at the end."""

    async def connect(where, creator=None):
        creator = creator or trusting(str(authority.path), NAME)
        tcp = clientFromString(reactor, f"tcp:{where.interface}:{where.port}")
        return await connectProtocol(wrapClientTLS(creator, tcp), stream_peer())

    yield connect
    for peer in stream_peer.made:
        if peer.closed.called:
            continue
        peer.transport.abortConnection()
        await peer.closed


async def until(is_so):
    limit = reactor.seconds() + 10
    while not is_so():
        assert reactor.seconds() < limit
        await deferLater(reactor, 0)


@pytest_twisted.ensureDeferred
async def test_a_message_comes_in_by_tls_and_its_answer_goes_out(
    secure, call_securely, house, options
):
    _, where = await secure()
    house.answer = b"an answer"
    peer = await call_securely(where)

    peer.send(options)
    data, flow = await house.received.get()

    assert data == options
    assert await peer.read(9) == b"an answer"
    assert (flow.transport, flow.reliable, flow.is_open) == ("TLS", True, True)
    assert flow.sent_by == f"127.0.0.1:{where.port}"
    assert str(flow) == f"tls:127.0.0.1:{peer.address[1]}"


@pytest.mark.parametrize("ends", ["abortConnection", "loseConnection"])
@pytest_twisted.ensureDeferred
async def test_nothing_waits_for_the_collector_when_a_connection_is_gone(
    ends, secure, call_securely, house, options, count_living
):
    _, where = await secure(limits=StreamLimits(closing=0.0))
    before = count_living(SecureConnection)
    peer = await call_securely(where)
    peer.send(options)
    await house.received.get()
    during = count_living(SecureConnection)

    getattr(peer.transport, ends)()
    await house.closed.get()
    await until(lambda: count_living(SecureConnection) == before)

    assert during == before + 1


@pytest_twisted.ensureDeferred
async def test_a_peer_is_found_by_the_connection_that_it_opened(
    secure, call_securely, house, options
):
    connections, where = await secure()
    peer = await call_securely(where)
    peer.send(options)
    _, flow = await house.received.get()

    found = await connections.flow_to(f"sip:127.0.0.1:{peer.address[1]};transport=tls")

    assert found is flow


@pytest_twisted.ensureDeferred
async def test_a_connection_by_tcp_is_none_by_tls(
    secure, open_house, call, house, options
):
    connections, _ = await secure()
    [where] = await connections.listen(Where("tcp", 0, "127.0.0.1"))
    peer = await call(where)
    peer.send(options)
    await house.received.get()

    with pytest.raises(Unreachable):
        await connections.flow_by(Hop("tls", *peer.address))


@pytest_twisted.ensureDeferred
async def test_who_speaks_no_tls_is_let_go_and_counted(
    secure, call, call_securely, house, options
):
    _, where = await secure()
    plain = await call(where)

    plain.send(options)
    await plain.closed
    ended = {"transport": "tls", "why": "unsecured"}
    await until(lambda: house.count("connections_ended", **ended) == 1)
    peer = await call_securely(where)
    peer.send(options)
    await house.received.get()

    assert house.messages == []
    assert house.count("connections_open", transport="tls") == 1


@implementer(IOpenSSLClientConnectionCreator)
class OldClient:
    """A peer whose TLS ends with a version."""

    def __init__(self, version):
        self._version = version

    def clientConnectionForTLS(self, protocol):
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_cipher_list(b"DEFAULT@SECLEVEL=0")
        context.set_max_proto_version(self._version)
        return SSL.Connection(context, None)


@pytest.mark.parametrize(
    ("version", "comes_in"),
    [(SSL.TLS1_1_VERSION, False), (SSL.TLS1_2_VERSION, True)],
    ids=["1.1", "1.2"],
)
@pytest_twisted.ensureDeferred
async def test_nothing_older_than_tls_1_2_is_spoken(
    version, comes_in, secure, call_securely, house, options
):
    _, where = await secure()
    peer = await call_securely(where, OldClient(version))

    peer.send(options)
    if comes_in:
        await house.received.get()
    else:
        await peer.closed
        ended = {"transport": "tls", "why": "unsecured"}
        await until(lambda: house.count("connections_ended", **ended) == 1)

    assert house.messages == []


@pytest_twisted.ensureDeferred
async def test_who_never_ends_the_handshake_is_given_up(secure, call, house):
    limits = StreamLimits(first=0.1)
    _, where = await secure(limits=limits)
    silent = await call(where)

    silent.send(b"\x16\x03\x01")
    await silent.closed

    assert house.count("connections_ended", transport="tls", why="idle") == 1


@pytest_twisted.ensureDeferred
async def test_tcp_and_tls_share_the_limits(secure, call, house, options):
    connections, secure_place = await secure(limits=StreamLimits(per_peer=1))
    [place] = await connections.listen(Where("tcp", 0, "127.0.0.1"))
    first = await call(place)
    first.send(options)
    await house.received.get()

    second = await call(secure_place)
    await second.closed

    assert house.count("connections_refused", transport="tls", why="peer") == 1


@pytest_twisted.ensureDeferred
async def test_who_breaks_the_stream_is_told_before_it_ends(
    secure, call_securely, house
):
    _, where = await secure()
    peer = await call_securely(where)

    peer.send(
        b"OPTIONS sip:a SIP/2.0\r\nContent-Length: x\r\nVia: SIP/2.0/TLS h\r\n\r\n"
    )
    await peer.closed

    assert peer.data == b"" or peer.data.startswith(b"SIP/2.0 400 ")
    assert house.count("connections_ended", transport="tls", why="broken") == 1


@pytest_twisted.ensureDeferred
async def test_much_goes_through_whole_in_both_directions(
    secure, call_securely, house, options
):
    _, where = await secure()
    body = bytes(range(256)) * 200
    message = options.replace(b"Length: 0", b"Length: %d" % len(body)) + body
    house.answer = message
    peer = await call_securely(where)

    peer.send(message * 5)
    received = [await house.received.get() for _ in range(5)]

    assert [data for data, _ in received] == [message] * 5
    assert await peer.read(5 * len(message)) == message * 5


# -- Names of ours, and those of peers -----------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_who_asks_for_a_name_is_shown_its_certificate(
    open_house, authority, tmp_path, call_securely, house, options
):
    names = ("one.test", "two.test", "*.three.test")
    paths = [str(authority.certify(tmp_path / f"{n[-9:]}", n)) for n in names]
    connections = open_house()
    more = tuple((path, path) for path in paths[1:])
    place = Where("tls", 0, "127.0.0.1", paths[0], paths[0], more)
    [where] = await connections.listen(place)

    for name in ("one.test", "two.test", "x.three.test"):
        creator = trusting(str(authority.path), name)
        peer = await call_securely(where, creator)
        peer.send(options)
        await house.received.get()

    stranger = await call_securely(where, trusting(str(authority.path), "four.test"))
    await stranger.closed
    assert len(connections.certificates) == 3


@implementer(IOpenSSLClientConnectionCreator)
class CertifiedClient:
    """A peer who shows a certificate."""

    def __init__(self, path):
        self._path = str(path)

    def clientConnectionForTLS(self, protocol):
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.use_certificate_chain_file(self._path)
        context.use_privatekey_file(self._path)
        return SSL.Connection(context, None)


@pytest.fixture
def asking(open_house, certificate, authority):
    """Listen by TLS, and ask for certificates."""

    async def listen():
        path = str(certificate)
        clients = str(authority.path)
        place = Where("tls", 0, "127.0.0.1", path, path, clients=clients)
        [where] = await open_house().listen(place)
        return where

    return listen


@pytest_twisted.ensureDeferred
async def test_a_peer_is_known_by_its_certificate(
    asking, authority, tmp_path, call_securely, house, options
):
    alice = authority.certify(tmp_path / "alice.pem", "alice", "sip:alice@example.test")
    where = await asking()
    peer = await call_securely(where, CertifiedClient(alice))
    peer.send(options)

    _, flow = await house.received.get()

    assert flow.certified == ("sip:alice@example.test",)


@pytest_twisted.ensureDeferred
async def test_a_peer_without_a_certificate_comes_in_as_nobody(
    asking, call_securely, house, options
):
    peer = await call_securely(await asking())
    peer.send(options)

    _, flow = await house.received.get()

    assert flow.certified == ()


@pytest.mark.parametrize("wrong", ["of another authority", "expired"])
@pytest_twisted.ensureDeferred
async def test_a_certificate_that_proves_nothing_keeps_its_peer_out(
    wrong, asking, authority, tmp_path, call_securely, house, options
):
    if wrong == "expired":
        signer, age = authority, timedelta(days=3)
    else:
        signer, age = Authority.make(tmp_path, "Authority"), timedelta(0)
    alice = signer.certify(tmp_path / "alice.pem", "sip:alice@example.test", age=age)
    peer = await call_securely(await asking(), CertifiedClient(alice))
    peer.send(options)

    await peer.closed

    assert house.messages == []
    await until(
        lambda: house.count("connections_ended", transport="tls", why="unsecured") == 1
    )


# -- Calling -----------------------------------------------------------------------------


@pytest.fixture
def calling(open_house, authority):
    """Make connections that believe the authority."""
    return open_house(trust=Trust(str(authority.path)))


@pytest_twisted.ensureDeferred
async def test_who_proves_its_name_is_called(calling, secure, house, options):
    _, where = await secure()
    hop = Hop("tls", "127.0.0.1", where.port, NAME)

    flow = await calling.flow_by(hop)
    flow.send(options)

    data, _ = await house.received.get()
    assert data == options
    assert flow.transport == "TLS"
    assert await calling.flow_by(hop) is flow


@pytest_twisted.ensureDeferred
async def test_an_address_of_ipv6_is_proved_as_a_name_is(
    calling, open_house, authority, tmp_path, house, options
):
    path = str(authority.certify(tmp_path / "six.pem", "::1"))
    [where] = await open_house().listen(Where("tls", 0, "::1", path, path))

    flow = await calling.flow_to(f"sips:[::1]:{where.port}")
    flow.send(options)

    data, back = await house.received.get()
    assert data == options
    assert back.sent_by == f"[::1]:{where.port}"
    assert str(flow) == f"tls:::1:{where.port}"


@pytest.mark.parametrize("name", ["other.example.test", "127.0.0.1"])
@pytest_twisted.ensureDeferred
async def test_who_proves_another_name_is_told_nothing(name, calling, secure, house):
    _, where = await secure()
    await calling.flow_by(Hop("tls", "127.0.0.1", where.port, NAME))

    with pytest.raises(Unreachable, match=f"certificate is not for {name}"):
        await calling.flow_by(Hop("tls", "127.0.0.1", where.port, name))

    assert house.messages == []


@pytest_twisted.ensureDeferred
async def test_whom_nobody_certifies_is_told_nothing(open_house, secure):
    _, where = await secure()

    with pytest.raises(Unreachable, match="certificate verify failed"):
        await open_house().flow_by(Hop("tls", "127.0.0.1", where.port, NAME))


@pytest_twisted.ensureDeferred
async def test_who_speaks_no_tls_is_not_called(calling, open_house):
    [where] = await open_house().listen(Where("tcp", 0, "127.0.0.1"))

    with pytest.raises(Unreachable):
        await calling.flow_by(Hop("tls", "127.0.0.1", where.port, NAME))


@pytest_twisted.ensureDeferred
async def test_a_connection_of_a_stranger_is_not_taken_for_a_name(
    secure, call_securely, house, options
):
    connections, where = await secure()
    peer = await call_securely(where)
    peer.send(options)
    await house.received.get()

    with pytest.raises(Unreachable):
        await connections.flow_by(Hop("tls", *peer.address, NAME))


# -- Certificates -----------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_certificate_that_is_renewed_is_shown_to_who_comes_then(
    secure, call_securely, authority, certificate, house, options
):
    connections, where = await secure()
    other = trusting(str(authority.path), "other.example.test")
    refused = await call_securely(where, other)
    await refused.closed

    authority.certify(certificate, "other.example.test")
    [held] = connections.certificates
    held.renew()
    peer = await call_securely(where, other)
    peer.send(options)

    data, _ = await house.received.get()
    assert data == options


@pytest_twisted.ensureDeferred
async def test_a_certificate_that_cannot_be_renewed_serves_on(
    secure, call_securely, certificate, house, options
):
    connections, where = await secure()
    certificate.write_text("nothing")
    [held] = connections.certificates

    with pytest.raises(UnusableCertificate):
        held.renew()
    peer = await call_securely(where)
    peer.send(options)

    data, _ = await house.received.get()
    assert data == options


def none(folder, authority):
    return folder / "none.pem", folder / "none.pem"


def text(folder, authority):
    path = folder / "text.pem"
    path.write_text("a certificate, soon")
    return path, path


def without_key(folder, authority):
    return authority.path, authority.path


def of_another(folder, authority):
    one = authority.certify(folder / "one.pem", "one.test")
    return one, authority.certify(folder / "two.pem", "two.test")


def encrypted(folder, authority):
    one = authority.certify(folder / "one.pem", "one.test")
    key = folder / "key.pem"
    private = load_pem_private_key(one.read_bytes(), None)
    lock = BestAvailableEncryption(b"secret")
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    return one, key


def folder_itself(folder, authority):
    return folder, folder


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (none, "none.pem: No such file or directory"),
        (text, "text.pem: holds no certificate in PEM"),
        (without_key, "Authority.pem: holds no private key in PEM"),
        (of_another, "two.pem: is not the key of the certificate in "),
        (encrypted, "key.pem: is encrypted"),
        (folder_itself, "Is a directory"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_used_says_why(files, why, tmp_path, authority):
    chain, key = files(tmp_path, authority)

    with pytest.raises(UnusableCertificate) as caught:
        Certificate.read(str(chain), str(key))

    assert why in str(caught.value)


def test_authorities_that_cannot_be_used_say_why(tmp_path):
    path = tmp_path / "authorities.pem"
    path.write_text("nobody")

    with pytest.raises(UnusableCertificate, match=r"authorities\.pem: holds no cert"):
        Trust(str(path)).renew()


def test_several_authorities_may_stand_in_one_file(tmp_path, authority):
    other = Authority.make(tmp_path, "Other")
    path = tmp_path / "both.pem"
    with path.open("wb") as both:
        for each in (authority.path, other.path):
            with each.open("rb") as one:
                shutil.copyfileobj(one, both)

    Trust(str(path)).renew()


def test_what_we_show_and_cannot_be_read_again_leaves_all_as_it_was(
    authority, tmp_path
):
    path = authority.certify(tmp_path / "server.pem", "localhost")
    trust = Trust(str(authority.path), Certificate.read(str(path), str(path)))
    trust.renew()
    before = trust._context
    path.write_text("nothing")

    with pytest.raises(UnusableCertificate, match="holds no certificate in PEM"):
        trust.renew()

    assert trust._context is before
