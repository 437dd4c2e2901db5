"""In front of a server, without sockets: what goes to it, and what comes from it."""

from __future__ import annotations

import pytest

from presproxy.errors import StorageUnavailable
from presproxy.server.front.routes import Action, Registrar, Rule
from presproxy.testing.scripted import ScriptedAuthenticator
from presproxy.transport.hop import Hop

BOB = "sip:bob@example.test"
FIRST, SECOND = Hop("udp", "192.0.2.10", 5070), Hop("tcp", "192.0.2.11", 5070)
OK = "200 OK"


def one(messages):
    (message,) = messages
    return message


def statuses(phone):
    return [each.status for each in phone.read()]


def register(phone, pbx):
    """Register through the server, and give what came to the one behind."""
    phone.send(
        "REGISTER",
        "sip:example.test",
        {"To": f"<{phone.aor}>", "Contact": f"<{phone.contact}>"},
    )
    request = one(pbx.read())
    pbx.respond(request, OK)
    assert statuses(phone) == [200]
    return request


def called(pbx, phone, path, method="INVITE", fields=None):
    """Let the server behind send a request by the Path it has of a phone."""
    pbx.send(method, phone.contact, {"Route": path, **(fields or {})})


# --- To the server


@pytest.mark.parametrize(
    ("method", "uri"),
    [
        ("INVITE", BOB),
        ("MESSAGE", BOB),
        ("INVITE", "sip:bob@elsewhere.test"),
        ("INVITE", "tel:+49301234"),
        ("OPTIONS", BOB),
        ("X-NEW", BOB),
        ("REGISTER", "sip:example.test"),
    ],
)
def test_what_is_not_ours_goes_to_the_server_as_it_is(alice, pbx, method, uri):
    alice.send(method, uri, {"X-Any": "thing"})
    request = one(pbx.read())

    assert request.first_line == f"{method} {uri} SIP/2.0"
    assert request.get("max-forwards") == "69"
    assert request.get("route") is None
    assert request.get("x-any") == "thing"


def test_a_package_that_is_not_served_here_goes_to_the_server(alice, pbx):
    alice.send("SUBSCRIBE", BOB, {"Event": "conference"})
    request = one(pbx.read())

    assert request.first_line == f"SUBSCRIBE {BOB} SIP/2.0"
    assert len(request.all("record-route")) == 2


def test_presence_is_answered_here(desk, alice, pbx):
    alice.send("SUBSCRIBE", BOB, {"Event": "presence"})

    assert 200 in statuses(alice)
    assert pbx.read() == []


def test_options_about_us_are_answered_here(alice, pbx):
    alice.send("OPTIONS", "sip:example.test")
    alice.send("OPTIONS", "sip:192.0.2.100:5060")

    assert statuses(alice) == [200, 200]
    assert pbx.read() == []


def test_an_answer_comes_back_and_a_call_goes_on_by_us(alice, pbx):
    alice.send("INVITE", BOB)
    invite = one(pbx.read())
    pbx.respond(invite, OK)
    *_, ok = alice.read()
    route = [*reversed(ok.all("record-route"))]
    within = {
        "Route": route,
        "Call-ID": ok.call_id,
        "From": ok.need("from"),
        "To": ok.need("to"),
    }
    target = "sip:bob@198.51.100.7:5060"
    alice.send("ACK", target, {**within, "CSeq": "1 ACK"})
    alice.send("BYE", target, {**within, "CSeq": "2 BYE"})
    ack, bye = pbx.read()

    assert (ack.method, bye.method) == ("ACK", "BYE")
    assert (ack.get("route"), bye.get("route")) == (None, None)
    assert bye.first_line == f"BYE {target} SIP/2.0"


def test_credentials_for_the_server_behind_are_left_to_it(alice, pbx):
    credentials = 'Digest username="alice", realm="example.test", nonce="n", uri="u", response="r"'
    alice.send("INVITE", BOB, {"Proxy-Authorization": credentials})

    assert one(pbx.read()).get("proxy-authorization") == credentials


@pytest.mark.parametrize("status", ["401 Unauthorized", "407 Proxy Authentication"])
def test_its_challenge_comes_back(alice, pbx, status):
    alice.send("MESSAGE", BOB)
    pbx.respond(one(pbx.read()), status, {"WWW-Authenticate": 'Digest realm="r"'})
    answer = one(alice.read())

    assert answer.status == int(status[:3])
    assert answer.get("www-authenticate") == 'Digest realm="r"'


