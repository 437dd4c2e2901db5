"""
What an `IAuthenticator` promises, as tests to subclass.

    class TestAcmeAuthenticator(AuthenticatorContract):
        def make(self, directory: Path) -> IAuthenticator:
            return AcmeAuthenticator(url="acme://…")
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from presproxy.errors import (
    AccessDenied,
    AuthenticationContinues,
    CredentialsRejected,
)
from presproxy.interfaces import IAuthenticator
from presproxy.model.identity import Identity
from presproxy.sip.authfields import parse_challenge
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request, parse_message
from presproxy.testing.examples import examples
from presproxy.testing.recorders import FakeHouse
from presproxy.testing.waiting import waiting_fixture, waiting_test

#: The answers which are not failures of the plugin.
_DECLARED = (CredentialsRejected, AuthenticationContinues, AccessDenied)

_REQUEST = """\
PUBLISH sip:alice@example.test SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1
Max-Forwards: 70
From: <sip:alice@example.test>;tag=a1
To: <sip:alice@example.test>
Call-ID: c1@192.0.2.1
CSeq: 1 PUBLISH
Event: presence
Expires: 600
{credentials}Content-Length: 0

"""

_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=80)
#: A field, an auth-scheme, and what a broken user agent may put behind it.
_GARBAGE = st.tuples(
    st.sampled_from(["Authorization", "Proxy-Authorization"]),
    st.sampled_from(["", "Digest ", "digest ", "NTLM ", "Bearer "]),
    _TEXT,
)
_DAMAGE = st.tuples(st.integers(0, 1000), st.sampled_from("0aF=\",; x\\'"))

_Credentials = Sequence[tuple[str, str]]


def make_request(credentials: _Credentials = ()) -> Request:
    """Give alice's PUBLISH with these header fields in it."""
    lines = "".join(f"{name}: {value}\n" for name, value in credentials)
    text = _REQUEST.format(credentials=lines).replace("\n", "\r\n")
    message = parse_message(text.encode("utf-8"))
    assert isinstance(message, Request)
    return message


def make_flow(host: str = "192.0.2.1") -> Flow:
    """Give a flow from a peer to whom nothing can be sent."""
    return Flow(("192.0.2.9", 5060), (host, 5060), "192.0.2.9:5060")


class AuthenticatorContract(ABC):
    """
    Tests of everything an authenticator promises.

    The house it is started in serves ``example.test``.
    """

    #: Whether it asks for a proof, rather than to believe what is said.
    proves: ClassVar[bool] = True
    #: For whom `credentials` are good.
    identity: ClassVar[Identity | None] = None

    @abstractmethod
    def make(self, directory: Path) -> IAuthenticator:
        """Make one, not yet started; ``directory`` is its own, and empty."""

    def credentials(
        self, challenges: Sequence[str], method: str, uri: str
    ) -> _Credentials:
        """
        Answer challenges with header fields that prove `identity`.

        None are needed from an authenticator whose proof is elsewhere, as in the flow.
        """
        return ()

    def flow(self) -> Flow:
        """Give a flow that a request came by; one of its own for each."""
        return make_flow()

    @pytest.fixture
    def house(self) -> FakeHouse:
        """The house it is started in."""
        return FakeHouse()

    @waiting_fixture
    async def authenticator(
        self, tmp_path: Path, house: FakeHouse
    ) -> AsyncIterator[IAuthenticator]:
        """One which is ready."""
        authenticator = self.make(tmp_path)
        await authenticator.start(house)
        yield authenticator
        await authenticator.stop()

    def test_it_provides_the_interface(self, authenticator: IAuthenticator) -> None:
        assert verifyObject(IAuthenticator, authenticator)

    @waiting_test
    async def test_a_request_without_credentials_is_not_its_own(
        self, authenticator: IAuthenticator
    ) -> None:
        if not self.proves:
            pytest.skip("it needs no credentials")

        answer = await authenticator.authenticate(make_request(), self.flow())

        assert answer is None

    @waiting_test
    async def test_credentials_of_another_scheme_are_not_its_own(
        self, authenticator: IAuthenticator
    ) -> None:
        if not self.proves:
            pytest.skip("it needs no credentials")
        request = make_request([("Authorization", "Carrier-Pigeon ring=7")])

        answer = await authenticator.authenticate(request, self.flow())

        assert answer is None

    @waiting_test
    async def test_garbage_proves_nobody(self, authenticator: IAuthenticator) -> None:
        proved = [
            (field, value)
            for field, scheme, rest in examples(_GARBAGE, 300)
            if await self._answer(authenticator, [(field, value := scheme + rest)])
        ]

        assert proved == [] or not self.proves

    @waiting_test
    async def test_damaged_credentials_prove_nobody_else(
        self, authenticator: IAuthenticator
    ) -> None:
        answers = set()
        for name, value in self._good(authenticator)[:1]:
            for place, sign in examples(_DAMAGE, 300):
                place %= len(value)
                damaged = value[:place] + sign + value[place + 1 :]
                answers.add(await self._answer(authenticator, [(name, damaged)]))

        # A white space more or the name of a parameter which nobody needs is no damage.
        assert answers <= {None, self.identity}

    @waiting_test
    async def test_good_credentials_prove_who_it_is(
        self, authenticator: IAuthenticator
    ) -> None:
        if self.identity is None:
            pytest.skip("nobody is known to it here")
        request = make_request(self._good(authenticator))

        answer = await authenticator.authenticate(request, self.flow())

        assert answer == self.identity

    @waiting_test
    async def test_good_credentials_prove_nothing_for_another_method(
        self, authenticator: IAuthenticator
    ) -> None:
        if not self._good(authenticator):
            pytest.skip("it needs no credentials")
        challenges = authenticator.challenge(make_request(), "example.test", False)
        other = self.credentials(challenges, "REGISTER", "sip:alice@example.test")

        assert await self._answer(authenticator, other) is None

    @pytest.mark.parametrize("stale", [False, True])
    def test_a_challenge_is_a_field_value(
        self, authenticator: IAuthenticator, stale: bool
    ) -> None:
        challenges = authenticator.challenge(make_request(), "example.test", stale)

        assert [each for each in challenges if not _is_field_value(each)] == []

    @pytest.mark.parametrize("stale", [False, True])
    def test_a_challenge_of_digest_names_the_realm_and_says_if_it_was_stale(
        self, authenticator: IAuthenticator, stale: bool
    ) -> None:
        challenges = authenticator.challenge(make_request(), "example.test", stale)

        digests = [parse_challenge(each) for each in challenges]
        found = {(each.realm, each.stale) for each in digests if each is not None}
        assert found <= {("example.test", stale)}

    @waiting_test
    async def test_it_may_be_stopped_at_once(
        self, tmp_path: Path, house: FakeHouse
    ) -> None:
        authenticator = self.make(tmp_path)

        await authenticator.start(house)
        await authenticator.stop()

    def _good(self, authenticator: IAuthenticator) -> _Credentials:
        challenges = authenticator.challenge(make_request(), "example.test", False)
        return self.credentials(challenges, "PUBLISH", "sip:alice@example.test")

    async def _answer(
        self, authenticator: IAuthenticator, credentials: _Credentials
    ) -> Identity | None:
        """Give who it is, and None for any declared answer which says nobody."""
        try:
            return await authenticator.authenticate(
                make_request(credentials), self.flow()
            )
        except _DECLARED:
            return None


def _is_field_value(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9\-]+(?: [\x20-\x7e]+)?", text) is not None
