"""What the guide to plugins shows works as it stands there."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from presproxy.interfaces import IAggregator, IContactACL, IEventPackage, IStorage
from presproxy.testing.contracts.acl import ContactACLContract
from presproxy.testing.contracts.aggregator import AggregatorContract
from presproxy.testing.contracts.package import EventPackageContract
from presproxy.testing.contracts.storage import StorageContract
from presproxy.testing.instance import Instance, wait_for
from presproxy.testing.peer import Peer

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PRESENTITY = "sip:bob@contoso.com"
PIDF = (
    '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bob@contoso.com">'
    '<tuple id="desk"><status><basic>open</basic></status><note>At my desk</note>'
    "</tuple></presence>"
)


@pytest.fixture(autouse=True)
def _examples_are_found(monkeypatch, tmp_path):
    dropins = tmp_path / "presproxy" / "plugins"
    dropins.mkdir(parents=True)
    (dropins / "our_dropin.py").write_text((EXAMPLES / "dropin.py").read_text())
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.fixture
def server(tmp_path):
    config = tmp_path / "presproxy.toml"
    config.write_text(
        f"""
        [[package]]
        use = "presence"

        [[package]]
        use = "presence.winfo"

        [[package]]
        use = "mood"

        [aggregator]
        use = "discreet"

        [storage]
        use = "audited"
        journal = "{tmp_path}/journal"

        [[auth]]
        use = "asserted"
        neighbour = "127.0.0.1"

        [[acl]]
        use = "colleagues"
        team = ["sip:alice@elsewhere.test", "{PRESENTITY}"]

        [[acl]]
        use = "contacts"

        [[notifier]]
        use = "notebook"
        presentity = "{PRESENTITY}"
        path = "{tmp_path}/notebook"
        """
    )
    instance = Instance(tmp_path, options=["--config", str(config)], storage="")
    instance.start()
    yield instance
    assert instance.stop() == 0
    assert instance.troubles() == []


@pytest.mark.parametrize(
    "kind", ["auth", "acl", "storage", "notifier", "package", "aggregator"], ids=str
)
def test_every_example_is_listed_with_its_options(kind):
    names = {
        "auth": "asserted",
        "acl": "colleagues",
        "storage": "audited",
        "notifier": "notebook",
        "package": "mood",
        "aggregator": "discreet",
    }

    listed = twistd(f"--help-{kind}")
    described = twistd("--help-plugin", f"{kind}:{names[kind]}")

    assert names[kind] in listed
    assert names[kind] in described


def test_a_server_uses_them_all(server, tmp_path):
    bob = Peer(server.udp, "bob@contoso.com")
    alice = Peer(server.udp, "alice@elsewhere.test")
    eve = Peer(server.udp, "eve@elsewhere.test")

    published = bob.publish(PIDF, {"P-Asserted-Identity": f"<{bob.aor}>"})
    moody = bob.publish(
        "cheerful",
        {
            "P-Asserted-Identity": f"<{bob.aor}>",
            "Event": "mood",
            "Content-Type": "text/plain",
        },
    )
    unknown = bob.publish(PIDF)
    colleague = alice.subscribe(
        bob.aor, {"P-Asserted-Identity": f"<{alice.aor}>", "Event": "mood"}
    )
    stranger = eve.subscribe(bob.aor, {"P-Asserted-Identity": f"<{eve.aor}>"})

    assert (published.status, moody.status, unknown.status) == (200, 200, 403)
    assert "active" in colleague.notified("cheerful").need("subscription-state")
    assert "pending" in stranger.notified().need("subscription-state")
    assert wait_for(lambda: b"At my desk" in (tmp_path / "notebook").read_bytes(), 10)
    assert f"Put publication {bob.aor}" in (tmp_path / "journal").read_text()


class TestColleagues(ContactACLContract):
    def make(self, directory: Path) -> IContactACL:
        module = importlib.import_module("colleagues")
        return module.Colleagues(
            team=["sip:alice@example.test", "sip:bob@example.test"]
        )


class TestAudited(StorageContract):
    def make(self, directory: Path) -> IStorage:
        return importlib.import_module("audited").Audited(journal=directory / "journal")


class TestDiscreet(AggregatorContract):
    def make(self) -> IAggregator:
        return importlib.import_module("discreet").Discreet()


class TestMood(EventPackageContract):
    bodies = (("text/plain", b"cheerful"), ("text/plain", b"sleepy"))

    def make(self) -> IEventPackage:
        return importlib.import_module("mood").Mood()


def twistd(*options: str) -> str:
    run = "from twisted.scripts.twistd import run; run()"
    return subprocess.run(
        [sys.executable, "-c", run, "presproxy", *options],
        env={**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