@pytest.mark.parametrize(
    ("route", "status"),
    [
        ("<sip:192.0.2.10:5070;lr>", None),
        ("<sip:198.51.100.1;lr>", 403),
        ("<sip:elsewhere.test;lr>", 403),
    ],
)
def test_a_preloaded_route_leads_to_the_server_alone(alice, pbx, behind, route, status):
    alice.send("MESSAGE", BOB)
    pbx.read()
    alice.send("MESSAGE", BOB, {"Route": ["<sip:example.test;lr>", route]})
    came = [each.get("route") for each in pbx.read()]

    assert came == ([route] if status is None else [])
    assert statuses(alice) == ([] if status is None else [status])


# --- Rules


def test_a_rule_of_the_operator_goes_before_the_usual_ones(build, phone_of):
    rules = [
        Rule(Action.REFUSE, domain=("bad.test",), status=488),
        Rule(Action.FORWARD, package=("presence",), to="sip:192.0.2.11:5070"),
        Rule(Action.SERVE, method=("MESSAGE",)),
    ]
    desk, behind = build(route=rules)
    behind.hops = [FIRST, SECOND]
    alice = phone_of(desk, "alice")
    for method, uri in (("INVITE", "sip:x@bad.test"), ("PUBLISH", "sip:x@bad.test")):
        alice.send(method, uri, {"Event": "presence"})
    assert statuses(alice) == [488, 488]
    alice.send("MESSAGE", BOB)
    assert statuses(alice) == [480]
    alice.send("SUBSCRIBE", BOB, {"Event": "presence"})

    assert one(behind.at(SECOND).read()).method == "SUBSCRIBE"
    assert behind.at(FIRST).read() == []


def test_there_may_be_rules_without_a_server_behind_for_the_rest(build, phone_of):
    rule = Rule(Action.FORWARD, domain=("elsewhere.test",), to="sip:192.0.2.10:5070")
    desk, behind = build(route=[rule], behind=False)
    alice = phone_of(desk, "alice")
    alice.send("MESSAGE", "sip:bob@elsewhere.test")
    alice.send("MESSAGE", BOB)

    assert one(behind.at(FIRST).read()).method == "MESSAGE"
    assert statuses(alice) == [480]


# --- From the server


def test_a_registration_has_a_path_by_which_calls_come_back(alice, bob, pbx):
    path = register(bob, pbx).get("path")
    called(pbx, bob, path)
    invite = one(bob.read())

    assert path.startswith("<sip:")
    assert path.endswith("@192.0.2.100:5060;lr>")
    assert invite.first_line == f"INVITE {bob.contact} SIP/2.0"
    assert invite.get("route") is None


def test_anything_comes_by_the_path(bob, pbx):
    path = register(bob, pbx).get("path")
    called(pbx, bob, path, "NOTIFY", {"Event": "message-summary"})

    assert one(bob.read()).method == "NOTIFY"


def test_a_path_is_for_the_server_alone(bob, alice, pbx):
    path = register(bob, pbx).get("path")
    called(alice, bob, path)

    assert statuses(alice)[-1] == 403
    assert bob.read() == []


@pytest.mark.parametrize("turn", [(0, "A"), (17, "B")], ids=["seal", "name"])
def test_a_path_that_was_changed_leads_nowhere(bob, pbx, turn):
    path = register(bob, pbx).get("path")
    at = len("<sip:") + turn[0]
    other = turn[1] if path[at] != turn[1] else "x"
    called(pbx, bob, f"{path[:at]}{other}{path[at + 1 :]}")

    assert statuses(pbx)[-1] in (403, 404)
    assert bob.read() == []


def test_a_flow_that_broke_is_told(desk, phone_of, pbx):
    bob = phone_of(desk, "bob")
    path = register(bob, pbx).get("path")
    bob.flow.close()
    called(pbx, bob, path)

    assert statuses(pbx)[-1] == 430


def test_what_the_server_sends_elsewhere_goes_nowhere(pbx, alice):
    alice.send("MESSAGE", BOB)
    pbx.read()
    for uri in ("sip:x@elsewhere.test", BOB, "sip:bob@198.51.100.7"):
        pbx.send("MESSAGE", uri)

    assert statuses(pbx) == [404, 480, 404]


