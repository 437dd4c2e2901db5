"""
The guides to standing in front of Asterisk and of FreeSWITCH, with what they show.

Neither can be had here, so a test plays them: what a PBX writes is written as its sources
write it.  The configuration of presproxy is the guide's, but for where to listen.
"""

from __future__ import annotations

import re

import attrs
import pytest

from presproxy.testing.instance import Instance
from presproxy.testing.pbx import Pbx
from presproxy.testing.peer import Peer
from presproxy.testing.wire import Message, fresh

#: Where the guides have the PBX.
HOST = "127.0.0.2"

#: Nothing is refused for being late: the machine may be busy.
PATIENT = "\n[limits]\nlate = 20\nlate_keeping = 20\n"

DIALOG_INFO = "application/dialog-info+xml"
SUMMARY = "application/simple-message-summary"


@attrs.frozen
class Make:
    """One kind of PBX, and how it writes."""

    page: str
    #: What it answers a SUBSCRIBE, and whom it asks for a password as.
    accepted: str
    challenge: str
    rings: str
    idle: str
    summary: str
    expires: str


ASTERISK = Make(
    page="asterisk",
    accepted="SIP/2.0 200 OK",
    challenge='Digest realm="asterisk",nonce="1/2",opaque="3",algorithm=md5,qop="auth"',
    rings=(
        '<?xml version="1.0" encoding="UTF-8"?>\n<dialog-info '
        'xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="full" '
        f'entity="sip:101@{HOST}">\n <dialog id="101" direction="recipient">\n'
        "  <state>early</state>\n </dialog>\n</dialog-info>\n"
    ),
    idle=(
        '<?xml version="1.0" encoding="UTF-8"?>\n<dialog-info '
        'xmlns="urn:ietf:params:xml:ns:dialog-info" version="2" state="full" '
        f'entity="sip:101@{HOST}">\n <dialog id="101">\n  <state>terminated</state>\n'
        " </dialog>\n</dialog-info>\n"
    ),
    summary="Messages-Waiting: yes\r\nVoice-Message: 1/0 (0/0)\r\n",
    expires="300",
)
FREESWITCH = Make(
    page="freeswitch",
    accepted="SIP/2.0 202 Accepted",
    challenge='Digest realm="example.org", nonce="1", algorithm=MD5, qop="auth"',
    rings=(
        '<?xml version="1.0"?>\n<dialog-info '
        'xmlns="urn:ietf:params:xml:ns:dialog-info" version="0           " state="full" '
        'entity="sip:101@example.org">\n<dialog id="6c1b" direction="recipient">\n'
        '<state>early</state>\n<local>\n<identity display="101">sip:101@example.org'
        '</identity>\n<target uri="sip:101@example.org">\n<param pname="+sip.rendering" '
        'pvalue="yes"/>\n</target>\n</local>\n<remote>\n<identity display="102">'
        'sip:102@example.org</identity>\n<target uri="sip:**101@example.org"/>\n'
        "</remote>\n</dialog>\n</dialog-info>\n"
    ),
    idle=(
        '<?xml version="1.0"?>\n<dialog-info '
        'xmlns="urn:ietf:params:xml:ns:dialog-info" version="1           " state="full" '
        'entity="sip:101@example.org">\n</dialog-info>\n'
    ),
    summary=(
        "Messages-Waiting: yes\r\nMessage-Account: sip:101@example.org\r\n"
        "Voice-Message: 1/0 (0/0)\r\n"
    ),
    expires="120",
)


@pytest.fixture(params=[ASTERISK, FREESWITCH], ids=lambda each: each.page)
def make(request):
    return request.param


@pytest.fixture
def pbx():
    playing = Pbx("101@example.org", HOST)
    yield playing
    playing.close()


