from __future__ import annotations

import pytest
import pytest_twisted

from presproxy.auth.tls import TlsAuthenticator
from presproxy.model.identity import Identity
from presproxy.sip.flow import Flow
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.contracts.authenticator import (
    AuthenticatorContract,
    make_request,
)

ALICE = Identity(AddressOfRecord("sip:alice@example.test"), "tls")


class CertifiedFlow(Flow):
    transport = "TLS"
    reliable = True

    def __init__(self, *certified):
        super().__init__(("192.0.2.9", 5061), ("192.0.2.1", 40000), "192.0.2.9:5061")
        self._certified = certified

    @property
    def certified(self):
        return self._certified


class TestTlsAuthenticator(AuthenticatorContract):
    proves = False
    identity = ALICE

    def make(self, directory):
        return TlsAuthenticator()

    def flow(self):
        return CertifiedFlow("sip:alice@example.test")


@pytest.mark.parametrize(
    ("certified", "options", "is_known"),
    [
        ((), {}, False),
        (("sip:bob@example.test",), {}, False),
        (("sip:bob@example.test", "sip:alice@EXAMPLE.test"), {}, True),
        (("mailto:alice@example.test",), {}, False),
        (("mailto:alice@example.test",), {"mailboxes": True}, True),
        (("mailto:alice",), {"mailboxes": True}, False),
    ],
    ids=[
        "no certificate",
        "another's",
        "one of two",
        "a mailbox",
        "a mailbox taken",
        "no mailbox",
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_certificate_is_for_whom_it_names(certified, options, is_known):
    flow = CertifiedFlow(*certified)

    answer = await TlsAuthenticator(**options).authenticate(make_request(), flow)

    assert answer == (ALICE if is_known else None)


@pytest_twisted.ensureDeferred
async def test_what_is_passed_on_is_not_proved_by_who_passes_it_on():
    request = make_request([("Via", "SIP/2.0/TLS 192.0.2.7;branch=z9hG4bK0")])
    flow = CertifiedFlow("sip:alice@example.test")

    assert await TlsAuthenticator().authenticate(request, flow) is None
