"""
The event package ``vnd-microsoft-roaming-self``: what a user publishes, and for whom.

His own endpoints are told of it, and nobody else ([MS-PRES] 1.3.1.5, 3.3).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import TypeVar

import attrs
from zope.interface import implementer

from presproxy.documents.lync import roaming
from presproxy.documents.lync.categories import Category
from presproxy.documents.lync.containers import Container
from presproxy.documents.lync.subscribers import Subscriber
from presproxy.interfaces import (
    Account,
    IDeltaPackage,
    IEventPackage,
    IPartialPackage,
    Material,
)
from presproxy.model.decision import FULL, View
from presproxy.model.notice import Body
from presproxy.packages.own import OwnPackage
from presproxy.sip.uri import AddressOfRecord

_T = TypeVar("_T", bound=Hashable)

#: Behind the content type: the parts that somebody asked for, with commas between.
CHOSEN = ";roaming="


@attrs.frozen
class RoamingState:
    """All that a user's endpoints are told of him, each part in one order."""

    user: AddressOfRecord
    categories: Sequence[Category] = ()
    containers: Sequence[Container] = ()
    subscribers: Sequence[Subscriber] = ()


@implementer(IEventPackage, IDeltaPackage, IPartialPackage)
@attrs.frozen
class RoamingSelfPackage(OwnPackage):
    """
    Categories, containers and subscribers.

    A content type may be followed by ``;roaming=categories,containers``: then only these.
    """

    name = "vnd-microsoft-roaming-self"
    produces = (roaming.CONTENT_TYPE,)

    def compose(self, material: Material) -> RoamingState:
        """Take all of it, whatever order it is kept in."""
        account = material.account or Account()
        return RoamingState(
            material.presentity,
            tuple(sorted(account.categories, key=lambda each: each.name)),
            tuple(sorted(account.containers, key=lambda each: each.id)),
            tuple(sorted(account.subscribers, key=lambda each: each.user)),
        )

    def narrow(self, state: RoamingState, view: View) -> RoamingState:
        """Show all in the full view, which is the user's own, and nothing in others."""
        return state if view == FULL else self.neutral(state.user)

    def neutral(self, presentity: AddressOfRecord) -> RoamingState:
        """Show what somebody has who keeps nothing here."""
        return RoamingState(presentity)

    def part(self, content_type: str, body: bytes) -> str:
        """Say which parts are asked for; raises `MalformedDocument`."""
        asked = roaming.read_roaming_list(body)
        return f"{content_type}{CHOSEN}{','.join(sorted(asked))}"

    def render(self, state: RoamingState, content_type: str) -> Body:
        """Write all that was asked for."""
        chosen = _chosen(content_type)
        data = roaming.write_roaming(
            state.user,
            categories=state.categories if "categories" in chosen else None,
            containers=state.containers if "containers" in chosen else None,
            subscribers=state.subscribers if "subscribers" in chosen else None,
        )
        return Body(roaming.CONTENT_TYPE, data)

    def render_change(
        self, state: RoamingState, former: RoamingState, content_type: str
    ) -> bytes | None:
        """
        Write the parts that changed.

        Of a category that changed all is told: SIPE forgets what is not named again.  A
        container that is gone, as none ever should be, can only be told by all there is.
        """
        chosen = _chosen(content_type)
        if {each.id for each in former.containers} - {
            each.id for each in state.containers
        }:
            return None
        names = _changed(state, former) if "categories" in chosen else set()
        shown = [each for each in state.categories if each.name.category in names]
        cleared = names - {each.name.category for each in shown}
        return roaming.write_roaming(
            state.user,
            categories=shown if names else None,
            cleared=sorted(cleared),
            containers=_news("containers", state.containers, former.containers, chosen),
            subscribers=_news(
                "subscribers", state.subscribers, former.subscribers, chosen
            ),
        )


def _chosen(content_type: str) -> Collection[str]:
    _, chose, parts = content_type.partition(CHOSEN)
    return parts.split(",") if chose else roaming.PARTS


def _changed(state: RoamingState, former: RoamingState) -> set[str]:
    """Give the names of the categories of which something is another now."""
    both = {*state.categories} ^ {*former.categories}
    return {each.name.category for each in both}


def _news(
    part: str, things: Sequence[_T], former: Sequence[_T], chosen: Collection[str]
) -> Sequence[_T] | None:
    """Give what is new in a part that was asked for, None if nothing is."""
    if part not in chosen:
        return None
    known = frozenset(former)
    return [each for each in things if each not in known] or None
