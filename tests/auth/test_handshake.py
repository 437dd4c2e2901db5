"""What the credentials of a handshake have in common."""

from __future__ import annotations

import pytest

from presproxy.auth.handshake import read_token, read_version
from presproxy.errors import CredentialsRejected, MalformedField


@pytest.mark.parametrize(
    ("given", "token"),
    [({}, None), ({"gssapi-data": ""}, b""), ({"gssapi-data": "TlRMTQ=="}, b"NTLM")],
)
def test_a_token_is_read(given, token):
    assert read_token(given) == token


@pytest.mark.parametrize("text", ["x", "TlRM TQ==", "TlRMTQ=", "é", "(null)"])
def test_a_token_that_is_not_in_base64_is_malformed(text):
    with pytest.raises(MalformedField, match="gssapi-data"):
        read_token({"gssapi-data": text})


@pytest.mark.parametrize(("given", "version"), [({}, 2), ({"version": "4"}, 4)])
def test_a_version_is_two_unless_it_is_named(given, version):
    assert read_version(given, (2, 4)) == version


@pytest.mark.parametrize("text", ["3", "5", "-4", "4.0", "", "four", " 4"])
def test_a_version_that_was_not_offered_is_rejected(text):
    with pytest.raises(CredentialsRejected, match="was not offered"):
        read_version({"version": text}, (2, 4))
