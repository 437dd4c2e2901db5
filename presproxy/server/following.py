"""
Watchers whose flow broke, found again by their user agent's new registration.

Only those are known here whose user agent says which instance it is, in the Contact of its
SUBSCRIBE or of its REGISTER by the same flow; others subscribe anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import attrs

from presproxy.model.subscription import Subscription
from presproxy.notify.route import ConnectedRoute, SipRoute
from presproxy.server.exchange import Exchange
from presproxy.server.outbound import instance_named, instance_of
from presproxy.server.ways import Ways
from presproxy.sip.flow import Flow
from presproxy.sip.uri import AddressOfRecord, SipURI, parse_uri


@attrs.define(eq=False)
class Following:
    """
    Knows the subscriptions of instances.

    ``moved`` lets one be told by another flow from now on.
    """

    ways: Ways
    moved: Callable[[Subscription, Flow], None]
    _by_instance: dict[tuple[AddressOfRecord, str], dict[str, Subscription]] = (
        attrs.field(factory=dict, init=False)
    )

    def __len__(self) -> int:
        return len(self._by_instance)

    def note(self, exchange: Exchange, subscription: Subscription) -> None:
        """See which instance sent the SUBSCRIBE of a subscription, which is not kept yet."""
        route = subscription.route
        if not isinstance(route, SipRoute) or isinstance(route, ConnectedRoute):
            return
        contacts = exchange.request.contacts
        if not contacts:
            # A refresh may leave out what has not changed.
            return
        contact, instance = contacts[0], ""
        if contact.parameters or ";gr=" in contact.uri:
            instance = instance_of(contact) or _instance_in(contact.uri)
        if not instance and exchange.flow.reliable:
            aor = subscription.watcher.aor
            instance = self.ways.instance(aor, exchange.flow) or route.instance
        if instance != route.instance:
            self.forget(subscription)
            route.instance = instance

    def add(self, subscription: Subscription) -> None:
        """A subscription is kept, perhaps since before a start."""
        route = subscription.route
        if isinstance(route, SipRoute) and route.instance and not route.dialog.routes:
            key = (subscription.watcher.aor, route.instance)
            self._by_instance.setdefault(key, {})[subscription.key] = subscription

    def forget(self, subscription: Subscription) -> None:
        """A subscription has ended."""
        route = subscription.route
        if not isinstance(route, SipRoute) or not route.instance:
            return
        key = (subscription.watcher.aor, route.instance)
        there = self._by_instance.get(key)
        if there is None:
            return
        there.pop(subscription.key, None)
        if not there:
            del self._by_instance[key]

    def registered(
        self, aor: AddressOfRecord, instance: str, former: Collection[str], flow: Flow
    ) -> None:
        """
        An instance has registered by a flow, which takes the place of the ``former``.

        Whoever was told by one of these, or by one that is closed, is told by the new one.
        """
        for subscription in tuple(self._by_instance.get((aor, instance), {}).values()):
            route = subscription.route
            if not isinstance(route, SipRoute) or route.flow is flow:
                continue
            if not route.has_way or str(route.flow) in former:
                self.moved(subscription, flow)


def _instance_in(contact: str) -> str:
    """Give the instance that a public GRUU names (RFC 5627 §3.1)."""
    uri = parse_uri(contact)
    named = uri.parameter("gr") if isinstance(uri, SipURI) else None
    return instance_named(named or "")
