from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.errors import LimitReached, MalformedField
from presproxy.events.locations import (
    REGISTRATION,
    Binding,
    Locations,
    OutOfOrder,
)
from presproxy.model.record import Delete, Put, Record
from presproxy.sip.uri import AddressOfRecord

ALICE = AddressOfRecord("sip:alice@example.test")
BOB = AddressOfRecord("sip:bob@example.test")
PHONE = "sip:alice@192.0.2.1"
DESK = "sip:alice@192.0.2.2:5070;transport=tcp"


def binding(uri=PHONE, expires_at=3600.0, cseq=1, call_id="c1", q=1.0):
    return Binding(uri, expires_at, call_id, cseq, q)


def register(locations, *bindings, now=0.0, aor=ALICE):
    staged = locations.stage(aor, bindings, now)
    staged.live()
    return staged


def uris(locations, now=0.0, aor=ALICE):
    return [each.uri for each in locations.bindings(aor, now)]


# --- Bindings (RFC 3261 §10.3)


def test_a_binding_is_seen_when_it_is_live():
    locations = Locations()
    staged = locations.stage(ALICE, [binding()], 0.0)
    before = uris(locations)
    staged.live()

    assert (before, uris(locations)) == ([], [PHONE])


def test_a_registration_that_was_taken_back_leaves_nothing():
    locations = Locations()

    locations.stage(ALICE, [binding()], 0.0).take_back()

    assert (len(locations), list(locations)) == (0, [])


def test_the_preferred_comes_first():
    locations = Locations()
    register(locations, binding(q=0.1), binding(DESK, q=0.8), binding("sip:a@b", q=0.5))

    assert uris(locations) == [DESK, "sip:a@b", PHONE]


def test_a_refresh_takes_the_place_of_its_binding_and_leaves_others():
    locations = Locations()
    register(locations, binding(), binding(DESK))

    register(locations, binding(expires_at=7200.0, cseq=2))

    assert {each.uri: each.expires_at for each in locations.bindings(ALICE, 0.0)} == {
        PHONE: 7200.0,
        DESK: 3600.0,
    }


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sip:alice@EXAMPLE.test", "sip:alice@example.test", True),
        (
            "sip:alice@example.test;Transport=TCP",
            "sip:alice@example.test;transport=tcp",
            True,
        ),
        ("sip:alice@example.test;a;b=1", "sip:alice@example.test;b=1;a", True),
        ("sip:al%69ce@example.test", "sip:alice@example.test", True),
        ("sip:Alice@example.test", "sip:alice@example.test", False),
        ("sip:alice@example.test:5060", "sip:alice@example.test", False),
        ("sips:alice@example.test", "sip:alice@example.test", False),
        ("tel:+4930123", "sip:+4930123@example.test", False),
    ],
)
def test_contacts_are_compared_as_uris_are(one, other, same):
    locations = Locations()
    register(locations, binding(one))

    register(locations, binding(other, cseq=2))

    assert uris(locations) == ([other] if same else [one, other])


def test_a_binding_that_has_ended_already_is_removed():
    locations = Locations()
    register(locations, binding(), binding(DESK))

    register(locations, binding(expires_at=10.0, cseq=2), now=10.0)

    assert uris(locations) == [DESK]


def test_nothing_is_left_of_a_user_without_bindings():
    locations = Locations()
    register(locations, binding())

    register(locations, binding(expires_at=0.0, cseq=2))

    assert len(locations) == 0
    assert not locations._expiries._buckets


def test_a_wildcard_removes_all_bindings():
    locations = Locations()
    register(locations, binding(), binding(DESK))

    locations.stage_removal(ALICE, "c1", 2, 0.0).live()

    assert uris(locations) == []


def test_one_contact_named_twice_is_one_binding():
    locations = Locations()

    register(locations, binding(expires_at=100.0), binding(expires_at=200.0))

    (only,) = locations.bindings(ALICE, 0.0)
    assert only.expires_at == 200.0


