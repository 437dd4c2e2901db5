"""
What a SUBSCRIBE is accepted with: the content type that a watcher is told in, and the fields
of the answer (RFC 3261 §20.1, RFC 6665 §4.1.3, §4.2.1.1).
"""

from __future__ import annotations

from presproxy.documents.lync import categories, older
from presproxy.interfaces import IEventPackage
from presproxy.notify.route import BENOTIFY, BEST_EFFORT
from presproxy.server.answer import Fields, Refusal
from presproxy.server.exchange import Exchange
from presproxy.sip.fields import choose_media_type
from presproxy.sip.message import Request
from presproxy.transaction.dialog import contact_of

#: What Lync clients want of presence, now and in 2005.
_LYNC_TYPES = (categories.CONTENT_TYPE, older.PRESENCE_TYPE)

#: Whoever says so reads categories, whether his Accept says it or not.
_READS_CATEGORIES = "msrtc-event-categories"


def accepted_type(request: Request, package: IEventPackage) -> str:
    """
    Choose what the watcher accepts, the package's first choice if he is silent.

    Lync clients list all they can read, and mean their own kind when it is among it.
    Raises `Refusal` with 406.
    """
    produces = package.produces
    lines = request.get_all("accept")
    if len(lines) == 1 and lines[0] in produces:
        return lines[0]
    if not lines:
        reads = request.has("supported") and _READS_CATEGORIES in request.supported
        if reads and categories.CONTENT_TYPE in produces:
            return categories.CONTENT_TYPE
        return produces[0]
    accepted = request.values("accept")
    for own in _LYNC_TYPES:
        if own in accepted and own in produces:
            return own
    chosen = choose_media_type(accepted, produces)
    if chosen is None:
        raise Refusal(406, (("Accept", ", ".join(produces)),))
    return chosen


def accepted_fields(
    exchange: Exchange, expires: int, allowed: str, method: str
) -> Fields:
    """
    Give the fields of the 2xx to a SUBSCRIBE.

    ``allowed`` is the value of Allow-Events, ``method`` what its watcher is told by.
    """
    fields: Fields = (
        ("Contact", contact_of(exchange.flow)),
        ("Expires", str(expires)),
        ("Allow-Events", allowed),
    )
    if exchange.request.has("record-route"):
        routes = exchange.request.get_all("record-route")
        fields = (*(("Record-Route", route) for route in routes), *fields)
    if method == BENOTIFY:
        # Only then may a BENOTIFY follow ([MS-SIP] 3.5).
        fields = (*fields, ("Supported", BEST_EFFORT))
    return fields
