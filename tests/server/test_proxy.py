"""Requests between user agents of ours, through the whole server without a socket."""

from __future__ import annotations

import pytest

from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingStream
from presproxy.testing.phones import Phone
from presproxy.testing.scripted import ScriptedACL
from presproxy.testing.wire import Message, parameter, respond

BOB = "sip:bob@example.test"
EPID = "CF4L2AMcWg2NmvFJquaVSgAA"
INSTANCE = ';+sip.instance="<urn:uuid:085e0bd8-031c-5a0d-8d9a-f149aae6954a>"'


def one(messages):
    (message,) = messages
    return message


def statuses(phone):
    return [each.status for each in phone.read()]


# --- One request, one answer


def test_a_message_goes_to_the_contact_and_its_answer_back(desk, alice, bob):
    alice.send("MESSAGE", BOB, {"Content-Type": "text/plain", "X-Any": "thing"}, "Hi")
    request = one(bob.read())
    bob.respond(request, "202 Accepted", {"X-Other": "thing"})
    answer = one(alice.read())

    assert request.first_line == f"MESSAGE {bob.contact} SIP/2.0"
    assert request.get("max-forwards") == "69"
    assert len(request.all("via")) == 2
    assert (request.text, request.get("x-any")) == ("Hi", "thing")
    assert request.get("record-route") is None
    assert answer.first_line == "SIP/2.0 202 Accepted"
    assert (len(answer.all("via")), answer.get("x-other")) == (1, "thing")
    assert desk.defects == 0


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        (BOB, 480),
        ("sip:example.test", 480),
        ("sip:ocschat@example.test", 480),
        ("sip:bob@elsewhere.test", 404),
        ("sip:bob@192.0.2.50:40001", 404),
        ("tel:+49301234", 404),
        ("mailto:bob@example.test", 416),
    ],
)
@pytest.mark.parametrize("method", ["MESSAGE", "INVITE", "INFO", "REFER"])
def test_what_leads_nowhere_is_refused(desk, alice, method, uri, status):
    alice.send(method, uri)

    assert statuses(alice) == [status]
    assert desk.defects == 0


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Max-Forwards": "0"}, 483),
        ({"Max-Forwards": "256"}, 400),
        ({"Proxy-Require": "x-new"}, 420),
        ({"Max-Breadth": "many"}, 400),
        ({"Max-Breadth": "0"}, 440),
        ({"Route": "<sip:elsewhere.test;lr>"}, 403),
        ({"Route": "nonsense"}, 400),
    ],
    ids=repr,
)
def test_what_may_not_be_passed_on_is_refused(alice, bob, fields, status):
    alice.send("MESSAGE", BOB, fields)

    assert statuses(alice) == [status]
    assert bob.read() == []


@pytest.mark.parametrize(
    "route", ["<sip:example.test;lr>", "<sip:192.0.2.100:5060;lr>", "<sip:192.0.2.100>"]
)
def test_a_route_that_names_us_is_taken_off(alice, bob, route):
    alice.send("MESSAGE", BOB, {"Route": route})

    assert one(bob.read()).get("route") is None


def test_whoever_is_gone_cannot_be_reached(alice, phones):
    bob = phones("bob", "stream", "")
    bob.flow.close()
    alice.send("MESSAGE", BOB)

    assert statuses(alice) == [480]


def test_another_from_the_same_port_gets_nothing(desk, alice, phones):
    bob = phones("bob", "stream", "")
    bob.flow.close()
    Phone(desk, "carol", RecordingStream(bob.flow.peer)).register()
    alice.send("MESSAGE", BOB)

    assert statuses(alice) == [480]


def test_a_closed_connection_is_forgotten(desk, phones):
    bob = phones("bob", "stream", "")
    ways = desk.server.core.proxy.targets.ways
    before = len(ways)
    bob.flow.close()

    assert (before, len(ways)) == (1, 0)


def test_a_request_that_comes_by_itself_again_is_a_loop(desk, alice, phones):
    bob = phones("bob", "stream", "")
    alice.send("MESSAGE", BOB)
    request = one(bob.read())
    looped = request.data.replace(bob.contact.encode(), BOB.encode())
    looped = looped.replace(b"\r\nVia", b"\r\nVia: SIP/2.0/TCP 192.0.2.50\r\nVia", 1)
    bob.send_data(looped)

    assert statuses(bob) == [482]


def test_a_request_that_comes_changed_is_no_loop(alice, phones):
    bob = phones("bob", "stream", "")
    carol = phones("carol", "stream", "")
    alice.send("MESSAGE", BOB)
    request = one(bob.read())
    turned = request.data.replace(bob.contact.encode(), b"sip:carol@example.test")
    bob.send_data(
        turned.replace(b"\r\nVia", b"\r\nVia: SIP/2.0/TCP 192.0.2.50\r\nVia", 1)
    )

    assert one(carol.read()).method == "MESSAGE"


