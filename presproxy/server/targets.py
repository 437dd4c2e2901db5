"""Where a request for a user of ours goes (RFC 3261 §16.5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from presproxy.errors import MalformedField
from presproxy.events.locations import Binding, Locations, is_same_contact
from presproxy.proxying.branches import Target
from presproxy.proxying.inspect import NotForwarded
from presproxy.server.domains import Domains
from presproxy.server.lync.signin import binding_instance
from presproxy.server.ways import Ways
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
    now: Callable[[], float]

    async def of_user(self, uri: str) -> Sequence[Target]:
        """
        Give the targets of a URI of a user of ours, of one endpoint if it names that.

        Those that no flow leads to are left out.  Raises `NotForwarded` if that leaves
        none, and `Refusal` for what is not ours.
        """
        aor = self.domains.ours(address_of_record(uri))
        bindings = self.locations.bindings(aor, self.now())
        parsed = parse_uri(uri)
        endpoint = named_endpoint(parsed) if isinstance(parsed, SipURI) else None
        if endpoint is not None:
            bindings = tuple(each for each in bindings if _endpoint(each) == endpoint)
        targets = [await self.ways.target(aor, each) for each in bindings]
        targets = [each for each in targets if each.flow is not None]
        if not targets:
            raise NotForwarded(480)
        return targets

    def is_ours(self, uri: str) -> bool:
        """Whether a URI is a user's of ours."""
        return self._ours(uri) is not None

    async def of_contact(self, request: Request, uri: str) -> Target | None:
        """
        Give the target of a URI within a dialog, if its owner has registered it.

        He is the one whom To names; or the URI itself, if it is a user's of ours.
        """
        for aor in self.meant(request, uri):
            parsed = parse_uri(uri)
            endpoint = named_endpoint(parsed) if isinstance(parsed, SipURI) else None
            for binding in self.locations.bindings(aor, self.now()):
                if _is_meant(binding, uri, endpoint):
                    target = await self.ways.target(aor, binding)
                    if target.flow is not None:
                        return target
        return None

    def meant(self, request: Request, uri: str) -> Sequence[AddressOfRecord]:
        """Give the users of ours whom a request is for, by its URI or by its To."""
        aors = (self._ours(uri), self._ours(request.to.uri))
        return tuple(dict.fromkeys(aor for aor in aors if aor is not None))

    def _ours(self, uri: str) -> AddressOfRecord | None:
        try:
            aor = address_of_record(uri)
        except MalformedField:
            return None
        return self.domains.home(aor) if domain_of(aor) in self.domains.names else None


def _is_meant(binding: Binding, uri: str, endpoint: str | None) -> bool:
    if endpoint is not None:
        return _endpoint(binding) == endpoint
    return is_same_contact(binding.uri, uri)


def _endpoint(binding: Binding) -> str | None:
    """Give what names the endpoint of a binding in a URI, if it has one."""
    instance = binding_instance(binding)
    return None if instance is None else endpoint_name(instance)
