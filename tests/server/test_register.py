"""REGISTER: the registrar (RFC 3261 §10.3)."""

from __future__ import annotations

import pytest

from presproxy.config import Limits
from presproxy.errors import Conflict, StorageUnavailable
from presproxy.model.record import Put, Record
from presproxy.testing.desk import Desk
from presproxy.testing.recorders import RecordingStorage
from presproxy.testing.wire import Message

ALICE = "sip:alice@example.test"
ONE, TWO = "<sip:alice@192.0.2.1>", "<sip:alice@192.0.2.2:5070;transport=tcp>"


@pytest.fixture
def register(desk):
    """Register alice's contacts, and give the answer."""

    def ask(*contacts, **fields):
        standard = {
            "To": f"<{ALICE}>",
            "From": f"<{ALICE}>;tag=a",
            "Contact": list(contacts) or None,
        }
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        return desk.ask("REGISTER", {**standard, **named}, uri="sip:example.test")

    return ask


def contacts(answer: Message) -> list[str]:
    return answer.all("contact")


@pytest.mark.parametrize(
    ("asked", "fields", "status", "answered"),
    [
        ([ONE], {}, 200, [f"{ONE};expires=3600"]),
        ([ONE], {"Expires": "600"}, 200, [f"{ONE};expires=600"]),
        ([f"{ONE};expires=90"], {"Expires": "600"}, 200, [f"{ONE};expires=90"]),
        ([ONE], {"Expires": "1000000"}, 200, [f"{ONE};expires=86400"]),
        ([f"{ONE};expires=soon"], {}, 200, [f"{ONE};expires=3600"]),
        ([ONE], {"Expires": "soon"}, 400, []),
        ([ONE], {"Expires": "59"}, 423, []),
        ([f"{ONE};expires=600", f"{TWO};expires=59"], {}, 423, []),
        ([f"{ONE};expires=0"], {}, 200, []),
        (
            ["sip:alice@192.0.2.1;x=y"],
            {},
            200,
            ["<sip:alice@192.0.2.1>;x=y;expires=3600"],
        ),
        ([f"{ONE};q=0.5"], {}, 200, [f"{ONE};q=0.5;expires=3600"]),
        ([f"{ONE};q=0.00001"], {}, 200, [f"{ONE};q=0;expires=3600"]),
        ([f"{ONE};q=2"], {}, 400, []),
        (["<sip:alice@>"], {}, 400, []),
        (["nothing"], {}, 400, []),
        (["<tel:+4930123>"], {}, 200, ["<tel:+4930123>;expires=3600"]),
        (["*"], {}, 400, []),
        (["*"], {"Expires": "600"}, 400, []),
        (["*", ONE], {"Expires": "0"}, 400, []),
        (["*"], {"Expires": "0"}, 200, []),
        ([], {}, 200, []),
    ],
)
def test_a_register_is_answered(desk, register, asked, fields, status, answered):
    answer = register(*asked, **fields)

    assert answer.status == status
    assert contacts(answer) == answered
    assert contacts(register()) == answered
    assert desk.defects == 0


def test_what_is_too_brief_is_told_how_long_it_must_be(register):
    assert register(ONE, Expires="10").get("min-expires") == "60"


@pytest.mark.parametrize(
    ("asked", "expires"),
    [([ONE], "3600"), ([f"{ONE};expires=60", f"{TWO};expires=90"], "90"), ([], None)],
)
def test_the_longest_interval_granted_is_in_a_field_of_its_own(
    register, asked, expires
):
    # SIPE reads nothing else, and takes names of events with a space for others.
    answer = register(*asked)

    assert answer.get("expires") == expires
    assert answer.get("allow-events") == "presence,presence.winfo"


def test_all_contacts_are_answered_the_preferred_first(desk, register):
    register(f"{ONE};q=0.3", Expires="600")
    desk.sleep(10)

    answer = register(f"{TWO};q=0.7")

    assert contacts(answer) == [
        f"{TWO};q=0.7;expires=3600",
        f"{ONE};q=0.3;expires=590",
    ]


def test_what_a_contact_carries_goes_back_with_it(register):
    parameters = ';+sip.instance="<urn:uuid:0-1,2>";reg-id=1;methods="INVITE, BYE"'

    answer = register(f'"Alice, at home" {ONE}{parameters};EXPIRES=600;Q=0.5')

    assert contacts(answer) == [f"{ONE};q=0.5{parameters};expires=600"]


def test_the_path_is_kept_and_goes_back(desk, register):
    path = ["<sip:p1.example.test;lr>", "<sip:p2.example.test;lr>"]

    answer = register(ONE, Path=path, Supported="path")

    assert answer.all("path") == path
    (registration,) = desk.server.locations
    assert registration.bindings[0].path == tuple(path)


def test_contacts_go_one_by_one_or_all_at_once(desk, register):
    register(ONE, TWO)

    assert contacts(register(f"{ONE};expires=0")) == [f"{TWO};expires=3600"]
    assert contacts(register("*", Expires="0")) == []
    assert desk.kept("registration") == []


