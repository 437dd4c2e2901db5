"""
What desk phones are known to send, and what they need to be sent for their lamps.

=====================  =================================================================
Yealink                no user in the Request-URI; ``ua-profile`` by an escaped address
Snom                   no branch in Via; a Contact with parameters of its own; reports of
                       the quality of calls
Polycom                ``*97`` and ``user=phone`` in addresses; tags and Call-ID to pick up
Grandstream            a list among what it accepts, for a single lamp
Cisco SPA, Linksys     no user but in From, an interval of 2**31 - 1
Gigaset                a CSeq in the millions
Samsung                no NOTIFY of a mailbox without a body
Zoiper                 an end that is asked for twice
=====================  =================================================================
"""

from __future__ import annotations

import re

import pytest

from presproxy.testing.peer import Peer
from presproxy.testing.wire import PIDF, fresh, parameter, pidf

DIALOG_INFO = "application/dialog-info+xml"
SUMMARY = "application/simple-message-summary"
TYPES = {"presence": PIDF, "dialog": DIALOG_INFO, "message-summary": SUMMARY}

#: The host that the PBX sends from.
PBX = "127.0.0.2"

#: Nothing is refused for being late: the machine may be busy.
PATIENT = "\n[limits]\nlate = 20\nlate_keeping = 20\n"


@pytest.fixture(scope="module")
def shared_server(module_servers, tmp_path_factory):
    path = tmp_path_factory.mktemp("phones") / "presproxy.toml"
    path.write_text(f'pbx = ["{PBX}"]\n{PATIENT}')
    return module_servers("--config", str(path))


@pytest.fixture
def pbx(server):
    made = Peer(server.udp, "pbx@pbx.example.net", host=PBX)
    yield made
    made.close()


def dialog_info(entity, *dialogs):
    return (
        '<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" '
        f'state="full" entity="{entity}">{"".join(dialogs)}</dialog-info>'
    )


def publish(pbx, aor, body, **more):
    fields = {
        "From": f"<{aor}>;tag={fresh()}",
        "Event": "dialog",
        "Expires": "600",
        "Content-Type": DIALOG_INFO if body else None,
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return pbx.ask("PUBLISH", aor, fields, body)


# --- What every phone needs


@pytest.mark.parametrize("event", TYPES)
def test_every_notify_is_complete_and_comes_after_the_2xx(alice, event):
    request = {"Event": f"{event};id=7", "Expires": "900"}
    alice.send(alice.write("SUBSCRIBE", alice.aor, request))
    response, notify = alice.expect(bool), alice.expect(bool)

    assert (response.status, response.get("expires")) == (200, "900")
    assert response.need("contact").startswith("<sip:127.0.0.1:")
    assert notify.get("event") == f"{event};id=7"
    assert notify.get("content-type") == TYPES[event]
    assert notify.need("content-length") == str(len(notify.body))
    assert notify.need("contact").startswith("<sip:127.0.0.1:")
    assert re.fullmatch(r"active;expires=(900|89\d)", notify.need("subscription-state"))


@pytest.mark.parametrize("event", TYPES)
def test_every_refresh_is_followed_by_a_notify_with_a_higher_number(alice, event):
    watching = alice.subscribe(alice.aor, event=event)
    first = watching.notified()

    assert watching.again().status == 200
    second = watching.notified()

    assert second.cseq == first.cseq + 1
    assert second.get("content-type") == TYPES[event]
    assert second.body
    assert alice.rest() == []


@pytest.mark.parametrize("event", TYPES)
def test_an_end_is_told_once_with_a_body_and_cannot_be_asked_for_again(alice, event):
    watching = alice.subscribe(alice.aor, event=event)
    watching.notified()

    ended = watching.again(0)
    last = watching.notified()
    again = watching.again(0)

    assert (ended.status, again.status) == (200, 481)
    assert last.need("subscription-state").startswith("terminated")
    assert alice.rest() == []
    if event == "message-summary":
        assert last.text == "Messages-Waiting: no\r\n"


# --- How they name what they watch


def test_a_mailbox_without_a_user_but_in_from(alice):
    fields = {
        "From": f'"Alice" <{alice.aor}>;tag=spa1',
        "To": "<sip:contoso.com>",
        "Event": "message-summary",
        "Expires": "2147483647",
        "CSeq": "16777216 SUBSCRIBE",
    }
    watching = alice.subscribe("sip:contoso.com", fields, event="message-summary")

    assert (watching.status, watching.response.get("expires")) == (200, "86400")
    assert watching.notified().text.startswith("Messages-Waiting: no\r\n")


def test_a_lamp_that_is_named_in_to_alone(alice, pbx):
    number = fresh("102")
    fields = {"Event": "dialog", "To": f"<sip:{number}@contoso.com>"}

    watching = alice.subscribe("sip:contoso.com:5060", fields, event="dialog")

    assert watching.status == 200
    assert f'entity="sip:{number}@contoso.com"' in watching.notified().text


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("sip:*97{n}@contoso.com;user=phone", "sip:*97{n}@contoso.com"),
        ("sip:%2A97{n}@contoso.com", "sip:*97{n}@contoso.com"),
        ("sip:%2397{n}@CONTOSO.com:5060", "sip:%2397{n}@contoso.com"),
        ("sip:%2b49{n}@contoso.com;transport=UDP", "sip:+49{n}@contoso.com"),
    ],
    ids=["user=phone", "escaped", "host and port", "transport"],
)
def test_a_number_is_the_same_however_it_is_written(alice, pbx, said, meant):
    number = fresh()
    said, meant = said.format(n=number), meant.format(n=number)
    body = dialog_info(meant, '<dialog id="1"><state>confirmed</state></dialog>')

    assert publish(pbx, meant, body).status == 200
    watching = alice.subscribe(said, event="dialog")

    assert watching.status == 200
    assert "<state>confirmed</state>" in watching.notified().text


