"""
NTLM for Lync clients ([MS-SIPAE], [MS-NLMP]) with the hashes of a users' file.

Either each message is signed from then on, in both directions, or the connection is
trusted by which the user proved himself.  The user agent begins without a message of
NTLM's own, so a handshake is: a challenge without a token, credentials with an empty one,
a challenge, and the proof.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from presproxy.auth import ntlmkeys
from presproxy.auth.associations import Associations, Trusted
from presproxy.auth.attempts import Guesses
from presproxy.auth.directory import Directory
from presproxy.auth.handshake import (
    are_known,
    can_be_asked,
    domain_asked_for,
    given_to_us,
    read_token,
    read_version,
)
from presproxy.auth.ntlmmessages import (
    Authenticate,
    read_authenticate,
    write_challenge,
)
from presproxy.auth.perflow import PerFlow
from presproxy.auth.sipae import VERSIONS, Terms
from presproxy.auth.tally import Tally
from presproxy.auth.users import NT
from presproxy.errors import (
    AuthenticationContinues,
    CredentialsRejected,
    MalformedField,
    SignInRefused,
)
from presproxy.extend.maker import option
from presproxy.interfaces import IAuthenticator, IHouse
from presproxy.model.identity import Identity
from presproxy.sip.authfields import ProxyChallenge
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request
from presproxy.sip.uri import AddressOfRecord, domain_of, user_of

_log = Logger()

#: What vouches for the identities proved here, and the name of the scheme.
NTLM = "ntlm"
_SCHEME = "NTLM"

#: Seconds for a user agent to answer a CHALLENGE; it does so without asking anybody.
_PATIENCE = 60.0


_FIELDS = {"401": "authorization", "407": "proxy-authorization"}


@attrs.frozen
class _Begun:
    """A handshake that waits for its proof."""

    opaque: str
    challenge: bytes
    until: float


@implementer(IAuthenticator)
@attrs.define(eq=False)
class NtlmAuthenticator:
    """Asks Lync clients on streams for a password, by NTLM; it asks nobody else."""

    users: str = option("The users' file, as `presproxy passwd` writes it.")
    mode: Literal["401", "407"] = option(
        "401: every message is signed from then on, in both directions. 407: only the "
        "password is asked for, and then the connection is trusted, which TLS has to "
        "protect.",
        default="401",
    )
    target: str | None = option(
        "The server's name, as clients are told it. Without it, their domain.",
        default=None,
        validator=attrs.validators.optional(
            attrs.validators.matches_re(r"[A-Za-z0-9.\-]+")
        ),
    )
    versions: tuple[int, ...] = option(
        "The versions of the protocol that are taken; the highest is offered.",
        default=VERSIONS,
        validator=are_known,
    )
    life: float = option(
        "Seconds until a user has to prove himself again, on a connection that lasts.",
        default=8 * 3600.0,
        validator=attrs.validators.gt(0),
    )
    failures: int = option(
        "Wrong passwords a minute after which a user is refused for a minute, from that "
        "address; after ten times as many, so are all users from there. 0 counts none.",
        default=20,
        validator=attrs.validators.ge(0),
    )
    _random: Callable[[int], bytes] = attrs.field(default=os.urandom, kw_only=True)
    _nobody: bytes = attrs.field(init=False)
    _guesses: Guesses = attrs.field(init=False)
    _begun: PerFlow[_Begun] = attrs.field(init=False, factory=PerFlow)
    _domains: Collection[str] = attrs.field(init=False, default=())
    _seconds: Callable[[], float] = attrs.field(init=False)
    _directory: Directory = attrs.field(init=False)
    _associations: Associations = attrs.field(init=False)
    _trusted: Trusted = attrs.field(init=False)
    _tally: Tally = attrs.field(init=False, factory=Tally)

    def __attrs_post_init__(self) -> None:
        # As long as a true one; nobody knows what it is the hash of.
        self._nobody = self._random(16)
        self._guesses = Guesses(self.failures)

    async def start(self, house: IHouse) -> None:
        """Read the users; raises `ConfigurationMistakes` or OSError if they cannot be."""
        self._domains = frozenset(house.domains)
        self._seconds = house.reactor.seconds
        self._directory = Directory(Path(self.users), self._seconds)
        self._directory.open()
        self._warn_of_others()
        self._associations = Associations(
            self.life, house.reactor, self._random, self._directory.user
        )
        self._trusted = Trusted(self.life, self._seconds, self._directory.user)
        self._tally = Tally.of(
            house.metrics, NTLM, lambda: len(self._associations) + len(self._trusted)
        )

    def _warn_of_others(self) -> None:
        without = self._directory.without(NT)
        if without:
            _log.warn(
                "{users}: {without} of {all} users have no NT hash, and cannot sign in "
                "before their passwords are written again",
                users=self.users,
                without=without,
                all=len(self._directory),
            )

    async def stop(self) -> None:
        """Trust nobody any more."""
        self._begun.clear()
        self._associations.clear()
        self._trusted.clear()

    # --- Challenging

    def challenge(self, request: Request, realm: str, stale: bool) -> Sequence[str]:
        if not can_be_asked(request):
            return ()
        return (self._as_asked(self._terms(request).challenge()),)

    def _as_asked(self, challenge: str) -> str:
        return challenge if self.mode == "401" else ProxyChallenge(challenge)

    def _terms(self, request: Request, version: int | None = None) -> Terms:
        version = max(self.versions) if version is None else version
        return Terms(
            _SCHEME, self.target or domain_asked_for(request, self._domains), version
        )

    # --- Verifying

    async def authenticate(self, request: Request, flow: Flow) -> Identity | None:
        if not flow.reliable or not request.has_one_via:
            return None
        given = given_to_us(request, _FIELDS[self.mode], "ntlm")
        if given is None:
            known = self._trusted.believes(flow, request)
        elif "gssapi-data" in given:
            known = self._prove(given, request, flow)
        else:
            known = self._check(given, request, flow)
        return None if known is None else Identity(known, NTLM)

    def _check(
        self, given: Mapping[str, str], request: Request, flow: Flow
    ) -> AddressOfRecord:
        """Say whose request it is by its signature; raises `CredentialsRejected`."""
        try:
            return self._associations.check(flow, given, request)
        except (CredentialsRejected, SignInRefused):
            self._tally.unsigned.value += 1
            raise

    def _prove(
        self, given: Mapping[str, str], request: Request, flow: Flow
    ) -> AddressOfRecord:
        """
        Go on with a handshake.

        Raises `AuthenticationContinues` at its begin, and `CredentialsRejected` or
        `SignInRefused` unless the password is right.
        """
        begun, now = self._begun.pop(flow), self._seconds()
        try:
            token, version = read_token(given), read_version(given, self.versions)
            terms = self._terms(request, version)
            if not token:
                raise AuthenticationContinues(self._begin(terms, request, flow))
            if begun is None or begun.opaque != given.get("opaque"):
                raise CredentialsRejected("an answer to no challenge of ours")
            if now >= begun.until:
                raise CredentialsRejected("the challenge is too old")
            answer = read_authenticate(token)
        except MalformedField as error:
            raise CredentialsRejected(str(error)) from error
        user, session_key = self._verify(answer, begun.challenge, request, flow)
        if self.mode == "407":
            self._trusted.trust(flow, request, user)
        else:
            self._sign(begun.opaque, user, terms, session_key, given, request, flow)
        self._tally.proved.value += 1
        return user

    def _begin(self, terms: Terms, request: Request, flow: Flow) -> str:
        until = self._seconds() + _PATIENCE
        begun = _Begun(self._associations.name(), self._random(8), until)
        self._begun.put(flow, begun)
        token = write_challenge(
            begun.challenge, terms.target, domain_asked_for(request, self._domains)
        )
        return self._as_asked(terms.challenge(begun.opaque, token))

    def _sign(
        self,
        opaque: str,
        user: AddressOfRecord,
        terms: Terms,
        session_key: bytes,
        given: Mapping[str, str],
        request: Request,
        flow: Flow,
    ) -> None:
        """Sign from now on; from version 4 on this request is signed already."""
        signer = ntlmkeys.SessionSigner.of(session_key)
        association = self._associations.make(opaque, user, terms, signer)
        if terms.version > 3:
            association.check(given, request)
        self._associations.hold(flow, association)

    # --- Passwords

    def _verify(
        self, answer: Authenticate, challenge: bytes, request: Request, flow: Flow
    ) -> tuple[AddressOfRecord, bytes]:
        """Give who it is and the session's key, in the same time if it is nobody."""
        name, domain = self._account(answer, request)
        host, now = flow.peer[0], self._seconds()
        self._guesses.check(host, (name, domain), now)
        found = self._directory.nt_hash(name, domain)
        hashed = self._nobody if found is None else bytes.fromhex(found[1])
        key = ntlmkeys.response_key(hashed, answer.user, answer.domain)
        right = ntlmkeys.proof(key, challenge, answer.rest)
        if not hmac.compare_digest(right, answer.proof) or found is None:
            self._guesses.fail(host, (name, domain), now)
            self._tally.wrong.value += 1
            raise self._wrong_password()
        base_key = ntlmkeys.session_base_key(key, right)
        return found[0].aor, ntlmkeys.rc4(base_key, answer.key)

    def _wrong_password(self) -> CredentialsRejected | SignInRefused:
        """
        Refuse who is not known or has another password.

        With 407 a user agent would answer many times over before it asks its user.
        """
        why = "unknown user or wrong password"
        if self.mode == "407":
            return SignInRefused(why)
        return CredentialsRejected(why)

    def _account(self, answer: Authenticate, request: Request) -> tuple[str, str]:
        """
        Say who is meant, as user and domain.

        A user writes his whole address; or his name, and a domain that Windows knows, for
        which we take the one he speaks for.
        """
        name, at, domain = answer.user.rpartition("@")
        if not at:
            name, domain = answer.user, answer.domain
        if domain.lower() in self._domains:
            return name, domain.lower()
        try:
            claimed = request.from_.aor
        except MalformedField as error:
            raise CredentialsRejected(str(error)) from error
        user = user_of(claimed) or ""
        # Windows does not tell small letters from capitals.
        return user if user.lower() == name.lower() else name, domain_of(claimed)
