"""
What phones and soft clients are known to send, and what they need to be sent.

Ten things have gone wrong again and again, in one product or another.  Where each is looked
at, in this folder unless a folder is named:

1. *An idle lamp is an empty document.*  ``test_desk_phones``: an idle lamp is told as a call
   that has ended.
2. *CSeq and version fall when the server starts again.*  Here: CSeq and version rise over a
   restart, a lamp goes on after a restart, a dialog that was not kept is gone.
3. *A NOTIFY is not complete, or comes before the 2xx, or not after a refresh.*  Here for
   presence, ``test_desk_phones`` for lamps and mailboxes: every NOTIFY is complete, a
   refresh is answered by a NOTIFY, the latest state waits.
4. *PIDF that only a parser can read.*  Here: the prefixes that string matchers want.
5. *PUBLISH from loose clients.*  Here: a publication without Expires, any word in basic,
   parameters of the address, a modification without an entity-tag.
6. *A list in the body of a SUBSCRIBE, compressed.*  Lists of SIMPLE clients are not served.
7. *A SUBSCRIBE without a user.*  Here and ``test_desk_phones``: a mailbox without a user but
   in From, a lamp that is named in To alone.
8. *Two branches ring, one is answered.*  ``test_desk_phones``: the one that is answered is
   shown; ``tests/packages/test_dialog``: a phone that breaks on two, one that blinks.
9. *The oddities of PBXs as servers behind.*  ``test_odd_server_behind``, for a connection that
   closes ``test_aggregate``: a server behind that was killed is asked anew.
10. *Framing, keep-alives and credentials of old phones.*  Here: a keep-alive without branch,
    transactions of the old kind, external document types; ``test_bad_wire``: pings, datagrams
    that are no request; ``test_digest``: credentials as phones write them, counts that begin
    anywhere; ``test_storage_trouble``: 503 with Retry-After; ``tests/notify/test_sip``: a
    watcher may miss one; ``tests/notify/test_refusals``: 481 ends.
"""

from __future__ import annotations

import re

import pytest

from presproxy.testing.wire import PIDF, Message, fresh, parameter, pidf, respond

# --- Every NOTIFY is complete, and comes after the 2xx, also on refresh


def is_complete(notify: Message, event: str) -> bool:
    left = int(parameter(notify.need("subscription-state"), "expires") or 0)
    return (
        notify.need("contact").startswith("<sip:127.0.0.1:")
        and notify.get("event") == event
        and notify.need("subscription-state").startswith("active;expires=")
        and 895 <= left <= 900
        and notify.get("content-type") == PIDF
        and notify.need("content-length") == str(len(notify.body))
        and notify.get("max-forwards") == "70"
    )


def test_every_notify_is_complete_and_comes_after_the_2xx(alice, bob):
    data = alice.write(
        "SUBSCRIBE", bob.aor, {"Event": "presence;id=7", "Expires": "900"}
    )
    alice.send(data)
    response, notify = alice.expect(bool), alice.expect(bool)

    assert response.status == 200
    assert response.get("expires") == "900"
    assert ";tag=" in response.need("to")
    assert response.need("contact").startswith("<sip:127.0.0.1:")
    assert is_complete(notify, "presence;id=7")
    assert (notify.get("from"), notify.get("to")) == (
        response.get("to"),
        response.get("from"),
    )


def test_a_refresh_is_answered_by_a_notify_though_nothing_changed(alice, bob):
    watching = alice.subscribe(bob.aor, {"Event": "presence;id=7"}, expires=900)
    first = watching.notified()

    assert watching.again(900).status == 200
    second = watching.notified()

    assert is_complete(second, "presence;id=7")
    assert second.text == first.text
    assert second.cseq == first.cseq + 1
    assert alice.rest() == []


def test_the_latest_state_waits_until_the_notify_before_it_is_answered(alice, bob):
    watching = alice.subscribe(bob.aor)
    first = watching.notified()
    alice.answer = lambda request: None
    tag = bob.publish(pidf(bob.aor, "one")).need("sip-etag")
    one = watching.notified("one")
    tag = bob.publish(pidf(bob.aor, "two"), entity_tag=tag).need("sip-etag")
    bob.publish(pidf(bob.aor, "three"), entity_tag=tag)

    # The one in flight may come again by UDP, and no other.
    assert {each.cseq for each in alice.rest()} <= {one.cseq}

    alice.answer = respond
    alice.send(respond(one))
    last = watching.notified("three")

    assert (one.cseq, last.cseq) == (first.cseq + 1, first.cseq + 2)
    assert all("two" not in each.text for each in alice.rest())


# --- CSeq and versions rise over a restart


def test_cseq_and_version_rise_over_a_restart(servers, peers):
    server = servers()
    bob = peers(server, "bob@contoso.com")
    presence, winfo = (
        bob.subscribe(bob.aor),
        bob.subscribe(bob.aor, event="presence.winfo"),
    )
    before = [presence.notified(), winfo.notified()]
    presence.again()
    before.append(presence.notified())
    version = int(re.search(r'version="(\d+)"', before[1].text)[1])

    server.stop()
    server.start()
    assert (presence.again().status, winfo.again().status) == (200, 200)
    after = [presence.notified(), winfo.notified()]

    assert after[0].cseq > before[2].cseq
    assert after[1].cseq > before[1].cseq
    assert int(re.search(r'version="(\d+)"', after[1].text)[1]) > version


