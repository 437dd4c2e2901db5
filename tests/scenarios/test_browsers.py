"""Libraries for browsers, over secure WebSocket: SIP.js and JsSIP, run by Node."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from presproxy.auth.users import write_users
from presproxy.testing.browser import BrowserUser
from presproxy.testing.certificates import Authority
from presproxy.testing.instance import Instance, wait_for

BROWSER = Path(__file__).parent / "clients" / "browser"

PASSWORD = "wonderland"
NAMES = ("alice", "bob")

#: Seconds in which something is seen; on an idle machine it takes a tenth of one.
SEEN = 30

OPEN_DOCUMENT = """\
<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:alice@contoso.com">
<tuple id="t1"><status><basic>open</basic></status><note>at my desk – ünd h€re</note></tuple>
</presence>
"""

pytestmark = pytest.mark.needs("node", f"{BROWSER}/node_modules/sip.js/package.json")


@attrs.define(eq=False)
class House:
    server: Instance
    folder: Path
    authorities: Path
    place: str
    users: list[BrowserUser] = attrs.field(factory=list)

    def enter(self, name: str, library: str) -> BrowserUser:
        setting = {
            "library": library,
            "server": self.place,
            "aor": f"sip:{name}@contoso.com",
            "password": PASSWORD,
        }
        script = BROWSER / "user.mjs"
        user = BrowserUser.start(self.folder, name, script, setting, self.authorities)
        self.users.append(user)
        assert user.wait_for("connected", SEEN), user.logs()
        user.do("register")
        assert user.wait_for("registered", SEEN, state="Registered"), user.logs()
        return user


@pytest.fixture
def house(tmp_path):
    authority = Authority.make(tmp_path)
    certificate = authority.certify(tmp_path / "server.pem", "localhost")
    passwords = {f"{name}@contoso.com": PASSWORD for name in NAMES}
    write_users(tmp_path / "users", passwords)
    server = Instance(
        tmp_path,
        options=(
            *("--listen", f"wss:0:interface=127.0.0.1:cert={certificate}"),
            *("--auth", f"digest:users={tmp_path / 'users'}"),
        ),
    )
    server.start()
    port = re.search(r"listening on wss:127.0.0.1:(\d+)", server.log())[1]
    made = House(server, tmp_path, authority.path, f"wss://localhost:{port}")
    yield made
    for user in made.users:
        user.quit()
    server.stop()
    assert server.troubles() == []


@pytest.mark.parametrize("watcher", ["sip.js", "jssip"])
def test_one_publishes_and_another_watches(watcher, house):
    alice = house.enter("alice", "sip.js")
    bob = house.enter("bob", watcher)
    bob.do("watch", aor="sip:alice@contoso.com")
    assert bob.wait_for("notified", SEEN), bob.logs()

    alice.do("publish", body=OPEN_DOCUMENT)

    assert alice.wait_for("published", SEEN, state="Published"), alice.logs()
    assert wait_for(lambda: "h€re" in bob.events("notified")[-1]["body"], SEEN)
    assert bob.wait_for("watching", SEEN, state="Subscribed"), bob.logs()

    bob.do("send", aor="sip:alice@contoso.com", body="nice")
    assert alice.wait_for("message", SEEN, body="nice"), alice.logs()
