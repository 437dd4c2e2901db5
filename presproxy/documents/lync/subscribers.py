"""Who subscribed to a user, as he is told and as he answers ([MS-PRES] 2.2.2.7)."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from presproxy.documents.lync.addresses import with_scheme, without_scheme
from presproxy.documents.lync.containers import MemberType, read_member_type
from presproxy.documents.reading import LIMITS, Node, read_root
from presproxy.documents.writing import element, flag
from presproxy.documents.xml import Limits

CONTENT_TYPE = "application/msrtc-presence-setsubscriber+xml"
NAMESPACE = "http://schemas.microsoft.com/2006/09/sip/presence-subscribers"

#: In one document; chosen, as a list of contacts is that long.
_MOST = 5000


@attrs.frozen
class Subscriber:
    """
    Somebody who added the user to his contacts; acknowledged once the user said so.

    ``user`` is an address of record.
    """

    user: str
    type: MemberType
    is_acknowledged: bool = False
    display_name: str = ""


def read_set_subscribers(
    data: bytes, limits: Limits = LIMITS
) -> tuple[tuple[str, bool], ...]:
    """
    Read whom a user acknowledges, or not: addresses as written, without ``sip:``.

    Raises `MalformedDocument`.
    """
    root = read_root(data, "setSubscribers", NAMESPACE, limits)
    return tuple(
        (each.needed("user"), each.flag("acknowledged", True))
        for each in root.each("subscriber", most=_MOST)
    )


def write_set_subscribers(subscribers: Iterable[tuple[str, bool]]) -> bytes:
    """Write whom a user acknowledges, or not."""
    return element(
        "setSubscribers",
        [
            element(
                "subscriber",
                (),
                ("user", without_scheme(user)),
                ("acknowledged", flag(is_acknowledged)),
            )
            for user, is_acknowledged in subscribers
        ],
        ("xmlns", NAMESPACE),
    ).encode()


def subscribers_element(subscribers: Iterable[Subscriber]) -> str:
    """Write the element ``subscribers``."""
    return element(
        "subscribers",
        [
            element(
                "subscriber",
                (),
                ("user", without_scheme(each.user)),
                ("displayName", each.display_name),
                ("acknowledged", flag(each.is_acknowledged)),
                ("type", each.type),
            )
            for each in subscribers
        ],
        ("xmlns", NAMESPACE),
    )


def subscribers_within(root: Node) -> tuple[Subscriber, ...]:
    """Read the element ``subscribers``."""
    return tuple(
        Subscriber(
            with_scheme(each.needed("user")),
            read_member_type(each),
            each.flag("acknowledged", False),
            each.text("displayName"),
        )
        for each in root.each("subscriber", most=_MOST)
    )