def test_a_lamp_goes_on_after_a_restart(servers, peers):
    server = servers()
    bob = peers(server, "bob@contoso.com")
    watching = bob.subscribe(bob.aor, event="dialog")
    watching.notified()
    watching.again()
    before = watching.notified()

    server.stop()
    server.start()
    assert watching.again().status == 200
    after = watching.notified()

    version = re.compile(r'-info" version="(\d+)"')
    assert after.cseq > before.cseq
    assert int(version.search(after.text)[1]) > int(version.search(before.text)[1])
    assert '<dialog id="idle"><state>terminated</state></dialog>' in after.text


def test_a_dialog_that_was_not_kept_is_gone_after_a_restart(servers, peers):
    server = servers(storage="memory")
    bob = peers(server, "bob@contoso.com")
    watching = bob.subscribe(bob.aor)
    watching.notified()
    tag = bob.publish(pidf(bob.aor)).need("sip-etag")

    server.stop()
    server.start()

    assert watching.again().status == 481
    assert bob.publish("", entity_tag=tag).status == 412
    assert bob.publish(pidf(bob.aor)).status == 200


# --- PIDF that string matchers can read


PREFIXED = """<p:presence xmlns:p="urn:ietf:params:xml:ns:pidf" \
xmlns:r="urn:ietf:params:xml:ns:pidf:rpid"
  xmlns:d="urn:ietf:params:xml:ns:pidf:data-model" entity="pres:alice@contoso.com">
 <p:tuple id="a"><p:status><p:basic> open </p:basic></p:status></p:tuple>
 <d:person id="b"><r:activities><r:away></r:away></r:activities></d:person>
</p:presence>
"""


def test_what_goes_out_has_the_prefixes_that_string_matchers_want(alice, bob):
    media_type = f'{PIDF};charset="UTF-8"'
    published = bob.publish(PREFIXED, {"Content-Type": media_type})
    notify = alice.fetch(bob.aor)

    assert published.status == 200
    assert "<basic>open</basic>" in notify.text
    assert "<rpid:away/>" in notify.text
    assert b"\r\nContent-Type: application/pidf+xml\r\n" in notify.data


# --- PUBLISH from loose clients


def test_a_publication_without_expires_lasts_the_default(alice):
    response = alice.publish(pidf(alice.aor), expires=None)

    assert (response.status, response.get("expires")) == (200, "3600")
    assert response.need("sip-etag")


@pytest.mark.parametrize(
    ("basic", "shown"),
    [("?", "open"), ("unknown", "closed"), ("", "closed"), ("OPEN", "open")],
)
def test_any_word_in_basic_is_taken_and_a_known_one_shown(alice, bob, basic, shown):
    assert bob.publish(pidf(bob.aor, "noted", basic)).status == 200

    assert f"<basic>{shown}</basic></status>" in alice.fetch(bob.aor).text


def test_parameters_of_the_address_do_not_make_another_user(server, alice, bob):
    spelt = f"{bob.aor};transport=UDP"
    first = bob.ask(
        "PUBLISH",
        spelt,
        {
            "From": f"<{spelt}>;tag=z1",
            "To": f"<{spelt}>",
            "Event": "presence",
            "Expires": "600",
            "Content-Type": PIDF,
        },
        pidf(spelt, "Online", id="z"),
    )
    watching = alice.subscribe(bob.aor)
    watching.notified("Online")

    refreshed = bob.publish("", entity_tag=first.need("sip-etag"))

    assert (first.status, first.get("expires")) == (200, "600")
    assert refreshed.status == 200
    assert alice.rest() == []
    found = server.show("presentities?count=1000")["items"]
    assert [each["aor"] for each in found].count(bob.aor) == 1


def test_a_modification_may_come_without_an_entity_tag_from_the_same_device(alice, bob):
    """libpurple never names one."""
    watching = alice.subscribe(bob.aor)
    watching.notified()
    bob.publish(pidf(bob.aor, "Available", "open", id="bs35r9f"))
    watching.notified("Available")
    bob.publish(pidf(bob.aor, "Offline", "closed", id="bs35r9f"))

    text = watching.notified("Offline").text

    assert "Available" not in text


# --- SUBSCRIBE without a user


@pytest.mark.parametrize("uri", ["sip:contoso.com", "sip:contoso.com:5060"])
def test_a_subscription_without_a_user_is_to_the_sender(alice, uri):
    alice.publish(pidf(alice.aor, "myself"))
    watching = alice.subscribe(
        uri,
        {
            "To": "<sip:contoso.com>",
            "From": f'"Alice" <{alice.aor}>;tag=spa1',
            "Expires": "2147483647",
        },
    )

    assert watching.status == 200
    assert watching.response.get("expires") == "86400"
    assert f'entity="{alice.aor}"' in watching.notified("myself").text


