"""Publications of Lync clients: answered with all there is of what they touch."""

from __future__ import annotations

import pytest

from presproxy.documents.lync.categories import CategoryName
from presproxy.documents.lync.roaming import read_roaming
from presproxy.errors import StorageUnavailable
from presproxy.testing.flows import RecordingStream
from presproxy.testing.lync import PUBLISH, note, state

ALICE = "sip:alice@example.test"
OTHER = "185e0bd8-031c-5a0d-8d9a-f149aae6954a"
ROAMING = "application/vnd-microsoft-roaming-self+xml"


def told(answer):
    """Give the names and versions that an answer tells, and what is cleared."""
    assert (answer.status, answer.get("content-type")) == (200, ROAMING)
    roaming = read_roaming(answer.body)
    return (
        {
            each.name: each.version
            for each in roaming.categories
            # What the server makes of all states has versions of its own.
            if (each.name.category, each.name.instance) != ("state", 1)
        },
        tuple(roaming.cleared),
    )


def stale(answer):
    assert answer.status == 409
    assert answer.get("content-type") == "application/msrtc-fault+xml"
    assert "Client.BadCall.WrongDelta" in answer.text
    return answer.text.partition("<details>")[2].partition("</details>")[0]


MACHINE, SHARED = (
    CategoryName("state", 988436328, 2),
    CategoryName("state", 536870912, 2),
)
NOTE = CategoryName("note", 0, 200)


def test_all_of_a_category_that_is_touched_is_told(desk, alice):
    assert told(alice.publish(state(), note("Here"))) == ({MACHINE: 1, NOTE: 1}, ())

    answer = alice.publish(state(instance=536870912, expire_type="static"))

    assert told(answer) == ({MACHINE: 1, SHARED: 1}, ())
    assert len(desk.kept("category")) == 3
    assert desk.defects == 0


def test_the_state_that_the_server_makes_of_all_is_told_with_them(alice):
    answer = alice.publish(state(6500, instance=536870912, kind="userState"), state())

    made = {
        each.name.container: each.body
        for each in read_roaming(answer.body).categories
        if each.name.instance == 1
    }
    assert b'xsi:type="aggregateState"' in made[2]
    assert b"<availability>6500</availability>" in made[2]
    assert {2, 3, 100, 200, 300, 400} == {*made}


def test_nobody_is_told_to_be_offline_whose_endpoints_say_nothing(alice):
    answer = alice.publish(
        state(6500, instance=536870912, kind="userState", expire_type="static")
    )

    (category,) = read_roaming(answer.body).categories
    assert category.name == SHARED


def test_a_category_of_which_nothing_is_left_is_told_as_cleared(alice):
    alice.publish(note("Here"))

    assert told(alice.publish(note(version=1))) == ({}, ("note",))
    assert told(alice.publish(note("Again"))) == ({NOTE: 1}, ())
    assert told(alice.publish(note(version=1))) == ({}, ("note",))
    # What was never there is gone already.
    assert told(alice.publish(note())) == ({}, ("note",))


def test_what_is_published_goes_back_as_it_came(alice):
    answer = alice.publish(state(6500))

    category, *_ = read_roaming(answer.body).categories
    assert b'xsi:type="machineState"' in category.body
    assert b"<availability>6500</availability>" in category.body


def test_an_old_version_is_refused_with_the_current_one(desk, alice):
    alice.publish(state())
    alice.publish(state(version=1))

    answer = alice.publish(note("Here"), state(version=1))

    assert 'index="2" version="1" curVersion="2"' in stale(answer)
    assert answer.need("ms-diagnostics").startswith("2141;reason=")
    assert told(alice.publish(state(version=2))) == ({MACHINE: 3}, ())
    assert len(desk.kept("category")) == 1


def test_the_answer_comes_before_watchers_are_told(desk, alice):
    watching = desk.subscribe(uri=ALICE, user="bob")
    assert watching.status == 200
    desk.notified()
    desk.storage.hold()

    alice.publish(state())
    desk.clock.advance(0)
    assert len(alice.flow.sent) == 1  # The answer to his REGISTER.
    desk.storage.release()

    assert len(alice.flow.sent) == 2


# --- Who may


def test_nobody_publishes_for_another(desk, alice):
    assert alice.publish(state(), uri="sip:bob@example.test").status == 403
    assert (
        alice.ask(
            "SERVICE",
            {"Content-Type": "application/msrtc-category-publish+xml"},
            "<publish/>",
            uri="sip:bob@example.test",
        ).status
        == 403
    )
    assert desk.kept("category") == []


@pytest.mark.parametrize("expire_type", ["endpoint", "user"])
def test_what_ends_with_endpoints_is_of_one_that_is_signed_in(
    desk, client, expire_type
):
    answer = client().publish(state(expire_type=expire_type))

    assert answer.status == 403
    assert "not signed in" in answer.need("ms-diagnostics")
    assert desk.kept("category") == []


def test_what_lasts_is_published_by_whoever_a_user_is(client):
    assert told(client(epid="").publish(note("Here"))) == ({NOTE: 1}, ())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("<publish>", 400),
        ("<publish/>", 400),
        ("<other/>", 400),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><publish>&b;</publish>", 400),
    ],
)
def test_a_body_of_another_shape_is_refused(desk, alice, body, status):
    fields = {"Content-Type": "application/msrtc-category-publish+xml"}

    answer = alice.ask("SERVICE", fields, body)

    assert answer.status == status
    assert answer.need("ms-diagnostics").startswith("2000;reason=")
    assert desk.defects == 0


