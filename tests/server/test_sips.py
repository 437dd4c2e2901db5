"""What is for a sips URI leaves by TLS or not at all (RFC 3261 §16.6, §26.2.2)."""

from __future__ import annotations

import pytest

from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingStream
from presproxy.testing.phones import Phone

SECURE, PLAIN = "sips:bob@example.test", "sip:bob@example.test"


class ByTls(RecordingStream):
    transport = "TLS"


class ByWss(RecordingStream):
    transport = "WSS"


@pytest.fixture
def phone_of():
    desk = Desk()
    ports = iter(range(40001, 41000))

    def make(user, kind, more=None):
        phone = Phone(desk, user, kind(("192.0.2.50", next(ports))))
        if more is not None:
            phone.register(more)
        return phone

    return make


def finals(phone):
    return [each.status for each in phone.read() if each.status >= 200]


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
@pytest.mark.parametrize(
    ("uri", "kind", "goes"),
    [
        (SECURE, ByTls, True),
        (SECURE, ByWss, True),
        (SECURE.upper().replace("BOB@EXAMPLE.TEST", "bob@example.test"), ByTls, True),
        (SECURE, RecordingStream, False),
        (PLAIN, RecordingStream, True),
        (PLAIN, ByTls, True),
    ],
)
def test_a_sips_uri_is_reached_by_tls_alone(phone_of, method, uri, kind, goes):
    alice, bob = phone_of("alice", ByTls), phone_of("bob", kind, "")
    alice.send(method, uri)

    assert [each.method for each in bob.read()] == [method] * goes
    assert finals(alice) == [480] * (not goes)


def test_of_a_fork_those_by_tls_are_asked(phone_of):
    alice = phone_of("alice", ByTls)
    bobs = [phone_of("bob", kind, "") for kind in (RecordingStream, ByTls)]
    alice.send("INVITE", SECURE)
    plain, (invite,) = (bob.read() for bob in bobs)
    bobs[1].respond(invite, "486 Busy Here")

    assert plain == []
    assert finals(alice) == [486]


def test_the_next_by_preference_is_asked_where_the_first_is_not_secure(phone_of):
    alice = phone_of("alice", ByTls)
    first = phone_of("bob", RecordingStream, ";q=1.0")
    second = phone_of("bob", ByTls, ";q=0.5")
    alice.send("INVITE", SECURE)

    assert first.read() == []
    assert len(second.read()) == 1


def go_on(alice, sent, answer, uri, method):
    """Acknowledge the answer to an INVITE, and send another request within its dialog."""
    for each, cseq in (("ACK", 1), (method, 2)):
        fields = {
            "From": sent.need("from"),
            "To": answer.need("to"),
            "Call-ID": sent.call_id,
            "CSeq": f"{cseq} {each}",
            "Route": list(reversed(answer.all("record-route"))),
        }
        alice.send(each, uri, fields)


@pytest.mark.parametrize(("uri", "scheme"), [(SECURE, "sips:"), (PLAIN, "sip:")])
def test_our_record_route_has_the_scheme_of_what_is_asked_for(phone_of, uri, scheme):
    alice, bob = phone_of("alice", ByWss), phone_of("bob", ByTls, "")
    alice.send("INVITE", uri)
    (invite,) = bob.read()
    routes = invite.all("record-route")

    assert len(routes) == 2
    assert all(each.startswith(f"<{scheme}") for each in routes)
    assert (";transport=tls" in routes[0]) == (scheme == "sip:")
    assert ";transport=ws;" in routes[1]


def test_a_call_by_sips_goes_on_to_its_end(phone_of):
    alice, bob = phone_of("alice", ByTls), phone_of("bob", ByTls, "")
    sent = alice.send("INVITE", SECURE)
    (invite,) = bob.read()
    bob.respond(invite)
    answer = alice.read()[-1]
    secure = bob.contact.replace("sip:", "sips:")
    go_on(alice, sent, answer, secure, "BYE")

    assert [each.first_line for each in bob.read()] == [
        f"ACK {secure} SIP/2.0",
        f"BYE {secure} SIP/2.0",
    ]


def test_within_a_dialog_too_nothing_secure_leaves_by_tcp(phone_of):
    alice, bob = phone_of("alice", ByTls), phone_of("bob", RecordingStream, "")
    sent = alice.send("INVITE", PLAIN)
    (invite,) = bob.read()
    bob.respond(invite)
    answer = alice.read()[-1]
    secure = bob.contact.replace("sip:", "sips:")
    go_on(alice, sent, answer, secure, "INFO")

    assert bob.read() == []
    assert finals(alice) == [480]
