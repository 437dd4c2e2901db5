"""
A server behind that does what PBXs are known to do, and RFC 6665 does not say.

Each test says by its name, or by the ids of its rows, what it is that is done.
"""

from __future__ import annotations

import re

import pytest

from presproxy.testing.pbx import Pbx
from presproxy.testing.wire import PIDF, fresh, parameter


@pytest.fixture
def pbx():
    playing = Pbx()
    yield playing
    playing.close()


@pytest.fixture
def front(pbx, servers, tmp_path):
    """Starts a server that fetches lamps, and whatever else, from the PBX."""

    def start(packages='"dialog"', more=""):
        path = tmp_path / "odd.toml"
        path.write_text(
            f'[aggregate]\nserver = "{pbx.address}"\n'
            f"packages = [{packages}]\n{more}{PATIENT}"
        )
        return servers("--config", str(path))

    return start


def dialog_info(version, *dialogs):
    return (
        '<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" '
        f'version="{version}" state="full" entity="sip:102@example.test">'
        f"{''.join(dialogs)}</dialog-info>"
    )


EMPTY = dialog_info("0           ").replace("></dialog-info>", "/>")
TALKING = dialog_info("0", '<dialog id="102"><state>confirmed</state></dialog>')
LAMP = "sip:102@contoso.com"

#: Nothing is refused for being late: the machine may be busy.
PATIENT = "\n[limits]\nlate = 20\nlate_keeping = 20\n"


def test_a_lamp_is_lit_whatever_the_server_behind_does(pbx, front, peers):
    server = front()
    watcher = peers(server, "w@contoso.com")
    # Nobody is asked with Expires 0 first: Asterisk refuses that.
    assert "idle" in watcher.fetch(LAMP, "dialog").text
    watching = watcher.subscribe(LAMP, event="dialog")
    watching.notified("idle")

    # An interval too brief, and no word of which would not be.
    brief = pbx.asked()
    pbx.answer(brief, "SIP/2.0 423 Interval Too Brief")
    longer = pbx.asked()
    pbx.accept(longer, Expires="600")

    # A number from a clock, a padded version, and nobody on the phone.
    talking = pbx.notify(longer, 187654321, "active;expires=600", TALKING)
    watching.notified("<state>confirmed</state>")
    empty = pbx.notify(longer, 187654399, "active;expires=600", EMPTY)
    idle = watching.notified()

    # An end for want of a refresh, called another.
    ended = pbx.notify(longer, 187654400, "terminated;reason=noresource")
    again = pbx.asked()

    assert [brief.get("expires"), longer.get("expires")] == ["300", "600"]
    assert [talking.status, empty.status, ended.status] == [200, 200, 200]
    assert '<dialog id="idle"><state>terminated</state></dialog>' in idle.text
    assert ";tag=" not in again.need("to")
    assert again.get("expires") == "600"
    assert again.call_id != longer.call_id


def test_an_interval_too_brief_is_doubled_up_to_an_hour(pbx, front, peers):
    server = front(more="expires = 1000\n")
    peers(server, "w@contoso.com").subscribe(LAMP, event="dialog")

    asked = []
    while not asked or int(asked[-1]) < 3600:
        request = pbx.asked()
        asked.append(request.need("expires"))
        pbx.answer(request, "SIP/2.0 423 Interval Too Brief")

    assert asked == ["1000", "2000", "3600"]
    assert all(each.branch in pbx.seen for each in pbx.peer.rest())


def test_the_event_has_no_parameters_behind(pbx, front, peers):
    """FreeSWITCH compares the whole field."""
    server = front()
    peers(server, "w@contoso.com").subscribe(LAMP, {"Event": "dialog;id=7"})

    assert pbx.asked().get("event") == "dialog"


def test_a_202_is_as_good_and_an_empty_notify_says_to_wait(pbx, front, peers):
    """FreeSWITCH answers 202, and the first NOTIFY of Kamailio has no body."""
    watching = peers(front(), "w@contoso.com").subscribe(LAMP, event="dialog")
    watching.notified("idle")
    request = pbx.asked()
    pbx.answer(
        request, "SIP/2.0 202 Accepted", Expires="300", Contact=f"<sip:{pbx.address}>"
    )

    pbx.notify(request, 1, "active;expires=300", TALKING)
    watching.notified("confirmed")
    waiting = pbx.notify(request, 2, "active;expires=300")

    assert waiting.status == 200
    assert watching.peer.rest() == []