def test_a_document_may_name_its_user_by_pres(bob):
    named = pidf(bob.aor.replace("sip:", "pres:"), "Here")

    assert bob.publish(named).status == 200
    assert "Here" in bob.fetch(bob.aor).text


def test_one_lamp_is_no_list_though_lists_are_accepted(alice, bob):
    fields = {
        "Event": "dialog",
        "Supported": "replaces, path, timer, eventlist",
        "Accept": (
            f"{DIALOG_INFO}, multipart/related, application/rlmi+xml, {SUMMARY}"
        ),
    }
    watching = alice.subscribe(bob.aor, fields, event="dialog")

    assert watching.response.get("require") is None
    assert watching.notified().get("content-type") == DIALOG_INFO


@pytest.mark.parametrize(
    "event",
    [
        "dialog;call-id=c1;from-tag=a;to-tag=b",
        "dialog;include-session-description",
    ],
)
def test_no_parameter_of_an_event_comes_back_but_its_id(alice, bob, event):
    watching = alice.subscribe(bob.aor, {"Event": event}, event="dialog")

    assert watching.status == 200
    assert watching.notified().get("event") == "dialog"
    assert watching.again().status == 200


# --- What is not served


def test_what_a_phone_asks_for_when_it_starts_is_refused(server, peers):
    phone = peers(server)
    uri = "sip:MAC%3a000413231FB5@contoso.com"
    phone.send(
        f"SUBSCRIBE {uri} SIP/2.0\n"
        f"Via: SIP/2.0/UDP 192.0.2.20:2048;rport\n"
        f"From: <{uri}>;tag=1\nTo: <{uri}>\nCall-ID: {fresh()}\n"
        'CSeq: 1 SUBSCRIBE\nEvent: ua-profile;profile-type="device";vendor="snom"\n'
        "Expires: 0\nAccept: application/url\nContact: <sip:192.0.2.20:2048>\n\n"
    )

    answer = phone.expect(bool)

    assert answer.status == 489
    assert "dialog" in answer.need("allow-events")
    assert parameter(answer.need("via"), "rport") == str(phone.port)