def test_a_contact_that_is_no_uri_is_refused_and_changes_nothing():
    locations = Locations()
    register(locations, binding())

    with pytest.raises(MalformedField):
        register(locations, binding(DESK), binding("no uri"))

    assert uris(locations) == [PHONE]


# --- Order (RFC 3261 §10.3 step 7)


@pytest.mark.parametrize(
    ("call_id", "cseq", "is_taken"),
    [
        ("c1", 6, True),
        ("c1", 5, True),
        ("c1", 4, False),
        ("c2", 1, True),
    ],
    ids=["later", "the same once more", "older", "another user agent"],
)
def test_an_older_register_changes_nothing(call_id, cseq, is_taken):
    locations = Locations()
    register(locations, binding(cseq=5))
    again = binding(expires_at=50.0, cseq=cseq, call_id=call_id)

    for stage in (
        lambda: locations.stage(ALICE, [binding(DESK), again], 0.0),
        lambda: locations.stage_removal(ALICE, call_id, cseq, 0.0),
    ):
        if is_taken:
            stage()
        else:
            with pytest.raises(OutOfOrder):
                stage()

    assert uris(locations) == [PHONE]


def test_nothing_is_too_old_for_a_binding_that_has_ended():
    locations = Locations()
    register(locations, binding(cseq=5, expires_at=10.0))

    register(locations, binding(cseq=1), now=11.0)

    assert uris(locations, 11.0) == [PHONE]


# --- Expiry


def test_one_of_several_bindings_ends_alone():
    locations = Locations()
    register(locations, binding(expires_at=10.0), binding(DESK, expires_at=20.0))

    before = uris(locations, 10.0)
    left = []
    for now in (10.0, 11.0, 21.0):
        assert not locations.expire(now)
        left.append([each.uri for one in locations for each in one.bindings])

    assert before == [DESK]
    assert left == [[PHONE, DESK], [DESK], []]
    assert len(locations) == 0
    assert not locations._expiries._buckets


def test_a_binding_is_gone_with_its_last_second():
    locations = Locations()
    register(locations, binding(expires_at=10.0))

    assert uris(locations, 9.9) == [PHONE]
    assert uris(locations, 10.0) == []


def test_a_binding_that_goes_on_does_not_end():
    locations = Locations()
    register(locations, binding(expires_at=10.0))
    register(locations, binding(expires_at=100.0, cseq=2), now=5.0)

    locations.expire(50.0)

    assert uris(locations, 50.0) == [PHONE]


def test_what_expired_on_the_way_to_the_storage_stays_gone():
    locations = Locations()
    register(locations, binding(expires_at=10.0))
    staged = locations.stage(ALICE, [binding(DESK)], 5.0)
    locations.expire(11.0)

    staged.live()
    locations.expire(12.0)

    assert uris(locations, 12.0) == [DESK]
    assert len(locations._expiries._buckets) == 1


# --- Bounds


def test_a_user_has_only_so_many_contacts():
    locations = Locations(most=2)
    register(locations, binding(), binding(DESK))

    with pytest.raises(LimitReached):
        locations.stage(ALICE, [binding("sip:a@b")], 0.0)
    register(locations, binding(expires_at=0.0, cseq=2), binding("sip:a@b", cseq=2))

    assert uris(locations) == [DESK, "sip:a@b"]


def test_only_so_many_users_are_registered():
    locations = Locations(most_in_all=1)
    register(locations, binding())

    with pytest.raises(LimitReached):
        locations.stage(BOB, [binding()], 0.0)
    register(locations, binding(cseq=2))
    locations.stage_removal(BOB, "c1", 1, 0.0).live()

    assert len(locations) == 1


# --- Records


def record(put, version):
    return Record(put.kind, put.key, put.owner, version, put.expires_at, put.payload)


def test_a_registration_is_one_record_that_lives_as_long_as_its_last_binding():
    staged = Locations().stage(
        ALICE, [binding(expires_at=10.0), binding(DESK, expires_at=20.0)], 0.0
    )

    (put,) = staged.changes
    assert isinstance(put, Put)
    assert (put.kind, put.key, put.owner) == (REGISTRATION, ALICE, ALICE)
    assert (put.staged_on, put.expires_at) == (0, 20.0)


