from __future__ import annotations

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from presproxy.testing.certificates import Authority
from presproxy.transport.proving import Names


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    authority = Authority.make(folder)

    def make(*names):
        path = authority.certify(folder / "one.pem", *names)
        return Names.of(x509.load_pem_x509_certificate(path.read_bytes()))

    return make


@pytest.mark.parametrize(
    ("names", "asked", "is_proved"),
    [
        (["a.test"], "a.test", True),
        (["A.test"], "a.TEST.", True),
        (["a.test"], "b.a.test", False),
        (["*.a.test"], "b.a.test", False),
        (["a.test", "sip:b.test"], "b.test", True),
        (["a.test", "sip:b.test"], "a.test", False),
        (["a.test", "sips:b.test"], "b.test", False),
        (["a.test", "sip:x@b.test"], "a.test", True),
        (["a.test", "sip:x@b.test"], "b.test", False),
        (["192.0.2.1"], "192.0.2.1", True),
        (["2001:db8::1"], "[2001:DB8:0::1]", True),
        (["a.test"], "192.0.2.1", False),
    ],
    ids=[
        "a host",
        "in any case",
        "a host within",
        "a star for nobody",
        "a domain",
        "a host beside a domain",
        "a domain for sips",
        "a host beside a user",
        "a user for no domain",
        "an address",
        "an address of IPv6",
        "no address",
    ],
)
def test_a_certificate_proves_what_rfc_5922_says(names, asked, is_proved, certified):
    assert certified(*names).proves(asked) is is_proved


def test_users_are_those_of_uris_and_mailboxes(certified):
    names = certified(
        "x", "sip:alice@a.test", "bob@a.test", "http://a.test", "sip:b.test"
    )

    assert names.users == ("sip:alice@a.test", "mailto:bob@a.test")


@pytest.mark.parametrize(
    ("asked", "suits"),
    [("b.a.test", True), ("c.b.a.test", False), ("a.test", False), ("", False)],
)
def test_one_with_a_star_is_shown_to_who_asks_for_a_name_there(asked, suits, certified):
    assert certified("*.a.test").suits(asked) is suits


@given(st.text())
def test_whatever_is_asked_for_is_answered(name):
    assert not Names(frozenset({"a.test"})).proves(f"{name}!")
