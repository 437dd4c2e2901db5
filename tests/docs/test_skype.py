"""
The guide to standing in front of Skype for Business, with the configuration it shows.

It cannot be had here, so a test plays its Mediation Server, by the TCP connection that
presproxy opens to it.
"""

from __future__ import annotations

import hashlib
import re
import socket

import pytest

from presproxy.auth.users import write_users
from presproxy.testing.instance import Instance
from presproxy.testing.peer import Peer
from presproxy.testing.wire import Message, compose, fresh, respond

HOST = "127.0.0.2"
DOMAIN = "phones.example.org"
NUMBER, OUTSIDE = "+4930123101", "+4940987654"
PASSWORD = "wonderland"

#: Nothing is refused for being late: the machine may be busy.
PATIENT = "\n[limits]\nlate = 20\nlate_keeping = 20\n"


@pytest.fixture
def listening():
    with socket.create_server((HOST, 0)) as made:
        made.settimeout(10)
        yield made


@pytest.fixture
def front(captioned, listening, tmp_path):
    text = captioned("guides/skype")["presproxy.toml"]
    users = tmp_path / "users"
    write_users(users, {f"{NUMBER}@{DOMAIN}": PASSWORD})
    text = text.replace("/etc/presproxy/users", str(users))
    path = tmp_path / "presproxy.toml"
    address = "{}:{}".format(*listening.getsockname())
    path.write_text(text.replace(f"{HOST}:5068", address) + PATIENT)
    one = Instance(tmp_path, ["--config", str(path)], domain=DOMAIN)
    one.start()
    yield one
    assert one.stop() == 0
    assert one.troubles() == []


@pytest.fixture
def mediation(front, listening):
    """The Mediation Server, once presproxy has asked whether it is there."""
    connected, _ = listening.accept()
    playing = Peer(front.tcp, f"mediation@{HOST}", "tcp", connected)
    playing.answer = lambda request: (
        respond(request) if request.method == "OPTIONS" else None
    )
    playing.expect(is_request("OPTIONS"))
    yield playing
    playing.close()


@pytest.fixture
def phone(front):
    made = Peer(front.udp, f"{NUMBER}@{DOMAIN}")
    yield made
    made.close()


def is_request(method):
    return lambda each: not each.is_response and each.method == method


def hashed(*parts):
    return hashlib.md5(":".join(parts).encode()).hexdigest()


def prove(challenge, method, uri):
    """Write the credentials of the phone's user."""
    realm = re.search('realm="([^"]+)"', challenge)[1]
    nonce = re.search('nonce="([^"]+)"', challenge)[1]
    secret = hashed(NUMBER, realm, PASSWORD)
    response = hashed(secret, nonce, hashed(method, uri))
    return (
        f'Digest username="{NUMBER}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
        f'response="{response}", algorithm=MD5'
    )


def challenged(phone, method, uri, **fields):
    """Ask something with a password; give the second request and both answers."""
    fields = {"Call-ID": fresh(), "From": f"<{phone.aor}>;tag={fresh()}", **fields}
    first = phone.ask(method, uri, fields)
    name, field = {
        401: ("www-authenticate", "Authorization"),
        407: ("proxy-authenticate", "Proxy-Authorization"),
    }[first.status]
    challenge = next(each for each in first.all(name) if "SHA" not in each)
    more = {field: prove(challenge, method, uri), "CSeq": f"2 {method}"}
    second = phone.write(method, uri, {**fields, **more})
    phone.send(second)
    return Message.read(second)


@pytest.fixture
def registered(phone):
    sent = challenged(phone, "REGISTER", f"sip:{DOMAIN}", To=f"<{phone.aor}>")
    assert phone.answered(sent.branch).status == 200
    return phone


