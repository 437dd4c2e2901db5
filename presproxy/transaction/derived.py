"""The requests that are made out of an INVITE: its ACK and its CANCEL."""

from __future__ import annotations

from presproxy.sip.message import Request, build_request


def build_ack(invite: Request, to: str) -> bytes:
    """
    Write the ACK to a response that is no 2xx (RFC 3261 §17.1.1.3).

    ``invite`` is what was sent, ``to`` the To of the response.
    """
    return _derived(invite, "ACK", to)


def build_cancel(invite: Request) -> bytes:
    """Write the CANCEL of an INVITE that was sent (RFC 3261 §9.1)."""
    return _derived(invite, "CANCEL", invite.get("to") or "")


def _derived(invite: Request, method: str, to: str) -> bytes:
    fields = [
        # The topmost alone: it is one hop that hears of this.
        ("Via", invite.values("via")[0]),
        *(("Route", route) for route in invite.get_all("route")),
        ("Max-Forwards", "70"),
        ("From", invite.get("from") or ""),
        ("To", to),
        ("Call-ID", invite.call_id),
        ("CSeq", f"{invite.cseq.number} {method}"),
    ]
    return build_request(method, invite.uri, fields)
