"""Endpoints: who is signed in, from where."""

from __future__ import annotations

from uuid import UUID

import pytest

from presproxy.errors import LimitReached
from presproxy.events.endpoints import Ending, Endpoint, Endpoints, gruu
from presproxy.testing.flows import RecordingStream

ALICE, BOB = "sip:alice@example.test", "sip:bob@example.test"
UUID_A = UUID("085e0bd8-031c-5a0d-8d9a-f149aae6954a")


def stream(port: int = 40000) -> RecordingStream:
    return RecordingStream(("192.0.2.1", port))


def endpoint(
    epid: str = "e1",
    flow: RecordingStream | None = None,
    user: str = ALICE,
    expires_at: float = 7200.0,
) -> Endpoint:
    return Endpoint(user, epid, UUID_A, flow or stream(), "sip:a@b", expires_at)


@pytest.fixture
def ended():
    return []


@pytest.fixture
def endpoints(ended):
    return Endpoints(
        most_of_one=2,
        most=3,
        when_ended=[lambda each, how: ended.append((each.epid, how))],
    )


def test_an_endpoint_has_a_uri_of_its_own():
    assert gruu(ALICE, UUID_A) == (
        f"{ALICE};opaque=user:epid:CF4L2AMcWg2NmvFJquaVSgAA;gruu"
    )


def test_who_signs_in_is_found_by_name_and_by_connection(endpoints):
    flow = stream()
    one, two = endpoint("e1", flow), endpoint("e2", flow)

    assert endpoints.sign_in(one)
    assert endpoints.sign_in(two)

    assert endpoints.find(ALICE, "e1") is one
    assert endpoints.of(ALICE) == (one, two)
    assert endpoints.on(flow) == (one, two)
    assert endpoints.find(BOB, "e1") is None
    assert len(endpoints) == 2


def test_who_signs_in_again_by_the_same_connection_goes_on(endpoints, ended):
    flow = stream()
    endpoints.sign_in(endpoint(flow=flow, expires_at=100))

    assert not endpoints.sign_in(endpoint(flow=flow, expires_at=200))

    assert not endpoints.expire(150)
    assert (ended, len(endpoints)) == ([], 1)


def test_who_signs_in_by_another_connection_has_moved(endpoints, ended):
    old, new = stream(1), stream(2)
    endpoints.sign_in(endpoint(flow=old))
    moved = endpoint(flow=new)

    assert endpoints.sign_in(moved)
    old.close()

    assert ended == [("e1", Ending.MOVED)]
    assert (endpoints.on(old), endpoints.on(new)) == ((), (moved,))
    assert len(endpoints) == 1


def test_an_endpoint_ends_with_its_connection(endpoints, ended):
    flow = stream()
    endpoints.sign_in(endpoint("e1", flow))
    endpoints.sign_in(endpoint("e2", stream(2)))

    flow.close()

    assert ended == [("e1", Ending.LOST)]
    assert [each.epid for each in endpoints.of(ALICE)] == ["e2"]


def test_an_endpoint_ends_when_its_time_is_over(endpoints, ended):
    flow = stream()
    endpoints.sign_in(endpoint(flow=flow, expires_at=100))

    endpoints.expire(99)
    assert ended == []
    endpoints.expire(102)
    flow.close()

    assert ended == [("e1", Ending.EXPIRED)]
    assert (endpoints.of(ALICE), endpoints.on(flow), endpoints.expiring) == ((), (), 0)


def test_an_endpoint_ends_once(endpoints, ended):
    one = endpoint()
    endpoints.sign_in(one)

    endpoints.end(one, Ending.SIGNED_OFF)
    endpoints.end(one, Ending.LOST)

    assert ended == [("e1", Ending.SIGNED_OFF)]


def test_there_are_no_more_than_there_may_be(endpoints):
    endpoints.sign_in(endpoint("e1"))
    endpoints.sign_in(endpoint("e2", stream(2)))
    endpoints.check(ALICE, "e2")

    with pytest.raises(LimitReached, match="2 endpoints of one user"):
        endpoints.check(ALICE, "e3")
    endpoints.sign_in(endpoint("e1", stream(3), BOB))
    with pytest.raises(LimitReached, match="3 endpoints"):
        endpoints.check(BOB, "e2")