#: How Asterisk's res_pjsip writes each of its states: `direction` only while it rings, and
#: never a call-id or a tag.
ASTERISK = {
    "rings": (
        '<dialog id="102" direction="recipient"><state>early</state><remote><identity '
        'display="Carol">sip:103@192.0.2.7</identity><target uri="sip:103@192.0.2.7"/>'
        '</remote><local><identity>sip:102@192.0.2.7</identity><target uri="'
        'sip:102@192.0.2.7"/></local></dialog>',
        '<dialog id="102" direction="recipient"><state>early</state><local><identity>'
        'sip:102@192.0.2.7</identity><target uri="sip:102@192.0.2.7"/></local><remote>'
        '<identity display="Carol">sip:103@192.0.2.7</identity><target uri="'
        'sip:103@192.0.2.7"/></remote></dialog>',
    ),
    "rings, of old": (
        '<dialog id="102"><state>early</state></dialog>',
        '<dialog id="102" direction="recipient"><state>early</state></dialog>',
    ),
    "talks": (
        '<dialog id="102"><state>confirmed</state></dialog>',
        '<dialog id="102"><state>confirmed</state></dialog>',
    ),
    "holds": (
        '<dialog id="102"><state>confirmed</state><local><target uri="sip:102@192.0.2.7">'
        '<param pname="+sip.rendering" pvalue="no" /></target></local></dialog>',
        '<dialog id="102"><state>confirmed</state><local><target uri="sip:102@192.0.2.7">'
        '<param pname="+sip.rendering" pval="no"/></target></local></dialog>',
    ),
    "is free": (
        '<dialog id="102"><state>terminated</state></dialog>',
        '<dialog id="102"><state>terminated</state></dialog>',
    ),
    "chan_sip": (
        '<dialog id="102" call-id="pickup-1@192.0.2.7" local-tag="x" remote-tag="y" '
        'direction="recipient"><state>early</state></dialog>',
        '<dialog id="102" direction="recipient"><state>early</state></dialog>',
    ),
    "freeswitch": (
        '<dialog id="uuid-1" direction="recipient"><state>early</state><remote><identity '
        'display="103">sip:103@192.0.2.7</identity><target uri="sip:**102@192.0.2.7"/>'
        "</remote></dialog>",
        '<dialog id="uuid-1" direction="recipient"><state>early</state><remote><identity '
        'display="103">sip:103@192.0.2.7</identity><target uri="sip:**102@192.0.2.7"/>'
        "</remote></dialog>",
    ),
}


def test_what_pbxs_say_of_a_phone_is_told_as_phones_need_it(pbx, front, peers):
    watching = peers(front(), "w@contoso.com").subscribe(LAMP, event="dialog")
    watching.notified("idle")
    request = pbx.asked()
    pbx.accept(request)

    shown = {}
    for cseq, (name, (said, _)) in enumerate(ASTERISK.items(), 1):
        answer = pbx.notify(
            request, cseq, "active;expires=300", dialog_info(cseq, said)
        )
        assert answer.status == 200
        shown[name] = watching.notified()

    wanted = {name: told for name, (_, told) in ASTERISK.items()}
    found = {
        name: re.search("<dialog .*</dialog>", each.text)[0]
        for name, each in shown.items()
    }
    assert found == wanted
    assert all('=""' not in each.text for each in shown.values())


def test_a_notify_may_be_written_in_the_short_forms(pbx, front, peers):
    """Compact names, no blank after the colon, and no `expires`, as of chan_sip."""
    watching = peers(front(), "w@contoso.com").subscribe(LAMP, event="dialog")
    watching.notified("idle")
    request = pbx.asked()
    pbx.accept(request)
    branch = f"z9hG4bK{fresh()}"
    contact = request.need("contact").strip("<>")
    body = TALKING.encode()
    lines = (
        f"NOTIFY {contact} SIP/2.0",
        f"v:SIP/2.0/UDP {pbx.address};branch={branch}",
        "Max-Forwards:70",
        f"f:{request.need('to')};tag=pbx",
        f"t:{request.need('from')}",
        f"i:{request.call_id}",
        "CSeq:7 NOTIFY",
        f"m:<sip:{pbx.address}>",
        "o:dialog",
        "k:replaces",
        "u:dialog,presence",
        "Subscription-State:active",
        "c:application/dialog-info+xml",
        f"l:{len(body)}",
    )

    pbx.peer.send("\r\n".join([*lines, "", ""]).encode() + body)

    assert pbx.peer.answered(branch).status == 200
    assert watching.notified("<state>confirmed</state>")


def test_a_refresh_refused_without_a_challenge_is_a_subscription_made_anew(
    pbx, front, peers
):
    """FreeSWITCH forgets its nonces, and asks with one that it does not name."""
    server = front(more="expires = 60\n")
    watching = peers(server, "w@contoso.com").subscribe(LAMP, event="dialog")
    watching.notified("idle")
    first = pbx.asked()
    # The interval is shortened, so that it is refreshed at once.
    pbx.accept(first, Expires="1")
    pbx.notify(first, 1, "active;expires=1", TALKING)
    refresh = pbx.asked()

    pbx.answer(refresh, "SIP/2.0 401 Unauthorized")
    again = pbx.asked()

    assert refresh.call_id == first.call_id
    assert again.call_id != first.call_id
    assert ";tag=" not in again.need("to")


