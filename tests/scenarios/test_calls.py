"""Texts and calls between user agents of one server, over real sockets."""

from __future__ import annotations

import pytest

from presproxy.testing.peer import Peer
from presproxy.testing.wire import Message, fresh


def is_request(method):
    return lambda each: not each.is_response and each.method == method


def hold(peer):
    """Let requests that come be answered by the test alone."""
    peer.answer = lambda request: None
    return peer


def register(peer: Peer, server) -> Peer:
    fields = {"To": f"<{peer.aor}>", "Contact": f"<{peer.contact}>"}
    assert peer.ask("REGISTER", "sip:contoso.com", fields).status == 200
    return hold(peer)


def answer(peer, request, status, tag="callee"):
    """Answer a request as the callee of a dialog does."""
    to = request.need("to")
    lines = [f"SIP/2.0 {status}"]
    for name, value in request.fields:
        if name in ("via", "from", "call-id", "cseq", "record-route"):
            lines.append(f"{name}: {value}")
    lines += [f"To: {to}{'' if ';tag=' in to else f';tag={tag}'}"]
    lines += [f"Contact: <{peer.contact}>", "Content-Length: 0", "", ""]
    peer.send("\r\n".join(lines).encode())


def call(caller, callee):
    """Let somebody call and be taken; give the INVITE and its 200."""
    data = caller.write("INVITE", callee.aor)
    caller.send(data)
    answer(callee, callee.expect(is_request("INVITE")), "200 OK")
    return Message.read(data), caller.answered(Message.read(data).branch)


def ask_within(caller, method, sent, accepted, uri):
    fields = {
        "From": sent.need("from"),
        "To": accepted.need("to"),
        "Call-ID": sent.call_id,
        "CSeq": f"2 {method}",
        "Route": list(reversed(accepted.all("record-route"))),
    }
    data = caller.write(method, uri, fields)
    caller.send(data)
    return Message.read(data)


@pytest.fixture(params=["udp", "tcp"])
def callee(request, server, peers):
    peer = peers(server, f"{fresh('callee')}@contoso.com", request.param)
    return register(peer, server)


def test_a_text_and_its_answer(alice, callee):
    data = alice.write("MESSAGE", callee.aor, {"Content-Type": "text/plain"}, "Hi ☎")
    alice.send(data)
    came = callee.expect(is_request("MESSAGE"))
    answer(callee, came, "202 Accepted")

    assert (came.text, came.get("content-type")) == ("Hi ☎", "text/plain")
    assert alice.answered(Message.read(data).branch).status == 202


def test_a_call_either_end_ends(alice, callee):
    hold(alice)
    sent, accepted = call(alice, callee)
    ask_within(alice, "INFO", sent, accepted, callee.contact)
    came = callee.expect(is_request("INFO"))
    fields = {
        "From": came.need("to"),
        "To": came.need("from"),
        "Call-ID": came.call_id,
        "Route": accepted.all("record-route"),
    }
    callee.send(callee.write("BYE", alice.contact, fields))
    bye = alice.expect(is_request("BYE"))

    assert came.first_line == f"INFO {callee.contact} SIP/2.0"
    assert bye.first_line == f"BYE {alice.contact} SIP/2.0"


def test_whoever_closed_his_connection_is_not_there(server, peers, alice):
    callee = register(peers(server, f"{fresh('gone')}@contoso.com", "tcp"), server)
    callee.close()

    # The server may hear of it after the text.
    statuses = {alice.ask("MESSAGE", callee.aor).status for _ in range(3)}

    assert statuses == {480}


def test_a_call_by_datagrams_outlasts_a_kill(servers, peers):
    server = servers()
    alice = register(peers(server, "alice@contoso.com"), server)
    bob = register(peers(server, "bob@contoso.com"), server)
    sent, accepted = call(alice, bob)

    server.kill()
    server.start()
    ask_within(alice, "BYE", sent, accepted, bob.contact)

    assert bob.expect(is_request("BYE")).first_line == f"BYE {bob.contact} SIP/2.0"


def test_a_connection_does_not_outlast_a_kill(servers, peers):
    server = servers()
    bob = register(peers(server, "bob@contoso.com", "tcp"), server)
    alice = peers(server, "alice@contoso.com")

    server.kill()
    server.start()

    assert alice.ask("MESSAGE", bob.aor).status == 480


def test_a_stop_ends_what_rings(servers, peers):
    server = servers()
    bob = register(peers(server, "bob@contoso.com"), server)
    alice = peers(server, "alice@contoso.com")
    data = alice.write("INVITE", bob.aor)
    alice.send(data)
    answer(bob, bob.expect(is_request("INVITE")), "180 Ringing")
    alice.expect(lambda each: each.status == 180)

    assert server.stop() == 0
    assert alice.answered(Message.read(data).branch).status == 503
    assert bob.expect(is_request("CANCEL")).method == "CANCEL"


def test_nobody_else_is_reached_through_us(server, peers, alice):
    stranger = hold(peers(server, f"{fresh('stranger')}@contoso.com"))
    for method, fields in (
        ("MESSAGE", {}),
        ("INVITE", {"Route": f"<sip:127.0.0.1:{stranger.port};lr>"}),
        ("BYE", {"To": "<sip:x@contoso.com>;tag=x"}),
        ("ACK", {"Route": f"<sip:127.0.0.1:{stranger.port};lr>"}),
    ):
        alice.send(alice.write(method, stranger.contact, fields))

    assert stranger.rest() == []
    assert {each.status for each in alice.rest(0)} <= {403, 404, 481}


def test_a_text_that_is_not_whole_goes_nowhere(alice, callee):
    data = alice.write("MESSAGE", callee.aor, {"Content-Length": "10"}, "Hi")
    if alice.transport == "udp":
        alice.send(data)
        status = alice.answered(Message.read(data).branch).status

        assert status == 400
    assert callee.rest() == []
