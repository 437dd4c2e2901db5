from __future__ import annotations

import re
from string import ascii_letters

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.errors import MalformedField
from presproxy.sip import grammar
from presproxy.sip.header import COMPACT_FORMS, LONG_NAMES, canonical, check_line

tokens = st.from_regex(re.compile(grammar.TOKEN, re.ASCII), fullmatch=True)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("Call-ID", "call-id"),
        ("CALL-id", "call-id"),
        ("i", "call-id"),
        ("I", "call-id"),
        ("o", "event"),
        ("U", "allow-events"),
        ("X-Unheard-Of", "x-unheard-of"),
        ("z", "z"),
    ],
)
def test_names_are_compared_in_one_form(name, form):
    assert canonical(name) == form


@given(st.sampled_from(ascii_letters) | tokens)
def test_a_form_is_its_own(name):
    form = canonical(name)

    assert canonical(form) == form
    assert form not in COMPACT_FORMS


@pytest.mark.parametrize("name", [*COMPACT_FORMS])
def test_a_compact_name_is_written_out_as_a_long_one_of_its_form(name):
    assert canonical(LONG_NAMES[name]) == COMPACT_FORMS[name]
    assert LONG_NAMES[name][0].isupper()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nVia: b"),
        ("X", "a\nb"),
        ("X", "a\rb"),
        ("X", "a\x00b"),
        ("X\r\nY", "a"),
        ("X: y\r\nZ", "a"),
        ("", "a"),
        ("a b", "a"),
    ],
)
def test_no_line_can_be_smuggled_in(name, value):
    with pytest.raises(MalformedField):
        check_line(name, value)
