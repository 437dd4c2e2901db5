"""Lamps of a Kamailio behind: many who watch here, and few subscriptions there."""

from __future__ import annotations

import attrs
import pytest

from presproxy.documents.dialoginfo import CONTENT_TYPE, Dialog, DialogInfo, write
from presproxy.testing.instance import wait_for
from presproxy.testing.kamailio import PROGRAM
from presproxy.testing.peer import Peer
from presproxy.testing.wire import fresh

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs kamailio")

#: Seconds; a start takes one, on a machine with nothing else to do.
LIMIT = 60.0

#: Fifty lamps, each watched by ten, are five hundred subscriptions here.
LAMPS, WATCHERS = 50, 10


@pytest.fixture
def front(servers, tmp_path):
    """A server that fetches lamps from behind."""

    def start(kamailio, **options):
        more = "".join(f"{name} = {value}\n" for name, value in options.items())
        path = tmp_path / "front.toml"
        path.write_text(
            f'[aggregate]\nserver = "{kamailio.server}"\npackages = ["dialog"]\n{more}'
        )
        return servers("--config", str(path))

    return start


@attrs.define(eq=False)
class Phone:
    """A PBX's word of one phone, which it publishes behind."""

    user: str
    peer: Peer
    tag: str | None = None

    @property
    def aor(self):
        return f"sip:{self.user}@contoso.com"

    def publish(self, state):
        dialog = Dialog("d", state, f"c{self.user}", "l", "r", "recipient")
        fields = {
            "Event": "dialog",
            "Content-Type": CONTENT_TYPE,
            "From": f"<{self.aor}>;tag={fresh()}",
            "To": f"<{self.aor}>",
            "Expires": "600",
            "SIP-If-Match": self.tag,
        }
        body = write(DialogInfo(self.aor, (dialog,)))
        answer = self.peer.ask("PUBLISH", self.aor, fields, body)
        assert answer.status == 200, answer
        self.tag = answer.need("sip-etag")


def lit(watching, state, limit=LIMIT):
    """Wait for a lamp to show a state, whatever it shows before."""
    watching.notified(f"<state>{state}</state>", limit)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_many_watch_a_lamp_by_one_subscription_behind(
    presence_behind, front, peers, transport
):
    kamailio = presence_behind(transport)
    server = front(kamailio, linger=0)
    pbx = Peer(kamailio.address, "pbx@contoso.com")
    phones = [Phone(fresh("lamp"), pbx) for _ in range(LAMPS)]
    phones[0].publish("confirmed")
    watchers = [peers(server, f"w{n}@contoso.com") for n in range(WATCHERS)]

    lamps = {
        phone.user: [each.subscribe(phone.aor, event="dialog") for each in watchers]
        for phone in phones
    }
    for each in lamps[phones[0].user]:
        lit(each, "confirmed")
    for phone in phones[1:]:
        phone.publish("early")
        for each in lamps[phone.user]:
            lit(each, "early")

    assert sorted(kamailio.asked("SUBSCRIBE")) == sorted(phone.user for phone in phones)
    assert server.metrics()["presproxy_behind_subscriptions"] == LAMPS
    for each in (each for watching in lamps.values() for each in watching):
        assert each.again(0).status == 200
    assert wait_for(
        lambda: server.metrics()["presproxy_behind_subscriptions"] == 0, LIMIT
    )
    pbx.close()


def test_who_watches_first_is_told_once(presence_behind, front, peers):
    kamailio = presence_behind("udp")
    server = front(kamailio, wait=10.0)
    pbx = Peer(kamailio.address, "pbx@contoso.com")
    phone = Phone(fresh("lamp"), pbx)
    phone.publish("confirmed")

    watching = peers(server, "w@contoso.com").subscribe(phone.aor, event="dialog")

    assert "<state>confirmed" in watching.notified("", LIMIT).text
    pbx.close()


def test_a_server_behind_that_was_killed_is_asked_anew(presence_behind, front, peers):
    kamailio = presence_behind("tcp")
    server = front(kamailio)
    pbx = Peer(kamailio.address, "pbx@contoso.com")
    phones = [Phone(fresh("lamp"), pbx) for _ in range(LAMPS)]
    watchers = [peers(server, f"w{n}@contoso.com") for n in range(WATCHERS)]
    lamps = [
        (phone, each.subscribe(phone.aor, event="dialog"))
        for phone in phones
        for each in watchers
    ]
    for phone in phones:
        phone.publish("confirmed")
    for _, watching in lamps:
        lit(watching, "confirmed")
    # Before anybody was on the phone, the lamps were dark.
    for each in watchers:
        each.rest()

    kamailio.kill()
    kamailio.start()
    for phone in phones:
        phone.tag = None
        phone.publish("early")

    for _, watching in lamps:
        lit(watching, "early")
    assert len(kamailio.asked("SUBSCRIBE")) == 2 * LAMPS
    rest = [message.text for each in watchers for message in each.rest()]
    assert all("<state>terminated" not in text for text in rest)
    pbx.close()


def test_a_server_behind_that_comes_late_is_found(presence_behind, front, peers):
    kamailio = presence_behind("tcp")
    kamailio.kill()
    server = front(kamailio)
    pbx = Peer(kamailio.address, "pbx@contoso.com")
    phone = Phone(fresh("lamp"), pbx)
    watching = peers(server, "w@contoso.com").subscribe(phone.aor, event="dialog")
    lit(watching, "terminated")

    kamailio.start()
    phone.publish("early")

    lit(watching, "early")
    pbx.close()
