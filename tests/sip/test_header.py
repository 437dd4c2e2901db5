from __future__ import annotations

import re
from string import ascii_letters

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.errors import MalformedField
from presproxy.sip import grammar
from presproxy.sip.header import COMPACT_FORMS, Header, canonical

tokens = st.from_regex(re.compile(grammar.TOKEN, re.ASCII), fullmatch=True)


@pytest.fixture
def header():
    return Header(
        [
            ("Via", "SIP/2.0/UDP a, SIP/2.0/UDP b"),
            ("v", "SIP/2.0/UDP c"),
            ("X-Thing", "one"),
            ("Route", "<sip:a,b>"),
            ("x-THING", "two"),
        ]
    )


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


def test_a_header_is_read_by_any_spelling(header):
    assert header.get("VIA") == "SIP/2.0/UDP a, SIP/2.0/UDP b"
    assert header.get_all("x-thing") == ["one", "two"]
    assert header.values("V") == ["SIP/2.0/UDP a", "SIP/2.0/UDP b", "SIP/2.0/UDP c"]
    assert header.values("route") == ["<sip:a,b>"]
    assert header.get("date") is None
    assert ("X-Thing" in header, "date" in header, len(header)) == (True, False, 5)


def test_it_is_written_as_it_came(header):
    assert str(header) == (
        "Via: SIP/2.0/UDP a, SIP/2.0/UDP b\r\nv: SIP/2.0/UDP c\r\n"
        "X-Thing: one\r\nRoute: <sip:a,b>\r\nx-THING: two\r\n"
    )


def test_what_is_pushed_is_above_all_of_its_name(header):
    header.push("x-thing", "zero")
    header.push("Record-Route", "<sip:r>")

    assert header.get_all("X-Thing") == ["zero", "one", "two"]
    assert next(iter(header)) == ("Record-Route", "<sip:r>")


def test_the_topmost_value_is_popped(header):
    popped = [header.pop("via") for _ in range(4)]

    assert popped == ["SIP/2.0/UDP a", "SIP/2.0/UDP b", "SIP/2.0/UDP c", None]
    assert "Via" not in header


def test_what_is_set_is_the_only_one_and_in_its_place(header):
    header.set("X-THING", "three")
    header.set("Date", "now")

    assert [name for name, _ in header] == ["Via", "v", "X-Thing", "Route", "Date"]
    assert header.get_all("x-thing") == ["three"]


def test_what_is_removed_is_gone(header):
    header.remove("via")
    header.remove("date")

    assert [name for name, _ in header] == ["X-Thing", "Route", "x-THING"]


@pytest.mark.parametrize("change", ["add", "push", "set"])
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
def test_no_line_can_be_smuggled_in(header, change, name, value):
    before = str(header)

    with pytest.raises(MalformedField):
        getattr(header, change)(name, value)

    assert str(header) == before


def test_two_headers_are_equal_line_by_line(header):
    assert header == Header(list(header))
    assert header != Header([("a", "b")])
    assert header != "x"
    assert repr(Header([("a", "b")])) == "Header([('a', 'b')])"
