from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.moments import read_moment, write_moment


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00Z"),
        (1795329060.9, "2026-11-22T06:31:00Z"),
        (float("inf"), "9999-12-31T23:59:59Z"),
        (float("-inf"), "0001-01-01T00:00:00Z"),
    ],
)
def test_a_moment_is_written_to_the_second(seconds, text):
    assert write_moment(seconds) == text


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T06:31:00Z",
        " 2026-11-22T06:31:00 ",
        "2026-11-22T08:31:00+02:00",
        "2026-11-22T06:31:00.000Z",
    ],
)
def test_a_moment_is_read_with_any_offset(text):
    assert read_moment(text) == 1795329060.0


@pytest.mark.parametrize("text", ["", "now", "2026-13-01T00:00:00Z"])
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        read_moment(text)


@given(st.integers(-62135596800, 253402300799))
def test_what_is_written_reads_back_the_same(seconds):
    assert read_moment(write_moment(float(seconds))) == seconds