def test_a_call_that_comes_back_is_no_loop(alice, bob, pbx):
    path = register(bob, pbx).get("path")
    alice.send("INVITE", BOB)
    invite = one(pbx.read())
    text = invite.data.decode().replace(f"INVITE {BOB}", f"INVITE {bob.contact}")
    via = "Via: SIP/2.0/UDP 192.0.2.10:5070;branch=z9hG4bKpbx\r\n"
    pbx.send_data(text.replace("Via", f"{via}Route: {path}\r\nVia", 1).encode())
    came = one(bob.read())

    assert len(came.all("via")) == 4


def test_users_registered_here_are_called_by_the_server(build, phone_of):
    desk, behind = build(registrar=Registrar.LOCAL)
    bob, pbx = phone_of(desk, "bob"), behind.at(FIRST)
    bob.register()
    alice = phone_of(desk, "alice")
    alice.send("INVITE", BOB)
    invite = one(pbx.read())
    via = b"Via: SIP/2.0/UDP 192.0.2.10:5070;branch=z9hG4bKpbx\r\nVia"
    pbx.send_data(invite.data.replace(b"Via", via, 1))

    assert one(bob.read()).first_line == f"INVITE {bob.contact} SIP/2.0"


# --- Who is who


def test_who_is_not_known_is_asked_in_front(build, phone_of):
    desk, behind = build([ScriptedAuthenticator()], authenticate=True)
    alice = phone_of(desk, "alice")
    alice.send("INVITE", BOB)

    assert statuses(alice)[-1] == 407
    assert behind.at(FIRST).read() == []


def test_who_is_known_in_front_is_named_to_the_server(build, phone_of):
    desk, behind = build([ScriptedAuthenticator()], authenticate=True)
    alice = phone_of(desk, "alice")
    proof = {"Authorization": "I am sip:alice@example.test"}
    alice.send("INVITE", BOB, {**proof, "P-Preferred-Identity": "<sip:x@example.test>"})
    request = one(behind.at(FIRST).read())

    assert request.get("p-asserted-identity") == "<sip:alice@example.test>"
    assert request.get("p-preferred-identity") is None


def test_the_server_itself_is_asked_nothing(build, phone_of):
    desk, behind = build([ScriptedAuthenticator()], registrar=Registrar.LOCAL)
    pbx = behind.at(FIRST)
    phone_of(desk, "alice").send("MESSAGE", BOB)
    pbx.read()
    pbx.send("MESSAGE", BOB)

    assert statuses(pbx) == [480]


@pytest.mark.parametrize(
    ("privacy", "expected"),
    [
        (None, "<sip:boss@example.test>"),
        ("none", "<sip:boss@example.test>"),
        ("id", None),
    ],
)
def test_what_the_server_asserts_goes_to_phones_unless_private(
    bob, pbx, privacy, expected
):
    path = register(bob, pbx).get("path")
    fields = {"P-Asserted-Identity": "<sip:boss@example.test>"}
    called(pbx, bob, path, "INVITE", {**fields, "Privacy": privacy})

    assert one(bob.read()).get("p-asserted-identity") == expected


@pytest.mark.parametrize(
    ("privacy", "expected"),
    [
        ({}, "<sip:bob@example.test>"),
        ({"Privacy": "none"}, "<sip:bob@example.test>"),
        ({"Privacy": "user; id"}, None),
    ],
    ids=["", "none", "id"],
)
@pytest.mark.parametrize("status", ["180 Ringing", "200 OK", "486 Busy Here"])
def test_who_answers_at_the_server_is_told_unless_private(
    alice, pbx, status, privacy, expected
):
    alice.send("INVITE", BOB)
    fields = {"P-Asserted-Identity": "<sip:bob@example.test>", **privacy}
    pbx.respond(one(pbx.read()), status, fields)
    *_, answer = alice.read()

    assert answer.get("p-asserted-identity") == expected


def test_what_a_phone_says_of_who_answers_goes_nowhere(bob, pbx):
    path = register(bob, pbx).get("path")
    called(pbx, bob, path, "INVITE", {})
    fields = {"P-Asserted-Identity": "<sip:boss@example.test>"}
    bob.respond(one(bob.read()), "200 OK", fields)
    *_, answer = pbx.read()

    assert answer.status == 200
    assert answer.get("p-asserted-identity") is None


