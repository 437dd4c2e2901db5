"""What is answered to what, as it goes over the wire."""

from __future__ import annotations

import pytest

from presproxy.server.proxy import RELAYED
from presproxy.testing.peer import Peer
from presproxy.testing.wire import PIDF, Message, fresh, pidf

METHODS = {
    *("PUBLISH", "SUBSCRIBE", "NOTIFY", "REGISTER", "SERVICE", "OPTIONS"),
    *RELAYED,
}
PACKAGES = {
    *("presence", "presence.winfo", "presence.wpending"),
    *("dialog", "message-summary", "reg"),
    *("vnd-microsoft-provisioning", "vnd-microsoft-provisioning-v2"),
    *("vnd-microsoft-roaming-acl", "vnd-microsoft-roaming-contacts"),
    "vnd-microsoft-roaming-self",
}
WINFO = "application/watcherinfo+xml"


def tokens(value: str | None) -> set[str]:
    return {each.strip() for each in (value or "").split(",")}


def is_complete(response: Message, sent: Message) -> bool:
    """Whether a response has all that RFC 3261 §8.2.6.2 wants."""
    to = response.need("to")
    copied = ("from", "call-id", "cseq")
    return (
        all(response.get(name) == sent.get(name) for name in copied)
        and to.startswith(sent.need("to"))
        and ";tag=" in to
        and response.need("content-length") == str(len(response.body))
        and sent.branch == response.branch
    )


def refused(peer: Peer, method: str, fields, body=b"", uri=None) -> Message:
    data = peer.write(method, uri or peer.aor, fields, body)
    peer.send(data)
    sent = Message.read(data)
    response = peer.answered(sent.branch)
    assert is_complete(response, sent)
    return response