def test_who_comes_back_after_he_has_gone_is_registered(register):
    for _ in range(3):
        assert contacts(register(ONE)) == [f"{ONE};expires=3600"]
        assert contacts(register("*", Expires="0")) == []


def test_who_comes_back_after_his_contacts_have_expired_is_registered(desk, register):
    register(ONE, Expires="60")
    desk.sleep(62)

    assert contacts(register()) == []
    assert contacts(register(ONE)) == [f"{ONE};expires=3600"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"CSeq": "4 REGISTER"}, 500),
        ({"CSeq": "5 REGISTER"}, 200),
        ({"CSeq": "6 REGISTER"}, 200),
        ({"CSeq": "4 REGISTER", "Call_ID": "other"}, 200),
    ],
    ids=["older", "the same by another way", "newer", "another row"],
)
@pytest.mark.parametrize("asked", [[ONE], [f"{ONE};expires=0"], ["*"]])
def test_a_register_that_comes_too_late_changes_nothing(
    register, asked, fields, status
):
    register(ONE, Call_ID="row", CSeq="5 REGISTER")
    expires = {"Expires": "0"} if asked == ["*"] else {}

    answer = register(*asked, **{"Call_ID": "row", **expires, **fields})

    assert answer.status == status
    if status == 500:
        assert contacts(register()) == [f"{ONE};expires=3600"]


def test_of_several_contacts_all_are_changed_or_none(register):
    register(ONE, Call_ID="row", CSeq="5 REGISTER")

    answer = register(TWO, ONE, Call_ID="row", CSeq="4 REGISTER")

    assert answer.status == 500
    assert contacts(register()) == [f"{ONE};expires=3600"]


@pytest.mark.parametrize(
    ("to", "status"),
    [
        ("sip:alice@example.test:5070", 200),
        ("sips:alice@example.test", 200),
        ("sip:bob@example.test", 403),
        ("sip:alice@fabrikam.test", 404),
        ("tel:+4930123", 404),
    ],
)
def test_a_user_registers_himself(register, to, status):
    assert register(ONE, To=f"<{to}>").status == status


def test_a_third_party_is_refused_whoever_he_proves_to_be(guarded):
    answer = guarded.ask(
        "REGISTER",
        {
            "To": f"<{ALICE}>",
            "From": "<sip:eve@example.test>;tag=e",
            "Authorization": "I am sip:eve@example.test",
        },
        uri="sip:example.test",
    )

    assert answer.status == 403


def test_contacts_over_the_limit_are_refused_with_a_warning(acl):
    desk = Desk(acl, limits=Limits(contacts_of_one=2))
    fields = {"To": f"<{ALICE}>", "Contact": [f"<sip:a@192.0.2.{n}>" for n in range(3)]}

    answer = desk.ask("REGISTER", fields, uri="sip:example.test")

    assert answer.status == 403
    assert "2 contacts of one user" in answer.need("warning")


# --- The storage


def test_nothing_is_answered_before_it_is_lasting(desk, register):
    desk.storage.hold()
    assert register(ONE) is None

    desk.storage.release()

    (answer,) = desk.messages
    assert contacts(answer) == [f"{ONE};expires=3600"]


@pytest.mark.parametrize("failure", [StorageUnavailable("full"), OSError("gone")])
def test_what_cannot_be_kept_is_refused_for_now(desk, register, failure):
    desk.storage.failure = failure
    refused = register(ONE)
    desk.storage.failure = None

    assert (refused.status, refused.get("retry-after")) == (503, "30")
    assert contacts(register()) == []


def test_two_at_once_are_both_kept(desk, register):
    desk.storage.hold()
    register(ONE)
    register(TWO)

    desk.storage.release()

    assert len(contacts(desk.messages[0])) == 1
    assert len(contacts(desk.messages[1])) == 2
    assert len(contacts(register())) == 2


def test_a_race_that_cannot_be_won_is_refused_for_now(desk, register):
    desk.storage.failure = Conflict([("registration", ALICE)])

    answer = register(ONE)

    assert (answer.status, answer.get("retry-after")) == (503, "30")


def test_a_record_that_was_left_behind_does_not_stand_in_the_way(desk, register):
    left = Put("registration", ALICE, ALICE, 0, 1.0, b"[]")
    desk.storage.commit([left])

    assert contacts(register(ONE)) == [f"{ONE};expires=3600"]


class Unreadable(RecordingStorage):
    """A storage that writes, and fails to read."""

    async def fetch(self, kind: str, key: str) -> Record | None:
        raise RuntimeError("broken")


def test_a_storage_that_fails_to_read_is_refused_for_now(acl):
    desk = Desk(acl, storage=Unreadable())
    desk.storage.commit([Put("registration", ALICE, ALICE, 0, 1.0, b"[]")])

    answer = desk.ask(
        "REGISTER", {"To": f"<{ALICE}>", "Contact": ONE}, uri="sip:example.test"
    )

    assert (answer.status, answer.get("retry-after")) == (503, "30")
    assert desk.counted("plugin_failures") == 1
