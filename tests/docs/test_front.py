"""The guide to standing in front of a server, with the configurations it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from presproxy.testing.certificates import Authority
from presproxy.testing.instance import Instance
from presproxy.testing.kamailio import Kamailio
from presproxy.testing.peer import Peer

pytestmark = pytest.mark.needs("kamailio")

FRONT = Path(__file__).parents[2] / "etc" / "front.toml"


@pytest.fixture
def started():
    """Starts servers, and stops them."""
    running = []

    def start(server):
        running.append(server)
        server.start()
        return server

    yield start
    for each in reversed(running):
        each.stop()


def as_tested(text, behind):
    """Let the configuration lead to the server there is; where to listen is ours to say."""
    text = re.sub(r"^listen = .*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"sip:127\.0\.0\.2(:\d+)", behind.uri, text)


@pytest.mark.parametrize("source", ["guide", "etc"])
def test_a_call_comes_by_both_as_the_guide_says(captioned, started, tmp_path, source):
    shown = captioned("guides/front")
    lines = shown["kamailio.cfg"]
    told = [line for line in lines.splitlines() if line.startswith("modparam")]
    behind = started(Kamailio(tmp_path, "example.org", more="\n".join(told)))
    text = shown["presproxy.toml"] if source == "guide" else FRONT.read_text()
    path = tmp_path / "presproxy.toml"
    path.write_text(as_tested(text, behind))
    front = started(Instance(tmp_path, ["--config", str(path)], domain="example.org"))
    bob = Peer(front.tcp, "bob@example.org", "tcp")
    contact = f"<sip:bob@127.0.0.1:{bob.port};transport=tcp>"
    fields = {"Contact": contact, "To": f"<{bob.aor}>"}
    registered = bob.ask("REGISTER", "sip:example.org", fields)
    alice = Peer(front.udp, "alice@example.org")
    text = {"Content-Type": "text/plain"}
    alice.send(alice.write("MESSAGE", bob.aor, text, "Hi"))
    came = bob.expect(lambda each: each.method == "MESSAGE")
    watched = alice.ask("SUBSCRIBE", bob.aor, {"Event": "presence"})

    assert registered.status == 200
    assert came.text == "Hi"
    assert len(came.all("via")) == 4
    assert watched.status in (200, 202)
    assert 'alias="example.org"' in lines


@pytest.mark.needs("kamailio/modules/tls.so")
def test_the_server_behind_is_reached_by_tls_as_the_guide_says(
    captioned, started, tmp_path
):
    shown = captioned("guides/front")
    authority = Authority.make(tmp_path)
    theirs = authority.certify(tmp_path / "theirs.pem", "127.0.0.2")
    ours = authority.certify(tmp_path / "ours.pem", "example.org", "127.0.0.1")
    lines = by_files(shown["secure.cfg"], theirs, authority)
    told = [line for line in lines.splitlines() if line.startswith("modparam")]
    behind = started(
        Kamailio(
            tmp_path,
            "example.org",
            more="\n".join(told),
            certificate=theirs,
            authority=authority.path,
        )
    )
    text = by_files(shown["secure.toml"], ours, authority)
    path = tmp_path / "presproxy.toml"
    text = re.sub(r"listen = \[.*?\n\]\n", "", text, flags=re.DOTALL)
    upstream = "sip:127.0.0.2:5061;transport=tls"
    assert upstream in text
    path.write_text(text.replace(upstream, behind.uri_by("tls")))
    options = ["--config", str(path)]
    front = started(Instance(tmp_path, options, domain="example.org", certificate=ours))
    bob = Peer(front.tcp, "bob@example.org", "tcp")
    contact = f"<sip:bob@127.0.0.1:{bob.port};transport=tcp>"
    fields = {"Contact": contact, "To": f"<{bob.aor}>"}
    registered = bob.ask("REGISTER", "sip:example.org", fields)

    assert registered.status == 200
    assert {'loadmodule "tls.so"', "enable_tls=yes"} < set(lines.splitlines())


def by_files(text, certificate, authority):
    """Let a configuration name the files there are."""
    text = re.sub(r"/etc/\w+/(chain|key)\.pem", str(certificate), text)
    return re.sub(r"/etc/\w+/authority\.pem", str(authority.path), text)