def test_what_one_server_says_another_may_know_though_it_is_private(build, phone_of):
    rule = Rule(Action.FORWARD, method=("INVITE",))
    desk, behind = build(neighbours=("192.0.2.50",), route=[rule])
    neighbour, pbx = phone_of(desk, "neighbour"), behind.at(FIRST)
    private = {"P-Asserted-Identity": "<sip:x@y.test>", "Privacy": "id"}
    neighbour.send("INVITE", "sip:100@elsewhere.test", private)
    invite = one(pbx.read())
    pbx.respond(invite, OK, {**private, "P-Asserted-Identity": "<sip:z@y.test>"})
    *_, answer = neighbour.read()

    assert invite.get("p-asserted-identity") == "<sip:x@y.test>"
    assert answer.get("p-asserted-identity") == "<sip:z@y.test>"


def test_what_phones_assert_goes_nowhere(alice, pbx):
    alice.send("MESSAGE", BOB, {"P-Asserted-Identity": "<sip:boss@example.test>"})

    assert one(pbx.read()).get("p-asserted-identity") is None


# --- Registrations that are kept here, too


@pytest.fixture
def both(build, phone_of):
    desk, behind = build(registrar=Registrar.BOTH)
    return desk, phone_of(desk, "bob"), behind.at(FIRST)


def kept(desk):
    return [
        (each.uri, each.expires_at - desk.server.house.now())
        for registration in desk.server.locations
        for each in registration.bindings
    ]


def sent(bob, pbx, contact=None, **fields):
    """Send REGISTER, and give it as it came to the server behind."""
    contact = f"<{bob.contact}>" if contact is None else contact
    to = {"To": f"<{bob.aor}>", "Contact": contact}
    bob.send("REGISTER", "sip:example.test", {**to, **fields})
    return one(pbx.read())


def test_what_the_server_accepts_is_kept_for_as_long_as_it_says(both):
    desk, bob, pbx = both
    request = sent(bob, pbx)
    before = kept(desk)
    pbx.respond(request, OK, {"Contact": f"<{bob.contact}>;expires=120"})

    assert statuses(bob) == [200]
    assert (before, kept(desk)) == ([], [(bob.contact, 120)])


def test_what_it_refuses_is_not_kept(both):
    desk, bob, pbx = both
    pbx.respond(sent(bob, pbx), "401 Unauthorized")

    assert statuses(bob) == [401]
    assert kept(desk) == []


def test_what_it_has_no_more_is_kept_no_more(both):
    desk, bob, pbx = both
    pbx.respond(sent(bob, pbx), OK, {"Contact": f"<{bob.contact}>;expires=120"})
    other = {"Contact": "<sip:bob@192.0.2.99>;expires=60"}
    pbx.respond(sent(bob, pbx, Expires="0"), OK, other)

    assert statuses(bob) == [200, 200]
    assert kept(desk) == []


def test_nonsense_in_its_answer_is_told_as_such(both):
    desk, bob, pbx = both
    pbx.respond(sent(bob, pbx), OK, {"Contact": "<<>"})

    assert statuses(bob) == [502]
    assert kept(desk) == []


def test_what_cannot_be_kept_is_not_acknowledged(both):
    desk, bob, pbx = both
    desk.storage.failure = StorageUnavailable("the disk is full")
    pbx.respond(sent(bob, pbx), OK, {"Contact": f"<{bob.contact}>;expires=120"})

    assert statuses(bob) == [503]
    assert kept(desk) == []


# --- How many


def test_who_was_not_asked_uses_up_what_is_nobody_elses(desk, alice, pbx):
    desk.server.core.proxy.under_way.most_of_one = 1
    for _ in range(2):
        alice.send("INVITE", BOB, {"From": "<sip:victim@example.test>;tag=1"})

    assert 503 in statuses(alice)
    assert len(pbx.read()) == 1
    assert desk.server.core.proxy.under_way.senders == [alice.flow.peer[0]]


def test_the_server_behind_may_bring_many(desk, bob, pbx):
    path = register(bob, pbx).get("path")
    desk.server.core.proxy.under_way.most_of_one = 1
    for _ in range(3):
        called(pbx, bob, path)

    assert len(bob.read()) == 3
