from __future__ import annotations

import pytest
import pytest_twisted

from presproxy.auth.open import OpenAuthenticator
from presproxy.errors import AccessDenied
from presproxy.model.identity import Identity
from presproxy.sip.message import parse_message
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.contracts.authenticator import (
    AuthenticatorContract,
    make_flow,
)


class TestOpenAuthenticator(AuthenticatorContract):
    proves = False
    identity = Identity(AddressOfRecord("sip:alice@example.test"), "open")

    def make(self, directory):
        return OpenAuthenticator()


def request_from(text):
    return parse_message(
        (
            "SUBSCRIBE sip:alice@example.test SIP/2.0\r\n"
            "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n"
            f"From: {text};tag=b1\r\n"
            "To: <sip:alice@example.test>\r\n"
            "Call-ID: c1@192.0.2.1\r\n"
            "CSeq: 1 SUBSCRIBE\r\n"
            "Content-Length: 0\r\n\r\n"
        ).encode()
    )


@pytest.mark.parametrize(
    ("text", "aor"),
    [
        ('"Bob" <sip:bob@Example.test:5060;user=phone>', "sip:bob@example.test"),
        ("<tel:+49-30-123>", "tel:+4930123"),
        ("<sip:anonymous@anonymous.invalid>", "sip:anonymous@anonymous.invalid"),
    ],
    ids=["as a phone writes it", "a number", "nobody in particular"],
)
@pytest_twisted.ensureDeferred
async def test_everybody_is_who_from_says(text, aor):
    answer = await OpenAuthenticator().authenticate(request_from(text), make_flow())

    assert answer == Identity(AddressOfRecord(aor), "open")


@pytest_twisted.ensureDeferred
async def test_who_cannot_be_named_is_not_let_in():
    request = request_from("<urn:service:sos>")

    with pytest.raises(AccessDenied, match="nobody"):
        await OpenAuthenticator().authenticate(request, make_flow())


def test_nobody_is_challenged():
    challenges = OpenAuthenticator().challenge(
        request_from("<sip:bob@example.test>"), "example.test", False
    )

    assert list(challenges) == []
