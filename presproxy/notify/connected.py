"""Watchers who are there as long as their connection, told by the SIP notifier."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from zope.interface import implementer

from presproxy.interfaces import IHouse, INotifier
from presproxy.model.notice import Notice
from presproxy.notify.route import ConnectedRoute
from presproxy.notify.sip import SipNotifier

#: Its name in subscriptions.  Their routes are not kept: after a start nobody could be
#: reached by them.
CONNECTED = "sip.connected"


@implementer(INotifier)
@attrs.frozen(eq=False)
class ConnectedNotifier:
    """
    Tells as ``sip`` does, and extends what is to last by being told ([MS-SIP] 3.4).

    ``now`` is the wall clock.
    """

    sip: SipNotifier
    now: Callable[[], float]

    async def start(self, house: IHouse) -> None:
        """See `IPluggable`; ``sip`` is started by itself."""

    async def stop(self) -> None:
        """See `IPluggable`."""

    def notify(self, notice: Notice) -> None:
        """See `INotifier`."""
        now = self.now()
        for subscription in notice.subscriptions:
            route = subscription.route
            if isinstance(route, ConnectedRoute) and route.extends_by:
                # An end that moves on is found when the old one comes.
                until = now + route.extends_by
                subscription.expires_at = max(subscription.expires_at, until)
                if route.flow is not None:
                    route.flow.keep(route.extends_by)
        self.sip.notify(notice)
