"""All is by IPv6: user agents, the server, and a Kamailio behind it."""

from __future__ import annotations

import pytest

from presproxy.documents.dialoginfo import CONTENT_TYPE, Dialog, DialogInfo, write
from presproxy.testing.instance import wait_for
from presproxy.testing.kamailio import free_port
from presproxy.testing.peer import Peer
from presproxy.testing.wire import fresh, pidf

HERE = "::1"


def has_ipv6():
    try:
        free_port(HERE)
    except OSError:
        return False
    return True


pytestmark = [
    pytest.mark.needs("kamailio"),
    pytest.mark.skipif(not has_ipv6(), reason="needs ::1"),
]

#: Seconds; all takes one or two, on a machine with nothing else to do.
LIMIT = 60.0

BY_IPV6 = dict.fromkeys(("udp", "tcp", "http"), (HERE, 0))

by_each = pytest.mark.parametrize("transport", ["udp", "tcp"])


@pytest.fixture
def front(servers, tmp_path):
    """Starts a server by IPv6 with lines of configuration."""

    def start(text="", *options):
        path = tmp_path / "front.toml"
        path.write_text(f"{text}\n[limits]\nlate = 20\nlate_keeping = 20\n")
        return servers("--config", str(path), *options, **BY_IPV6)

    return start


CALLS = pytest.mark.parametrize(
    ("calling", "taking"),
    [
        ("call", "call_taken"),
        ("cancel", "call_rung_behind"),
        ("refused", "call_refused"),
    ],
)

#: What is not on the way to a phone that registered at Kamailio itself: we are not between
#: them, and Kamailio, which comes first in Record-Route, names no user.
WITHOUT_PATH = {
    "sip:.+@.+;lr": "sip:.+;lr",
    'header="Via:" occurrence="4"': 'header="Max-Forwards:"',
    "Via:[$last]": "Subject:[$last]",
}


@pytest.fixture
def behind(kamailio):
    """With one worker: of two one may pass on what came later before the other is done."""
    return kamailio(host=HERE, children=1)


@pytest.fixture
def run(sipp):
    """Plays calls through a server to a user, who is called at a port."""

    def played(server, transport, user, port, calling, taking, words=()):
        host, ours = server.udp if transport == "udp" else server.tcp
        called = sipp(
            *(taking, "-p", str(port), "-s", user, "-m", "5"), host=HERE, words=words
        )
        caller = sipp(
            *(calling, f"[{host}]:{ours}", "-t", "u1" if transport == "udp" else "t1"),
            *("-s", user, "-m", "5", "-r", "10", "-l", "5"),
            host=HERE,
        )

        assert (caller.finish(), called.finish()) == ("", "")
        assert wait_for(lambda: server.metrics()["presproxy_relaying"] == 0, LIMIT)
        assert server.metrics()["presproxy_acks_lost_total"] == 0

    return played


def registered(address):
    """Register a user somewhere, and give his name and port."""
    user = fresh("callee")
    peer = Peer(address, f"{user}@contoso.com")
    answer = peer.ask("REGISTER", "sip:contoso.com", {"To": f"<{peer.aor}>"})
    assert answer.status == 200
    port = peer.port
    peer.close()
    return user, port


@pytest.mark.needs("sipp")
@CALLS
def test_calls_go_through_both_and_back_through_us(front, behind, run, calling, taking):
    server = front("", "--upstream", behind.uri_by("udp"))

    run(server, "udp", *registered(server.udp), calling, taking)


@pytest.mark.needs("sipp")
@CALLS
def test_calls_go_through_both_by_connections(front, behind, run, calling, taking):
    """Who registers through us is not called: here Kamailio's connections are anybody's."""
    server = front("", "--upstream", behind.uri_by("tcp"))

    run(server, "tcp", *registered(behind.address), calling, taking, WITHOUT_PATH)


@by_each
def test_a_lamp_of_the_server_behind_is_lit(front, presence_behind, peers, transport):
    kamailio = presence_behind(transport, host=HERE)
    server = front(
        f'[aggregate]\nserver = "{kamailio.server}"\npackages = ["dialog"]\n'
    )
    lamp = f"{fresh('lamp')}@contoso.com"
    pbx = Peer(kamailio.address, lamp)
    watching = peers(server, "w@contoso.com").subscribe(pbx.aor, event="dialog")

    tag = None
    for state in ("early", "confirmed"):
        dialog = Dialog("d", state, f"c{lamp}", "l", "r", "recipient")
        fields = {
            "Event": "dialog",
            "Content-Type": CONTENT_TYPE,
            "SIP-If-Match": tag,
        }
        answer = pbx.ask(
            "PUBLISH", pbx.aor, fields, write(DialogInfo(pbx.aor, (dialog,)))
        )
        assert answer.status == 200
        tag = answer.need("sip-etag")
        watching.notified(f"<state>{state}</state>", LIMIT)
    pbx.close()

    assert server.metrics()["presproxy_behind_subscriptions"] == 1


@by_each
def test_a_watcher_behind_sees_a_user_here(front, presence_behind, peers, transport):
    kamailio = presence_behind(transport, host=HERE)
    server = front(f'[[publish_upstream]]\nserver = "{kamailio.server}"\n')
    alice = peers(server, "alice@contoso.com")
    bob = Peer(kamailio.address, "bob@contoso.com")
    seen = bob.subscribe(alice.aor)

    tag = alice.publish(pidf(alice.aor, "here")).need("sip-etag")
    seen.notified("here", LIMIT)
    alice.publish(pidf(alice.aor, "changed"), entity_tag=tag)
    seen.notified("changed", LIMIT)
    bob.close()
