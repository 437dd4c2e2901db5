"""REGISTER of Lync clients: what it must have, and what its answer has."""

from __future__ import annotations

import pytest

from presproxy.events.endpoints import Ending
from presproxy.testing.flows import RecordingStream

ALICE = "sip:alice@example.test"
UUID = "085e0bd8-031c-5a0d-8d9a-f149aae6954a"
OTHER = "185e0bd8-031c-5a0d-8d9a-f149aae6954a"


def test_a_sign_in_is_answered_as_clients_want_it(desk, client):
    alice = client()

    answer = alice.register()

    assert answer.status == 200
    assert answer.get("expires") == "7200"
    # A line each, and no space after a comma: SIPE looks for just these.
    assert answer.all("supported") == ["adhoclist", "msrtc-event-categories"]
    assert " " not in answer.need("allow-events")
    assert answer.get("presence-state") == 'register-action="added"'
    assert "timeout=300" in answer.need("ms-keep-alive")
    (contact,) = answer.all("contact")
    assert f'+sip.instance="<urn:uuid:{UUID}>"' in contact
    assert contact.endswith(
        f';expires=7200;gruu="{ALICE};opaque=user:epid:CF4L2AMcWg2NmvFJquaVSgAA;gruu"'
    )
    assert desk.defects == 0


def test_who_signs_in_is_an_endpoint(desk, client):
    alice = client()
    alice.register()

    (endpoint,) = desk.server.lync.endpoints.of(ALICE)

    assert (endpoint.epid, str(endpoint.instance)) == ("b34afb6ebb23", UUID)
    assert endpoint.flow is alice.flow
    assert f"<{endpoint.contact}>" == alice.contact


def test_a_refresh_is_told_from_a_sign_in(client):
    alice = client()
    alice.register()

    answer = alice.register({"Expires": "600"})

    assert answer.get("presence-state") == 'register-action="refreshed"'
    assert answer.get("expires") == "600"


def test_whoever_asks_for_less_is_confirmed_less(client):
    answer = client().register(
        {"Supported": "com.microsoft.msrtc.presence", "ms-keep-alive": None}
    )

    assert answer.status == 200
    assert answer.all("supported") == []
    assert answer.get("ms-keep-alive") is None


def test_others_are_answered_as_ever(desk):
    answer = desk.ask(
        "REGISTER",
        {
            "From": f"<{ALICE}>;tag=1;epid=1234567890",
            "To": f"<{ALICE}>",
            "Supported": "path",
            "Contact": f'<sip:a@192.0.2.1>;+sip.instance="<urn:uuid:{UUID}>"',
        },
        uri="sip:example.test",
    )

    assert (answer.status, answer.get("expires")) == (200, "3600")
    assert "gruu" not in answer.need("contact")
    assert answer.get("presence-state") is None
    assert len(desk.server.lync.endpoints) == 0


@pytest.mark.parametrize(
    ("fields", "status", "number"),
    [
        ({"From": f"<{ALICE}>;tag=1"}, 400, None),
        ({"From": f"<{ALICE}>;tag=1;epid="}, 400, 4010),
        ({"From": f'<{ALICE}>;tag=1;epid="a b"'}, 400, 4010),
        ({"From": f"<{ALICE}>;tag=1;epid={'a' * 65}"}, 400, 4010),
        ({"Contact": "<sip:192.0.2.1:40000;transport=tcp>"}, 400, 4010),
        ({"Contact": '<sip:192.0.2.1>;+sip.instance="<urn:uuid:no>"'}, 400, 4010),
        (
            {
                "Contact": [
                    f'<sip:192.0.2.{n}>;+sip.instance="<urn:uuid:{UUID}>"'
                    for n in (1, 2)
                ]
            },
            400,
            4010,
        ),
        ({"Event": "presence"}, 489, 4055),
        ({"Supported": "msrtc-event-categories"}, 421, 2057),
    ],
)
def test_what_names_no_endpoint_is_refused(desk, client, fields, status, number):
    answer = client().register(fields)

    assert answer.status == status
    assert answer.need("ms-diagnostics").startswith(f"{number or 4010};reason=")
    assert answer.need("ms-diagnostics").endswith(';source="192.0.2.100"')
    assert desk.kept("registration") == []
    assert len(desk.server.lync.endpoints) == 0
    assert desk.defects == 0


def test_who_must_support_more_is_told_what(client):
    answer = client().register({"Supported": "msrtc-event-categories"})

    assert answer.get("require") == "gruu-10"


def test_an_endpoint_that_comes_by_another_connection_has_moved(desk, client):
    old = client()
    old.register()
    new = client(flow=RecordingStream(("192.0.2.1", 40001)))

    answer = new.register()

    (contact,) = answer.all("contact")
    assert new.contact in contact
    (endpoint,) = desk.server.lync.endpoints.of(ALICE)
    assert endpoint.flow is new.flow
    old.flow.close()
    assert len(desk.server.locations.bindings(ALICE, desk.server.house.now())) == 1


def test_two_endpoints_are_told_of_each_other_by_what_they_are_called(client):
    client().register()

    answer = client(
        epid="other", instance=OTHER, flow=RecordingStream(("192.0.2.1", 40001))
    ).register()

    gruus = [each.partition(";gruu=")[2] for each in answer.all("contact")]
    assert len(set(gruus)) == len(answer.all("contact")) == 2


# --- How it ends


@pytest.fixture
def endings(desk):
    told = []
    desk.server.lync.endpoints.when_ended.append(
        lambda endpoint, how: told.append((endpoint.epid, how))
    )
    return told


def test_who_signs_off_is_gone_once_he_is_answered(desk, alice, endings):
    answer = alice.register({"Expires": "0"})

    assert (answer.status, answer.get("expires")) == (200, "0")
    assert answer.all("contact") == []
    assert endings == [("b34afb6ebb23", Ending.SIGNED_OFF)]


def test_all_of_a_user_sign_off_at_once(client, alice, endings):
    other = client(epid="e2", instance=OTHER)
    other.register()

    alice.register({"Contact": "*", "Expires": "0"})

    assert endings == [
        ("b34afb6ebb23", Ending.SIGNED_OFF),
        ("e2", Ending.SIGNED_OFF),
    ]


def test_who_signs_off_without_having_signed_in_is_answered(desk, client, endings):
    assert client().register({"Expires": "0"}).status == 200
    assert endings == []
    assert desk.defects == 0


def test_a_lost_connection_ends_what_was_registered_by_it(desk, alice, endings):
    alice.flow.close()

    assert endings == [("b34afb6ebb23", Ending.LOST)]
    assert desk.server.locations.bindings(ALICE, desk.server.house.now()) == ()
    assert desk.kept("registration") == []


def test_a_registration_that_is_not_refreshed_ends(desk, client, endings):
    client().register({"Expires": "60"})

    desk.sleep(62)

    assert endings == [("b34afb6ebb23", Ending.EXPIRED)]


def test_there_are_no_more_endpoints_than_there_may_be(desk, client, alice):
    desk.server.lync.endpoints.most_of_one = 1

    answer = client(epid="e2", instance=OTHER).register()

    assert answer.status == 403
    assert "1 endpoints of one user" in answer.need("warning")
    assert alice.register().status == 200
