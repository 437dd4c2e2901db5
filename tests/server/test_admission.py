from __future__ import annotations

import pytest

from presproxy.metrics import Metrics
from presproxy.server.admission import Admission, Deadlines, Refusals
from presproxy.server.lanes import Lane
from presproxy.testing.flows import RecordingFlow, RecordingStream


@pytest.fixture
def answered():
    return []


@pytest.fixture
def is_new():
    """Whether what is refused was not answered before."""
    return [True]


@pytest.fixture
def waits():
    """For how long the oldest commit waits."""
    return [0.0]


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def admission(answered, is_new, waits, metrics):
    def answer(data, flow, now):
        answered.append(data)
        return is_new[0]

    return Admission(
        answer,
        lambda now: waits[0],
        Deadlines(new=0.2, keeping=0.4, storage=1.0),
        metrics,
    )


def is_late(metrics):
    return next(each.source() for each in metrics if each.name == "late")


@pytest.mark.parametrize(
    ("waited", "patience"),
    [
        (0.0, [float("inf"), 0.4, 0.2, 0.2, 0.2]),
        (1.0, [float("inf"), 0.4, 0.2, 0.2, 0.2]),
        (1.1, [float("inf"), 0.4, -1.0, -1.0, 0.2]),
    ],
    ids=["nobody waits", "a slow disk", "a stuck one"],
)
def test_nothing_is_begun_that_a_stuck_storage_would_have_to_keep(
    admission, waits, waited, patience
):
    waits[0] = waited
    admission.tick(1.0)

    assert admission.patience == patience
    assert admission.is_open is (waited <= 1.0)


def test_it_is_late_until_nothing_was_refused_for_a_while(admission, metrics):
    before = is_late(metrics)
    admission.refuse(Lane.NEW, b"one", RecordingFlow(), 1.0)
    seen = []
    for now in (1.05, 5.9, 6.0, 6.1):
        admission.tick(now)
        seen.append(is_late(metrics))

    assert before == 0
    assert seen == [1, 1, 0, 0]


def test_a_refusal_is_answered_and_counted_by_what_it_was_about(
    admission, answered, metrics
):
    admission.refuse(Lane.NEW, b"one", RecordingFlow(), 1.0)
    admission.refuse(Lane.KEEPING, b"two", RecordingFlow(), 1.0)

    counted = {
        dict(each.labels)["lane"]: each.source.value
        for each in metrics
        if each.name == "requests_late"
    }
    assert answered == [b"one", b"two"]
    assert counted == {"answer": 0, "keeping": 1, "change": 0, "new": 1, "asking": 0}


def test_what_only_came_again_is_no_refusal(admission, is_new, metrics):
    is_new[0] = False
    admission.refuse(Lane.NEW, b"one", RecordingFlow(), 1.0)

    assert is_late(metrics) == 0
    assert not admission.refusals


def test_only_what_can_come_again_is_remembered(admission):
    admission.refuse(Lane.NEW, b"by datagram", RecordingFlow(), 1.0)
    admission.refuse(Lane.NEW, b"by stream", RecordingStream(), 1.0)

    assert b"by datagram" in admission.refusals
    assert b"by stream" not in admission.refusals


def test_a_refusal_is_remembered_for_one_to_two_periods():
    refusals = Refusals(period=2.0)
    refusals.tick(0.0)
    refusals.add(b"one")
    seen = []
    for now in (1.9, 2.0, 3.9, 4.0):
        refusals.tick(now)
        seen.append(b"one" in refusals)

    assert seen == [True, True, True, False]
    assert not refusals


def test_no_more_refusals_are_remembered_than_so_many():
    refusals = Refusals(most=2)
    for data in (b"one", b"two", b"three"):
        refusals.add(data)

    assert [each in refusals for each in (b"one", b"two", b"three")] == [
        True,
        True,
        False,
    ]
