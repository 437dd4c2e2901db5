"""
What a proxy asks when there is a server behind it.

Which requests are the server's, where it is, which of them come from it, and what of a
request is said to it about who sent it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import attrs

from presproxy.errors import PresproxyError
from presproxy.proxying.branches import Target
from presproxy.proxying.forward import ASSERTED, is_too_large
from presproxy.proxying.inspect import NotForwarded, Passage
from presproxy.proxying.token import PathTokens
from presproxy.server.answer import Answer, Fields, Refusal
from presproxy.server.answers import answer_to
from presproxy.server.copying import Manner, nothing_more
from presproxy.server.exchange import Exchange
from presproxy.server.front.options import FrontOptions
from presproxy.server.front.routes import (
    Action,
    Asked,
    Network,
    Registrar,
    Routes,
    Rule,
    is_in,
    networks,
)
from presproxy.server.front.upstream import Attempt, Upstream
from presproxy.server.outbound import OUTBOUND, Outbound
from presproxy.sip.flow import Flow
from presproxy.sip.message import Message, Request, Response
from presproxy.sip.uri import SipURI

#: Keeps what a server accepted; gives our refusal if it cannot.
Keep = Callable[[Exchange, Response], Awaitable[Answer | None]]

#: How an identity was not proved: nobody is told of it as if it were.
_UNPROVED = "open"


@attrs.define(eq=False)
class Front:
    """
    The servers behind us.

    ``upstreams`` are by their URIs, and ``usual`` is the URI of the one that is meant
    where a rule names none.  ``named`` gives the flow to a user agent that it has a name
    for; ``keep`` keeps a registration that a server has accepted, and ``follow`` knows the
    flow that it came by.
    """

    options: FrontOptions
    routes: Routes
    upstreams: Mapping[str, Upstream]
    usual: str
    tokens: PathTokens
    named: Callable[[str], Awaitable[Flow | None]]
    is_here: Callable[[SipURI, Flow], bool]
    keep: Keep
    follow: Keep
    outbound: Outbound
    _neighbours: Sequence[Network] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._neighbours = networks(self.options.neighbours)

    # -- Where a request goes --------------------------------------------------------

    def decide(self, request: Request, flow: Flow) -> Action:
        """
        Say what becomes of a request outside the dialogs that began by us.

        Raises `Refusal`, and `MalformedField` for what cannot be read.
        """
        rule = self._rule(request, flow)
        if rule.action is Action.REFUSE:
            raise Refusal(rule.status)
        if self._is_about_us(request, flow):
            return Action.SERVE
        return rule.action

    async def onward(self, exchange: Exchange, passage: Passage) -> Target:
        """
        Give the target at the server that a request is for.

        What is left of its Route has to name that server.  Raises `NotForwarded`.
        """
        rule = self._rule(exchange.request, exchange.flow)
        upstream = self.upstreams[rule.to or self.usual]
        if passage.routes and upstream.uri_of(passage.routes) is None:
            raise NotForwarded(403, "Route leads elsewhere")
        return await _attempt(upstream, passage, exchange.request).first()

    async def by_path(self, passage: Passage, flow: Flow) -> Target | None:
        """
        Give the user agent that a Path of ours leads to, as a registrar found it.

        Only who is trusted may send there: what it is asked is not looked at here.  What
        the user agent itself sends by it goes its way as all that comes from there (RFC
        5626 §5.3.2).  Raises `NotForwarded`.
        """
        name = next(filter(None, map(self.tokens.read, reversed(passage.ours))), None)
        if name is None:
            if passage.has_flow_token and passage.ours:
                raise NotForwarded(403, "The flow token is none of ours")
            return None
        way = await self.named(name)
        if way is not None and way.key == flow.key:
            return None
        if not self.is_near(flow):
            raise NotForwarded(403)
        if way is None:
            raise NotForwarded(430)
        return Target(passage.uri, way, name, passage.routes)

    async def within(
        self, name: str, passage: Passage, request: Request
    ) -> Target | None:
        """Give the target of a request within a dialog, at a server of that name."""
        for upstream in self.upstreams.values():
            if upstream.name == name:
                return await _attempt(upstream, passage, request).first()
        return None

    def _rule(self, request: Request, flow: Flow) -> Rule:
        asked = Asked.of(request, flow.peer[0], self.is_near(flow))
        return self.routes.decide(asked)

    def _is_about_us(self, request: Request, flow: Flow) -> bool:
        """Whether it asks what we are, and no user."""
        if request.method != "OPTIONS":
            return False
        uri = request.request_uri
        return isinstance(uri, SipURI) and uri.user is None and self.is_here(uri, flow)

    # -- How it differs there --------------------------------------------------------

    def manner(self, exchange: Exchange, name: Callable[[Flow], str]) -> Manner:
        """Say how the copies of a request differ from it; ``name`` names a flow."""
        asserted = partial(self.asserted, exchange)
        told = partial(self.told, exchange)
        if exchange.request.method != "REGISTER":
            return Manner(asserted, told, keeps_credentials=not self.asks_here)
        # Whether its flow is to be found again (RFC 5626 §5.1).
        is_flow = self.outbound.is_asked(exchange.request, exchange.flow)
        return Manner(
            asserted,
            told,
            keeps_credentials=not self.asks_here,
            path=self.tokens.write(name(exchange.flow)),
            is_flow=is_flow,
            more=partial(self.timing, exchange) if is_flow else nothing_more,
            accepted=self.accepted(exchange),
        )

    # -- Who is who ------------------------------------------------------------------

    def is_near(self, flow: Flow) -> bool:
        """Whether what comes by a flow is a server's behind us, or one's that counts so."""
        if self.name_of(flow) is not None:
            return True
        return is_in(flow.peer[0], self._neighbours)

    def name_of(self, flow: Flow) -> str | None:
        """Give the name of the server that a flow leads to, if it is one's."""
        for upstream in self.upstreams.values():
            if upstream.is_peer_of(flow):
                return upstream.name
        return None

    @property
    def asks_here(self) -> bool:
        """Whether who sends to the server is asked here who he is."""
        return self.options.authenticate

    def asserted(self, exchange: Exchange, target: Target) -> Sequence[str]:
        """
        Give the values of P-Asserted-Identity (RFC 3325).

        A server is told whom we know.  What a server says goes on, unless its user wants
        it to be private; what anybody else says does not.
        """
        request = exchange.request
        if self.is_near(exchange.flow):
            if target.detour is None and _is_private(request):
                return ()
            return request.values(ASSERTED.lower())
        identity = exchange.identity
        if target.detour is None or identity is None or identity.proof == _UNPROVED:
            return ()
        return (f"<{identity.aor}>",)

    def told(
        self, exchange: Exchange, target: Target, response: Response
    ) -> Sequence[str]:
        """
        Give what a response may assert of who answers.

        It is what a server says; and a phone is told unless he wants it to be private.
        """
        is_server = target.detour is not None
        if not is_server and (target.flow is None or not self.is_near(target.flow)):
            return ()
        if _is_private(response) and not self.is_near(exchange.flow):
            return ()
        return response.values(ASSERTED.lower())

    def accepted(
        self, exchange: Exchange
    ) -> Callable[[Response], Awaitable[Answer | None]] | None:
        """Give what is done here with what a server accepts; None if that is nothing."""
        request = exchange.request
        if request.method != "REGISTER":
            return None
        uri = request.request_uri
        if not isinstance(uri, SipURI) or not self.is_here(uri, exchange.flow):
            return None
        is_kept = self.options.registrar is Registrar.BOTH
        return partial(self._keep, self.keep if is_kept else self.follow, exchange)

    def timing(self, exchange: Exchange, response: Response) -> Fields:
        """Give what a user agent is told of its flow once a server has accepted it (§5.4)."""
        if response.has("flow-timer") or OUTBOUND not in response.values("require"):
            return ()
        return self.outbound.timing(exchange.flow)

    async def _keep(
        self, keep: Keep, exchange: Exchange, response: Response
    ) -> Answer | None:
        try:
            return await keep(exchange, response)
        except PresproxyError as error:
            answer = answer_to(error)
            if answer is None:
                raise
            return answer


def _is_private(message: Message) -> bool:
    """Whether who sends it wants nobody told who he is (RFC 3325 §9.3)."""
    wants = (part for each in message.values("privacy") for part in each.split(";"))
    return any(each.strip().lower() == "id" for each in wants)


def _attempt(upstream: Upstream, passage: Passage, request: Request) -> Attempt:
    is_large = is_too_large(request)
    return Attempt(upstream, passage.uri, passage.routes, is_large)
