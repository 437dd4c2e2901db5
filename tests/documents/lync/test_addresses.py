from __future__ import annotations

import pytest

from presproxy.documents.lync.addresses import with_scheme, without_scheme


@pytest.mark.parametrize(
    ("address", "whole"),
    [
        ("bob@example.test", "sip:bob@example.test"),
        ("sip:bob@example.test", "sip:bob@example.test"),
        ("SIP:bob@example.test", "SIP:bob@example.test"),
        ("tel:+4930", "tel:+4930"),
        ("sips:bob@example.test", "sips:bob@example.test"),
        ("sipper:secret@example.test", "sip:sipper:secret@example.test"),
    ],
)
def test_an_address_gets_the_scheme_it_lacks(address, whole):
    assert with_scheme(address) == whole


@pytest.mark.parametrize(
    ("address", "bare"),
    [
        ("sip:bob@example.test", "bob@example.test"),
        ("Sip:bob@example.test", "bob@example.test"),
        ("bob@example.test", "bob@example.test"),
        ("tel:+4930", "tel:+4930"),
    ],
)
def test_only_sip_is_left_out(address, bare):
    assert without_scheme(address) == bare
