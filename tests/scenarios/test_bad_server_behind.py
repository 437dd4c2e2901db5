"""A server behind that answers nonsense, twice, late, octet by octet, or not at all."""

from __future__ import annotations

import socket

import pytest

from presproxy.testing.instance import wait_for
from presproxy.testing.peer import LIMIT, Peer
from presproxy.testing.wire import Message, fresh, pidf, respond

#: Requests under way at once, in all.
MOST = 40


def is_request(method):
    return lambda each: not each.is_response and each.method == method


class Behind:
    """The server behind, played by a test; over TCP it takes one connection at a time."""

    def __init__(self, transport):
        self.transport = transport
        if transport == "tcp":
            self.door = socket.create_server(("127.0.0.1", 0))
            self.door.settimeout(LIMIT)
            self.port = self.door.getsockname()[1]
            self.peer = None
        else:
            self.peer = self._held(Peer(("127.0.0.1", 9)))
            self.port = self.peer.port
        self.uri = f"sip:127.0.0.1:{self.port};transport={transport}"

    def _held(self, peer):
        peer.answer = lambda request: None
        return peer

    def asked(self, method="MESSAGE"):
        """Wait for a request, by the connection there is or the next that is opened."""
        if self.transport == "tcp" and (self.peer is None or self.peer.is_closed):
            connected, address = self.door.accept()
            self.peer = self._held(Peer(address, "pbx", "tcp", connected))
        request = self.peer.expect(is_request(method))
        if self.transport == "udp":
            host, _, port = (
                request.need("via").split()[1].partition(";")[0].rpartition(":")
            )
            self.peer.server = (host, int(port))
        return request

    def answer(self, request, status="200 OK", **fields):
        tagged = [
            (n, f"{v};tag=pbx" if n == "to" and ";tag=" not in v else v)
            for n, v in request.fields
        ]
        changed = Message(b"", request.first_line, tagged, b"")
        self.peer.send(respond(changed, status, {"Contact": f"<{self.uri}>", **fields}))

    def close(self):
        if self.peer is not None:
            self.peer.close()
        if self.transport == "tcp":
            self.door.close()


@pytest.fixture(scope="module", params=["udp", "tcp"])
def transport(request):
    return request.param


@pytest.fixture(scope="module")
def behind(transport):
    playing = Behind(transport)
    yield playing
    playing.close()


@pytest.fixture
def dead(transport):
    """One that says nothing to anybody, and is nobody else's."""
    playing = Behind(transport)
    yield playing
    playing.close()


@pytest.fixture(scope="module")
def shared_server(behind, module_servers, tmp_path_factory):
    """A server before it, for all tests of a transport."""
    return module_servers(*before(behind, tmp_path_factory.mktemp("front")))


def before(behind, folder):
    """Give the options of one that does not probe it, and keeps few requests under way."""
    path = folder / "front.toml"
    path.write_text(
        f"[limits]\nrelayed = {MOST}\nlate = 20\nlate_keeping = 20\n[front]\nprobe = 0\n"
    )
    return "--config", str(path), "--upstream", behind.uri


@pytest.fixture
def alice(server, peers):
    peer = peers(server, f"{fresh('alice')}@contoso.com", "tcp")
    peer.answer = lambda request: None
    return peer


def send(peer, method, uri="sip:100@contoso.com", fields=None):
    data = peer.write(method, uri, fields)
    peer.send(data)
    return Message.read(data)


def goes_on(behind, alice):
    """Whether another request goes through."""
    sent = send(alice, "MESSAGE")
    behind.answer(behind.asked(), "202 Accepted")
    return alice.answered(sent.branch).status == 202


def serves_presence(peer):
    tag = fresh("note")
    published = peer.publish(pidf(peer.aor, tag)).status
    return published == 200 and tag in peer.fetch(peer.aor).text


NONSENSE = {
    "no response": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no SIP at all": b"\x00\x01\x02\xff" * 8 + b"\r\n\r\n",
    "a status of letters": b"SIP/2.0 abc OK\r\n\r\n",
    "no field": b"SIP/2.0 200 OK\r\n\r\n",
    "a Via that is none": b"SIP/2.0 200 OK\r\nVia: x\r\nContent-Length: 0\r\n\r\n",
    "HTML": b"<html>502 Bad Gateway</html>\r\n\r\n",
}


