"""
Kerberos for Lync clients ([MS-SIPAE]): whoever has a ticket for us needs no password.

The ticket comes with the credentials, and each message is signed from then on.  The
library is an extra, ``kerberos``, which is looked for when this is used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import attrs
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from presproxy.auth.associations import Associations
from presproxy.auth.handshake import (
    are_known,
    can_be_asked,
    given_to_us,
    read_token,
    read_version,
)
from presproxy.auth.perflow import PerFlow
from presproxy.auth.sipae import Signer, Terms
from presproxy.auth.tally import Tally
from presproxy.errors import CredentialsRejected, MalformedField, SignInRefused
from presproxy.extend.maker import option
from presproxy.interfaces import IAuthenticator, IHouse
from presproxy.model.identity import Identity
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request
from presproxy.sip.uri import AddressOfRecord, address_of_record

#: What vouches for the identities proved here, and the name of the scheme.
KERBEROS = "kerberos"
_SCHEME = "Kerberos"

#: Where the library is, and what it is called by who installs it.
_GSS, _LIBRARY = "presproxy.auth.gss", "gssapi"

#: What stands for itself as the user of a URI (RFC 3261 §25.1, unreserved).
_is_plain = re.compile(r"[A-Za-z0-9_.!~*'()+-]+").fullmatch

#: How many tickets are read at once; each takes a few milliseconds, most of them to note
#: on disk that it was used.
_THREADS = 4


class Acceptor(Protocol):
    """What reads tickets; see `presproxy.auth.gss.Acceptor`."""

    def accept(self, token: bytes) -> tuple[str, Signer]:
        """Give the principal, and what signs; raises `CredentialsRejected`."""


@implementer(IAuthenticator)
@attrs.define(eq=False)
class KerberosAuthenticator:
    """Asks Lync clients on streams for a ticket; it asks nobody else."""

    target: str = option(
        "The principal that tickets are for, without its realm: sip/ and the server's "
        "name.",
        validator=attrs.validators.matches_re(r"[A-Za-z0-9.\-]+/[A-Za-z0-9.\-]+"),
    )
    keytab: str | None = option(
        "The file with its key. Without it, the keytab of this host.", default=None
    )
    domain: str | None = option(
        "The domain whose users the principals are. Without it, their realm in small "
        "letters.",
        default=None,
    )
    versions: tuple[int, ...] = option(
        "The versions of the protocol that are taken; the highest is offered.",
        default=(3, 4),
        validator=are_known,
    )
    life: float = option(
        "Seconds until a user has to prove himself again, on a connection that lasts.",
        default=8 * 3600.0,
        validator=attrs.validators.gt(0),
    )
    _random: Callable[[int], bytes] = attrs.field(default=os.urandom, kw_only=True)
    _domains: Collection[str] = attrs.field(init=False, default=())
    _reactor: Any = attrs.field(init=False)  # IReactorCore and more, which zope lacks
    _acceptor: Acceptor = attrs.field(init=False)
    _threads: ThreadPool = attrs.field(init=False)
    _under_way: PerFlow[bool] = attrs.field(init=False, factory=PerFlow)
    _associations: Associations = attrs.field(init=False)
    _tally: Tally = attrs.field(init=False, factory=Tally)

    def __attrs_post_init__(self) -> None:
        if find_spec(_LIBRARY) is None:
            raise ValueError(
                f"{_LIBRARY} is not installed: pip install 'presproxy[kerberos]'"
            )

    async def start(self, house: IHouse) -> None:
        """Read the key; raises `ConfigurationMistakes` if it is not there."""
        self._domains = frozenset(house.domains)
        self._reactor = house.reactor
        self._associations = Associations(self.life, house.reactor, self._random)
        # Not imported above, as most who run a server do not have it.
        self._acceptor = import_module(_GSS).Acceptor(self.target, self.keytab)
        self._threads = ThreadPool(0, _THREADS, KERBEROS)
        self._threads.start()
        self._tally = Tally.of(house.metrics, KERBEROS, lambda: len(self._associations))

    async def stop(self) -> None:
        """Trust nobody any more."""
        self._under_way.clear()
        self._associations.clear()
        self._threads.stop()

    # --- Challenging

    def challenge(self, request: Request, realm: str, stale: bool) -> Sequence[str]:
        if not can_be_asked(request):
            return ()
        return (self._terms(max(self.versions)).challenge(),)

    def _terms(self, version: int) -> Terms:
        return Terms(_SCHEME, self.target, version)

    # --- Verifying

    async def authenticate(self, request: Request, flow: Flow) -> Identity | None:
        if not flow.reliable or not request.has_one_via:
            return None
        given = given_to_us(request, "authorization", "kerberos")
        if given is None:
            return None
        if "gssapi-data" not in given:
            return Identity(self._check(given, request, flow), KERBEROS)
        try:
            return Identity(await self._prove(given, request, flow), KERBEROS)
        except MalformedField as error:
            self._tally.wrong.value += 1
            raise CredentialsRejected(str(error)) from error
        except CredentialsRejected:
            self._tally.wrong.value += 1
            raise

    def _check(
        self, given: Mapping[str, str], request: Request, flow: Flow
    ) -> AddressOfRecord:
        try:
            return self._associations.check(flow, given, request)
        except (CredentialsRejected, SignInRefused):
            self._tally.unsigned.value += 1
            raise

    async def _prove(
        self, given: Mapping[str, str], request: Request, flow: Flow
    ) -> AddressOfRecord:
        """Read the ticket, and sign from now on."""
        token, version = read_token(given), read_version(given, self.versions)
        principal, signer = await self._accept(token or b"", flow)
        user = self._user(principal)
        association = self._associations.make(
            self._associations.name(), user, self._terms(version), signer
        )
        if version > 3:
            association.check(given, request)
        self._associations.hold(flow, association)
        self._tally.proved.value += 1
        return user

    async def _accept(self, token: bytes, flow: Flow) -> tuple[str, Signer]:
        """Let a thread read the ticket: one at a time from each connection."""
        if self._under_way.get(flow):
            raise CredentialsRejected("another ticket is being read")
        self._under_way.put(flow, True)
        try:
            return await deferToThreadPool(
                self._reactor, self._threads, self._acceptor.accept, token
            )
        finally:
            self._under_way.pop(flow)

    def _user(self, principal: str) -> AddressOfRecord:
        """
        Say whose principal it is.

        One with an instance, such as ``alice/admin``, is nobody's here, nor is one whose
        name means something else as part of a URI.
        """
        name, _, realm = principal.rpartition("@")
        domain = (self.domain or realm).lower()
        if not _is_plain(name) or domain not in self._domains:
            raise CredentialsRejected(f"{principal} is no user of ours")
        return address_of_record(f"sip:{name}@{domain}")
