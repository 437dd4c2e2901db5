"""The dialogs of subscriptions, found by the requests within them (RFC 3261 §12.2.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import attrs

from presproxy.events.agent import PresenceAgent
from presproxy.model.subscription import Subscription
from presproxy.notify.route import SipRoute
from presproxy.server.answer import Refusal
from presproxy.sip.message import Request
from presproxy.transaction.dialog import dialog_id_of_request


class Usage(NamedTuple):
    """A subscription, and the route that holds its dialog."""

    subscription: Subscription
    route: SipRoute


@attrs.frozen(eq=False)
class Dialogs:
    """All dialogs there are: a subscription's key is our tag.  ``now`` is the wall clock."""

    agent: PresenceAgent
    now: Callable[[], float]
    #: Gives the subscriptions of lists.
    lists: Callable[[str], Subscription | None] = lambda key: None

    def find(self, request: Request) -> Usage:
        """Give what a request is within, or refuse with 481."""
        tag = request.to.tag or ""
        subscription = self.agent.subscription(tag) or self.lists(tag)
        route = None if subscription is None else subscription.route
        if (
            subscription is None
            or not isinstance(route, SipRoute)
            or route.dialog.id != dialog_id_of_request(request)
            or subscription.expires_at <= self.now()
        ):
            raise Refusal(481)
        return Usage(subscription, route)
