"""REGISTER: the registrar (RFC 3261 §10.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import attrs

from presproxy.errors import AccessDenied, Conflict, MalformedField
from presproxy.events.locations import (
    REGISTRATION,
    Binding,
    Locations,
    StagedRegistration,
    is_same_contact,
)
from presproxy.extend.guard import Guard
from presproxy.interfaces import Bounds, IStorage
from presproxy.server.answer import Answer, Refusal
from presproxy.server.domains import Domains
from presproxy.server.events import EventPackages
from presproxy.server.exchange import Exchange
from presproxy.server.journal import Journal
from presproxy.server.lync.signin import (
    GRANTED,
    SignIn,
    SigningIn,
    gruu_parameter,
    read_sign_in,
    replaced_by,
)
from presproxy.server.ways import Ways
from presproxy.sip.dialect import registers_endpoint
from presproxy.sip.fields import WILDCARD, Contact
from presproxy.sip.message import Response
from presproxy.sip.uri import AddressOfRecord, parse_uri

#: How often a change is staged again when another one of the same record was first.
_TRIES = 3

#: What an ``expires`` that cannot be read is taken for (RFC 3261 §20.10).
_UNREADABLE = 3600


@attrs.define(eq=False)
class RegisterStep:
    """
    Serves REGISTER.  ``now`` is the wall clock.

    ``signing_in`` keeps the endpoints of Lync clients, which register, too.
    """

    identifies: ClassVar[bool] = True

    packages: EventPackages
    domains: Domains
    locations: Locations
    journal: Journal
    storage: Guard[IStorage]
    bounds: Bounds
    signing_in: SigningIn
    ways: Ways
    now: Callable[[], float]

    async def serve(self, exchange: Exchange) -> Answer:
        """Answer one REGISTER with all bindings there are now (§10.3 step 8)."""
        request = exchange.request
        aor = self.domains.ours(request.to.aor)
        if exchange.sender.aor != aor:
            raise AccessDenied(f"{exchange.sender.aor} registers {aor}")
        contacts = request.contacts
        if not contacts:
            return self._answer(exchange, aor, None)
        is_endpoint = registers_endpoint(request)
        sign_in = read_sign_in(exchange, contacts) if is_endpoint else None
        granted = self._granted(exchange, contacts, sign_in)
        longest = max(granted)
        if sign_in is not None:
            self.signing_in.check(aor, sign_in, longest)
        await self._change(exchange, aor, contacts, granted, sign_in)
        exchange.flow.keep(longest)
        self.ways.registered(aor, exchange.flow)
        answer = self._answer(exchange, aor, longest, sign_in)
        if sign_in is not None:
            more, answer.then = self.signing_in.done(exchange, aor, sign_in, longest)
            answer.fields += more
        return answer

    async def keep(self, exchange: Exchange, response: Response) -> Answer | None:
        """
        Keep what a server behind us has accepted, for as long as it says.

        It has found out who asks.  Gives our own refusal if it cannot be kept.
        """
        request = exchange.request
        contacts = request.contacts
        if not contacts:
            return None
        try:
            aor = self.domains.ours(request.to.aor)
            try:
                granted = [self._said(response, each) for each in contacts]
            except MalformedField:
                return Answer(502)
            await self._change(exchange, aor, contacts, granted, None)
        except Refusal as refusal:
            return refusal.answer
        exchange.flow.keep(max(granted))
        self.ways.registered(aor, exchange.flow)
        return None

    def _said(self, response: Response, contact: Contact) -> int:
        """Give the seconds that a server has granted a contact; 0 if it has not got it."""
        if contact == WILDCARD:
            return 0
        for each in response.contacts:
            if each != WILDCARD and is_same_contact(each.uri, contact.uri):
                said = response.expires if each.expires is None else each.expires
                return min(_UNREADABLE if said is None else said, self.bounds.longest)
        return 0

    def _granted(
        self, exchange: Exchange, contacts: Sequence[Contact], sign_in: SignIn | None
    ) -> list[int]:
        """Say how long each contact will last; 0 for those that go."""
        if WILDCARD in contacts:
            if len(contacts) > 1 or exchange.request.expires != 0:
                raise Refusal(400, reason="Contact * stands alone and with Expires: 0")
            return [0]
        bounds = self.bounds
        if sign_in is not None:
            bounds = attrs.evolve(bounds, default=GRANTED)
        return [bounds.grant(_asked(exchange, contact)) for contact in contacts]

    async def _change(
        self,
        exchange: Exchange,
        aor: AddressOfRecord,
        contacts: Sequence[Contact],
        granted: Sequence[int],
        sign_in: SignIn | None,
    ) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                staged = self._stage(exchange, aor, contacts, granted, sign_in)
                await self.journal.commit(staged)
            except Conflict:
                if attempt == _TRIES:
                    raise
                fetch = self.storage.plugin.fetch
                record = await self.storage.ask(fetch, REGISTRATION, aor)
                self.locations.learn(aor, 0 if record is None else record.version)
            else:
                return

    def _stage(
        self,
        exchange: Exchange,
        aor: AddressOfRecord,
        contacts: Sequence[Contact],
        granted: Sequence[int],
        sign_in: SignIn | None,
    ) -> StagedRegistration:
        request = exchange.request
        now = self.now()
        if WILDCARD in contacts:
            return self.locations.stage_removal(
                aor, request.call_id, request.cseq.number, now
            )
        bindings = [
            _binding(exchange, contact, now + expires)
            for contact, expires in zip(contacts, granted, strict=True)
        ]
        if sign_in is not None and sign_in.contact and sign_in.instance:
            known = self.locations.bindings(aor, now)
            moved = replaced_by(sign_in.contact, sign_in.instance, known)
            bindings = [*moved, *bindings]
        return self.locations.stage(aor, bindings, now)

    def _answer(
        self,
        exchange: Exchange,
        aor: AddressOfRecord,
        expires: int | None,
        sign_in: SignIn | None = None,
    ) -> Answer:
        """
        Answer with all bindings, each with the seconds it has left.

        Expires is there, too: SIPE reads nothing else.
        """
        now = self.now()
        fields = []
        for binding in self.locations.bindings(aor, now):
            more = "" if sign_in is None else gruu_parameter(aor, binding)
            fields.append(("Contact", _written(binding, now) + more))
        if expires is not None:
            fields.append(("Expires", str(expires)))
        fields += (("Path", path) for path in exchange.request.get_all("path"))
        fields.append(("Allow-Events", self.packages.allowed))
        return Answer(200, tuple(fields))


def _asked(exchange: Exchange, contact: Contact) -> int | None:
    try:
        asked = contact.expires
    except MalformedField:
        return _UNREADABLE
    return exchange.request.expires if asked is None else asked


def _binding(exchange: Exchange, contact: Contact, expires_at: float) -> Binding:
    request = exchange.request
    parse_uri(contact.uri)  # Raises what is wrong with it.
    q = contact.q
    return Binding(
        uri=contact.uri,
        expires_at=expires_at,
        call_id=request.call_id,
        cseq=request.cseq.number,
        q=1.0 if q is None else q,
        parameters=_kept(contact),
        flow=str(exchange.flow),
        path=tuple(request.get_all("path")),
        user_agent=request.get("user-agent") or "",
    )


def _kept(contact: Contact) -> str:
    """Give a Contact's parameters as they go back, but for those which we write."""
    return "".join(
        f";{name}" if value is None else f";{name}={value}"
        for name, value in contact.parameters
        if name.lower() not in ("expires", "q")
    )


def _written(binding: Binding, now: float) -> str:
    left = max(1, round(binding.expires_at - now))
    # At most three digits, and never as 1e-05 (RFC 3261 §25.1).
    quality = "" if binding.q == 1.0 else f";q={binding.q:.3f}".rstrip("0").rstrip(".")
    return f"<{binding.uri}>{quality}{binding.parameters};expires={left}"
