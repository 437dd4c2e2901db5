"""Contact ACLs: who may see whom."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from zope.interface import Interface

from presproxy.interfaces.house import IPluggable
from presproxy.model.decision import Decision, Handling
from presproxy.model.identity import Identity
from presproxy.sip.uri import AddressOfRecord


class IContactACL(IPluggable):
    """
    Says who may see whom: the contact-list ACL.

    Asked in order for each new subscription, until one has an opinion; asked again after
    `IHouse.decide_again`.  Never asked per notification.
    """

    def decide(
        watcher: Identity, presentity: AddressOfRecord, package: str
    ) -> Awaitable[Decision | None]:
        """
        Answer the sub-handling, the rule and the view it opens, or None for no opinion.

        Decisions with equal views share every document rendered for them.  Raising, or
        too long a wait, leaves a new subscription pending and any other as it is; it is
        asked again later.
        """


class IContactList(Interface):
    """
    A contact ACL whose lists can be written, as ``presproxy allow`` and its like do.

    Provided by an `IContactACL` beside it; asked for once at the start.
    """

    def contacts(
        presentity: AddressOfRecord,
    ) -> Awaitable[Mapping[AddressOfRecord, Handling]]:
        """Give what the presentity has said of each watcher."""

    def handle(
        presentity: AddressOfRecord, watcher: AddressOfRecord, handling: Handling | None
    ) -> Awaitable[None]:
        """
        Write what the presentity says of a watcher; None forgets it.

        Answers once it is kept; decides again by itself.  Raises `StorageUnavailable`
        when nothing was written, and `LimitReached` when the list is full.
        """
