from __future__ import annotations

import pytest

from presproxy.sip.status import reason


@pytest.mark.parametrize(
    ("code", "phrase"),
    [
        (200, "OK"),
        (412, "Conditional Request Failed"),
        (423, "Interval Too Brief"),
        (489, "Bad Event"),
        # Unknown ones mean what the first of their class means.
        (299, "OK"),
        (499, "Bad Request"),
        (699, "Busy Everywhere"),
        (999, "Unknown"),
    ],
)
def test_every_code_has_a_phrase(code, phrase):
    assert reason(code) == phrase