# --- Cannot be parsed, but a response could find its way


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"Expires": "soon"}, "Expires"),
        ({"Max-Forwards": "many"}, "Max-Forwards"),
        ({"Max-Forwards": "256"}, "Max-Forwards"),
        ({"Event": "presence;;"}, "Event"),
        ({"Event": ""}, "Event"),
        ({"SIP-If-Match": ["a", "b"]}, "sip-if-match"),
        ({"Content-Type": "pidf"}, "Content-Type"),
    ],
    ids=lambda value: None if isinstance(value, str) else next(iter(value.items()))[1],
)
def test_a_field_that_cannot_be_read_is_named_in_the_400(alice, fields, why):
    response = refused(
        alice,
        "PUBLISH",
        {"Event": "presence", "Content-Type": PIDF, **fields},
        pidf(alice.aor),
    )

    assert response.status == 400
    assert why.lower() in response.reason.lower()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("From", "<sip:alice@contoso.com"),
        ("To", "<sip:alice@contoso.com"),
        ("From", '"Alice <sip:alice@contoso.com>;tag=1'),
        ("From", "<sip:alice@[::1>;tag=1"),
        ("CSeq", "one PUBLISH"),
        ("CSeq", "1 SUBSCRIBE"),
        ("CSeq", "4294967296 PUBLISH"),
        ("Call-ID", "two words"),
    ],
)
def test_a_request_with_a_broken_mandatory_field_is_answered_400(alice, field, value):
    fields = {"Event": "presence", "Content-Type": PIDF, field: value}
    data = alice.write("PUBLISH", alice.aor, fields, pidf(alice.aor))
    alice.send(data)

    response = alice.answered(Message.read(data).branch)

    assert response.status == 400
    assert response.reason not in ("", "Bad Request")
    assert response.get(field.lower()) == value


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"From": ["<sip:a@contoso.com>;tag=1", "<sip:b@contoso.com>;tag=2"]}, "from"),
        ({"To": ["<sip:a@contoso.com>", "<sip:b@contoso.com>"]}, "to"),
        ({"CSeq": ["1 OPTIONS", "2 OPTIONS"]}, "cseq"),
        ({"Call-ID": ["a", "b"]}, "call-id"),
        ({"Max-Forwards": ["70", "70"]}, "max-forwards"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_doubled_field_is_answered_400(alice, fields, why):
    data = alice.write("OPTIONS", "sip:contoso.com", fields)
    alice.send(data)

    response = alice.answered(Message.read(data).branch)

    assert response.status == 400
    assert why in response.reason


def test_a_body_that_was_cut_off_is_answered_400(server, peers):
    alice = peers(server)
    data = alice.write("OPTIONS", "sip:contoso.com", {"Content-Length": "10"}, "short")
    alice.send(data)

    response = alice.answered(Message.read(data).branch)

    assert response.status == 400
    assert "Content-Length" in response.reason


def test_another_version_of_sip_is_answered_505(alice):
    data = alice.write("OPTIONS", "sip:contoso.com").replace(
        b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1
    )
    alice.send(data)

    response = alice.answered(Message.read(data).branch)

    assert response.status == 505


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_what_has_no_way_back_or_no_sense_is_not_answered(server, peers, name):
    alice = peers(server)
    alice.send(alice.write("OPTIONS", "sip:contoso.com", {name: None}))

    assert alice.ask("OPTIONS", "sip:contoso.com").status == 200
    assert alice.rest(0) == []


# --- At the door


@pytest.mark.parametrize("method", ["X-METHOD", "message"])
def test_an_unknown_method_is_answered_405_and_told_those_allowed(alice, method):
    response = refused(alice, method, {})

    assert response.status == 405
    assert tokens(response.get("allow")) == METHODS


def test_an_invite_to_nobody_is_refused_until_that_is_acknowledged(alice):
    data = alice.write("INVITE", alice.aor)
    alice.send(data)
    sent = Message.read(data)
    response = alice.answered(sent.branch)
    fields = {name: sent.need(name.lower()) for name in ("Via", "From", "Call-ID")}
    alice.send(
        alice.write(
            "ACK", alice.aor, {**fields, "To": response.need("to"), "CSeq": "1 ACK"}
        )
    )

    assert response.status == 480
    # The first retransmission would come after half a second.
    assert alice.rest(0.7) == []


def test_an_unknown_extension_is_answered_420_and_named(alice):
    response = refused(alice, "SUBSCRIBE", {"Require": "path, 100rel, x-new"})

    assert response.status == 420
    assert tokens(response.get("unsupported")) == {"100rel", "x-new"}


def test_what_proxies_should_understand_is_passed_over(alice):
    fields = {"Proxy-Require": "com.example.firewall"}

    assert alice.ask("OPTIONS", "sip:contoso.com", fields).status == 200


@pytest.mark.parametrize(
    "uri", ["http://contoso.com", "nobodyknowsthis:atall", "mailto:a@contoso.com"]
)
def test_an_unknown_scheme_is_answered_416(alice, uri):
    assert refused(alice, "SUBSCRIBE", {"Event": "presence"}, uri=uri).status == 416


def test_a_request_that_may_go_no_further_is_answered_483(alice):
    fields = {"Max-Forwards": "0", "Event": "presence"}

    assert refused(alice, "SUBSCRIBE", fields).status == 483


def test_a_request_that_came_by_two_roads_is_answered_482(alice, bob):
    fields = {
        "Event": "presence",
        "Expires": "0",
        "Call-ID": fresh(),
        "From": f"<{alice.aor}>;tag=1",
    }
    ours = alice.via()
    roads = [{**fields, "Via": [alice.via(), ours]} for _ in range(2)]
    first, second = (alice.ask("SUBSCRIBE", bob.aor, road) for road in roads)

    assert (first.status, second.status) == (200, 482)


def test_who_sends_a_request_again_by_himself_is_served(server, alice, peers):
    fields = {"Call-ID": fresh(), "From": f"<{alice.aor}>;tag=1", "Event": "presence"}
    again = peers(server, alice.aor.removeprefix("sip:"), "tcp")

    statuses = [
        each.publish(pidf(alice.aor), fields).status for each in (alice, alice, again)
    ]

    assert statuses == [200, 200, 200]


@pytest.mark.parametrize("method", ["SUBSCRIBE", "PUBLISH", "REGISTER"])
def test_a_domain_of_somebody_else_is_answered_404(alice, method):
    fields = {"Event": "presence", "To": "<sip:carol@fabrikam.com>"}

    assert refused(alice, method, fields, uri="sip:carol@fabrikam.com").status == 404


def test_options_tells_what_is_understood(alice):
    response = refused(alice, "OPTIONS", {}, uri="sip:contoso.com")

    assert response.status == 200
    assert tokens(response.get("allow")) == METHODS
    assert tokens(response.get("allow-events")) == PACKAGES
    assert PIDF in tokens(response.get("accept"))


# --- Packages and bodies


@pytest.mark.parametrize("event", ["weather", "presence.winfo.winfo", "calls", None])
@pytest.mark.parametrize("method", ["SUBSCRIBE", "PUBLISH"])
def test_an_unknown_package_is_answered_489_and_told_those_known(alice, method, event):
    response = refused(alice, method, {"Event": event, "Content-Type": PIDF}, "<x/>")

    assert response.status == 489
    assert tokens(response.get("allow-events")) == PACKAGES


def test_watcher_information_is_not_published(alice):
    fields = {"Event": "presence.winfo", "Content-Type": WINFO}

    assert refused(alice, "PUBLISH", fields, "<x/>").status == 489


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (None, 200),
        (PIDF, 200),
        ("application/*", 200),
        ("*/*", 200),
        ("text/plain, application/PIDF+xml;q=0.5", 200),
        ("application/xpidf+xml, application/pidf+xml", 200),
        ("text/plain", 406),
        ("application/pidf+xml;q=0", 406),
        ("", 406),
    ],
)
def test_a_watcher_is_told_in_what_he_accepts_or_406(alice, accept, status):
    fields = {"Event": "presence", "Expires": "0", "Accept": accept}

    response = refused(alice, "SUBSCRIBE", fields)

    assert response.status == status
    if status == 200:
        assert alice.notified().get("content-type") == PIDF