def accepted(peer, invite, contact):
    lines = ["SIP/2.0 200 OK"]
    for name, value in invite.fields:
        if name in ("via", "from", "call-id", "cseq", "record-route"):
            lines.append(f"{name}: {value}")
    lines += [f"To: {invite.need('to')};tag=taken", f"Contact: <{contact}>"]
    peer.send("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode())


def test_a_phone_proves_who_it_is_and_calls_by_the_mediation_server(
    registered, mediation
):
    phone = registered
    uri = f"sip:{OUTSIDE}@{DOMAIN};user=phone"
    sent = challenged(phone, "INVITE", uri)
    came = mediation.expect(is_request("INVITE"))
    accepted(
        mediation, came, f"sip:mediation.example.org:5068;transport=Tcp;maddr={HOST}"
    )
    taken = phone.answered(sent.branch)

    assert came.first_line == f"INVITE {uri} SIP/2.0"
    assert came.get("proxy-authorization") is None
    assert came.get("authorization") is None
    assert f"<sip:{NUMBER}@{DOMAIN}>" in came.need("p-asserted-identity")
    assert taken.status == 200
    assert taken.all("record-route")


def test_the_mediation_server_calls_a_phone(registered, mediation, phone):
    phone.answer = lambda request: None
    branch = f"z9hG4bK{fresh()}"
    ours = "{}:{}".format(*mediation.socket.getsockname())
    fields = {
        "FROM": f"<sip:{OUTSIDE}@mediation.example.org;user=phone>;epid=12A;tag=m1",
        "TO": f"<sip:{NUMBER}@{DOMAIN};user=phone>",
        "CSEQ": "4 INVITE",
        "CALL-ID": fresh(),
        "MAX-FORWARDS": "70",
        "VIA": f"SIP/2.0/TCP {ours};branch={branch}",
        "CONTACT": f"<sip:mediation.example.org:5068;transport=Tcp;maddr={HOST}>",
        "P-ASSERTED-IDENTITY": f"<tel:{OUTSIDE}>",
        "USER-AGENT": "RTCC/6.0.0.0 MediationServer",
        "SUPPORTED": "replaces, 100rel",
        "ALLOW": "ACK, CANCEL, BYE, INVITE, PRACK, UPDATE",
    }
    uri = f"sip:{NUMBER}@{DOMAIN};user=phone"

    mediation.send(compose(f"INVITE {uri} SIP/2.0", fields))
    rung = phone.expect(is_request("INVITE"))
    accepted(phone, rung, phone.contact)

    assert rung.first_line.startswith(f"INVITE sip:{NUMBER}@127.0.0.1:{phone.port}")
    assert rung.get("p-asserted-identity") == f"<tel:{OUTSIDE}>"
    assert mediation.answered(branch).status == 200


def test_its_options_are_answered(mediation):
    branch = f"z9hG4bK{fresh()}"
    ours = "{}:{}".format(*mediation.socket.getsockname())
    contact = f"sip:mediation.example.org:5068;transport=Tcp;maddr={HOST}"
    fields = {
        "FROM": f"<{contact};ms-opaque=4d6d0e9c>;epid=9F2D;tag=b5",
        "TO": f"<sip:{DOMAIN}:5060;transport=Tcp;maddr=127.0.0.1>",
        "CSEQ": "1 OPTIONS",
        "CALL-ID": fresh(),
        "MAX-FORWARDS": "70",
        "VIA": f"SIP/2.0/TCP {ours};branch={branch}",
        "CONTACT": f"<{contact}>",
        "USER-AGENT": "RTCC/6.0.0.0 MediationServer",
    }

    uri = f"sip:{DOMAIN}:5060;transport=Tcp;maddr=127.0.0.1"
    mediation.send(compose(f"OPTIONS {uri} SIP/2.0", fields))

    assert mediation.answered(branch).status == 200


def test_nobody_calls_without_a_password(front, mediation):
    stranger = Peer(front.udp, f"+4930123999@{DOMAIN}")

    answer = stranger.ask("INVITE", f"sip:{OUTSIDE}@{DOMAIN}")

    assert answer.status in (401, 407)
    assert not any(each.method == "INVITE" for each in mediation.rest())
    stranger.close()


def test_presence_is_answered_here(registered, mediation):
    sent = challenged(
        registered, "SUBSCRIBE", registered.aor, Event="presence", Expires="600"
    )

    assert registered.answered(sent.branch).status == 200
    assert registered.notified()
    assert not any(each.method == "SUBSCRIBE" for each in mediation.rest())
