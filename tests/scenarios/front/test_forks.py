"""Calls that a Kamailio behind forks, each message looked at."""

from __future__ import annotations

import pytest

from presproxy.testing.instance import wait_for
from presproxy.testing.peer import Peer
from presproxy.testing.wire import Message, compose, fresh

pytestmark = pytest.mark.needs("kamailio", "kamailio/modules/tls.so")

#: Seconds for what comes through two servers on a busy machine.
LIMIT = 20


@pytest.fixture(params=["here", "behind"])
def where(request):
    """Where phones register: through us, and so a call comes by us twice; or without."""
    return request.param


@pytest.fixture(params=["udp", "tcp", "tls"])
def between(request):
    return request.param


@pytest.fixture
def alice(front, peers):
    alice = peers(front, f"{fresh('alice')}@contoso.com", "tcp")
    alice.answer = lambda request: None
    return alice


@pytest.fixture
def bobs(front, behind, where):
    """Two phones of one user, who answer what they are told to."""
    user = f"{fresh('bob')}@contoso.com"
    address = front.udp if where == "here" else behind.address
    made = [Peer(address, user) for _ in range(2)]
    for each in made:
        fields = {"Contact": f"<{each.contact}>", "To": f"<{each.aor}>"}
        assert each.ask("REGISTER", "sip:contoso.com", fields).status == 200
        each.answer = lambda request: None
    yield made
    for each in made:
        each.close()


def is_request(method):
    return lambda each: not each.is_response and each.method == method


def respond(phone, request, status):
    """Answer as one end of a dialog; give the tag."""
    to = request.need("to")
    tag = f"at{phone.port}"
    if ";tag=" not in to:
        to = f"{to};tag={tag}"
    copied = ("via", "from", "call-id", "cseq", "record-route")
    fields = [(name, value) for name, value in request.fields if name in copied]
    lines = [f"SIP/2.0 {status}", *(f"{name}: {value}" for name, value in fields)]
    lines += [f"To: {to}", f"Contact: <{phone.contact}>", "Content-Length: 0", "", ""]
    phone.send("\r\n".join(lines).encode())


def calls(alice, bobs):
    """Let somebody call both phones; give the INVITE and what they got."""
    data = alice.write("INVITE", bobs[0].aor)
    alice.send(data)
    return Message.read(data), [
        each.expect(is_request("INVITE"), LIMIT) for each in bobs
    ]


def within(alice, method, number, accepted):
    """Send a request within the dialog that a 200 has made."""
    target = accepted.need("contact").strip("<>")
    fields = {
        "Via": alice.via(),
        "Max-Forwards": "70",
        "Route": list(reversed(routes_of(accepted))),
        "From": accepted.need("from"),
        "To": accepted.need("to"),
        "Call-ID": accepted.call_id,
        "CSeq": f"{number} {method}",
    }
    alice.send(compose(f"{method} {target} SIP/2.0", fields))


def is_taken_by(phone):
    return lambda each: each.status == 200 and f"tag=at{phone.port}" in each.need("to")


def routes_of(message):
    return [
        each.strip()
        for value in message.all("record-route")
        for each in value.split(",")
    ]


def test_both_phones_of_a_fork_take_the_call(alice, bobs):
    _, invites = calls(alice, bobs)
    for bob, invite in zip(bobs, invites, strict=True):
        respond(bob, invite, "180 Ringing")
    for bob, invite in zip(bobs, invites, strict=True):
        respond(bob, invite, "200 OK")
    accepted = [alice.expect(is_taken_by(each), LIMIT) for each in bobs]
    for each in accepted:
        within(alice, "ACK", 1, each)
        within(alice, "BYE", 2, each)
    acks = [each.expect(is_request("ACK"), LIMIT) for each in bobs]
    byes = [each.expect(is_request("BYE"), LIMIT) for each in bobs]

    tags = [f"at{each.port}" for each in bobs]
    assert [each.need("to").rpartition("tag=")[2] for each in acks] == tags
    assert [each.need("to").rpartition("tag=")[2] for each in byes] == tags
    for bob, bye in zip(bobs, byes, strict=True):
        respond(bob, bye, "200 OK")
    alice.expect(lambda each: each.status == 200 and each.method == "BYE", LIMIT)
    alice.expect(lambda each: each.status == 200 and each.method == "BYE", LIMIT)


def test_one_phone_of_a_fork_takes_the_call_and_the_other_is_cancelled(
    front, alice, bobs
):
    sent, (taken, rung) = calls(alice, bobs)
    respond(bobs[1], rung, "180 Ringing")
    alice.expect(lambda each: each.status == 180, LIMIT)
    respond(bobs[0], taken, "200 OK")
    accepted = alice.expect(lambda each: each.status == 200, LIMIT)
    within(alice, "ACK", 1, accepted)
    cancel = bobs[1].expect(is_request("CANCEL"), LIMIT)
    respond(bobs[1], cancel, "200 OK")
    respond(bobs[1], rung, "487 Request Terminated")
    ack = bobs[1].expect(is_request("ACK"), LIMIT)

    assert (cancel.call_id, cancel.branch) == (sent.call_id, rung.branch)
    assert (ack.branch, ack.need("cseq")) == (rung.branch, "1 ACK")
    assert bobs[0].expect(is_request("ACK"), LIMIT).need("cseq") == "1 ACK"
    assert wait_for(lambda: front.metrics()["presproxy_relaying"] == 0, LIMIT)


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        (("486 Busy Here", "404 Not Found"), 404),
        (("486 Busy Here", "603 Decline"), 603),
        (("480 Temporarily Unavailable", "401 Unauthorized"), 401),
    ],
    ids=["the least", "the one for all", "the one that says how"],
)
def test_the_best_refusal_of_a_fork_is_told(front, alice, bobs, statuses, told):
    sent, invites = calls(alice, bobs)
    for bob, invite, status in zip(bobs, invites, statuses, strict=True):
        respond(bob, invite, status)
        bob.expect(is_request("ACK"), LIMIT)

    assert alice.answered(sent.branch).status == told
    assert wait_for(lambda: front.metrics()["presproxy_relaying"] == 0, LIMIT)