@pytest.mark.parametrize("media_type", ["text/plain", "application/xpidf+xml", None])
def test_a_body_of_another_type_is_answered_415(alice, media_type):
    response = refused(
        alice,
        "PUBLISH",
        {"Event": "presence", "Content-Type": media_type},
        pidf(alice.aor),
    )

    assert response.status == 415
    assert tokens(response.get("accept")) == {PIDF}


def test_a_coding_of_the_body_nobody_knows_is_answered_415(alice):
    response = alice.publish(pidf(alice.aor), {"Content-Encoding": "x-zip"})

    assert response.status == 415
    assert "identity" in tokens(response.get("accept-encoding"))


@pytest.mark.parametrize(
    "body",
    [
        "no XML at all",
        "<presence",
        '<presence xmlns="urn:x" entity="pres:a@contoso.com"/>',
        '<presence xmlns="urn:ietf:params:xml:ns:pidf"/>',
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="x"><tuple/></presence>',
        pidf("pres:a@contoso.com") + "more",
        b"\xff\xfe\x00",
    ],
    ids=["text", "cut off", "namespace", "entity", "tuple id", "trailer", "octets"],
)
def test_a_body_that_is_no_presence_is_answered_400_with_the_reason(alice, body):
    response = alice.publish(body)

    assert response.status == 400
    assert response.reason not in ("", "Bad Request")


def laughs() -> str:
    entities = ['<!ENTITY l0 "ha">']
    entities += [f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10)]
    return (
        f"<?xml version='1.0'?><!DOCTYPE presence [{''.join(entities)}]>"
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="x">'
        "<note>&l9;</note></presence>"
    )


@pytest.mark.parametrize(
    "body",
    [
        laughs(),
        '<!DOCTYPE p [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="x"><note>&e;</note></presence>',
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="x">' + "<a>" * 5000,
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="x">'
        + "<a>" * 500
        + "</a>" * 500
        + "</presence>",
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="x">'
        + "<a/>" * 9000
        + "</presence>",
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="x" '
        + " ".join(f'a{n}="1"' for n in range(3000))
        + "/>",
    ],
    ids=["laughs", "file", "open", "deep", "many", "attributes"],
)
def test_an_xml_bomb_is_answered_400_and_does_no_harm(server, peers, body):
    alice = peers(server, f"{fresh('alice')}@contoso.com", "tcp")

    response = alice.publish(body)

    assert response.status == 400
    assert b"root:" not in response.data
    assert alice.ask("OPTIONS", "sip:contoso.com").status == 200


