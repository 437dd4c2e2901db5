"""A Kamailio behind the server, who calls and who is called, by any transport."""

from __future__ import annotations

import socket

import pytest

from presproxy.testing.certificates import Authority
from presproxy.testing.instance import wait_for
from presproxy.testing.lines import Lines
from presproxy.testing.peer import Peer
from presproxy.testing.wire import compose, fresh

#: Seconds.
LIMIT = 30

#: Calls of a run, how many begin in a second, and how many there are at once.
CALLS = ("-m", "10", "-r", "20", "-l", "10")

#: By which nothing is refused for being late, as the machine may be busy, and a server that
#: is back is soon known to be.
PATIENT = "[limits]\nlate = 20\nlate_keeping = 20\n[front]\nprobe = 3\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certified(authority, tmp_path_factory):
    """What makes a Kamailio speak TLS."""
    path = tmp_path_factory.mktemp("behind") / "kamailio.pem"
    certificate = authority.certify(path, "127.0.0.2")
    return {"certificate": certificate, "authority": authority.path}


@pytest.fixture(scope="module")
def behind(module_kamailio, certified):
    """
    A Kamailio that speaks all transports.

    With one worker: of two one may pass on what came later before the other is done.
    """
    return module_kamailio(**certified, children=1)


@pytest.fixture(scope="module")
def setting(authority, tmp_path_factory):
    """How a server is made whose way behind may be by any transport."""
    folder = tmp_path_factory.mktemp("front")
    certificate = authority.certify(folder / "front.pem", "127.0.0.1", "contoso.com")
    path = folder / "front.toml"
    path.write_text(f'{PATIENT}[transport]\nauthorities = "{authority.path}"\n')
    return ("--config", str(path)), {"certificate": certificate}


@pytest.fixture(scope="module")
def fronts(behind, module_servers, setting):
    """Gives the server whose way to Kamailio is by a transport, the same each time."""
    options, fields = setting
    made = {}

    def front(transport):
        if transport not in made:
            upstream = ("--upstream", behind.uri_by(transport))
            made[transport] = module_servers(*options, *upstream, **fields)
        return made[transport]

    return front


@pytest.fixture
def front(fronts, between, behind, instances_shown):
    instances_shown += [server := fronts(between), behind]
    return server


@pytest.fixture(scope="module")
def lines(authority, tmp_path_factory):
    shown = tmp_path_factory.mktemp("lines") / "shown.pem"
    made = Lines(authority.path, authority.certify(shown, "127.0.0.1"))
    yield made
    made.close()


@pytest.fixture
def call(front, sipp, lines):
    """Starts who calls a user by a transport."""

    def start(scenario, user, transport, *options, words=(), **more):
        host, port = {"udp": front.udp, "tcp": front.tcp, "tls": front.tls}[transport]
        if transport == "tls":
            host, port = lines.secured((host, port))
            words = {"[transport]": "TLS", **dict(words)}
        by = "u1" if transport == "udp" else "t1"
        return sipp(
            *(scenario, f"{host}:{port}", "-t", by, "-s", user),
            *(options or CALLS),
            words=words,
            **more,
        )

    return start


@pytest.fixture
def phone(behind, sipp, lines):
    """Starts who is called, registered at Kamailio without us, by a transport."""

    def start(scenario, user, transport, *, count=10, words=(), **more):
        port = unused_port()
        place = f"127.0.0.1:{port}"
        if transport == "tls":
            host, seen = lines.unsecured(("127.0.0.1", port))
            place = f"{host}:{seen}"
        contact = f"{place};transport={transport}"
        # Kamailio comes first in a Record-Route, and names no user.
        usual = {"[local_ip]:[local_port]>": f"{contact}>", "sip:.+@.+;lr": "sip:.+;lr"}
        words = {**usual, **dict(words)}
        by = "u1" if transport == "udp" else "t1"
        started = sipp(
            *(scenario, "-p", str(port), "-t", by, "-s", user, "-m", str(count)),
            words=words,
            **more,
        )
        peer = Peer(behind.address, f"{user}@contoso.com")
        fields = {"Contact": f"<sip:{user}@{contact}>", "To": f"<{peer.aor}>"}
        answer = peer.ask("REGISTER", "sip:contoso.com", fields)
        peer.close()
        assert answer.status == 200
        return started

    return start


@pytest.fixture
def phone_here(front, sipp, lines):
    """Starts who is called, registered at Kamailio through us, by a transport."""

    def start(scenario, user, transport, *, count=10, words=(), **more):
        def register(end):
            place = f"{end[0]}:{end[1]};transport={transport}"
            return written(f"{user}@contoso.com", place)

        def listen(port):
            by = "u1" if transport == "udp" else "t1"
            return sipp(
                *(scenario, "-p", str(port), "-t", by, "-s", user, "-m", str(count)),
                words={
                    "[local_port]>": f"[local_port];transport={transport}>",
                    **dict(words),
                },
                **more,
            )

        if transport == "udp":
            # It is called where it registered from.
            peer = Peer(front.udp)
            port = peer.port
            peer.send(register(("127.0.0.1", port)))
            answer = peer.expect(lambda each: each.is_response)
            peer.close()
            started = listen(port)
        else:
            started = listen(port := unused_port())
            assert wait_for(lambda: listens(port), LIMIT)
            server = front.tls if transport == "tls" else front.tcp
            answer = lines.registered(
                server, register, ("127.0.0.1", port), is_secure=transport == "tls"
            )
        assert answer.status == 200
        return started

    return start


def written(user, place):
    """Write a REGISTER."""
    transport = place.rpartition("=")[2].upper()
    return compose(
        "REGISTER sip:contoso.com SIP/2.0",
        {
            "Via": f"SIP/2.0/{transport} {place.partition(';')[0]};rport;branch=z9hG4bK{fresh()}",
            "Max-Forwards": "70",
            "From": f"<sip:{user}>;tag={fresh()}",
            "To": f"<sip:{user}>",
            "Call-ID": fresh(),
            "CSeq": "1 REGISTER",
            "Contact": f"<sip:{user.partition('@')[0]}@{place}>",
        },
    )


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def free_port():
    """Finds a port that nobody has now."""
    return unused_port


def unused_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port: int = door.getsockname()[1]
    return port
