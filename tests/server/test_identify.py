"""Who sent a request."""

from __future__ import annotations

import pytest

from presproxy.auth.trusted import TrustedAuthenticator
from presproxy.errors import AccessDenied, AuthenticationContinues
from presproxy.sip.authfields import ProxyChallenge
from presproxy.testing.desk import Desk
from presproxy.testing.scripted import ScriptedAuthenticator
from presproxy.testing.wire import Message

ALICE = "sip:alice@example.test"


@pytest.mark.parametrize("method", ["PUBLISH", "SUBSCRIBE", "REGISTER"])
def test_who_proves_nothing_is_challenged(guarded, method):
    answer = guarded.ask(method, {"Event": "presence"}, uri=ALICE)

    assert answer.status == 401
    assert answer.all("www-authenticate") == ['Scripted realm="example.test"']


def test_a_challenge_may_be_given_as_a_proxy_gives_it(acl):
    desk = Desk(acl, auth=[ScriptedAuthenticator(as_proxy=True)])

    answer = desk.ask("SUBSCRIBE", {"Event": "presence"}, uri=ALICE)

    assert answer.status == 407
    assert answer.all("proxy-authenticate") == ['Scripted realm="example.test"']
    assert answer.get("www-authenticate") is None


@pytest.mark.parametrize(("is_proxy", "status"), [(True, 407), (False, 401)])
def test_the_first_challenge_says_as_what_we_ask(acl, is_proxy, status):
    plugins = [
        ScriptedAuthenticator(challenges=["One"], as_proxy=is_proxy),
        ScriptedAuthenticator(challenges=["Two"], as_proxy=not is_proxy),
    ]

    answer = Desk(acl, auth=plugins).ask("SUBSCRIBE", {"Event": "presence"})

    both = [answer.need("www-authenticate"), answer.need("proxy-authenticate")]
    assert answer.status == status
    assert {each.partition(" ")[0] for each in both} == {"One", "Two"}


@pytest.mark.parametrize("method", ["OPTIONS", "NOTIFY"])
def test_some_are_not_asked_who_they_are(guarded, method):
    assert guarded.ask(method, {"Event": "keep-alive"}, uri=ALICE).status == 200


def test_who_proves_who_he_is_is_served(guarded):
    fields = {"Event": "presence", "Authorization": f"I am {ALICE}"}

    assert guarded.ask("SUBSCRIBE", fields).status == 200
    assert guarded.acl.asked == [(ALICE, "sip:bob@example.test", "presence")]


@pytest.mark.parametrize(
    ("said", "stale"), [("nonsense", False), ("an old nonce, stale", True)]
)
def test_credentials_that_prove_nobody_are_challenged_anew(guarded, said, stale):
    answer = guarded.ask("SUBSCRIBE", {"Authorization": said})

    assert answer.status == 401
    assert ("stale=true" in answer.need("www-authenticate")) is stale


@pytest.mark.parametrize("method", ["PUBLISH", "SUBSCRIBE", "REGISTER"])
def test_who_speaks_as_somebody_else_is_refused(guarded, method):
    fields = {"Event": "presence", "Authorization": "I am sip:eve@example.test"}

    assert guarded.ask(method, fields, uri=ALICE).status == 403


@pytest.mark.parametrize(
    "claimed",
    [
        "sip:alice@example.test:5060",
        "sip:alice@example.test:15060;transport=tcp",
        "sips:alice@EXAMPLE.test",
        "pres:alice@example.test",
    ],
)
def test_a_user_is_the_same_however_he_writes_himself(guarded, claimed):
    fields = {
        "From": f"<{claimed}>;tag=a",
        "Event": "presence",
        "Authorization": f"I am {ALICE}",
    }

    assert guarded.ask("SUBSCRIBE", fields).status == 200


def test_the_sender_is_asked_for_in_a_dialog_as_well(guarded):
    watching = guarded.subscribe({"Authorization": f"I am {ALICE}"})

    unproved = watching.again()
    somebody = watching.again({"Authorization": "I am sip:eve@example.test"})
    himself = watching.again({"Authorization": f"I am {ALICE}"})

    assert (unproved.status, somebody.status, himself.status) == (401, 403, 200)


def test_nobody_uses_the_dialog_of_somebody_else(guarded):
    watching = guarded.subscribe({"Authorization": f"I am {ALICE}"})
    eve = watching.sent.need("from").replace("alice", "eve")

    answer = watching.again(
        {"From": eve, "Authorization": "I am sip:eve@example.test", "Expires": "0"}
    )

    assert answer.status == 403
    assert len(guarded.subscriptions) == 1


