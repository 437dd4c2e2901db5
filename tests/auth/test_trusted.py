from __future__ import annotations

import pytest
import pytest_twisted

from presproxy.auth.trusted import TrustedAuthenticator
from presproxy.errors import AccessDenied
from presproxy.model.identity import Identity
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.contracts.authenticator import (
    AuthenticatorContract,
    make_flow,
    make_request,
)

ALICE = Identity(AddressOfRecord("sip:alice@example.test"), "trusted")


class TestTrustedAuthenticator(AuthenticatorContract):
    proves = False
    identity = ALICE

    def make(self, directory):
        return TrustedAuthenticator(("192.0.2.0/24",), believe_from=True)


def asked(authenticator, *asserted, host="192.0.2.1"):
    request = make_request([("P-Asserted-Identity", each) for each in asserted])
    return authenticator.authenticate(request, make_flow(host))


@pytest.mark.parametrize(
    ("asserted", "aor"),
    [
        (['"Bob" <sip:bob@example.test>'], "sip:bob@example.test"),
        (["tel:+49-30-1", "<sip:bob@example.test>"], "sip:bob@example.test"),
        (["<sips:bob@example.test>, <tel:+49301>"], "sip:bob@example.test"),
        (["<tel:+49301>"], "tel:+49301"),
    ],
    ids=["one", "the SIP one of two", "two in one line", "a number"],
)
@pytest_twisted.ensureDeferred
async def test_a_neighbour_says_who_the_sender_is(asserted, aor):
    answer = await asked(TrustedAuthenticator(("192.0.2.1",)), *asserted)

    assert answer == Identity(AddressOfRecord(aor), "trusted")
    assert answer.is_asserted


@pytest.mark.parametrize(
    ("peers", "host", "is_believed"),
    [
        (("192.0.2.0/24",), "192.0.2.255", True),
        (("192.0.2.0/24",), "192.0.3.0", False),
        (("198.51.100.1", "192.0.2.7"), "192.0.2.7", True),
        (("2001:db8::/32",), "2001:db8:1::7", True),
        (("2001:db8::/32",), "2001:db9::7", False),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("0.0.0.0/0",), "2001:db8::1", False),
    ],
)
@pytest_twisted.ensureDeferred
async def test_only_neighbours_are_believed(peers, host, is_believed):
    authenticator = TrustedAuthenticator(peers, believe_from=True)

    for asserted in ((), ("<sip:alice@example.test>",)):
        answer = await asked(authenticator, *asserted, host=host)
        assert answer == (ALICE if is_believed else None)


@pytest_twisted.ensureDeferred
async def test_from_is_believed_where_that_is_wanted():
    assert await asked(TrustedAuthenticator(("192.0.2.1",))) is None
    answer = await asked(TrustedAuthenticator(("192.0.2.1",), believe_from=True))
    assert answer == ALICE
    assert not answer.is_asserted


@pytest.mark.parametrize(
    "asserted",
    [["<"], ["<urn:service:sos>"], ["<sip:a@b>", "<sip:c@d>", "<sip:e@f>"]],
    ids=["no address", "nobody", "too many"],
)
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_read_lets_nobody_in(asserted):
    with pytest.raises(AccessDenied):
        await asked(TrustedAuthenticator(("192.0.2.1",), believe_from=True), *asserted)


@pytest.mark.parametrize("peers", [(), ("pbx.test",), ("192.0.2.1/24",)])
def test_peers_are_networks(peers):
    with pytest.raises(ValueError, match=r"peers names|neither an address"):
        TrustedAuthenticator(peers)