def test_a_body_that_is_too_large_is_answered_413(server, peers):
    alice = peers(server, f"{fresh('alice')}@contoso.com", "tcp")
    fields = {"Event": "presence", "Content-Type": PIDF}

    response = refused(alice, "PUBLISH", fields, pidf(alice.aor, "x" * 130_000))

    assert response.status == 413
    assert alice.ask("OPTIONS", "sip:contoso.com").status == 200


def test_the_largest_datagram_is_taken(server, peers):
    alice = peers(server, f"{fresh('alice')}@contoso.com")

    response = alice.publish(pidf(alice.aor, "x" * 64_000))

    assert response.status == 200


def test_a_first_publication_needs_a_body(alice):
    response = alice.publish("")

    assert response.status == 400
    assert "body" in response.reason


# --- Entity-tags, intervals, dialogs


@pytest.mark.parametrize("expires", [0, 600])
def test_an_entity_tag_of_nobody_is_answered_412(alice, expires):
    response = alice.publish(pidf(alice.aor), entity_tag="nobody's", expires=expires)

    assert response.status == 412


def test_the_entity_tag_of_somebody_else_is_answered_412(alice, bob):
    tag = bob.publish(pidf(bob.aor)).need("sip-etag")

    assert alice.publish("", entity_tag=tag).status == 412
    assert bob.publish("", entity_tag=tag).status == 200


def test_an_entity_tag_is_spent_once(alice):
    first = alice.publish(pidf(alice.aor)).need("sip-etag")
    second = alice.publish("", entity_tag=first).need("sip-etag")

    assert first != second
    assert alice.publish("", entity_tag=first).status == 412
    assert alice.publish("", entity_tag=second, expires=0).status == 200
    assert alice.publish("", entity_tag=second, expires=0).status == 412


@pytest.mark.parametrize("method", ["SUBSCRIBE", "PUBLISH", "REGISTER"])
def test_an_interval_that_is_too_brief_is_answered_423(alice, method):
    fields = {"Event": "presence", "Expires": "1", "Content-Type": PIDF}

    response = refused(alice, method, fields, pidf(alice.aor))

    assert response.status == 423
    assert response.get("min-expires") == "2"


@pytest.mark.parametrize("asked", ["4294967295", "4294967296", "999999999999999999999"])
def test_an_interval_that_is_too_long_is_cut(alice, asked):
    fields = {"Event": "presence", "Expires": asked, "Content-Type": PIDF}

    response = refused(alice, "PUBLISH", fields, pidf(alice.aor))

    assert (response.status, response.get("expires")) == (200, "86400")


@pytest.mark.parametrize("method", ["SUBSCRIBE", "NOTIFY"])
def test_a_request_in_a_dialog_of_nobody_is_answered_481(alice, bob, method):
    fields = {"Event": "presence", "To": f"<{bob.aor}>;tag=gone"}

    assert refused(alice, method, fields, uri=bob.aor).status == 481


def test_a_dialog_ends_for_good(alice, bob):
    watching = alice.subscribe(bob.aor)
    watching.notified()

    assert watching.again(0).status == 200
    assert watching.again(600).status == 481


@pytest.mark.parametrize("field", ["From", "Call-ID", "Event"])
def test_a_dialog_is_known_by_all_of_its_names(alice, bob, field):
    watching = alice.subscribe(bob.aor)
    other = {
        "From": f"<{alice.aor}>;tag=other",
        "Call-ID": "other",
        "Event": "presence;id=other",
    }

    assert watching.again(600, {field: other[field]}).status == 481
    assert watching.again(600).status == 200


def test_a_cseq_lower_than_seen_is_answered_500(alice, bob):
    watching = alice.subscribe(bob.aor, {"CSeq": "20 SUBSCRIBE"})

    low = watching.again(600, {"CSeq": "19 SUBSCRIBE"})
    next_one = watching.again(600, {"CSeq": "21 SUBSCRIBE"})

    assert (low.status, next_one.status) == (500, 200)
    assert "19" in low.reason


def test_a_refused_refresh_leaves_the_subscription_as_it_was(alice, bob):
    watching = alice.subscribe(bob.aor)
    watching.notified()

    assert watching.again(1).status == 423

    bob.publish(pidf(bob.aor, "still told"))
    assert watching.notified("still told")
    assert watching.again(600).status == 200
