"""REGISTER: the registrar (RFC 3261 §10.3)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
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
from presproxy.proxying.gruus import Gruus
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
from presproxy.server.outbound import Outbound, instance_of
from presproxy.server.ways import Ways
from presproxy.sip.dialect import registers_endpoint
from presproxy.sip.fields import WILDCARD, Contact
from presproxy.sip.message import Response
from presproxy.sip.uri import AddressOfRecord, SipURI, parse_uri

#: How often a change is staged again when another one of the same record was first.
_TRIES = 3

#: The option tag of who wants to be told how his instance is reached (RFC 5627 §4.1).
GRUU = "gruu"

#: Parameters of a Contact that are written here, whatever a user agent has put there.
_OURS = frozenset({"expires", "q", "pub-gruu", "temp-gruu"})

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
    outbound: Outbound
    gruus: Gruus
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
        reg_id = 0 if is_endpoint else self.outbound.reg_id(exchange, contacts)
        self._check_contacts(aor, contacts)
        longest = max(granted)
        if sign_in is not None:
            self.signing_in.check(aor, sign_in, longest)
        instance = _instance_of(exchange, longest)
        former = self._flows_of(aor, instance, reg_id)
        await self._change(exchange, aor, contacts, granted, sign_in, reg_id)
        exchange.flow.keep(longest)
        self.ways.registered(aor, exchange.flow, instance, former)
        answer = self._answer(exchange, aor, longest, sign_in)
        if reg_id:
            answer.fields += self.outbound.fields(
                exchange.flow, is_first_hop=exchange.is_direct
            )
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
        instance = _instance_of(exchange, max(granted))
        self.ways.registered(aor, exchange.flow, instance)
        return None

    async def follow(self, exchange: Exchange, response: Response) -> Answer | None:
        """
        A server behind us keeps a registration: know the flow it came by all the same.

        Subscriptions of the user agent are served here, and told by its flow.
        """
        request = exchange.request
        try:
            aor = self.domains.ours(request.to.aor)
            granted = max(
                (self._said(response, c) for c in request.contacts), default=0
            )
        except (Refusal, MalformedField):
            return None
        if granted:
            exchange.flow.keep(granted)
            instance = _instance_of(exchange, granted)
            self.ways.registered(aor, exchange.flow, instance)
        return None

    def _flows_of(
        self, aor: AddressOfRecord, instance: str, reg_id: int
    ) -> Collection[str]:
        """
        Give the names of the flows that a new one takes the place of.

        None without a reg-id: there are phones that have all been given the same name,
        and the others of them are where they were.
        """
        if not instance or not reg_id:
            return ()
        same = (instance, reg_id)
        bindings = self.locations.bindings(aor, self.now())
        return {each.flow for each in bindings if (each.instance, each.reg_id) == same}

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
        reg_id: int = 0,
    ) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                staged = self._stage(exchange, aor, contacts, granted, sign_in, reg_id)
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
        reg_id: int,
    ) -> StagedRegistration:
        request = exchange.request
        now = self.now()
        if WILDCARD in contacts:
            return self.locations.stage_removal(
                aor, request.call_id, request.cseq.number, now
            )
        known = self.locations.bindings(aor, now)
        bindings = [
            self._labelled(_binding(exchange, contact, now + expires, reg_id), known)
            for contact, expires in zip(contacts, granted, strict=True)
        ]
        if sign_in is not None and sign_in.contact and sign_in.instance:
            moved = replaced_by(sign_in.contact, sign_in.instance, known)
            bindings = [*moved, *bindings]
        return self.locations.stage(aor, bindings, now)

    def _labelled(self, binding: Binding, known: Sequence[Binding]) -> Binding:
        """
        Give a binding with the label of its instance, if it has one.

        Under another Call-ID it is another, so that temporary GRUUs given before lead
        nowhere (RFC 5627 §3.2).
        """
        if not binding.instance:
            return binding
        same = (binding.instance, binding.call_id)
        labels = [each.label for each in known if (each.instance, each.call_id) == same]
        label = labels[0] if labels and labels[0] else self.gruus.random(6).hex()
        return attrs.evolve(binding, label=label)

    def _check_contacts(
        self, aor: AddressOfRecord, contacts: Sequence[Contact]
    ) -> None:
        """Refuse a contact that leads to its own user again (RFC 5627 §5.1)."""
        for contact in contacts:
            uri = None if contact == WILDCARD else parse_uri(contact.uri)
            if isinstance(uri, SipURI):
                meant = self.gruus.meant(uri)
                if meant is not None and self.domains.home(meant.aor) == aor:
                    raise Refusal(403, reason="A GRUU is no contact of its own user")

    def _gruus(self, aor: AddressOfRecord, binding: Binding) -> str:
        """Give the parameters of a Contact which say how its instance is reached (§5.3)."""
        if not binding.label:
            return ""
        written = f';pub-gruu="{self.gruus.public(aor, binding.instance)}"'
        temporary = self.gruus.temporary(aor, binding.label)
        return written if temporary is None else f'{written};temp-gruu="{temporary}"'

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
        wants_gruus = sign_in is None and GRUU in exchange.request.supported
        for binding in self.locations.bindings(aor, now):
            more = "" if sign_in is None else gruu_parameter(aor, binding)
            if wants_gruus:
                more = self._gruus(aor, binding)
            fields.append(("Contact", _written(binding, now) + more))
        if expires is not None:
            fields.append(("Expires", str(expires)))
        fields += (("Path", path) for path in exchange.request.get_all("path"))
        fields.append(("Allow-Events", self.packages.allowed))
        return Answer(200, tuple(fields))


def _instance_of(exchange: Exchange, granted: int) -> str:
    """Give the instance that sent a REGISTER and is reached by its flow; empty for none."""
    contacts = exchange.request.contacts
    if not granted or len(contacts) != 1 or not exchange.is_direct:
        return ""
    return instance_of(contacts[0])


def _asked(exchange: Exchange, contact: Contact) -> int | None:
    try:
        asked = contact.expires
    except MalformedField:
        return _UNREADABLE
    return exchange.request.expires if asked is None else asked


def _binding(
    exchange: Exchange, contact: Contact, expires_at: float, reg_id: int
) -> Binding:
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
        instance=instance_of(contact),
        reg_id=reg_id,
    )


def _kept(contact: Contact) -> str:
    """Give a Contact's parameters as they go back, but for those which we write."""
    return "".join(
        f";{name}" if value is None else f";{name}={value}"
        for name, value in contact.parameters
        if name.lower() not in _OURS
    )


def _written(binding: Binding, now: float) -> str:
    left = max(1, round(binding.expires_at - now))
    # At most three digits, and never as 1e-05 (RFC 3261 §25.1).
    quality = "" if binding.q == 1.0 else f";q={binding.q:.3f}".rstrip("0").rstrip(".")
    return f"<{binding.uri}>{quality}{binding.parameters};expires={left}"