def test_numbers_that_began_anew_are_a_subscription_made_anew(pbx, front, peers):
    """FreeSWITCH takes them from a clock that falls back when a year begins."""
    watching = peers(front(), "w@contoso.com").subscribe(LAMP, event="dialog")
    watching.notified("idle")
    first = pbx.asked()
    pbx.accept(first, Expires="1")
    pbx.notify(first, 900_000, "active;expires=1", TALKING)
    watching.notified("confirmed")
    refresh = pbx.asked()
    pbx.accept(refresh, Expires="1")

    late = pbx.notify(refresh, 5, "active;expires=1", EMPTY)
    again = pbx.asked()
    while again.call_id == first.call_id:
        pbx.accept(again, Expires="1")
        pbx.notify(again, 6, "active;expires=1", EMPTY)
        again = pbx.asked()
    pbx.accept(again)
    pbx.notify(again, 7, "active;expires=300", EMPTY)

    assert late.status == 500
    assert watching.notified("<state>terminated")


#: As Asterisk writes it: the contact is the watcher's own URI, the person has no id.
SEEN_BY_ASTERISK = """<?xml version="1.0" encoding="UTF-8"?>
<presence entity="sip:102@192.0.2.7" xmlns="urn:ietf:params:xml:ns:pidf" \
xmlns:pp="urn:ietf:params:xml:ns:pidf:person" \
xmlns:es="urn:ietf:params:xml:ns:pidf:rpid:status:rpid-status" \
xmlns:ep="urn:ietf:params:xml:ns:pidf:rpid:rpid-person" \
xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" \
xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid">
 <note>On the phone</note>
 <tuple id="102"><status><basic>open</basic></status>
  <contact priority="1">sip:presproxy@192.0.2.5</contact></tuple>
 <dm:person><rpid:activities><rpid:on-the-phone/></rpid:activities></dm:person>
</presence>
"""
#: FreeSWITCH has single quotes, another encoding, and its note in the person.
SEEN_BY_FREESWITCH = """<?xml version='1.0' encoding='ISO-8859-1'?>
<presence xmlns='urn:ietf:params:xml:ns:pidf' \
xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' \
xmlns:rpid='urn:ietf:params:xml:ns:pidf:rpid' entity='pres:102@192.0.2.7'>
 <tuple id='t6a5ed77e'><status><basic>open</basic></status></tuple>
 <dm:person id='p06360c4a'><rpid:activities><rpid:on-the-phone/></rpid:activities>
  <dm:note>Spricht mit Jürgen</dm:note></dm:person>
</presence>
"""


@pytest.mark.parametrize(
    ("body", "note"),
    [
        (SEEN_BY_ASTERISK.encode(), "On the phone"),
        (SEEN_BY_FREESWITCH.encode("latin-1"), "Spricht mit Jürgen"),
    ],
    ids=["Asterisk", "FreeSWITCH"],
)
def test_presence_is_read_as_pbxs_write_it(pbx, front, peers, body, note):
    server = front('"presence"')
    watching = peers(server, "102@contoso.com").subscribe(LAMP)
    watching.notified()
    request = pbx.asked()
    pbx.accept(request)

    pbx.notify(request, 1, "active;expires=300", body, {"Content-Type": PIDF})
    told = watching.notified("on-the-phone")

    assert "<rpid:on-the-phone/>" in told.text
    assert note in told.text
    assert "192.0.2.5" not in told.text
    assert "<basic>open</basic>" in told.text


def test_a_mailbox_behind_is_told_to_its_owner(pbx, front, peers):
    server = front('"message-summary"')
    owner = peers(server, "102@contoso.com")
    watching = owner.subscribe(LAMP, event="message-summary")
    watching.notified("Messages-Waiting: no")
    request = pbx.asked()
    pbx.accept(request)

    body = (
        "Messages-Waiting: yes\r\nMessage-Account: sip:*97@192.0.2.7\r\n"
        "Voice-Message: 2/5 (0/0)\r\n"
    )
    answer = pbx.notify(request, 1, "active;expires=300", body)

    assert request.get("event") == "message-summary"
    assert answer.status == 200
    assert watching.notified("Voice-Message").text == body


def test_a_pbx_that_asks_for_a_password_is_given_it(pbx, front, peers):
    server = front(more='username = "lamps"\npassword = "secret"\n')
    peers(server, "w@contoso.com").subscribe(LAMP, event="dialog")
    first = pbx.asked()
    challenge = (
        'Digest realm="asterisk",nonce="n1",opaque="o1",algorithm=md5,qop="auth"'
    )

    pbx.answer(first, "SIP/2.0 401 Unauthorized", WWW_Authenticate=challenge)
    proved = pbx.asked()

    line = proved.need("authorization")
    assert line.startswith("Digest ")
    assert 'username="lamps"' in line
    assert 'realm="asterisk"' in line
    assert proved.call_id == first.call_id
    assert proved.cseq == first.cseq + 1
    assert parameter(proved.need("from"), "tag") == parameter(first.need("from"), "tag")
