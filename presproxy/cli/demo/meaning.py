"""What a message of the flow means, in a few words."""

from __future__ import annotations

from rich.text import Text

from presproxy.cli.demo.lyncmeaning import meaning_in_lync
from presproxy.cli.output import state_text
from presproxy.errors import MalformedDocument
from presproxy.sip.eventfields import parse_subscription_state
from presproxy.sip.message import Request, Response
from presproxy.useragent import Presence, presence_in


def label_of(message: Request | Response) -> Text:
    """Give the method, or the status and its reason, in the colour of its kind."""
    if isinstance(message, Request):
        return Text(message.method, style="cyan")
    style = "green" if message.status < 300 else "red"
    return Text(f"{message.status} {message.reason}", style=style)


def meaning_of(message: Request | Response, receiver: str) -> Text:
    """Say what it means; ``receiver`` is the name of whoever it goes to."""
    said = meaning_in_lync(message, receiver)
    if said is not None:
        return said
    if isinstance(message, Response):
        return _of_response(message)
    if message.method == "SUBSCRIBE":
        return Text(_of_subscribe(message))
    if message.method == "PUBLISH":
        return _of_publish(message)
    if message.method == "NOTIFY":
        return _of_notify(message, receiver)
    return Text()


def _of_response(response: Response) -> Text:
    if response.status >= 300:
        return Text()
    method, expires = response.cseq.method, response.expires
    if method == "SUBSCRIBE" and expires:
        return Text(f"for {expires} seconds", style="dim")
    if method == "PUBLISH" and expires:
        return Text(f"kept, for {expires} seconds", style="dim")
    return Text()


def _of_subscribe(request: Request) -> str:
    is_in_dialog = request.to.tag is not None
    if request.expires == 0:
        return "watches no more" if is_in_dialog else "looks once"
    return "goes on watching" if is_in_dialog else "wants to watch"


def _of_publish(request: Request) -> Text:
    if request.expires == 0:
        return Text("logs off")
    presence = _presence(request.body)
    if presence is None:
        return Text("still the same")
    return Text.assemble("says: ", _shown(presence))


def _of_notify(request: Request, receiver: str) -> Text:
    state = parse_subscription_state(request.get("subscription-state") or "?")
    presence = _presence(request.body)
    said = Text.assemble(
        ("→ ", "dim"),
        f"{receiver}: ",
        _shown(presence) if presence else "nothing",
    )
    if state.state != "active":
        said.append(f" ({_STATES.get(state.state, state.state)})", style="dim")
    return said


#: How a subscription's state is said.
_STATES = {"terminated": "the last"}


def _shown(presence: Presence) -> Text:
    shown = state_text(presence.state)
    if presence.note:
        shown = Text.assemble(shown, f", “{presence.note}”")
    return shown


def _presence(body: bytes) -> Presence | None:
    try:
        return presence_in(body) if body else None
    except MalformedDocument:
        return None
