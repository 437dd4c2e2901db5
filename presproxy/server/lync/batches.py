"""
Batches: one SUBSCRIBE for many contacts ([MS-PRES] 2.2.2.4.1, 3.4; RFC 4662).

Each contact gets a subscription of his own, about which the contact ACLs are asked, and
which other watchers are told of, as of any.  What they have in common is their dialog: it
is kept in memory, and ends with its connection.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from sys import intern

import attrs

from presproxy.documents.lync import batch as batches
from presproxy.documents.lync import categories
from presproxy.documents.lync.batch import Batch, BatchAction, TooMany
from presproxy.errors import AccessDenied
from presproxy.interfaces import IEventPackage
from presproxy.model.decision import FULL
from presproxy.model.notice import Notice
from presproxy.model.subscription import Happening, Reason, State, Subscription
from presproxy.notify.lists import LIST, ListDialog, ListNotifier
from presproxy.notify.route import PIGGYBACK, SipRoute
from presproxy.notify.writing import state_of
from presproxy.server.accept import accepted_fields, accepted_type
from presproxy.server.answer import Answer, Refusal, for_now
from presproxy.server.bodies import bounded_body
from presproxy.server.dialogs import Usage
from presproxy.server.domains import Domains
from presproxy.server.events import EventPackages
from presproxy.server.exchange import Exchange
from presproxy.server.lync.lists import ListDialogs
from presproxy.server.lync.members import Members
from presproxy.server.lync.piggyback import OVER, riding, wants
from presproxy.sip.grammar import is_token
from presproxy.sip.message import Request
from presproxy.sip.tokens import Tokens

#: Whoever says so knows lists, and is told what is one (RFC 4662 §4).
EVENT_LIST = "eventlist"

#: The package whose resources may be many in one SUBSCRIBE.
_PACKAGE = "presence"


def is_batch(request: Request) -> bool:
    """Whether the body of a SUBSCRIBE names contacts."""
    media = request.content_type
    return media is not None and media.type == batches.CONTENT_TYPE


@attrs.define(eq=False)
class Batches:
    """
    Serves the SUBSCRIBEs of lists.

    One list has ``most`` contacts at the most, and one body ``largest_body`` octets.
    ``now`` is the wall clock.
    """

    packages: EventPackages
    domains: Domains
    lists: ListDialogs
    members: Members
    notifier: ListNotifier
    tokens: Tokens
    most: int
    largest_body: int
    now: Callable[[], float]

    async def first(self, exchange: Exchange) -> Answer:
        """Answer a SUBSCRIBE that begins a list, or looks at one once."""
        self.domains.ours(exchange.resource())
        package = self._package(exchange)
        if not exchange.flow.reliable:
            raise Refusal(403, reason="A batch needs a connection")
        asked = self._read(exchange)
        expires = self.packages.grant(package.name, exchange.request.expires)
        dialog = self._make(exchange, expires)
        if not expires:
            return await self._poll(exchange, dialog, asked)
        self.lists.begin(dialog, exchange.flow)
        try:
            await self._obey(exchange, dialog, asked)
        except BaseException:
            self.lists.end(dialog, Happening.UNREACHABLE)
            raise
        return self._accepted(exchange, dialog, expires)

    async def again(self, exchange: Exchange, usage: Usage) -> Answer:
        """Answer a SUBSCRIBE within the dialog of a list."""
        request = exchange.request
        self._package(exchange)
        dialog = self.lists.dialog(usage.subscription.key)
        if exchange.sender.aor != usage.subscription.watcher.aor:
            raise AccessDenied(f"not the list of {exchange.sender.aor}")
        asked = self._read(exchange) if request.body else None
        if len(dialog.news) > 2 * self.most:
            # All who are in it, and as many who are nobody's: he does not listen.
            raise for_now("There is more to be told than you take")
        usage.route.dialog.accept(request)
        expires = self.packages.grant(_PACKAGE, request.expires)
        usage.route.follow(request, exchange.flow)
        if not expires:
            return self._ended(exchange, dialog)
        usage.subscription.expires_at = self.now() + expires
        self.lists.keep(dialog, exchange.flow)
        if asked is None:
            dialog.held += 1
            self.members.again(dialog)
            dialog.held -= 1
        else:
            await self._obey(exchange, dialog, asked)
        return self._accepted(exchange, dialog, expires)

    # -- Asking ----------------------------------------------------------------------

    def _package(self, exchange: Exchange) -> IEventPackage:
        package = self.packages.subscribable(exchange)
        if package.name != _PACKAGE:
            raise self.packages.bad_event()
        return package

    def _read(self, exchange: Exchange) -> Batch:
        if not is_batch(exchange.request):
            raise Refusal(415, (("Accept", batches.CONTENT_TYPE),))
        body = bounded_body(exchange.request, self.largest_body)
        try:
            return batches.read_batch(body, self.most)
        except TooMany:
            why = f"A batch may have {self.most} contacts"
            raise Refusal(413, reason=why) from None

    def _make(self, exchange: Exchange, expires: int) -> ListDialog:
        request, now = exchange.request, self.now()
        tag = self.tokens.tag()
        route = SipRoute.of_request(request, exchange.flow, tag)
        subscription = Subscription(
            key=tag,
            watcher=exchange.sender,
            presentity=exchange.sender.aor,
            package=_PACKAGE,
            content_type=batches.CONTENT_TYPE,
            expires_at=now + expires,
            notifier=LIST,
            route=route,
            state=State.ACTIVE,
            view=FULL,
            since=now,
        )
        knows_lists = wants(request, EVENT_LIST)
        uri = request.to.uri
        return ListDialog(subscription, route, uri, knows_lists, self.notifier)

    async def _obey(
        self,
        exchange: Exchange,
        dialog: ListDialog,
        asked: Batch,
        is_poll: bool = False,
    ) -> None:
        """Do what a batch asks for; what there is to tell is held back for the answer."""
        package = self.packages.packages[_PACKAGE]
        accepted = accepted_type(exchange.request, package)
        dialog.held += 1
        try:
            for action in asked.actions:
                if not action.is_subscribe:
                    self.members.close(dialog, action.resources)
                    continue
                content_type = with_categories(accepted, action)
                await self.members.open(
                    dialog, action.resources, content_type, is_poll=is_poll
                )
        finally:
            dialog.held -= 1
            self.notifier.mark(dialog)
        if not dialog.is_alive:
            raise Refusal(481)

    async def _poll(
        self, exchange: Exchange, dialog: ListDialog, asked: Batch
    ) -> Answer:
        """Tell once of all contacts, and remember nothing."""
        await self._obey(exchange, dialog, asked, is_poll=True)
        dialog.subscription.happen(Happening.EXPIRED)
        dialog.subscription.reason = Reason.TIMEOUT
        return self._accepted(exchange, dialog, 0)

    # -- Answering -------------------------------------------------------------------

    def _accepted(self, exchange: Exchange, dialog: ListDialog, expires: int) -> Answer:
        exchange.flow.keep(expires)
        answer = self._answer(exchange, dialog, expires)
        if not wants(exchange.request, PIGGYBACK) or dialog.route.is_busy:
            notice = Notice((dialog.subscription,), dialog)
            answer.then = partial(self.notifier.tell, notice)
            return answer
        state = OVER
        if expires:
            state = state_of(dialog.subscription, self.now()).decode()
        data = dialog.answer()
        dialog.route.wait(dialog, 0.0)
        dialog.route.ride()
        answer.fields += riding(dialog.route, state)
        if data:
            answer.body, answer.content_type = data, dialog.content_type
            if dialog.knows_lists:
                answer.fields += (("Require", EVENT_LIST),)
        return answer

    def _ended(self, exchange: Exchange, dialog: ListDialog) -> Answer:
        answer = self._answer(exchange, dialog, 0)
        if wants(exchange.request, PIGGYBACK):
            self.lists.end(dialog, Happening.UNSUBSCRIBED, is_told=False)
            dialog.route.dialog.next_cseq()
            answer.fields += riding(dialog.route, OVER)
        else:
            answer.then = partial(self.lists.end, dialog, Happening.UNSUBSCRIBED)
        return answer

    def _answer(self, exchange: Exchange, dialog: ListDialog, expires: int) -> Answer:
        allowed, method = self.packages.allowed, dialog.route.method
        fields = accepted_fields(exchange, expires, allowed, method)
        return Answer(200, fields, to_tag=dialog.subscription.key)


def with_categories(content_type: str, action: BatchAction) -> str:
    """
    Give a content type with the categories that are to be seen, if it is of such.

    In order, so that all who want the same share what is rendered for them.
    """
    names = sorted({name for name in action.categories if is_token(name)})
    if content_type != categories.CONTENT_TYPE or not names:
        return content_type
    return intern(f"{content_type};categories={','.join(names)}")