@pytest.mark.parametrize("data", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_no_answer_and_does_no_harm(behind, alice, data):
    sent = send(alice, "INVITE")
    asked = behind.asked("INVITE")
    behind.answer(asked, "180 Ringing")
    alice.expect(lambda each: each.status == 180)
    behind.peer.send(data)
    if behind.transport == "tcp":
        # What breaks a stream ends it, and all that was asked by it.
        wait_for(lambda: behind.peer.closed_by_server(0.1), 2.0)
    if not behind.peer.is_closed:
        behind.answer(asked, "486 Busy Here")
    answer = alice.answered(sent.branch)

    assert answer.status in ({486} if behind.transport == "udp" else {486, 500, 503})
    assert goes_on(behind, alice)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"from:", b"form:"),
        lambda data: data.replace(b"call-id:", b"x:"),
        lambda data: data.replace(b"To:", b"T:").replace(b"to:", b"t2:"),
    ],
    ids=["no From", "no Call-ID", "no To"],
)
def test_an_answer_that_cannot_be_read_is_no_success(behind, alice, change):
    sent = send(alice, "MESSAGE")
    asked = behind.asked()
    behind.peer.send(change(respond(asked, "200 OK")))
    behind.answer(asked, "404 Not Found")
    answer = alice.answered(sent.branch)

    # It is taken for one that cannot be read, or for none.
    assert answer.status in {502, 404}
    assert goes_on(behind, alice)


def test_what_comes_octet_by_octet_is_an_answer_all_the_same(behind, alice, transport):
    if transport == "udp":
        pytest.skip("a datagram is whole")
    sent = send(alice, "MESSAGE")
    asked = behind.asked()
    data = respond(asked, "202 Accepted")
    for octet in data[:-1]:
        behind.peer.send(bytes([octet]))
    assert serves_presence(alice)
    behind.peer.send(data[-1:])

    assert alice.answered(sent.branch).status == 202


def test_an_answer_that_comes_twice_is_passed_back_once(behind, alice):
    sent = send(alice, "MESSAGE")
    asked = behind.asked()
    for status in ("202 Accepted", "202 Accepted", "404 Not Found", "100 Trying"):
        behind.answer(asked, status)

    assert alice.answered(sent.branch).status == 202
    assert goes_on(behind, alice)
    assert [each for each in alice.rest() if each.branch == sent.branch] == []


def test_each_200_to_a_call_is_passed_back_for_each_makes_a_dialog(behind, alice):
    sent = send(alice, "INVITE")
    asked = behind.asked("INVITE")
    behind.answer(asked, "200 OK")
    behind.answer(asked, "200 OK")

    assert [alice.answered(sent.branch).status for _ in range(2)] == [200, 200]


def test_an_answer_after_the_cancel_is_passed_back(behind, alice):
    """RFC 3261 §9.1: the 200 may cross the CANCEL."""
    sent = send(alice, "INVITE")
    asked = behind.asked("INVITE")
    behind.answer(asked, "180 Ringing")
    alice.expect(lambda each: each.status == 180)
    cancel = {
        "Via": sent.need("via"),
        "From": sent.need("from"),
        "Call-ID": sent.call_id,
        "CSeq": "1 CANCEL",
    }
    send(alice, "CANCEL", fields=cancel)
    cancelled = behind.asked("CANCEL")
    behind.answer(asked, "200 OK")
    behind.answer(cancelled, "481 Gone")
    statuses = {
        each.get("cseq"): each.status
        for each in (alice.answered(sent.branch), alice.answered(sent.branch))
    }

    assert statuses == {"1 CANCEL": 200, "1 INVITE": 200}


def test_it_hangs_up_in_the_middle_of_an_answer(behind, alice, transport):
    if transport == "udp":
        pytest.skip("there is nothing to hang up")
    sent = send(alice, "MESSAGE")
    asked = behind.asked()
    behind.peer.send(respond(asked)[:60])
    behind.peer.close()
    behind.peer = None
    answer = alice.answered(sent.branch)

    assert answer.status in {408, 500, 503}
    assert serves_presence(alice)


