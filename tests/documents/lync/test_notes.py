from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.lync.notes import read_note, write_note


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=20)
)
def test_what_is_written_reads_back_the_same(text):
    assert read_note(write_note(text)) == text


def test_what_no_document_can_hold_is_replaced():
    assert read_note(write_note("a\x00b")) == "a\ufffdb"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        (b"<note", ""),
        (b"<note/>", ""),
        (
            b'<n:note xmlns:n="http://schemas.microsoft.com/2006/09/sip/note">'
            b'<n:body type="OOF" uri=""> away </n:body></n:note>',
            "away",
        ),
    ],
)
def test_a_note_that_cannot_be_read_says_nothing(body, text):
    assert read_note(body) == text


@given(st.binary(max_size=60))
def test_no_body_fails(body):
    assert isinstance(read_note(body), str)
