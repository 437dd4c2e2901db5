from __future__ import annotations

import re
from contextlib import suppress
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presproxy.errors import MalformedField
from presproxy.sip import grammar
from presproxy.sip.authfields import parse_challenge, parse_credentials
from presproxy.sip.eventfields import parse_event, parse_subscription_state
from presproxy.sip.fields import (
    parse_accept,
    parse_contact,
    parse_cseq,
    parse_media_type,
    parse_name_address,
    parse_seconds,
    parse_via,
    split_values,
)
from presproxy.sip.head import LARGEST_HEAD
from presproxy.sip.uri import address_of_record, parse_uri

tokens = st.from_regex(re.compile(grammar.TOKEN, re.ASCII), fullmatch=True)


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("", ()),
        (";a", (("a", None),)),
        (";a=", (("a", ""),)),
        (";a=b;C=d=e", (("a", "b"), ("C", "d=e"))),
        (" ; a = b\t; c ", (("a", "b"), ("c", None))),
        (';a="x;y,\\"z"', (("a", '"x;y,\\"z"'),)),
        (';+sip.instance="<urn:uuid:0>"', (("+sip.instance", '"<urn:uuid:0>"'),)),
        (";received=[2001:db8::1]", (("received", "[2001:db8::1]"),)),
        (";a=b;", (("a", "b"),)),
        (";a=ö", (("a", "ö"),)),
    ],
)
def test_parameters_are_read_as_they_are_written(text, parameters):
    assert grammar.parse_parameters("X", text) == parameters


@pytest.mark.parametrize(
    "text",
    ["a", ";;a", ";=b", ';a="', ';a="b', ";a b", ";a=b c", ";a<b", ";a=b,", ";ö=1"],
)
def test_parameters_that_cannot_be_read_are_refused(text):
    with pytest.raises(MalformedField, match=r"^X: "):
        grammar.parse_parameters("X", text)


@given(
    st.lists(
        st.tuples(
            tokens, st.none() | tokens | st.text(max_size=9).map(grammar.quote)
        ).filter(lambda pair: "\n" not in (pair[1] or ""))
    )
)
def test_parameters_read_back_the_same(parameters):
    written = grammar.write_parameters(tuple(parameters))

    assert grammar.parse_parameters("X", written) == tuple(parameters)


@given(st.text())
def test_a_quoted_string_reads_back_the_same(text):
    assert grammar.unquote(grammar.quote(text)) == text


def test_the_first_of_equal_parameters_is_found_in_any_case():
    parameters = (("Tag", '"a\\"b"'), ("tag", "c"), ("lr", None))

    assert grammar.find_parameter(parameters, "tag") == 'a"b'
    assert grammar.find_parameter(parameters, "lr") == ""
    assert grammar.find_parameter(parameters, "x") is None


READERS = [
    split_values,
    parse_via,
    parse_contact,
    parse_cseq,
    parse_media_type,
    parse_event,
    parse_subscription_state,
    parse_credentials,
    parse_challenge,
    parse_uri,
    address_of_record,
    lambda text: parse_name_address("From", text),
    lambda text: parse_seconds("Expires", text),
    lambda text: parse_accept(split_values(text)),
]
BEGINNINGS = [
    "",
    "a",
    '"',
    "<",
    "sip:",
    "sip:a@",
    "SIP/2.0/UDP h",
    "Digest a=",
    "Digest ",
    "SIP/2.0/",
    "SIP/2.0/UDP h;",
    "a/b;a=",
    "active;expires=",
    "1 ",
    'Digest a="',
    "a/b;",
    "*;",
]
PIECES = [
    *(
        '"',
        "<",
        ">",
        "\\",
        '\\"',
        " ",
        "\t",
        ",",
        ";",
        "=",
        ":",
        "/",
        "@",
        "%41",
        "%",
        "?",
    ),
    *(
        "0",
        "a",
        ".",
        "[",
        "a=",
        ";a",
        ";a=",
        '"",',
        "<>",
        ' "',
        "a,",
        "a:",
        "::",
        ';a="\\',
    ),
]


@pytest.mark.parametrize("read", READERS)
def test_no_input_takes_long(read):
    began = process_time()
    for beginning in BEGINNINGS:
        for piece in PIECES:
            text = beginning + piece * (LARGEST_HEAD // len(piece))
            for end in ("", "!", "\x00"):
                with suppress(MalformedField):
                    read(text + end)

    # A thousand texts of 16 kB take 0.1 to 0.6 s here.  A reader that is quadratic in
    # the length takes ten times as long for each.
    assert process_time() - began < 6


WIRE = st.binary(max_size=60).map(lambda data: data.decode("utf-8", "surrogateescape"))
PIECEWISE = st.lists(st.sampled_from([*BEGINNINGS, *PIECES])).map("".join)


# Not parametrised: pytest-twisted wraps a property anew for each parameter, and waits
# within its own waiting.
@settings(max_examples=10 * settings().max_examples)
@given(st.sampled_from(READERS), WIRE | PIECEWISE)
def test_no_text_fails_in_another_way(read, text):
    with suppress(MalformedField):
        str(read(text))