def test_a_subscription_without_a_user_is_to_whom_to_names(alice, bob):
    bob.publish(pidf(bob.aor, "of To"))
    watching = alice.subscribe("sip:contoso.com:5060", {"To": f"<{bob.aor}>"})

    assert watching.status == 200
    assert watching.notified("of To")


# --- Old phones' framing and keep-alives


KEEP_ALIVE = """\
NOTIFY sip:contoso.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.20:5060;rport
From: <sip:101@contoso.com>;tag=k1
To: <sip:contoso.com>
Call-ID: {call_id}
CSeq: 5 NOTIFY
Event: keep-alive

"""


def test_a_keep_alive_without_branch_is_answered_to_where_it_came_from(server, peers):
    phone = peers(server)
    phone.send(KEEP_ALIVE.format(call_id=fresh("ka")))

    response = phone.expect(bool)

    assert response.status == 200
    assert parameter(response.need("via"), "received") == "127.0.0.1"
    assert parameter(response.need("via"), "rport") == str(phone.port)


def test_a_notify_that_belongs_to_no_dialog_is_answered_481(server, peers):
    phone = peers(server)
    phone.send(KEEP_ALIVE.format(call_id=fresh("ka")).replace("keep-alive", "presence"))

    assert phone.expect(bool).status == 481


LOOSE = """\
SUBSCRIBE sip:{user}@contoso.com SIP/2.0
v:   SIP/2.0/{transport}   127.0.0.1:{port}
  ;branch=z9hG4bK{branch}
  ;rport
MAX-FORWARDS :  70
f: "Alice, \\"at\\" home"\t<sip:{user}@CONTOSO.com;transport=tcp>
 ;TAG=a1
t:sip:{user}@contoso.com
i: {branch}@127.0.0.1
cSEQ:
  0000001
  SUBSCRIBE
m: Alice <sip:{user}@127.0.0.1:{port};transport={lower}>;expires=60
o: Presence
k: eventlist,
Expires:
 900
Unknown-Field: nobody knows
l: 0

"""


def test_compact_forms_and_folded_lines_are_read(alice):
    user = alice.aor[4:].partition("@")[0]
    alice.send(
        LOOSE.format(
            user=user,
            transport=alice.transport.upper(),
            lower=alice.transport,
            port=alice.port,
            branch=fresh(),
        )
    )
    response, notify = alice.expect(bool), alice.expect(bool)

    assert (response.status, response.get("expires")) == (200, "900")
    assert notify.get("event") == "presence"
    assert notify.need("to").endswith(";TAG=a1")


@pytest.mark.parametrize(
    "via",
    [
        "SIP/2.0/UDP 127.0.0.1:{port};rport;branch=1",
        "SIP/2.0/UDP 127.0.0.1:{port};rport",
        "SIP/2.0/UDP 127.0.0.1:{port}",
    ],
    ids=["no magic cookie", "no branch", "no rport"],
)
def test_transactions_of_the_old_kind_are_told_apart(server, peers, via):
    alice = peers(server, f"{fresh('alice')}@contoso.com")
    fields = {
        "Via": via.format(port=alice.port),
        "Event": "presence",
        "Expires": "600",
        "Content-Type": PIDF,
        "Call-ID": fresh(),
        "From": f"<{alice.aor}>;tag=old",
    }
    data = alice.write("PUBLISH", alice.aor, fields, pidf(alice.aor, "old"))
    alice.send(data)
    first = alice.expect(bool)
    alice.send(data)
    again = alice.expect(bool)
    fields |= {"CSeq": "2 PUBLISH", "SIP-If-Match": first.need("sip-etag")}
    alice.send(alice.write("PUBLISH", alice.aor, fields, ""))
    second = alice.expect(bool)

    assert again.data == first.data
    assert (second.status, second.cseq) == (200, 2)


def test_the_same_publish_twice_is_one_publication(server, bob):
    data = bob.write(
        "PUBLISH", bob.aor, {"Event": "presence", "Content-Type": PIDF}, pidf(bob.aor)
    )
    bob.send(data)
    bob.send(data)
    first = bob.expect(bool)
    # One that came while the answer was being made is not answered by itself.
    early = bob.rest()
    bob.send(data)
    late = bob.expect(bool)

    assert first.status == 200
    assert {each.data for each in (*early, late)} == {first.data}
    assert len(server.show(f"presentities/{bob.aor}")["publications"]) == 1


# --- External document types, and entities


def test_an_external_document_type_is_passed_over(alice, bob):
    doctype = (
        '<!DOCTYPE presence PUBLIC "-//IETF//DTD RFCxxxx XPIDF 1.0//EN" "xpidf.dtd">'
    )
    body = pidf(bob.aor, "typed").replace("?>", f"?>{doctype}")

    assert bob.publish(body).status == 200
    assert "typed" in alice.fetch(bob.aor).text


def test_an_entity_of_ones_own_is_refused(bob):
    doctype = '<!DOCTYPE presence [<!ENTITY a "typed">]>'
    body = pidf(bob.aor, "&a;").replace("?>", f"?>{doctype}")

    assert bob.publish(body).status == 400
