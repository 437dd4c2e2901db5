"""What a watcher of many contacts is told of each (RFC 4662, [MS-PRES] 2.2.2.4.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from presproxy.documents import rlmi
from presproxy.documents.lync import categories
from presproxy.documents.rlmi import RlmiResource, read_rlmi
from presproxy.errors import MalformedDocument
from presproxy.sip.multipart import read_multipart
from presproxy.useragent.lync.said import presence_of
from presproxy.useragent.states import Presence
from presproxy.useragent.subscription import Notification

_MULTIPART = "multipart/related"


@attrs.frozen
class Contact:
    """
    One contact as he was seen.

    ``subscription`` is active, pending or terminated, ``reason`` why; ``presence`` is
    None where nothing is said of it.
    """

    uri: str
    subscription: str
    reason: str | None = None
    presence: Presence | None = None


def seen_in(notification: Notification) -> Sequence[Contact]:
    """
    Read a notification of one contact or of several; raises `MalformedDocument`.

    One without a body tells of nobody.
    """
    kind = notification.content_type
    if not notification.body:
        return ()
    if kind == categories.CONTENT_TYPE:
        return (_contact(notification.body),)
    if kind == rlmi.CONTENT_TYPE:
        return tuple(_listed(notification.body, {}))
    if kind != _MULTIPART:
        raise MalformedDocument(f"{kind} cannot be read")
    parts = read_multipart(
        notification.body, notification.message.get("content-type") or ""
    )
    if not parts or not parts[0].content_type.startswith(rlmi.CONTENT_TYPE):
        raise MalformedDocument("the first part is no list of resources")
    shown = {part.content_id: part.data for part in parts[1:]}
    return tuple(_listed(parts[0].data, shown))


def _listed(data: bytes, shown: Mapping[str, bytes]) -> Iterator[Contact]:
    for resource in read_rlmi(data).resources:
        yield from _instances(resource, shown)


def _instances(resource: RlmiResource, shown: Mapping[str, bytes]) -> Iterator[Contact]:
    for instance in resource.instances:
        data = shown.get(instance.cid)
        presence = None if data is None else _contact(data).presence
        yield Contact(resource.uri, instance.state, instance.reason or None, presence)


def _contact(data: bytes) -> Contact:
    document = categories.read_categories(data)
    return Contact(document.uri, "active", None, presence_of(document.categories))
