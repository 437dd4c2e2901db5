"""
The members of lists: back-end subscriptions (RFC 4662), and who gets none.

Whoever may not be seen, or is nobody, is in the list all the same, and the list says why.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from presproxy.documents.lync.batch import BatchResource
from presproxy.errors import AccessDenied, LimitReached, MalformedField
from presproxy.events.agent import PresenceAgent
from presproxy.extend.guard import resumed
from presproxy.model.subscription import Happening, Reason, Subscription
from presproxy.notify.lists import BACK_END, BackEnd, ListDialog
from presproxy.server.answer import Refusal
from presproxy.server.decide import Decider, obey
from presproxy.server.domains import Domains
from presproxy.server.room import Room
from presproxy.sip.tokens import Tokens
from presproxy.sip.uri import AddressOfRecord, address_of_record


@attrs.define(eq=False)
class Members:
    """
    Opens back-end subscriptions, and tells the lists of them.

    At most ``watchers_of_one`` watch one presentity, and at most ``of_list`` are in one
    list; whoever comes later is shown once, and may be asked for again.  ``now`` is the
    wall clock; ``introduced`` is told of each presentity whom a watcher says to have added to
    his contacts just now.
    """

    agent: PresenceAgent
    decider: Decider
    domains: Domains
    room: Room
    tokens: Tokens
    of_list: int
    watchers_of_one: int
    now: Callable[[], float]
    introduced: Callable[[AddressOfRecord, AddressOfRecord], None]

    async def open(
        self,
        dialog: ListDialog,
        resources: Iterable[BatchResource],
        content_type: str,
        *,
        is_poll: bool,
    ) -> None:
        """
        Watch some from now on, or look at them once.

        The contact ACLs are asked about all of them at the same time.
        """
        waiting = []
        for resource in resources:
            opened = _begun(self._open(dialog, resource, content_type, is_poll))
            if opened is not None:
                waiting.append(opened)
        for opened in waiting:
            await opened

    def again(self, dialog: ListDialog) -> None:
        """Tell of all there are again."""
        for member in tuple(dialog.members.values()):
            self._tell_again(dialog, member)

    def close(self, dialog: ListDialog, resources: Iterable[BatchResource]) -> None:
        """Watch some no longer, of whom nothing more is told."""
        for resource in resources:
            presentity = self._presentity(resource.uri)
            member = None if presentity is None else dialog.members.get(presentity)
            if member is not None and member.subscription is not None:
                self.agent.end(member.subscription, Happening.UNSUBSCRIBED)
                dialog.news.pop(member, None)

    async def _open(
        self,
        dialog: ListDialog,
        resource: BatchResource,
        content_type: str,
        is_poll: bool,
    ) -> None:
        presentity = self._presentity(resource.uri)
        if presentity is None:
            self._leave_out(dialog, resource.uri, Reason.NORESOURCE)
            return
        if self._is_there(dialog, presentity, resource.uri, content_type):
            return
        member = BackEnd(dialog, resource.uri, presentity)
        subscription = self._make(member, content_type)
        watcher = subscription.watcher
        package = subscription.package
        with self.decider.question(watcher, presentity, package) as question:
            try:
                obey(subscription, await question.decided())
            except AccessDenied:
                self._leave_out(dialog, resource.uri, Reason.REJECTED)
                return
            if not dialog.is_alive:
                return
            if self._is_there(dialog, presentity, resource.uri, content_type):
                # Somebody else was faster, while the ACLs were asked.
                return
            if is_poll or not self._has_room(dialog, subscription):
                self._look_once(member, subscription, is_poll)
                return
            member.subscription = subscription
            dialog.members[presentity] = member
            self.agent.begin(subscription)
        if resource.is_new:
            self.introduced(presentity, watcher.aor)

    def _make(self, member: BackEnd, content_type: str) -> Subscription:
        of_list = member.dialog.subscription
        return Subscription(
            key=self.tokens.tag(),
            watcher=of_list.watcher,
            presentity=member.presentity,
            package=of_list.package,
            content_type=content_type,
            expires_at=of_list.expires_at,
            notifier=BACK_END,
            route=member,
            since=self.now(),
        )

    def _is_there(
        self,
        dialog: ListDialog,
        presentity: AddressOfRecord,
        uri: str,
        content_type: str,
    ) -> bool:
        """Say whether somebody is in the list; then it tells of him again."""
        member = dialog.members.get(presentity)
        if member is None or member.subscription is None:
            return False
        member.uri = uri
        member.subscription.content_type = content_type
        self._tell_again(dialog, member)
        return True

    def _tell_again(self, dialog: ListDialog, member: BackEnd) -> None:
        if member.subscription is not None:
            member.subscription.expires_at = dialog.subscription.expires_at
            self.agent.refreshed(member.subscription)

    def _look_once(
        self, member: BackEnd, subscription: Subscription, is_poll: bool
    ) -> None:
        was = subscription.state
        self.agent.fetch(subscription)
        if is_poll:
            member.state, member.reason = was, ""
        else:
            # What is shown holds for now, and may be asked for again after a while.
            member.reason = Reason.PROBATION.value

    def _leave_out(self, dialog: ListDialog, uri: str, reason: Reason) -> None:
        member = BackEnd(dialog, uri, AddressOfRecord(uri))
        member.reason = reason.value
        dialog.take(member)

    def _presentity(self, uri: str) -> AddressOfRecord | None:
        """Give the user of ours that a URI names."""
        try:
            return self.domains.ours(address_of_record(uri))
        except (MalformedField, Refusal):
            return None

    def _has_room(self, dialog: ListDialog, subscription: Subscription) -> bool:
        if len(dialog.members) >= self.of_list:
            return False
        try:
            self.room.check(subscription.watcher.aor)
        except LimitReached:
            return False
        resources = self.agent.resources
        found = resources.find(subscription.presentity, subscription.package)
        return found is None or len(found.subscriptions) < self.watchers_of_one


def _begun(coroutine: Coroutine[Any, Any, None]) -> Deferred[None] | None:
    """
    Begin something, and give what is to be waited for.

    Mostly it is none: who has not waited needs no Deferred, which would be a fifth of all
    that a member costs.
    """
    try:
        waited_for = coroutine.send(None)
    except StopIteration:
        return None
    return Deferred.fromCoroutine(resumed(coroutine, waited_for))
