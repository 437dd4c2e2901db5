"""What a message in Lync's dialect means, in a few words."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from presproxy.cli.output import state_text
from presproxy.documents import rlmi
from presproxy.documents.lync import batch, categories, containers, roaming
from presproxy.documents.lync.categories import Category
from presproxy.documents.lync.state import StateKind, read_state
from presproxy.errors import MalformedDocument
from presproxy.sip.eventfields import SubscriptionState
from presproxy.sip.message import Request, Response
from presproxy.sip.uri import AddressOfRecord
from presproxy.useragent import Notification, Presence
from presproxy.useragent.lync.said import presence_of
from presproxy.useragent.lync.seen import seen_in

#: What a batch may be asked for here; the demo has no more.
_MOST = 100
_SHOWN = (categories.CONTENT_TYPE, rlmi.CONTENT_TYPE, "multipart/related")


def meaning_in_lync(message: Request | Response, receiver: str) -> Text | None:
    """Say what it means; None if nothing in it is Lync's."""
    try:
        if isinstance(message, Request):
            return _of_request(message, receiver)
        return _of_body(message, receiver)
    except MalformedDocument:
        return None


def _of_request(request: Request, receiver: str) -> Text | None:
    if request.method == "REGISTER":
        return Text("signs off" if request.expires == 0 else "signs in")
    if request.method == "SERVICE":
        return _of_service(request)
    if request.method == "BENOTIFY":
        return _of_body(request, receiver)
    if request.method == "SUBSCRIBE":
        return _of_subscribe(request)
    return None


def _of_subscribe(request: Request) -> Text | None:
    kind = _type(request)
    if kind == roaming.CONTENT_TYPE:
        return Text("asks what he has here")
    if kind != batch.CONTENT_TYPE:
        return None
    actions = batch.read_batch(request.body, _MOST).actions
    count = sum(len(each.resources) for each in actions)
    if request.expires == 0:
        return Text("looks once")
    return Text(f"wants to watch {count} contacts")


def _of_service(request: Request) -> Text | None:
    kind = _type(request)
    if kind == containers.CONTENT_TYPE:
        (change,) = containers.read_container_members(request.body)
        who = [
            each.value.partition("@")[0] for each in (*change.added, *change.removed)
        ]
        return Text(
            f"{'blocks' if change.added else 'unblocks'} {', '.join(who).capitalize()}"
        )
    if kind != categories.PUBLISH_TYPE:
        return None
    asked = categories.read_publish(request.body).asked
    presence = presence_of(
        [
            Category(each.name, 0, each.expire_type, each.body, 0.0)
            for each in asked
            if each.body and not _is_of_a_machine(each.name.category, each.body)
        ]
    )
    return None if presence is None else Text.assemble("says: ", _shown(presence))


def _is_of_a_machine(category: str, body: bytes) -> bool:
    return category == "state" and read_state(body).kind is StateKind.MACHINE


def _of_body(message: Request | Response, receiver: str) -> Text | None:
    """Say what is told, be it by a message of its own or in an answer."""
    kind = _type(message)
    if kind == roaming.CONTENT_TYPE:
        return _told(receiver, [Text("what he has here")])
    if kind not in _SHOWN:
        return None
    seen = seen_in(
        Notification(
            AddressOfRecord(""),
            SubscriptionState("active"),
            kind,
            message.body,
            message,
        )
    )
    return _told(
        receiver,
        [_shown(each.presence) for each in seen if each.presence is not None],
    )


def _told(receiver: str, what: Sequence[Text]) -> Text:
    return Text.assemble(("→ ", "dim"), f"{receiver}: ", Text("; ").join(what))


def _shown(presence: Presence) -> Text:
    shown = state_text(presence.state)
    if presence.note:
        shown = Text.assemble(shown, f", “{presence.note}”")
    return shown


def _type(message: Request | Response) -> str:
    return message.content_type.type if message.content_type is not None else ""
