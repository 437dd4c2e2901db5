"""What is known of a connection, for as long as it lasts."""

from __future__ import annotations

import pytest

from presproxy.auth.perflow import PerFlow
from presproxy.testing.flows import RecordingStream


@pytest.fixture
def kept():
    return PerFlow()


def test_there_is_one_thing_for_each_flow(kept):
    one, other = RecordingStream(), RecordingStream()

    kept.put(one, "a")
    kept.put(other, "b")
    kept.put(one, "c")

    assert (kept.get(one), kept.get(other), len(kept)) == ("c", "b", 2)


def test_it_goes_with_its_flow(kept):
    one, other = RecordingStream(), RecordingStream()
    kept.put(one, "a")
    kept.put(one, "b")
    kept.put(other, "c")

    one.close()

    assert (kept.get(one), kept.get(other), len(kept)) == (None, "c", 1)


def test_what_was_taken_is_kept_no_more(kept):
    flow = RecordingStream()
    kept.put(flow, "a")

    assert (kept.pop(flow), kept.pop(flow), len(kept)) == ("a", None, 0)


def test_what_came_after_outlives_what_was_taken(kept):
    flow = RecordingStream()
    kept.put(flow, "a")
    kept.pop(flow)
    kept.put(flow, "b")

    assert kept.get(flow) == "b"
    flow.close()
    assert kept.get(flow) is None


def test_all_may_be_forgotten(kept):
    flow = RecordingStream()
    kept.put(flow, "a")

    kept.clear()
    flow.close()

    assert len(kept) == 0