def test_credentials_for_us_go_no_further(alice, bob):
    digest = 'Digest username="alice", realm="{}", nonce="n", uri="u", response="r"'
    ours, others = digest.format("Example.Test"), digest.format("elsewhere")
    fields = {"Proxy-Authorization": [ours, others], "Authorization": "NTLM qop=auth"}
    alice.send("MESSAGE", BOB, {**fields, "P-Asserted-Identity": "<sip:x@y>"})
    request = one(bob.read())

    assert request.all("proxy-authorization") == [others]
    assert request.get("authorization") is None
    assert request.get("p-asserted-identity") is None


def test_who_answers_asserts_nobodys_identity(alice, bob):
    alice.send("MESSAGE", BOB)
    bob.respond(one(bob.read()), "200 OK", {"P-Asserted-Identity": "<sip:boss@x>"})

    assert one(alice.read()).get("p-asserted-identity") is None


def test_compact_names_are_written_out(alice, bob):
    alice.send("MESSAGE", BOB, {"k": "path", "c": "text/plain"}, "Hi")
    head = one(bob.read()).data.partition(b"\r\n\r\n")[0]

    assert b"\r\nSupported: path" in head
    assert b"\r\nContent-Type: text/plain" in head


def test_a_path_is_followed(alice, phones):
    bob = phones("bob", "stream", "", Path="<sip:edge.test;lr>", Supported="path")
    alice.send("MESSAGE", BOB)
    request = one(bob.read())

    assert request.get("route") == "<sip:edge.test;lr>"
    assert request.first_line.startswith(f"MESSAGE {bob.contact} ")


# --- One endpoint of several


def test_the_uri_of_one_endpoint_leads_to_that_alone(alice, phones):
    one_of_bob = phones("bob", "stream", INSTANCE)
    other = phones("bob", "stream", INSTANCE.replace("085", "185"))
    alice.send("MESSAGE", f"{BOB};opaque=user:epid:{EPID};gruu")

    assert len(one_of_bob.read()) == 1
    assert other.read() == []


@pytest.mark.parametrize("epid", ["", "AAAA", EPID[:-2]])
def test_the_uri_of_an_endpoint_nobody_has_leads_nowhere(alice, phones, epid):
    phones("bob", "stream", INSTANCE)
    alice.send("MESSAGE", f"{BOB};opaque=user:epid:{epid};gruu")

    assert statuses(alice) == [480]


# --- Several contacts


def test_all_contacts_of_equal_preference_get_it_at_once(alice, phones):
    bobs = [phones("bob", kind, "") for kind in ("stream", "datagram", "stream")]
    alice.send("MESSAGE", BOB)
    requests = [one(bob.read()) for bob in bobs]

    assert len({each.branch for each in requests}) == 3
    assert [each.get("max-breadth") for each in requests] == ["20", "20", "20"]


def test_the_less_preferred_gets_it_when_the_others_refused(alice, phones):
    first = phones("bob", "stream", ";q=0.9")
    second = phones("bob", "stream", ";q=0.2")
    alice.send("INVITE", BOB)
    invite = one(first.read())
    before = second.read()
    first.respond(invite, "486 Busy Here")
    second.respond(one(second.read()))

    assert before == []
    assert statuses(alice) == [100, 200]


@pytest.mark.parametrize(
    ("answers", "given"),
    [
        (["486 Busy", "404 No"], 486),
        (["500 Oh", "404 No"], 404),
        (["404 No", "600 Busy"], 600),
        (["404 No", "415 Type"], 415),
        (["404 No", "302 There"], 302),
        (["503 Later", "503 Later"], 500),
        (["404 No", "200 OK"], 200),
    ],
    ids=repr,
)
def test_the_best_response_is_given(alice, phones, answers, given):
    bobs = [phones("bob", "stream", "") for _ in answers]
    alice.send("INVITE", BOB)
    for bob, status in zip(bobs, answers, strict=True):
        bob.respond(bob.read()[0], status)

    assert statuses(alice) == [100, given]


def test_the_challenges_of_all_go_along(alice, phones):
    bobs = [phones("bob", "stream", "") for _ in range(2)]
    alice.send("INVITE", BOB)
    for number, bob in enumerate(bobs):
        challenge = {"WWW-Authenticate": f'Digest realm="{number}"'}
        bob.respond(one(bob.read()), "401 Who", challenge)
    _, answer = alice.read()

    assert answer.all("www-authenticate") == [
        'Digest realm="0"',
        'Digest realm="1"',
    ]


