"""Batched subscriptions: one SUBSCRIBE for many contacts ([MS-PRES] 2.2.2.4.1)."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from presproxy.documents.reading import LIMITS, Node, read_root
from presproxy.documents.writing import element
from presproxy.documents.xml import Limits
from presproxy.errors import MalformedDocument

CONTENT_TYPE = "application/msrtc-adrl-categorylist+xml"

NAMESPACE = "http://schemas.microsoft.com/2006/01/sip/batch-subscribe"
CATEGORY_LIST = "http://schemas.microsoft.com/2006/09/sip/categorylist"

_ACTIONS = {"subscribe": True, "unsubscribe": False}
#: In one document; clients send one or two.
_MOST_ACTIONS = 20
#: In one action; there are some fifteen categories, with names of twenty letters at most.
#: Each is said of each contact, if only that there is nothing of it.
_MOST_CATEGORIES = 50
_LONGEST_NAME = 64


class TooMany(MalformedDocument):
    """A batch of more contacts than a subscription may have."""


@attrs.frozen
class BatchResource:
    """
    Somebody to be watched, or no longer; ``uri`` is as it was written.

    ``is_new``: he was made a contact just now.
    """

    uri: str
    is_new: bool = False


@attrs.frozen
class BatchAction:
    """Some to be added to a subscription or taken out, and what is to be seen of them."""

    is_subscribe: bool
    id: str
    resources: Sequence[BatchResource]
    categories: Sequence[str] = ()


@attrs.frozen
class Batch:
    """A whole document; ``uri`` is that of the watcher."""

    uri: str
    actions: Sequence[BatchAction]


def read_batch(data: bytes, most: int, limits: Limits = LIMITS) -> Batch:
    """
    Read a batch of at most ``most`` resources in all.

    Raises `TooMany` for more, and `MalformedDocument` for what is no batch.
    """
    root = read_root(data, "batchSub", NAMESPACE, limits)
    actions = tuple(
        _read_action(each) for each in root.each("action", most=_MOST_ACTIONS)
    )
    if sum(len(each.resources) for each in actions) > most:
        raise TooMany(f"over {most} resources")
    return Batch(root.needed("uri"), actions)


def _read_action(node: Node) -> BatchAction:
    name = node.needed("name")
    if name not in _ACTIONS:
        raise node.wrong(f"name is {name[:40]!r}, not subscribe or unsubscribe")
    adhoc = node.child("adhocList")
    if adhoc is None:
        raise node.wrong("no adhocList")
    listed = node.only(f"{{{CATEGORY_LIST}}}categoryList")
    return BatchAction(
        _ACTIONS[name],
        node.text("id"),
        tuple(
            _read_resource(each)
            for each in adhoc.each("resource", most=LIMITS.elements)
        ),
        () if listed is None else _read_categories(listed),
    )


def _read_resource(node: Node) -> BatchResource:
    return BatchResource(node.needed("uri"), node.child("context") is not None)


def _read_categories(node: Node) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for each in node.each("category", most=_MOST_CATEGORIES):
        name = each.needed("name")
        if len(name) > _LONGEST_NAME:
            raise each.wrong(f"name has over {_LONGEST_NAME} letters")
        names[name] = None
    return tuple(names)


def write_batch(batch: Batch) -> bytes:
    """Write a batch."""
    return element(
        "batchSub",
        [_action_element(each) for each in batch.actions],
        ("xmlns", NAMESPACE),
        ("uri", batch.uri),
        ("name", ""),
    ).encode()


def _action_element(action: BatchAction) -> str:
    resources = [
        element("resource", ["<context/>"] if each.is_new else (), ("uri", each.uri))
        for each in action.resources
    ]
    written = [element("adhocList", resources)]
    if action.categories:
        names = [element("category", (), ("name", each)) for each in action.categories]
        written.append(element("categoryList", names, ("xmlns", CATEGORY_LIST)))
    return element(
        "action",
        written,
        ("name", "subscribe" if action.is_subscribe else "unsubscribe"),
        ("id", action.id),
    )
