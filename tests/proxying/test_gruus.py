"""GRUUs as they are written and read."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.proxying.gruus import Gruus, Meant
from presproxy.proxying.keys import Keyring
from presproxy.sip.uri import SipURI, escape_user, parse_uri

GRUUS = Gruus(Keyring(b"secret"), os.urandom)
ALICE = "sip:alice@example.test"
LABEL = "0123456789ab"

users = st.text(min_size=1, max_size=20).filter(
    lambda each: each.isprintable() and each.isascii()
)


def read(text, gruus=GRUUS):
    return gruus.meant(parse_uri(text))


@given(users)
def test_a_temporary_one_means_whom_it_was_written_for(user):
    aor = f"sip:{escape_user(user)}@example.test"

    assert read(GRUUS.temporary(aor, LABEL)) == Meant(aor, label=LABEL)


@given(users, st.text("abcdef0123456789:-;=#?", min_size=1, max_size=60))
def test_a_public_one_means_its_user_and_instance(user, name):
    aor, urn = f"sip:{escape_user(user)}@example.test", f"urn:x:{name}"

    assert read(GRUUS.public(aor, urn)) == Meant(aor, instance=urn)


@given(st.text(max_size=600))
def test_no_text_is_taken_for_a_temporary_one(text):
    uri = SipURI("sip", f"tgruu.{text}", None, "example.test", None, (("gr", None),))

    assert GRUUS.meant(uri) is None


def test_no_octet_of_it_can_be_another():
    text = GRUUS.temporary(ALICE, LABEL)
    begin, end = text.index(".") + 1, text.index("@")
    for at in range(begin, end - 1):
        other = "A" if text[at] != "A" else "B"

        assert read(text[:at] + other + text[at + 1 :]) is None


def test_none_looks_like_another_of_the_same_user():
    ones = {GRUUS.temporary(ALICE, LABEL) for _ in range(100)}
    begins = {each[:20] for each in ones}

    assert (len(ones), len(begins)) == (100, 100)


def test_its_length_does_not_tell_the_name():
    assert len(GRUUS.temporary("sip:al@example.test", LABEL)) == len(
        GRUUS.temporary("sip:alexander@example.test", LABEL)
    )


@pytest.mark.parametrize(("size", "is_one"), [(190, True), (400, False)])
def test_there_is_none_for_a_name_that_is_too_long(size, is_one):
    aor = f"sip:{'a' * size}@example.test"
    text = GRUUS.temporary(aor, LABEL)

    assert (text is not None) is is_one
    if text is not None:
        assert read(text) == Meant(aor, label=LABEL)


def test_it_outlives_its_key_as_long_as_that_is_known():
    keys = Keyring(b"secret")
    gruus = Gruus(keys, os.urandom)
    text = gruus.temporary(ALICE, LABEL)
    keys.take(b"newer", [b"secret"])
    before = read(text, gruus)
    keys.take(b"newer", [])

    assert (before, read(text, gruus)) == (Meant(ALICE, label=LABEL), None)


@pytest.mark.parametrize(
    "text", ["sip:alice@example.test", "sip:example.test", "sip:tgruu.x@example.test"]
)
def test_other_uris_are_none(text):
    assert read(text) is None