@pytest.fixture
def follow(captioned, pbx, tmp_path):
    """Starts a server as a file of a guide says, in front of the PBX."""
    started = []

    def start(page, name="presproxy.toml"):
        text = captioned(f"guides/{page}")[name]
        path = tmp_path / name
        path.write_text(text.replace(f"{HOST}:5060", pbx.address) + PATIENT)
        one = Instance(tmp_path, ["--config", str(path)], domain="example.org")
        started.append(one)
        one.start()
        pbx.peer.server = one.udp
        return one

    yield start
    for each in started:
        assert each.stop() == 0
        assert each.troubles() == []


@pytest.fixture
def front(follow, make):
    return follow(make.page)


@pytest.fixture
def phone_of():
    """Makes phones, and closes them."""
    made = []

    def start(front, user, transport="udp"):
        server = front.udp if transport == "udp" else front.tcp
        made.append(Peer(server, f"{user}@example.org", transport))
        return made[-1]

    yield start
    for each in made:
        each.close()


def again(phone: Peer, request: Message, **fields: str | None) -> bytes:
    """Write a request of a phone's once more, with another number and branch."""
    kept = {
        name: request.need(name.lower())
        for name in ("From", "To", "Call-ID", "Contact")
    }
    more = {name.replace("_", "-"): value for name, value in fields.items()}
    cseq = f"{request.cseq + 1} {request.method}"
    uri = request.first_line.split()[1]
    return phone.write(request.method, uri, {**kept, "CSeq": cseq, **more})


PROOF = (
    'Digest username="101", realm="r", nonce="n", uri="sip:example.org", response="0"'
)


def register(phone: Peer, pbx: Pbx, make: Make) -> Message:
    """Register a phone at the PBX, which asks for a password; give what it was sent."""
    first = Message.read(
        phone.write("REGISTER", "sip:example.org", {"To": f"<{phone.aor}>"})
    )
    phone.send(first.data)
    pbx.answer(
        pbx.asked("REGISTER"),
        "SIP/2.0 401 Unauthorized",
        WWW_Authenticate=make.challenge,
    )
    asked = phone.answered(first.branch)
    second = again(phone, first, Authorization=PROOF)
    phone.send(second)
    came = pbx.asked("REGISTER")
    pbx.answer(came, "SIP/2.0 200 OK", Contact=f"{came.need('contact')};expires=600")

    assert asked.need("www-authenticate") == make.challenge
    assert came.get("authorization") == PROOF
    assert phone.answered(Message.read(second).branch).status == 200
    return came


def is_request(method: str):
    return lambda each: not each.is_response and each.method == method


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_phone_is_called_by_the_path_it_registered_with(
    make, front, pbx, phone_of, transport
):
    phone = phone_of(front, "101", transport)
    registered = register(phone, pbx, make)
    phone.answer = lambda request: None
    call = {"Route": registered.need("path"), "Contact": f"<sip:{pbx.address}>"}

    data = pbx.peer.write("INVITE", phone.contact, call)
    pbx.peer.send(data)
    rung = phone.expect(is_request("INVITE"))
    phone.send(accepted(phone, rung))
    taken = pbx.peer.answered(Message.read(data).branch)
    within = {
        "From": Message.read(data).need("from"),
        "To": taken.need("to"),
        "Call-ID": taken.call_id,
        "Route": list(reversed(taken.all("record-route"))),
        "CSeq": "1 ACK",
    }
    pbx.peer.send(pbx.peer.write("ACK", phone.contact, within))
    acknowledged = phone.expect(is_request("ACK"))
    ended = hang_up(phone, rung, taken)
    phone.send(ended)
    pbx.answer(pbx.asked("BYE"), "SIP/2.0 200 OK")

    assert rung.first_line == f"INVITE {phone.contact} SIP/2.0"
    assert acknowledged.call_id == taken.call_id
    assert phone.answered(Message.read(ended).branch).status == 200


def accepted(phone: Peer, invite: Message) -> bytes:
    """Write the 200 of a phone."""
    lines = ["SIP/2.0 200 OK"]
    for name, value in invite.fields:
        if name in ("via", "from", "call-id", "cseq", "record-route"):
            lines.append(f"{name}: {value}")
    lines += [f"To: {invite.need('to')};tag=phone", f"Contact: <{phone.contact}>"]
    return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()