def test_what_there_is_no_room_for_is_refused(desk, alice):
    desk.server.lync.categories.bounds = type(desk.server.lync.categories.bounds)(1)
    alice.publish(state())

    answer = alice.publish(note("Here"))

    assert answer.status == 403
    assert "1 publications of one user" in answer.need("warning")


# --- Endless loops


def test_whoever_goes_on_with_old_versions_is_accepted_in_the_end(alice):
    alice.publish(state())

    statuses = [alice.publish(state()).status for _ in range(4)]

    assert statuses == [409, 409, 409, 200]


def test_whoever_has_ten_old_versions_a_second_is_sent_away(desk, alice):
    alice.publish(state())

    statuses = [alice.publish(state()) for _ in range(20)]

    assert [each.status for each in statuses].count(409) == 10
    refused = statuses[-1]
    assert (refused.status, refused.get("retry-after")) == (503, "30")
    desk.sleep(1.1)
    # A request in the row is accepted, and then he is told again.
    answers = [alice.publish(state()).status for _ in range(2)]
    assert answers == [200, 409]


def test_one_endpoint_is_not_sent_away_for_another(desk, client, alice):
    other = client(
        epid="e2", instance=OTHER, flow=RecordingStream(("192.0.2.1", 40001))
    )
    other.register()
    alice.publish(state())
    for _ in range(20):
        alice.publish(state())

    assert other.publish(state()).status == 409


@pytest.mark.parametrize("body", ["", "<publish", "<publish/>"])
def test_what_is_no_publication_is_a_fault(desk, alice, body):
    answer = alice.ask("SERVICE", {"Content-Type": PUBLISH}, body)

    assert answer.status == 400
    assert answer.get("content-type") == "application/msrtc-fault+xml"
    assert "<Faultcode>Client.BadCall</Faultcode>" in answer.text
    assert desk.defects == 0


# --- The storage


def test_what_cannot_be_kept_was_not_published(desk, alice):
    desk.storage.failure = StorageUnavailable("full")
    refused = alice.publish(state())
    desk.storage.failure = None

    assert (refused.status, refused.get("retry-after")) == (503, "30")
    assert told(alice.publish(state())) == ({MACHINE: 1}, ())


# --- Endings


@pytest.fixture
def left(desk):
    return lambda: {each.name for each in desk.server.lync.categories.of(ALICE)}


def test_what_an_endpoint_published_ends_with_it(desk, alice, left):
    alice.publish(state(), state(instance=536870912, expire_type="user"), note("Here"))

    alice.register({"Expires": "0"})

    assert left() == {NOTE}
    assert len(desk.kept("category")) == 1


def test_what_a_user_published_ends_with_his_last_endpoint(client, alice, left):
    other = client(
        epid="e2", instance=OTHER, flow=RecordingStream(("192.0.2.1", 40001))
    )
    other.register()
    alice.publish(state(), state(instance=536870912, expire_type="user"))

    alice.flow.close()
    assert left() == {SHARED}
    other.flow.close()

    assert left() == set()


def test_what_an_endpoint_that_moves_published_goes_with_it(client, alice, left):
    alice.publish(state())
    moved = client(flow=RecordingStream(("192.0.2.1", 40001)))

    moved.register()
    alice.flow.close()

    assert left() == {MACHINE}
    assert told(moved.publish(state(version=1))) == ({MACHINE: 2}, ())


def test_what_could_not_be_deleted_is_deleted_later(desk, alice, left):
    alice.publish(state())
    desk.storage.failure = StorageUnavailable("full")
    alice.flow.close()
    assert left() == set()
    assert len(desk.kept("category")) == 1

    desk.sleep(1)
    desk.storage.failure = None
    desk.sleep(1)

    assert desk.kept("category") == []


# --- After a start


@pytest.fixture
def restarted(desk, alice):
    """Let the server forget who is signed in, and begin the grace of a start."""

    def restart():
        server = desk.server
        endings = server.lync.endings
        server.lync.endpoints.when_ended.remove(endings.ended)
        alice.flow.close()
        server.lync.endpoints.when_ended.append(endings.ended)
        endings.begin_grace()

    return restart


def test_who_does_not_come_back_leaves_nothing(desk, alice, left, restarted):
    alice.publish(state(), state(instance=536870912, expire_type="user"), note("Here"))
    restarted()

    desk.sleep(119)
    assert left() == {MACHINE, SHARED, NOTE}
    desk.sleep(2)

    assert left() == {NOTE}
    assert len(desk.kept("category")) == 1


def test_who_comes_back_has_what_he_had(desk, client, alice, left, restarted):
    alice.publish(state(), state(instance=536870912, expire_type="user"))
    restarted()
    other = client(flow=RecordingStream(("192.0.2.1", 40001)))

    other.register()
    desk.sleep(125)

    assert left() == {MACHINE, SHARED}


def test_of_several_endpoints_one_comes_back(desk, client, alice, left, restarted):
    alice.publish(state(), state(instance=536870912, expire_type="user"))
    restarted()
    client(epid="e2", instance=OTHER).register()

    desk.sleep(125)

    assert left() == {SHARED}