def test_a_report_on_the_quality_of_a_call_is_refused(alice):
    fields = {"Event": "vq-rtcpxr", "Content-Type": "application/vq-rtcpxr"}

    assert alice.ask("PUBLISH", alice.aor, fields, "VQSessionReport\r\n").status == 489


# --- Registrations


def test_a_contact_comes_back_as_it_was_and_can_be_asked_for(alice):
    contact = (
        f"{alice.contact};line=5dp3g"
        if alice.transport == "udp"
        else f"{alice.contact};line=5dp3g;ob"
    )
    fields = {
        "To": f"<{alice.aor}>",
        "Contact": (
            f'<{contact}>;q=1.0;+sip.instance="<urn:uuid:{fresh()}>";audio;mobility='
            '"fixed";methods="INVITE,ACK,NOTIFY"'
        ),
        "P-NAT-Refresh": "15",
        "Expires": "3600",
    }

    registered = alice.ask("REGISTER", "sip:contoso.com", fields)
    query = {"To": f"<{alice.aor}>", "Contact": None}
    asked = alice.ask("REGISTER", "sip:contoso.com", query)

    assert (registered.status, asked.status) == (200, 200)
    for answer in (registered, asked):
        assert f"<{contact}>" in answer.need("contact")
        assert "mobility=" in answer.need("contact")


# --- Lamps


def test_a_call_can_be_picked_up_by_what_a_lamp_says(alice, pbx):
    aor = f"sip:{fresh('alice')}@contoso.com"
    call = (
        '<dialog id="d7" call-id="c7@h" local-tag="lt7" remote-tag="rt7" '
        'direction="recipient"><state>early</state><local><identity display="Alice">'
        f'{aor}</identity><target uri="{aor}"/></local><remote><identity '
        'display="Carol">sip:carol@h</identity><target uri="sip:carol@h"/></remote>'
        "</dialog>"
    )
    watching = alice.subscribe(aor, event="dialog")
    watching.notified("terminated")

    publish(pbx, aor, dialog_info(aor, call))

    assert call in watching.notified("early").text


def test_two_branches_ring_and_the_one_that_is_answered_is_shown(alice, pbx):
    """A lamp is never dark in between."""
    aor = f"sip:{fresh('alice')}@contoso.com"
    one, two = (
        f'<dialog id="d" call-id="c{n}@h" local-tag="l{n}" remote-tag="r" '
        'direction="recipient">'
        for n in (1, 2)
    )

    def said(start, state):
        return dialog_info(aor, f"{start}<state>{state}</state></dialog>")

    watching = alice.subscribe(aor, event="dialog")
    watching.notified("terminated")
    lit = []
    tags = [
        publish(pbx, aor, said(each, "early")).need("sip-etag") for each in (one, two)
    ]
    publish(pbx, aor, said(one, "terminated"), SIP_If_Match=tags[0])
    publish(pbx, aor, said(two, "confirmed"), SIP_If_Match=tags[1])
    while not lit or lit[-1] != "confirmed":
        lit.append(re.search(r"<state>(\w+)", watching.notified().text)[1])

    assert set(lit[:-1]) == {"early"}


def test_an_idle_lamp_is_told_as_a_call_that_has_ended(alice, pbx):
    aor = f"sip:{fresh('alice')}@contoso.com"
    watching = alice.subscribe(aor, event="dialog")
    watching.notified("terminated")
    talking = '<dialog id="1"><state>confirmed</state></dialog>'
    tag = publish(pbx, aor, dialog_info(aor, talking)).need("sip-etag")
    before = watching.notified("confirmed")

    publish(pbx, aor, "", SIP_If_Match=tag, Expires="0")
    idle = watching.notified()
    watching.again()
    refreshed = watching.notified()

    version = [
        int(re.search(r'-info" version="(\d+)"', each.text)[1])
        for each in (before, idle, refreshed)
    ]
    assert [each - version[0] for each in version] == [0, 1, 2]
    for each in (idle, refreshed):
        assert 'state="full"' in each.text
        assert each.text.count("<dialog ") == 1
        assert '<dialog id="idle"><state>terminated</state></dialog>' in each.text