def hang_up(phone: Peer, invite: Message, taken: Message) -> bytes:
    """Write the BYE of a phone that was called."""
    fields = {
        "From": taken.need("to"),
        "To": invite.need("from"),
        "Call-ID": invite.call_id,
        "Route": invite.all("record-route"),
    }
    return phone.write("BYE", invite.need("contact").strip("<>"), fields)


def test_a_phone_calls_and_the_pbx_hangs_up(make, front, pbx, phone_of):
    phone = phone_of(front, "101")
    data = phone.write("INVITE", "sip:102@example.org")
    phone.send(data)
    asked = pbx.asked("INVITE")
    pbx.answer(asked, "SIP/2.0 401 Unauthorized", WWW_Authenticate=make.challenge)
    assert phone.answered(asked.all("via")[1].partition("branch=")[2].split(";")[0])
    second = again(phone, Message.read(data), Authorization=PROOF)
    phone.send(second)
    came = pbx.asked("INVITE")
    record = came.all("record-route")
    pbx.answer(
        came,
        "SIP/2.0 200 OK",
        Contact=f"<sip:{pbx.address}>",
        Record_Route=", ".join(record),
    )
    taken = phone.answered(Message.read(second).branch)
    bye = {
        "From": taken.need("to"),
        "To": taken.need("from"),
        "Call-ID": came.call_id,
        "Route": record,
    }
    ended = pbx.peer.write("BYE", phone.contact, bye)
    pbx.peer.send(ended)

    assert came.get("authorization") == PROOF
    assert phone.expect(is_request("BYE")).call_id == came.call_id
    assert pbx.peer.answered(Message.read(ended).branch).status == 200


def subscribed(pbx: Pbx, make: Make) -> Message:
    """Let presproxy subscribe, as whom the guide says, and accept it."""
    first = pbx.asked()
    pbx.answer(first, "SIP/2.0 401 Unauthorized", WWW_Authenticate=make.challenge)
    second = pbx.asked()
    pbx.accept(second)

    assert '"presproxy"' in second.need("authorization")
    assert second.need("from").startswith("<sip:presproxy@example.org>")
    assert second.get("expires") == make.expires
    assert second.first_line == "SUBSCRIBE sip:101@example.org SIP/2.0"
    return second


def test_lamps_are_lit_by_one_subscription(make, front, pbx, phone_of):
    phones = [phone_of(front, "102"), phone_of(front, "103", "tcp")]
    watching = [
        each.subscribe("sip:101@example.org", event="dialog") for each in phones
    ]
    request = subscribed(pbx, make)
    for cseq, (body, state) in enumerate(
        ((make.rings, "early"), (make.idle, "terminated")), 1
    ):
        typed = {"Content-Type": DIALOG_INFO}
        answer = pbx.notify(request, cseq, "active;expires=120", body, typed)
        assert answer.status == 200
        told = [each.notified(f"<state>{state}</state>") for each in watching]
        assert all("<dialog " in each.text for each in told)
        assert state != "early" or all(
            'direction="recipient"' in each.text for each in told
        )
    assert [each for each in pbx.peer.inbox if each.method == "SUBSCRIBE"] == []
    shown = front.metrics()
    assert shown["presproxy_behind_subscriptions"] == 1


def test_a_phone_is_told_of_its_mailbox(make, front, pbx, phone_of):
    phone = phone_of(front, "101")
    watching = phone.subscribe(phone.aor, event="message-summary")
    watching.notified("Messages-Waiting: no")
    request = subscribed(pbx, make)

    pbx.notify(
        request, 1, "active;expires=120", make.summary, {"Content-Type": SUMMARY}
    )

    assert watching.notified("Messages-Waiting: yes").text == make.summary


def test_what_nobody_asked_for_goes_to_the_phone(make, front, pbx, phone_of):
    phone = phone_of(front, "101", "tcp")
    registered = register(phone, pbx, make)
    fields = {
        "Route": registered.need("path"),
        "Event": "message-summary",
        "Subscription-State": "active",
        "Content-Type": SUMMARY,
    }

    data = pbx.peer.write("NOTIFY", phone.contact, fields, make.summary)
    pbx.peer.send(data)

    assert phone.expect(is_request("NOTIFY")).text == make.summary
    assert pbx.peer.answered(Message.read(data).branch).status == 200