def test_another_leg_is_asked_for(guarded, authenticator):
    authenticator.failure = AuthenticationContinues("Scripted opaque=1")

    answer = guarded.ask("SUBSCRIBE")

    assert (answer.status, answer.get("www-authenticate")) == (401, "Scripted opaque=1")


def test_another_leg_may_be_asked_for_as_a_proxy_does(guarded, authenticator):
    more = AuthenticationContinues(ProxyChallenge("Scripted opaque=1"))
    authenticator.failure = more

    answer = guarded.ask("SUBSCRIBE")

    assert (answer.status, answer.get("proxy-authenticate")) == (407, more.challenge)


def test_who_may_not_come_in_is_refused(guarded, authenticator):
    authenticator.failure = AccessDenied("too many wrong passwords")

    assert guarded.ask("SUBSCRIBE").status == 403


def test_an_authenticator_that_fails_lets_nobody_in(guarded, authenticator):
    authenticator.failure = RuntimeError("broken")

    answer = guarded.ask("SUBSCRIBE", {"Event": "presence"})

    assert (answer.status, answer.get("retry-after")) == (500, "30")
    assert guarded.counted("plugin_failures") == 1


def test_the_authenticators_are_asked_in_their_order(acl):
    class Knows(ScriptedAuthenticator):
        async def authenticate(self, request, flow):
            asked.append(self)
            return await super().authenticate(request, flow)

    asked = []
    plugins = [Knows(challenges=["One"]), Knows(challenges=["Two", "Three"])]
    desk = Desk(acl, auth=plugins)

    unproved = desk.ask("SUBSCRIBE", {"Event": "presence"})
    asked_for_nobody = asked[:]
    asked.clear()
    desk.ask("SUBSCRIBE", {"Event": "presence", "Authorization": f"I am {ALICE}"})

    assert [each.partition(" ")[0] for each in unproved.all("www-authenticate")] == [
        "One",
        "Two",
        "Three",
    ]
    assert asked_for_nobody == plugins
    assert asked == plugins[:1]


def test_where_nothing_can_be_asked_for_the_answer_is_403(acl):
    desk = Desk(acl, auth=[ScriptedAuthenticator(challenges=[])])

    assert desk.ask("SUBSCRIBE", {"Event": "presence"}).status == 403


@pytest.mark.parametrize(
    ("fields", "realm"),
    [
        ({}, "example.test"),
        ({"From": "<sip:a@192.0.2.100>;tag=a"}, "192.0.2.100"),
        ({"From": "<sip:a@[2001:db8::1]>;tag=a"}, "[2001:db8::1]"),
        ({"From": "<sip:carol@fabrikam.test>;tag=a"}, "example.test"),
        ({"From": "<tel:+4930123>;tag=a"}, "example.test"),
    ],
)
def test_the_realm_is_the_senders_domain_or_the_one_he_asks(guarded, fields, realm):
    answer = guarded.ask("SUBSCRIBE", fields)

    assert f'realm="{realm}"' in answer.need("www-authenticate")


def test_the_challenge_of_a_dialog_leaves_it_as_it_was(guarded):
    watching = guarded.subscribe({"Authorization": f"I am {ALICE}"})
    data = watching.write()
    guarded.send(data)

    proved = data.replace(
        b"\r\n", b"\r\nAuthorization: I am sip:alice@example.test\r\n", 1
    )
    guarded.send(proved)

    # The same branch and the same CSeq, as SIPE has them.
    assert guarded.answer(Message.read(proved)).status == 200


@pytest.mark.parametrize("from_", ["sip:anonymous@anonymous.invalid", "sip:c@d.test"])
def test_who_is_asserted_by_a_neighbour_may_hide_in_from(from_, acl):
    desk = Desk(acl, auth=[TrustedAuthenticator(("192.0.2.1",))])
    asserted = {"Event": "presence", "P-Asserted-Identity": f"<{ALICE}>"}

    answer = desk.ask("SUBSCRIBE", {**asserted, "From": f"<{from_}>;tag=b1"})

    assert answer.status == 200
    assert [watcher for watcher, _, _ in acl.asked] == [ALICE]


def test_nobody_else_may_assert_who_he_is(acl):
    desk = Desk(acl, auth=[TrustedAuthenticator(("198.51.100.1",))])

    fields = {"Event": "presence", "P-Asserted-Identity": f"<{ALICE}>"}

    assert desk.ask("SUBSCRIBE", fields).status == 403
