"""
Dialog information documents (RFC 4235): which calls a user has, and how they stand.

What lights a lamp, lets a call be picked up and shows who calls is read and written.
Route sets, session descriptions and extensions are passed over: no lamp needs them, and
they tell more of a call than its lamp does.  The version is counted per subscription, so
a document is written in two halves around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from presproxy.documents.reading import Node, read_root
from presproxy.documents.writing import attribute, text
from presproxy.documents.xml import STANDARD_LIMITS, Limits
from presproxy.errors import MalformedDocument

CONTENT_TYPE = "application/dialog-info+xml"
NAMESPACE = "urn:ietf:params:xml:ns:dialog-info"

#: From the least to the most that a lamp should show: a phone that rings wants somebody
#: to do something, one in use does not (as Kamailio has it for phones of one lamp).
TERMINATED, TRYING, PROCEEDING = "terminated", "trying", "proceeding"
CONFIRMED, EARLY = "confirmed", "early"
STATES = (TERMINATED, TRYING, PROCEEDING, CONFIRMED, EARLY)
_RANKS = {state: rank for rank, state in enumerate(STATES)}

INITIATOR, RECIPIENT = "initiator", "recipient"

#: In one document, and in one target; chosen.
MOST_DIALOGS = 100
_MOST_PARAMETERS = 20
_MOST_IDENTITIES = 5

#: What a Call-ID begins with that is none.
_MADE_UP = "pickup-"


@attrs.frozen
class Party:
    """
    One side of a call (RFC 4235 §4.1.6); what is not known is empty.

    ``parameters`` are of the target, as (name, value): ``+sip.rendering`` tells of hold.
    """

    identity: str = ""
    display: str = ""
    target: str = ""
    parameters: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class Dialog:
    """
    One call of the user's; what is not known is empty.

    ``event`` and ``code`` say how it came to its state (RFC 4235 §3.7.1).
    """

    id: str
    state: str
    call_id: str = ""
    local_tag: str = ""
    remote_tag: str = ""
    direction: str = ""
    event: str = ""
    code: str = ""
    local: Party = Party()
    remote: Party = Party()

    @property
    def rank(self) -> int:
        """How much a lamp should show it, beside others."""
        return _RANKS[self.state]

    @property
    def names(self) -> tuple[str, str, str] | None:
        """What names it whoever tells of it (RFC 3261 §12), None where that is not known."""
        return (self.call_id, self.local_tag, self.remote_tag) if self.call_id else None


@attrs.frozen
class DialogInfo:
    """A document; without ``is_full`` it holds only what changed (RFC 4235 §4.1.1)."""

    entity: str
    dialogs: tuple[Dialog, ...] = ()
    version: int = 0
    is_full: bool = True

    def is_behind(self, former: DialogInfo | None) -> bool:
        """
        Whether this says what changed, but not since ``former`` (RFC 4235 §4.1.1).

        That a version comes again is let pass, as some PBXs never count.
        """
        if self.is_full:
            return False
        return former is None or self.version > former.version + 1

    def after(self, former: DialogInfo) -> DialogInfo:
        """
        Give the whole state, where ``former`` was it before this document came.

        What has ended stays so: a late word of its ringing is passed over.
        """
        known = {each.id: each for each in former.dialogs}
        now = {} if self.is_full else dict(known)
        for dialog in self.dialogs:
            before = known.get(dialog.id)
            is_late = (
                before is not None
                and before.state == TERMINATED
                and before.names is not None
                and before.names == dialog.names
            )
            now[dialog.id] = before if before is not None and is_late else dialog
        alive = [each for each in now.values() if each.state != TERMINATED]
        ended = [each for each in now.values() if each.state == TERMINATED]
        # A peer who tells of changes only need not make us remember all calls of a day.
        kept = (alive + ended[::-1])[:MOST_DIALOGS]
        return DialogInfo(self.entity, tuple(kept), self.version)


# --- writing --------------------------------------------------------------------------


def halves(
    entity: str, dialogs: Iterable[Dialog], value_name: str = "pval"
) -> tuple[bytes, bytes]:
    """
    Write what stands before and what after the version of a full document.

    ``value_name`` is what a parameter's value is called: ``pval`` in the RFC.
    """
    before = f'<?xml version="1.0" encoding="UTF-8"?>\n<dialog-info xmlns="{NAMESPACE}" version="'
    written = "".join([_dialog_element(each, value_name) for each in dialogs])
    after = f'" state="full" entity="{attribute(entity)}">{written}</dialog-info>\n'
    return before.encode(), after.encode()


def write(document: DialogInfo) -> bytes:
    """Write a document as a full one."""
    before, after = halves(document.entity, document.dialogs)
    return b"%b%d%b" % (before, document.version, after)


def _known(*pairs: tuple[str, str]) -> str:
    """Write the attributes that say something: phones fail on empty ones."""
    return "".join([f' {name}="{attribute(value)}"' for name, value in pairs if value])


def _dialog_element(dialog: Dialog, value_name: str) -> str:
    attributes = _known(
        ("id", dialog.id),
        ("call-id", dialog.call_id),
        ("local-tag", dialog.local_tag),
        ("remote-tag", dialog.remote_tag),
        ("direction", dialog.direction),
    )
    how = _known(("event", dialog.event), ("code", dialog.code))
    local = _party_element("local", dialog.local, value_name)
    remote = _party_element("remote", dialog.remote, value_name)
    state = f"<state{how}>{dialog.state}</state>"
    return f"<dialog{attributes}>{state}{local}{remote}</dialog>"


def _party_element(name: str, party: Party, value_name: str) -> str:
    content = ""
    if party.identity:
        display = _known(("display", party.display))
        content += f"<identity{display}>{text(party.identity)}</identity>"
    if party.target:
        parameters = "".join(
            [
                f'<param pname="{attribute(each)}" {value_name}="{attribute(value)}"/>'
                for each, value in party.parameters
            ]
        )
        uri = attribute(party.target)
        content += (
            f'<target uri="{uri}">{parameters}</target>'
            if parameters
            else f'<target uri="{uri}"/>'
        )
    return f"<{name}>{content}</{name}>" if content else ""


# --- reading --------------------------------------------------------------------------


def read(data: bytes, limits: Limits = STANDARD_LIMITS) -> DialogInfo:
    """
    Read a document; raises `MalformedDocument`.

    White space around a version is let pass, as some servers pad it; one who names no
    state is taken to tell all.
    """
    root = read_root(data, "dialog-info", NAMESPACE, limits)
    state = root.text("state", "full")
    if state not in ("full", "partial"):
        raise root.wrong(f"state is {state[:40]!r}, neither full nor partial")
    dialogs = tuple(map(_read_dialog, root.each("dialog", most=MOST_DIALOGS)))
    _refuse_doubles(root, dialogs)
    return DialogInfo(
        root.needed("entity"), dialogs, root.number("version", 0), state == "full"
    )


def _refuse_doubles(root: Node, dialogs: Sequence[Dialog]) -> None:
    ids = [each.id for each in dialogs]
    if len(set(ids)) < len(ids):
        raise root.wrong("two dialogs have the same id")


def _read_dialog(node: Node) -> Dialog:
    state = node.child("state")
    if state is None:
        raise node.wrong("no state")
    name = state.content.lower()
    if name not in _RANKS:
        raise MalformedDocument(f"{state.where}: {name[:40]!r} is no state of a dialog")
    direction = node.text("direction").lower()
    if direction not in ("", INITIATOR, RECIPIENT):
        raise node.wrong(f"direction is {direction[:40]!r}")
    call_id, local_tag, remote_tag = _read_names(node)
    return Dialog(
        id=node.needed("id"),
        state=name,
        call_id=call_id,
        local_tag=local_tag,
        remote_tag=remote_tag,
        direction=direction,
        event=state.text("event"),
        code=state.text("code"),
        local=_read_party(node.child("local")),
        remote=_read_party(node.child("remote")),
    )


def _read_names(node: Node) -> tuple[str, str, str]:
    """
    Give Call-ID, local and remote tag; empty where they name no call.

    Asterisk's chan_sip makes up some that name the subscription of whoever watches.
    """
    call_id = node.text("call-id")
    if call_id.startswith(_MADE_UP):
        return "", "", ""
    return call_id, node.text("local-tag"), node.text("remote-tag")


def _read_party(node: Node | None) -> Party:
    if node is None:
        return Party()
    # BroadWorks names each side twice, by sip: and by tel:; the first can be called back.
    identities = list(node.each("identity", most=_MOST_IDENTITIES))
    by_sip = [each for each in identities if each.content.lower().startswith("sip")]
    identity = next(iter(by_sip + identities), None)
    target = node.child("target")
    return Party(
        identity="" if identity is None else identity.content,
        display="" if identity is None else identity.text("display"),
        target="" if target is None else target.text("uri"),
        parameters=() if target is None else _read_parameters(target),
    )


def _read_parameters(target: Node) -> tuple[tuple[str, str], ...]:
    # The RFC's schema says pval; Asterisk and FreeSWITCH write pvalue.
    return tuple(
        (each.needed("pname"), each.text("pval") or each.text("pvalue"))
        for each in target.each("param", most=_MOST_PARAMETERS)
    )
