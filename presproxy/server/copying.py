"""
What is written into the copy of a request that goes to one target.

`presproxy.proxying.forward` writes it; here it is known what this server adds: who is
asserted, ways back in Record-Route and Path, and whose credentials go on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import attrs

from presproxy.proxying.branches import Branch, Target
from presproxy.proxying.forward import Onward, forwarded
from presproxy.proxying.inspect import Passage
from presproxy.proxying.token import RouteTokens
from presproxy.server.answer import Answer, Fields
from presproxy.sip.flow import Flow, uri_parameter
from presproxy.sip.message import Response
from presproxy.transaction.server import ServerTransaction

#: These begin a dialog, and what follows in it has to come by us.
_BEGINNING = frozenset({"INVITE", "SUBSCRIBE", "REFER"})


def nothing_more(response: Response) -> Fields:
    """Add nothing to what is passed back."""
    return ()


@attrs.frozen(eq=False)
class Manner:
    """
    How the copies of one request differ from it; by default as between user agents.

    ``asserted`` gives the values of P-Asserted-Identity for a target, and ``told`` those
    that go back with a response by one.  With
    ``keeps_credentials`` a server gets what the sender proves himself with.  ``path`` is
    our part of a Path, with ``is_flow`` one that names a flow (RFC 5626 §5.1).  What a
    server accepts is passed back with ``more`` fields, once ``accepted`` is done, which
    says whether all is well.
    """

    asserted: Callable[[Target], Sequence[str]] = lambda target: ()
    told: Callable[[Target, Response], Sequence[str]] = lambda target, response: ()
    keeps_credentials: bool = False
    path: str | None = None
    is_flow: bool = False
    more: Callable[[Response], Fields] = nothing_more
    accepted: Callable[[Response], Awaitable[Answer | None]] | None = None


@attrs.frozen(eq=False)
class Copier:
    """
    Writes the copies of requests.

    ``name`` names a flow; ``is_for_us`` says of credentials whether they were asked for
    here.
    """

    name: Callable[[Flow], str]
    route_tokens: RouteTokens
    is_for_us: Callable[[str], bool]

    def copy(
        self,
        transaction: ServerTransaction,
        passage: Passage,
        manner: Manner,
        branch: Branch,
        flow: Flow,
        word: str,
    ) -> bytes:
        """
        Write the copy for a branch, which leaves by a flow; ``word`` is that of its Via.

        Raises `MalformedField` for what cannot be copied.
        """
        target = branch.target
        is_server = target.detour is not None
        onward = Onward(
            target.uri,
            target.routes,
            passage.forwards,
            branch.breadth,
            self._record_routes(transaction, passage, target, flow),
            _path(manner, flow) if is_server else None,
            manner.asserted(target),
        )
        is_for_us = self.is_for_us
        if is_server and manner.keeps_credentials:
            is_for_us = nobodys
        return forwarded(transaction.request, onward, flow, word, is_for_us)

    def _record_routes(
        self,
        transaction: ServerTransaction,
        passage: Passage,
        target: Target,
        flow: Flow,
    ) -> Sequence[str]:
        """
        Write ourselves into the dialog that begins, if one does.

        Twice if the sides differ: each end is to know us as it can reach us (RFC 5658 §4).
        """
        request, back = transaction.request, transaction.flow
        if request.method not in _BEGINNING or request.to.tag is not None:
            return ()
        token = self.route_tokens.write(request, self.name(back), target.name)
        values = [
            _record_route(each, token, is_secure=passage.is_secure)
            for each in (flow, back)
        ]
        return values if values[0] != values[1] else values[:1]


def nobodys(credentials: str) -> bool:
    """Know no credentials as ours."""
    return False


def _path(manner: Manner, flow: Flow) -> str | None:
    """Write what leads requests for who registers back here (RFC 3327 §5.2)."""
    if manner.path is None:
        return None
    return _record_route(flow, manner.path, ";ob" if manner.is_flow else "")


def _record_route(
    flow: Flow, token: str, more: str = "", *, is_secure: bool = False
) -> str:
    """Write ourselves as who is at the other end of a flow reaches us."""
    transport = uri_parameter(flow.transport)
    if not is_secure:
        return f"<sip:{token}@{flow.sent_by}{transport};lr{more}>"
    # It says TLS already (RFC 3261 §26.2.2).
    transport = "" if flow.transport == "TLS" else transport
    return f"<sips:{token}@{flow.sent_by}{transport};lr{more}>"
