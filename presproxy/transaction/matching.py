"""
Which requests are the same one, come again (RFC 3261 §17.2.3), and the way back (§18.2).

Departures from §17.2.3:

- The CSeq number counts, too.  There are user agents (libpurple) which repeat a request
  after 401 with the branch of the first and the next CSeq.
- Whether a request that was answered 401 or 407 came again is decided by all of its
  bytes, see `presproxy.transaction.server`: others (SIPE) repeat it with branch and
  CSeq of the first, and nothing new but credentials.

Departures from §18.2.2:

- ``maddr`` is not followed: whoever can write a Via would choose who is hit by our
  responses.
- The response to a request without a branch goes to the port it came from, as if it had
  asked by ``rport``.  What still speaks RFC 2543 and sends from an odd port listens
  there (Snom's plug and play).
- A response on a stream goes back on it or nowhere: no connection is opened for it.
"""

from __future__ import annotations

from presproxy.sip.flow import Flow
from presproxy.sip.message import Request
from presproxy.sip.tokens import MAGIC_COOKIE

#: Where a Via without a port wants its responses (RFC 3261 §18.2.2).
DEFAULT_PORT = 5060


def key_of(request: Request) -> str:
    """
    Give what is the same for a request and all its retransmissions.

    An ACK has the key of the INVITE it belongs to.  Raises `MalformedField` when a field
    it needs cannot be read.
    """
    method = "INVITE" if request.method == "ACK" else request.method
    return _key(request, method)


def cancelled_key_of(cancel: Request) -> str:
    """Give the key of the INVITE that a CANCEL is for (RFC 3261 §9.2)."""
    return _key(cancel, "INVITE")


def _key(request: Request, method: str) -> str:
    via = request.via
    branch = via.branch
    # A cookie with nothing behind it names no transaction (RFC 4475 §3.2.1).
    if branch is None or branch == MAGIC_COOKIE or not branch.startswith(MAGIC_COOKIE):
        return _key_of_old(request, method)
    cseq = request.cseq
    return f"{branch} {via.host}:{via.port} {method} {cseq.number}"


def _key_of_old(request: Request, method: str) -> str:
    # The rules for RFC 2543.  The ACK to a final response has the To tag of that
    # response, which the INVITE has not: for these two it does not count.
    to_tag = "" if method == "INVITE" else request.to.tag
    parts = (
        request.uri,
        method,
        request.cseq.number,
        request.call_id,
        request.from_.tag,
        to_tag,
        request.via,
    )
    return "\n".join(map(str, parts))


def way_back(request: Request, flow: Flow, *, to_source: bool = False) -> Flow:
    """
    Give the flow for the responses, and stamp the request with where it came from.

    With ``to_source`` they go to the source port, whether asked to by ``rport`` or not.
    """
    via = request.via
    peer, port = flow.peer
    asked = via.has_rport
    if asked or via.host.strip("[]") != peer:
        # The zone of a link-local address is ours and nothing to the peer.
        request.stamp(peer.partition("%")[0], port if asked else None)
    wanted = via.port or DEFAULT_PORT
    if wanted == port or asked or to_source or flow.reliable or via.branch is None:
        return flow
    return flow.towards((peer, wanted))