def test_each_change_is_staged_on_the_one_before():
    locations = Locations()
    versions = []
    for cseq in (1, 2, 3):
        (put,) = register(locations, binding(cseq=cseq)).changes
        versions.append(put.staged_on)
    (delete,) = locations.stage_removal(ALICE, "c1", 4, 0.0).changes

    assert versions == [0, 1, 2]
    assert delete == Delete(REGISTRATION, ALICE, ALICE, 3)


def test_what_is_not_there_is_not_deleted():
    assert list(Locations().stage_removal(ALICE, "c1", 1, 0.0).changes) == []


def test_two_changes_at_once_are_staged_on_the_same_version():
    locations = Locations()
    register(locations, binding())

    changes = [
        locations.stage(ALICE, [binding(each, cseq=2)], 0.0).changes[0]
        for each in (PHONE, DESK)
    ]

    assert [each.staged_on for each in changes] == [1, 1]


def test_a_learned_version_is_staged_on():
    locations = Locations()

    locations.learn(ALICE, 7)
    (put,) = register(locations, binding()).changes
    (later,) = register(locations, binding(cseq=2)).changes

    assert (put.staged_on, later.staged_on) == (7, 8)
    assert not locations._learned


def test_versions_are_not_learned_without_end():
    locations = Locations()

    for number in range(5000):
        locations.learn(AddressOfRecord(f"sip:{number}@example.test"), 1)

    assert len(locations._learned) <= 1000
    assert locations.version(AddressOfRecord("sip:4999@example.test")) == 1


@given(
    st.lists(
        st.builds(
            Binding,
            uri=st.integers(0, 9).map(lambda number: f"sip:a{number}@192.0.2.1"),
            expires_at=st.floats(1, 2.0**40),
            call_id=st.text(),
            cseq=st.integers(0, 2**31),
            q=st.floats(0, 1),
            parameters=st.text(),
            flow=st.text(),
            path=st.lists(st.text(), max_size=3).map(tuple),
            user_agent=st.text(),
        ),
        min_size=1,
        unique_by=lambda each: each.uri,
    )
)
def test_a_record_reads_back_as_it_was_written(bindings):
    (put,) = Locations().stage(ALICE, bindings, 0.5).changes
    locations = Locations()

    assert locations.restore(record(put, 3), 0.5)

    read = locations.bindings(ALICE, 0.5)
    assert sorted(map(attrs.astuple, read)) == sorted(map(attrs.astuple, bindings))
    assert locations.version(ALICE) == 3


def test_only_what_is_alive_is_read_back():
    bindings = [binding(expires_at=10.0), binding(DESK, expires_at=20.0)]
    (put,) = Locations().stage(ALICE, bindings, 0.0).changes
    locations, late = Locations(), Locations()

    assert locations.restore(record(put, 1), 15.0)
    assert not late.restore(record(put, 1), 25.0)

    assert uris(locations) == [DESK]
    assert len(late) == 0


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"5",
        b"null",
        b"[5]",
        b"[{}]",
        b'[{"uri": 5}]',
        b"[[1, 2]]",
        b'{"uri": "sip:a@b"}',
        b'[{"uri":"no uri","expires_at":9,"call_id":"c","cseq":1}]',
        b'[{"uri":"sip:a@b","expires_at":"x","call_id":"c","cseq":1}]',
        b'[{"uri":"sip:a@b","expires_at":1e400,"call_id":"c","cseq":1}]',
        b'[{"uri":"sip:a@b","expires_at":NaN,"call_id":"c","cseq":1}]',
        b'[{"uri":"sip:a@b","expires_at":9,"call_id":"c","cseq":1,"new":1}]',
        b"[" * 100_000,
    ],
    ids=lambda payload: payload[:70].decode("latin-1"),
)
def test_a_record_that_is_none_is_refused(payload):
    locations = Locations()

    with pytest.raises(ValueError, match=r"."):
        locations.restore(Record(REGISTRATION, ALICE, ALICE, 1, 9.0, payload), 1.0)

    assert len(locations) == 0
