"""Where a request for a user of ours goes (RFC 3261 §16.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import attrs

from presproxy.errors import MalformedField
from presproxy.events.locations import Binding, Locations, is_same_contact
from presproxy.proxying.branches import Target
from presproxy.proxying.gruus import Gruus, Meant
from presproxy.proxying.inspect import NotForwarded
from presproxy.server.domains import Domains
from presproxy.server.lync.signin import binding_instance
from presproxy.server.outbound import instance_named
from presproxy.server.ways import Ways
from presproxy.sip.flow import Flow
from presproxy.sip.gruu import endpoint_name, named_endpoint
from presproxy.sip.message import Request
from presproxy.sip.uri import (
    AddressOfRecord,
    SipURI,
    address_of_record,
    domain_of,
    parse_uri,
)


@attrs.frozen(eq=False)
class Targets:
    """Finds the contacts that users registered.  ``now`` is the wall clock."""

    domains: Domains
    locations: Locations
    ways: Ways
    gruus: Gruus
    now: Callable[[], float]

    async def of_user(self, uri: str) -> Sequence[Target]:
        """
        Give the targets of a URI of a user of ours, of one endpoint if it names that.

        Those that no flow leads to are left out.  Raises `NotForwarded` if that leaves
        none, and `Refusal` for what is not ours.
        """
        sip, meant = self._read(uri)
        if meant is None and sip is not None and sip.has("gr"):
            raise NotForwarded(404)
        aor = self.domains.ours(address_of_record(uri) if meant is None else meant.aor)
        bindings = self.locations.bindings(aor, self.now())
        if meant is not None:
            bindings = tuple(each for each in bindings if _is_of(each, meant))
            if meant.label and not bindings:
                # It has lost its meaning for ever (RFC 5627 §3.2).
                raise NotForwarded(404)
        endpoint = None if sip is None else named_endpoint(sip)
        if endpoint is not None:
            bindings = tuple(each for each in bindings if _endpoint(each) == endpoint)
        targets = [
            target
            for flows in _by_instance(bindings, is_of_one=meant is not None)
            if (target := await self._target(aor, flows)) is not None
        ]
        if not targets:
            raise NotForwarded(480)
        return targets

    async def _target(
        self, aor: AddressOfRecord, flows: Sequence[Binding]
    ) -> Target | None:
        """
        Give the target that some flows lead to, of which one is taken at a time.

        The latest is tried first, as the user agent has opened it last, and another one
        if that has failed (RFC 5626 §6).
        """
        targets = [await self.ways.target(aor, each) for each in reversed(flows)]
        alive = [each for each in targets if each.flow is not None]
        return attrs.evolve(alive[0], others=tuple(alive[1:])) if alive else None

    def is_ours(self, uri: str) -> bool:
        """Whether a URI is a user's of ours."""
        return self._ours(uri) is not None

    async def of_contact(
        self, request: Request, uri: str, end: str | None = None
    ) -> Target | None:
        """
        Give the target of a URI within a dialog, if its owner has registered it.

        He is the one whom To names; or the URI itself, if it is a user's of ours.  Where
        ``end`` names the flow to the other end of the dialog, whoever To does not name
        is led to by that flow alone: to anybody else nobody has let the sender.
        """
        sip, meant = self._read(uri)
        endpoint = None if sip is None else named_endpoint(sip)
        party = self._ours(request.to.uri)
        for aor in self.meant(request, uri):
            for binding in reversed(self.locations.bindings(aor, self.now())):
                if not _is_meant(binding, uri, endpoint, meant):
                    continue
                target = await self.ways.target(aor, binding)
                is_party = end is None or aor == party or target.name == end
                if target.flow is not None and is_party:
                    return target
        return None

    def meant(self, request: Request, uri: str) -> Sequence[AddressOfRecord]:
        """Give the users of ours whom a request is for, by its URI or by its To."""
        _, meant = self._read(uri)
        named = uri if meant is None else meant.aor
        aors = (self._ours(named), self._ours(request.to.uri))
        return tuple(dict.fromkeys(aor for aor in aors if aor is not None))

    def _read(self, uri: str) -> tuple[SipURI | None, Meant | None]:
        parsed = parse_uri(uri)
        sip = parsed if isinstance(parsed, SipURI) else None
        return sip, None if sip is None else self.gruus.meant(sip)

    async def other_end(self, name: str, request: Request) -> Flow | None:
        """
        Give the flow of that name, to whom a request within a dialog is for.

        If it is closed it is the one by which his user agent has come again.
        """
        flow = await self.ways.named(name)
        if flow is not None:
            return flow
        aor = self._ours(request.to.uri)
        return None if aor is None else self.ways.successor(name, aor)

    def _ours(self, uri: str) -> AddressOfRecord | None:
        try:
            aor = address_of_record(uri)
        except MalformedField:
            return None
        return self.domains.home(aor) if domain_of(aor) in self.domains.names else None


def _by_instance(
    bindings: Iterable[Binding], *, is_of_one: bool
) -> Iterable[Sequence[Binding]]:
    """
    Put the flows of one instance together; all else stands by itself.

    Contacts that say nothing of flows are one only where one instance is asked for: there
    are phones that have all been given the same name.
    """
    found: dict[object, list[Binding]] = {}
    for each in bindings:
        is_one = is_of_one or each.reg_id
        key = each.instance if is_one else (each.uri, each.instance)
        found.setdefault(key, []).append(each)
    return found.values()


def _is_of(binding: Binding, meant: Meant) -> bool:
    if meant.label:
        return binding.label == meant.label
    return binding.instance == instance_named(meant.instance)


def _is_meant(
    binding: Binding, uri: str, endpoint: str | None, meant: Meant | None
) -> bool:
    if meant is not None:
        return _is_of(binding, meant)
    if endpoint is not None:
        return _endpoint(binding) == endpoint
    return is_same_contact(binding.uri, uri)


def _endpoint(binding: Binding) -> str | None:
    """Give what names the endpoint of a binding in a URI, if it has one."""
    instance = binding_instance(binding)
    return None if instance is None else endpoint_name(instance)