def test_more_branches_than_allowed_are_not_opened(alice, phones):
    bobs = [phones("bob", "stream", "") for _ in range(3)]
    alice.send("MESSAGE", BOB, {"Max-Breadth": "2"})

    assert statuses(alice) == [440]
    assert [bob.read() for bob in bobs] == [[], [], []]


# --- Who asks


def test_who_is_unknown_is_challenged_as_by_a_proxy(guarded, authenticator):
    phone = Phone(guarded, "alice", RecordingStream())
    phone.send("INVITE", BOB)
    answer = one(phone.read())

    assert answer.status == 407
    assert answer.get("proxy-authenticate") is not None
    assert answer.get("www-authenticate") is None


class Signing:
    """Signs nothing, but is there."""

    def sealed(self, data):
        return data


@pytest.mark.parametrize("signs", [True, False])
def test_whose_messages_are_signed_is_asked_within_a_dialog_too(
    guarded, authenticator, signs
):
    alice, bob = (
        Phone(guarded, user, RecordingStream(("192.0.2.50", port)))
        for port, user in enumerate(("alice", "bob"), 40001)
    )
    bob.register(fields={"Authorization": f"I am {bob.aor}"})
    alice.send("INVITE", BOB, {"Authorization": f"I am {alice.aor}"})
    invite = one(bob.read())
    bob.flow.seal = Signing() if signs else None
    bob.send(
        "INFO",
        alice.contact,
        {
            "From": f"{invite.need('to')};tag=x",
            "To": invite.need("from"),
            "Call-ID": invite.call_id,
            "Route": invite.all("record-route"),
        },
    )

    assert [each.status for each in bob.read()] == ([407] if signs else [])


@pytest.mark.parametrize(
    ("method", "to"),
    [("MESSAGE", "{};tag=theirs"), ("INVITE", "{}"), ("INFO", "{};tag=theirs")],
    ids=["within", "another call", "whatever"],
)
def test_whoever_is_in_a_call_speaks_in_nobody_elses_name(
    guarded, authenticator, method, to
):
    mallory, bob = (
        Phone(guarded, user, RecordingStream(("192.0.2.50", port)))
        for port, user in enumerate(("mallory", "bob"), 40001)
    )
    bob.register(fields={"Authorization": f"I am {bob.aor}"})
    mallory.send("INVITE", BOB, {"Authorization": f"I am {mallory.aor}"})
    invite = one(bob.read())
    bob.respond(invite)
    answer = mallory.read()[-1]
    tag = parameter(invite.need("from"), "tag")
    mallory.send(
        method,
        bob.contact,
        {
            "From": f"<sip:boss@example.test>;tag={tag}",
            "To": to.format(f"<{BOB}>"),
            "Call-ID": invite.call_id,
            "CSeq": f"7 {method}",
            "Route": list(reversed(answer.all("record-route"))),
        },
    )

    assert bob.read() == []
    assert statuses(mallory) == [407]


# --- Nonsense from behind


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"Content-Length: 0", b"Content-Length: x"),
        lambda data: data.replace(b"from:", b"form:"),
    ],
    ids=["no length", "no From"],
)
def test_an_answer_that_cannot_be_read_is_502(desk, alice, phones, change):
    bob = phones("bob", "stream", "")
    alice.send("MESSAGE", BOB)
    data = change(respond(one(bob.read())))
    bob.send_data(data.replace(b"via:", b"Via:").replace(b"cseq:", b"CSeq:"))

    assert statuses(alice) == [502]
    assert desk.defects == 0


def test_an_answer_that_is_for_us_alone_is_502(alice, phones):
    bob = phones("bob", "stream", "")
    alice.send("MESSAGE", BOB)
    request = one(bob.read())
    first = [each for each in request.fields if each[0] == "via"][:1]
    rest = [each for each in request.fields if each[0] != "via"]
    cut = Message(b"", request.first_line, [*first, *rest], b"")
    bob.send_data(respond(cut))

    assert statuses(alice) == [502]


def test_the_server_itself_is_asked_as_before(alice, bob):
    alice.send("OPTIONS", "sip:example.test", {"Route": "<sip:example.test;lr>"})

    assert statuses(alice) == [200]


def test_a_desk_of_other_rules_passes_messages_all_the_same():
    desk = Desk(ScriptedACL())
    bob = Phone(desk, "bob", RecordingStream(("192.0.2.51", 1)))
    bob.register()
    Phone(desk, "alice", RecordingStream(("192.0.2.52", 1))).send("MESSAGE", BOB)

    assert one(bob.read()).method == "MESSAGE"
