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
)
from presproxy.interfaces import Bounds, IStorage
from presproxy.server.answer import Answer, Refusal
from presproxy.server.events import EventPackages
from presproxy.server.exchange import Exchange
from presproxy.server.journal import Journal
from presproxy.sip.fields import WILDCARD, Contact
from presproxy.sip.uri import AddressOfRecord, SipURI, parse_uri

#: How often a change is staged again when another one of the same record was first.
_TRIES = 3


@attrs.define(eq=False)
class RegisterStep:
    """Serves REGISTER.  ``now`` is the wall clock."""

    identifies: ClassVar[bool] = True

    packages: EventPackages
    locations: Locations
    journal: Journal
    storage: IStorage
    bounds: Bounds
    now: Callable[[], float]

    async def serve(self, exchange: Exchange) -> Answer:
        """Answer one REGISTER with all bindings there are now (§10.3 step 8)."""
        request = exchange.request
        aor = self.packages.ours(request.to.aor)
        if exchange.sender.aor != aor:
            raise AccessDenied(f"{exchange.sender.aor} registers {aor}")
        contacts = request.contacts
        if contacts:
            await self._change(exchange, aor, contacts)
        return self._answer(exchange, aor)

    async def _change(
        self, exchange: Exchange, aor: AddressOfRecord, contacts: Sequence[Contact]
    ) -> None:
        for attempt in range(_TRIES):
            try:
                await self.journal.commit(self._stage(exchange, aor, contacts))
            except Conflict:
                if attempt == _TRIES - 1:
                    raise
                record = await self.storage.fetch(REGISTRATION, aor)
                self.locations.learn(aor, 0 if record is None else record.version)
            else:
                return

    def _stage(
        self, exchange: Exchange, aor: AddressOfRecord, contacts: Sequence[Contact]
    ) -> StagedRegistration:
        request = exchange.request
        now = self.now()
        if any(contact is WILDCARD for contact in contacts):
            if len(contacts) > 1 or request.expires != 0:
                raise Refusal(400, reason="Contact * stands alone and with Expires: 0")
            return self.locations.stage_removal(
                aor, request.call_id, request.cseq.number, now
            )
        bindings = [self._binding(exchange, contact, now) for contact in contacts]
        return self.locations.stage(aor, bindings, now)

    def _binding(self, exchange: Exchange, contact: Contact, now: float) -> Binding:
        request = exchange.request
        uri = parse_uri(contact.uri)
        if isinstance(uri, SipURI) and not uri.host:
            raise MalformedField("Contact", "names no host")
        asked = contact.expires if contact.expires is not None else request.expires
        q = contact.q
        return Binding(
            uri=contact.uri,
            expires_at=now + self.bounds.grant(asked),
            call_id=request.call_id,
            cseq=request.cseq.number,
            q=1.0 if q is None else q,
            parameters=_kept(contact),
            flow=str(exchange.flow),
            path=tuple(request.get_all("path")),
            user_agent=request.get("user-agent") or "",
        )

    def _answer(self, exchange: Exchange, aor: AddressOfRecord) -> Answer:
        now = self.now()
        contacts = tuple(
            ("Contact", _written(binding, now))
            for binding in self.locations.bindings(aor, now)
        )
        if contacts:
            exchange.flow.keep(self.bounds.longest)
        paths = tuple(("Path", path) for path in exchange.request.get_all("path"))
        return Answer(200, (*contacts, *paths))


def _kept(contact: Contact) -> str:
    """Give a Contact's parameters as they go back, but for those which we write."""
    return "".join(
        f";{name}" if value is None else f";{name}={value}"
        for name, value in contact.parameters
        if name.lower() not in ("expires", "q")
    )


def _written(binding: Binding, now: float) -> str:
    left = max(1, round(binding.expires_at - now))
    quality = "" if binding.q == 1.0 else f";q={binding.q:g}"
    return f"<{binding.uri}>{quality}{binding.parameters};expires={left}"