def test_presence_is_kept_in_front(make, front, pbx, phone_of):
    alice, bob = phone_of(front, "alice"), phone_of(front, "bob")
    watching = alice.subscribe(bob.aor)

    assert watching.status == 200
    assert watching.notified()
    assert [each for each in pbx.peer.inbox if each.method == "SUBSCRIBE"] == []


# --- Asterisk, publishing


def test_asterisk_may_publish_its_extensions(follow, pbx, phone_of):
    """``res_pjsip_outbound_publish`` refreshes without a body and obeys 412."""
    front = follow("asterisk", "publishing.toml")
    watching = phone_of(front, "102").subscribe("sip:101@example.org", event="dialog")
    watching.notified("terminated")
    fields = {
        "From": f"<sip:101@example.org>;tag={fresh()}",
        "Event": "dialog",
        "Expires": "3600",
    }
    said = {**fields, "Content-Type": DIALOG_INFO}

    first = pbx.peer.ask("PUBLISH", "sip:101@example.org", said, ASTERISK.rings)
    watching.notified("<state>early</state>")
    tag = {"SIP-If-Match": first.need("sip-etag")}
    second = pbx.peer.ask("PUBLISH", "sip:101@example.org", {**fields, **tag})
    spent = pbx.peer.ask("PUBLISH", "sip:101@example.org", {**fields, **tag})
    tag = {"SIP-If-Match": second.need("sip-etag")}
    ended = pbx.peer.ask(
        "PUBLISH", "sip:101@example.org", {**said, **tag}, ASTERISK.idle
    )

    assert [first.status, second.status, spent.status] == [200, 200, 412]
    assert (first.get("expires"), ended.status) == ("3600", 200)
    assert watching.notified("<state>terminated</state>")


def test_asterisk_tells_of_mailboxes_unasked(follow, pbx, phone_of):
    front = follow("asterisk", "publishing.toml")
    phone = phone_of(front, "101")
    watching = phone.subscribe(phone.aor, event="message-summary")
    watching.notified("Messages-Waiting: no")
    fields = {
        "From": f"<sip:asterisk@{pbx.address}>;tag={fresh()}",
        "Event": "message-summary",
        "Allow-Events": "presence, dialog, message-summary, refer",
        "Subscription-State": "active",
        "Content-Type": SUMMARY,
    }

    answer = pbx.peer.ask("NOTIFY", "sip:101@127.0.0.1:5060", fields, ASTERISK.summary)

    assert answer.status == 200
    assert watching.notified("Voice-Message: 1/0").text == ASTERISK.summary


@pytest.mark.parametrize("event", ["asterisk-devicestate", "asterisk-mwi"])
def test_events_of_asterisk_alone_are_refused(follow, pbx, event):
    follow("asterisk", "publishing.toml")
    fields = {"Event": event, "Content-Type": "application/json"}
    body = '{"type":"devicestate","device":"PJSIP/101","state":"INUSE","cachable":"1"}'

    answer = pbx.peer.ask("PUBLISH", "sip:lamps@example.org", fields, body)

    assert answer.status == 489
    assert "dialog" in answer.need("allow-events")


def test_both_sides_of_a_guide_name_the_same_user(captioned, make):
    """Name and password of presproxy are the same in both configurations."""
    blocks = captioned(f"guides/{make.page}")
    ours = blocks["presproxy.toml"]
    theirs = "\n".join(text for name, text in blocks.items() if "toml" not in name)

    username = re.search(r'username = "(\w+)"', ours)[1]
    password = re.search(r'password = "(\w+)"', ours)[1]
    assert re.search(rf'(username=|user id="){username}\b', theirs)
    assert re.search(rf'password(=|" value="){password}\b', theirs)
    assert HOST in theirs
