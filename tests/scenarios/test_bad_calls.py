"""
Calls that nobody makes in good faith, by UDP and TCP: nothing comes of them to others.

Loops and spirals; forged Via, Route and Record-Route; CANCEL, ACK and responses of
nobody; forks of forks.
"""

from __future__ import annotations

import attrs
import pytest

from presproxy.testing.wire import Message, fresh, parameter

ENDS = ("udp", "tcp")


def is_request(method):
    return lambda each: not each.is_response and each.method == method


def hold(peer):
    """Let requests that come be answered by the test alone."""
    peer.answer = lambda request: None
    return peer


def register(peer, user=None, more=""):
    aor = peer.aor if user is None else user
    fields = {
        "From": f"<{aor}>;tag={fresh()}",
        "To": f"<{aor}>",
        "Contact": f"<{peer.contact}>{more}",
    }
    assert peer.ask("REGISTER", "sip:contoso.com", fields).status == 200
    return hold(peer)


def answer(peer, request, status, **changed):
    """Answer a request, with some of its fields changed."""
    lines = [f"SIP/2.0 {status}"]
    to = request.need("to")
    fields = {"to": f"{to}{'' if ';tag=' in to else ';tag=callee'}", **changed}
    for name, value in request.fields:
        if name in ("via", "from", "call-id", "cseq", "record-route"):
            lines.append(f"{name}: {fields.get(name, value)}")
    lines += [f"To: {fields['to']}", f"Contact: <{peer.contact}>"]
    peer.send("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode())


def turned(peer, request, uri):
    """Write a request that came as the proxy does who sends it on to another URI."""
    fields = [("via", peer.via()), *request.fields]
    lines = [f"{request.method} {uri} SIP/2.0", *(f"{n}: {v}" for n, v in fields)]
    return "\r\n".join([*lines, "", ""]).encode() + request.body


def send(peer, method, uri, fields=None):
    data = peer.write(method, uri, fields)
    peer.send(data)
    return Message.read(data)


@pytest.fixture
def people(server, peers):
    """Makes user agents by one transport."""

    def make(transport, name, user=None, more=""):
        peer = peers(server, f"{fresh(name)}@contoso.com", transport)
        return register(peer, user, more)

    return make


@pytest.fixture(params=ENDS)
def bob(request, people):
    return people(request.param, "bob")


@pytest.fixture
def alice(alice):
    return hold(alice)


@pytest.fixture
def victim(people):
    """Somebody who has nothing to do with it, and is to hear nothing of it."""
    peer = people("udp", "victim")
    yield peer
    assert peer.rest() == []


def serves(peer):
    return peer.ask("OPTIONS", "sip:contoso.com").status == 200


# --- Loops


@pytest.mark.parametrize("method", ["MESSAGE", "INVITE"])
def test_a_loop_through_ourselves_is_482(alice, bob, method):
    sent = send(alice, method, bob.aor)
    came = bob.expect(is_request(method))
    bob.send(turned(bob, came, bob.aor))
    refused = bob.expect(lambda each: each.status >= 200)
    answer(bob, came, "482 Loop Detected")

    assert refused.status == 482
    assert alice.answered(sent.branch).status == 482


@pytest.mark.parametrize("method", ["MESSAGE", "INVITE"])
def test_a_spiral_passes(alice, bob, people, method):
    carol = people(bob.transport, "carol")
    sent = send(alice, method, bob.aor)
    came = bob.expect(is_request(method))
    bob.send(turned(bob, came, carol.aor))
    again = carol.expect(is_request(method))
    answer(carol, again, "200 OK")
    back = bob.expect(lambda each: each.status == 200)
    _, *vias = back.all("via")
    stripped = [(n, v) for n, v in back.fields if n != "via"]
    fields = [*(("via", each) for each in vias), *stripped]
    answer(bob, attrs.evolve(back, fields=fields), "200 OK")

    assert again.first_line.startswith(f"{method} {carol.contact} ")
    assert len(again.all("via")) == 4
    assert int(again.need("max-forwards")) == int(came.need("max-forwards")) - 1
    assert alice.answered(sent.branch).status == 200


def test_who_goes_round_and_round_changed_is_stopped_by_max_forwards(alice, bob):
    sent = send(alice, "MESSAGE", bob.aor, {"Max-Forwards": "4"})
    seen = []
    while True:
        came = bob.expect(lambda each: True)
        if came.is_response:
            break
        seen.append(came.need("max-forwards"))
        bob.send(turned(bob, came, f"{bob.aor};round={len(seen)}"))

    assert seen == ["3", "2", "1", "0"]
    assert came.status == 483
    assert sent.branch


def test_forks_of_forks_are_bounded(alice, people):
    """Two who ring two: RFC 5393 §5.3, at each fork what may be forked is shared out."""
    one, other = people("udp", "one"), people("tcp", "other")
    both = f"sip:{fresh('both')}@contoso.com"
    register(one, both)
    register(other, both)
    pair = f"sip:{fresh('pair')}@contoso.com"
    leaves = [people("udp", "leaf", pair), people("tcp", "leaf", pair)]
    send(alice, "INVITE", both, {"Max-Breadth": "3"})
    forked = {
        int(came.need("max-breadth")): (peer, came)
        for peer in (one, other)
        for came in [peer.expect(is_request("INVITE"))]
    }
    for peer, came in forked.values():
        peer.send(turned(peer, came, pair))
    narrow = forked[1][0]
    refused = narrow.expect(lambda each: each.status >= 200)
    breadths = [
        leaf.expect(is_request("INVITE")).need("max-breadth") for leaf in leaves
    ]

    assert sorted(forked) == [1, 2]
    assert refused.status == 440
    assert breadths == ["1", "1"]
    assert [leaf.rest() for leaf in leaves] == [[], []]


# --- What is forged


def test_a_forged_via_hits_nobody(alice, victim):
    where = f"127.0.0.1:{victim.port}"
    top = (
        f"SIP/2.0/{alice.transport.upper()} {where};rport;branch=z9hG4bK{fresh()}"
        ";maddr=127.0.0.1;received=127.0.0.1"
    )
    below = f"SIP/2.0/UDP {where};branch=z9hG4bK{fresh()}"
    sent = send(alice, "MESSAGE", "sip:nobody@contoso.com", {"Via": [top, below]})

    assert alice.answered(sent.branch).status == 480


def test_the_vias_of_an_answer_lead_nowhere_else(alice, bob, victim):
    where = f"127.0.0.1:{victim.port}"
    sent = send(alice, "MESSAGE", bob.aor)
    came = bob.expect(is_request("MESSAGE"))
    forged = [f"SIP/2.0/UDP {where};branch=z9hG4bK{each}" for each in "xy"]
    ours, hers = came.all("via")
    fields = [(n, v) for n, v in came.fields if n != "via"]
    vias = [("via", ours), *(("via", each) for each in forged)]
    answer(bob, attrs.evolve(came, fields=[*vias, *fields]), "200 OK")
    back = alice.expect(lambda each: each.is_response)

    assert back.all("via") == forged
    assert sent.branch in hers


@pytest.mark.parametrize("method", ["MESSAGE", "INVITE", "BYE", "OPTIONS", "REFER"])
@pytest.mark.parametrize("lr", [";lr", ""], ids=["loose", "strict"])
def test_a_forged_route_leads_to_nobody(alice, bob, victim, server, method, lr):
    there = f"<sip:127.0.0.1:{victim.port}{lr}>"
    us = f"<sip:127.0.0.1:{server.udp[1]};lr>"
    statuses = {
        alice.ask(method, uri, {"Route": routes}).status
        for uri in (bob.aor, f"sip:127.0.0.1:{victim.port}")
        for routes in ([there], [us, there])
    }

    assert statuses <= ({403, 404} if method != "OPTIONS" else {200, 403, 404})
    assert bob.rest() == []


def test_the_route_of_a_call_is_of_no_use_to_others(alice, bob, victim):
    sent = send(alice, "INVITE", bob.aor)
    came = bob.expect(is_request("INVITE"))
    answer(bob, came, "200 OK")
    accepted = alice.answered(sent.branch)
    routes = list(reversed(accepted.all("record-route")))
    there = f"sip:127.0.0.1:{victim.port}"
    stolen = victim.ask("MESSAGE", bob.contact, {"Route": routes})
    elsewhere = alice.ask("MESSAGE", there, {"Route": routes})
    changed = [each.replace("@", "A@") for each in routes]
    fields = {
        "From": sent.need("from"),
        "To": accepted.need("to"),
        "Call-ID": sent.call_id,
        "CSeq": "2 INFO",
    }
    broken = alice.ask("INFO", there, {**fields, "Route": changed})

    assert {stolen.status, elsewhere.status} <= {403, 404}
    assert broken.status in {403, 481}
    assert bob.rest() == []


def test_a_forged_record_route_leads_no_request_to_its_host(alice, bob, victim):
    there = f"<sip:127.0.0.1:{victim.port};lr>"
    sent = send(alice, "INVITE", bob.aor, {"Record-Route": there})
    came = bob.expect(is_request("INVITE"))
    answer(bob, came, "200 OK")
    alice.answered(sent.branch)
    routes = came.all("record-route")
    bye = {
        "From": f"{came.need('to')};tag=callee",
        "To": came.need("from"),
        "Call-ID": came.call_id,
        "CSeq": "7 BYE",
        "Route": routes,
    }
    send(bob, "BYE", alice.contact, bye)
    got = alice.expect(is_request("BYE"))

    assert routes[-1] == there
    assert got.all("route") == [there]


# --- What belongs to nobody


def test_a_cancel_of_nobody_is_481(alice, bob):
    assert alice.ask("CANCEL", bob.aor).status == 481
    assert bob.rest() == []


def test_nobody_cancels_the_call_of_another(alice, bob, people):
    mallory = people(alice.transport, "mallory")
    sent = send(alice, "INVITE", bob.aor)
    came = bob.expect(is_request("INVITE"))
    answer(bob, came, "180 Ringing")
    alice.expect(lambda each: each.status == 180)
    own = parameter(mallory.via(), "branch")
    stolen = mallory.via().replace(own, sent.branch)
    cancel = {
        "Via": stolen,
        "From": sent.need("from"),
        "To": sent.need("to"),
        "Call-ID": sent.call_id,
        "CSeq": "1 CANCEL",
    }
    mallory.send(mallory.write("CANCEL", bob.aor, cancel))
    refused = mallory.expect(lambda each: each.status >= 200)

    assert refused.status == 481
    assert bob.rest() == []


def test_an_ack_of_nobody_goes_nowhere(alice, bob, victim):
    for uri in (bob.aor, bob.contact, f"sip:127.0.0.1:{victim.port}"):
        send(alice, "ACK", uri, {"To": f"<{bob.aor}>;tag=x"})

    assert serves(alice)
    assert bob.rest() == []


@pytest.mark.parametrize("status", ["100 Trying", "200 OK", "486 Busy Here"])
@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
def test_a_response_of_nobody_goes_nowhere(server, alice, victim, method, status):
    place = f"127.0.0.1:{server.udp[1]}"
    ours = f"SIP/2.0/{alice.transport.upper()} {place};branch=z9hG4bK{fresh()}"
    there = f"SIP/2.0/UDP 127.0.0.1:{victim.port};branch=z9hG4bK{fresh()}"
    for vias in ([ours, there], [there, ours], [there], [ours]):
        request = alice.write(method, victim.aor, {"Via": vias})
        answer(alice, Message.read(request), status)

    assert serves(alice)
    assert alice.rest() == []


def test_a_response_by_another_than_was_asked_is_not_his(alice, bob, people):
    mallory = people(bob.transport, "mallory")
    sent = send(alice, "MESSAGE", bob.aor)
    came = bob.expect(is_request("MESSAGE"))
    unknown = parameter(came.need("via"), "branch")[:-1]
    ours, hers = came.all("via")
    fields = [(n, v) for n, v in came.fields if n != "via"]
    guessed = [("via", ours.replace(unknown, f"{unknown}x")), ("via", hers), *fields]
    answer(mallory, attrs.evolve(came, fields=guessed), "200 OK")
    assert serves(mallory)
    answer(bob, came, "486 Busy Here")

    assert alice.answered(sent.branch).status == 486


# --- Twice, and after the end (RFC 6026)


def test_an_invite_that_comes_again_after_its_200_goes_no_further(alice, bob):
    data = alice.write("INVITE", bob.aor)
    alice.send(data)
    came = bob.expect(is_request("INVITE"))
    answer(bob, came, "200 OK")
    first = alice.answered(Message.read(data).branch)
    alice.send(data)
    assert serves(alice)

    assert first.status == 200
    assert bob.rest() == []


def test_a_200_that_comes_again_goes_back_again_and_a_busy_does_not(alice, bob):
    sent = send(alice, "INVITE", bob.aor)
    came = bob.expect(is_request("INVITE"))
    for status in ("200 OK", "486 Busy Here", "180 Ringing", "200 OK"):
        answer(bob, came, status)
    got = [alice.expect(lambda each: each.status > 100).status for _ in range(2)]

    assert got == [200, 200]
    assert [each.status for each in alice.rest() if each.status > 100] == []
    assert sent.branch


def test_proxy_require_of_what_nobody_knows_is_420(alice, bob):
    refused = alice.ask("INVITE", bob.aor, {"Proxy-Require": "x-new, x-other"})

    assert (refused.status, refused.get("unsupported")) == (420, "x-new, x-other")
    assert bob.rest() == []