def test_a_flood_for_a_server_that_says_nothing_harms_nobody_else(
    dead, servers, peers, tmp_path
):
    front = servers(*before(dead, tmp_path))
    flood = peers(front, "flood@contoso.com", "tcp")
    branches = [send(flood, "INVITE").branch for _ in range(5 * MOST)]
    refused = {
        flood.expect(lambda each: each.status == 503).branch for _ in range(4 * MOST)
    }
    under_way = front.metrics()["presproxy_relaying"]

    assert refused < set(branches)
    assert len(refused) == 4 * MOST
    assert under_way <= MOST
    assert serves_presence(peers(front, "bob@contoso.com", "udp"))
    assert serves_presence(peers(front, "carol@contoso.com", "tcp"))


# --- Loops through it


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def probing(port):
    return "--upstream", f"sip:127.0.0.1:{port};transport=udp"


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_a_server_that_is_behind_itself_does_not_go_round(servers, peers, method):
    port = free_port()
    server = servers(*probing(port), udp=("127.0.0.1", port))
    alice = peers(server, "alice@contoso.com", "tcp")

    for uri in ("sip:bob@contoso.com", "sip:bob@elsewhere.test"):
        assert 400 <= alice.ask(method, uri).status < 500
    assert server.metrics()["presproxy_relaying"] == 0


def test_two_that_are_behind_each_other_do_not_go_round(servers, peers):
    ports = free_port(), free_port()
    one = servers(*probing(ports[1]), udp=("127.0.0.1", ports[0]))
    two = servers(*probing(ports[0]), udp=("127.0.0.1", ports[1]))
    alice = peers(one, "alice@contoso.com", "tcp")
    # The first to start has found the other away until it asked again.
    assert wait_for(lambda: alice.ask("MESSAGE", "sip:x@contoso.com").status != 503, 30)

    for uri in ("sip:bob@contoso.com", "sip:bob@elsewhere.test"):
        assert 400 <= alice.ask("MESSAGE", uri).status < 500
    assert [each.metrics()["presproxy_relaying"] for each in (one, two)] == [0, 0]


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_what_it_sends_back_as_it_came_is_not_sent_to_it_again(behind, alice, method):
    sent = send(alice, method, "sip:100@elsewhere.test")
    asked = behind.asked(method)
    host = f"127.0.0.1:{behind.port}"
    via = f"SIP/2.0/{behind.transport.upper()} {host};branch=z9hG4bK{fresh()}"
    fields = [("via", via), *asked.fields]
    lines = [asked.first_line, *(f"{name}: {value}" for name, value in fields)]
    behind.peer.send("\r\n".join([*lines, "", ""]).encode())
    refused = behind.peer.expect(lambda each: each.status >= 200)
    behind.answer(asked, f"{refused.status} {refused.reason}")

    assert refused.status in {404, 482}
    assert alice.answered(sent.branch).status == refused.status


# --- What belongs to nobody


def test_what_belongs_to_nobody_does_not_reach_it(behind, alice):
    uri = f"sip:{fresh('nobody')}@contoso.com"
    send(alice, "ACK", uri, {"To": f"<{uri}>;tag=x"})
    gone = alice.ask("CANCEL", uri)
    assert goes_on(behind, alice)

    assert gone.status == 481
    assert [
        each
        for each in behind.peer.inbox
        if each.method in ("ACK", "CANCEL") and uri in each.first_line
    ] == []


@pytest.mark.parametrize("status", ["180 Ringing", "200 OK", "503 Later"])
def test_an_answer_to_nothing_does_no_harm(behind, alice, status):
    sent = send(alice, "INVITE")
    asked = behind.asked("INVITE")
    branch = f"z9hG4bK{fresh()}"
    top, *others = asked.all("via")
    rest = [(name, value) for name, value in asked.fields if name != "via"]
    vias = [f"{top.partition(';')[0]};branch={branch}", *others]
    fields = [*(("via", each) for each in vias), *rest]
    behind.answer(Message(b"", asked.first_line, fields, b""), status)
    behind.answer(asked, "486 Busy Here")

    assert alice.answered(sent.branch).status == 486
    assert goes_on(behind, alice)
