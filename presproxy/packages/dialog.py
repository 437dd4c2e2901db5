"""
The event package ``dialog`` (RFC 4235): lamps that show who is on the phone.

A PBX publishes what calls its users have, each phone's or each call's by itself; one
document is composed of all.  Every notification carries the full state.  What phones are
known to break on decides its shape: there is always a dialog in it, the one that matters
most comes first, and nothing is written that is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Literal, cast
from zlib import crc32

import attrs
from attrs.validators import ge
from zope.interface import implementer

from presproxy.documents import dialoginfo
from presproxy.documents.dialoginfo import (
    CONFIRMED,
    EARLY,
    INITIATOR,
    RECIPIENT,
    TERMINATED,
    TRYING,
    Dialog,
    DialogInfo,
)
from presproxy.documents.xml import Limits
from presproxy.extend.maker import option
from presproxy.interfaces import (
    Feed,
    IEventPackage,
    IFollowingPackage,
    IPassedPackage,
    ITailoredPackage,
    Material,
)
from presproxy.model.decision import View
from presproxy.model.notice import NumberedBody
from presproxy.packages.intervals import Intervals
from presproxy.packages.passing import marked_dialogs, other_dialogs
from presproxy.packages.visible import shows_all
from presproxy.sip.uri import AddressOfRecord

#: Yealink, Aastra and Bria leave a lamp as it was when they are shown no dialog at all.
_IDLE = Dialog("idle", TERMINATED)

#: What a content type may be followed by, to name a shape.
_SINGLE, _CALLER_CONFIRMED = ";single", ";caller-confirmed"

#: The SPA962 restarts on a second dialog, and its kin blink for a call its user makes.
_SPA = ("Linksys/*", "Cisco/SPA*", "Cisco-SPA*")


@attrs.frozen
class DialogState:
    """The calls of one presentity, the one that matters most first."""

    presentity: AddressOfRecord
    dialogs: tuple[Dialog, ...] = ()


@implementer(IEventPackage, IFollowingPackage, ITailoredPackage, IPassedPackage)
@attrs.frozen
class DialogPackage(Intervals):
    """Who is on the phone, as dialog information (RFC 4235)."""

    largest: int = option(
        "The most octets of a published document.", default=65536, validator=ge(1)
    )
    #: A phone by UDP is told of some four in one datagram.
    dialogs: int = option(
        "The most dialogs in a composed document.", default=20, validator=ge(1)
    )
    single: tuple[str, ...] = option(
        "Patterns of the User-Agents that are shown one dialog only, the one that "
        "matters most.",
        default=_SPA,
    )
    caller_confirmed: tuple[str, ...] = option(
        "Patterns of the User-Agents that are shown a call as confirmed while it rings "
        "at the other end.",
        default=_SPA,
    )
    idle: bool = option(
        "Show a terminated dialog where there is none.",
        default=True,
    )
    parameters: Literal["pval", "pvalue"] = option(
        "What the value of a target's parameter is called: as in the RFC, or as in "
        "Asterisk.",
        default="pval",
    )
    limits: Limits = attrs.field(init=False, eq=False, repr=False)

    name = "dialog"
    produces = (dialoginfo.CONTENT_TYPE,)
    accepts = frozenset({dialoginfo.CONTENT_TYPE})
    feeds = Feed.PUBLICATIONS

    @limits.default
    def _limits(self) -> Limits:
        return Limits(octets=self.largest)

    def parse(self, content_type: str, data: bytes) -> DialogInfo:
        """Read a published document; raises `MalformedDocument`."""
        return dialoginfo.read(data, self.limits)

    def follow(self, document: DialogInfo, former: DialogInfo) -> DialogInfo:
        """Give what is so now, after a document that may say only what changed."""
        return document.after(former)

    def has_missed(self, document: DialogInfo, former: DialogInfo | None) -> bool:
        """Say whether a document was lost on the way."""
        return document.is_behind(former)

    def write(self, document: DialogInfo) -> bytes:
        """Write a document as it is kept."""
        return dialoginfo.write(document)

    def supersedes(self, document: DialogInfo, earlier: DialogInfo) -> bool:
        """
        Say whether both tell of the same calls.

        A PBX publishes each by itself, all by one flow.
        """
        return _ids(document) == _ids(earlier)

    def compose(self, material: Material) -> DialogState:
        """
        Join all calls: the one that matters most comes first.

        Each is there once, as the latest publication that names it has it; that one
        branch of a call has ended says nothing of the others.
        """
        found: dict[object, tuple[str, Dialog]] = {}
        for publication in material.publications:
            for dialog in cast(DialogInfo, publication.document).dialogs:
                names = dialog.names or (publication.key, dialog.id)
                found.setdefault(names, (publication.key, _directed(dialog)))
        dialogs = sorted(_told_apart(found.values()), key=lambda each: -each.rank)
        return DialogState(material.presentity, tuple(dialogs[: self.dialogs]))

    def narrow(self, state: DialogState, view: View) -> DialogState:
        """Show all calls, or none."""
        return state if shows_all(view) else self.neutral(state.presentity)

    def neutral(self, presentity: AddressOfRecord) -> DialogState:
        """Show somebody who is not on the phone."""
        return DialogState(presentity)

    def tailored(self, content_type: str, user_agent: str) -> str:
        """Name the shape in which a user agent can read it."""
        if _is_one_of(user_agent, self.single):
            content_type += _SINGLE
        if _is_one_of(user_agent, self.caller_confirmed):
            content_type += _CALLER_CONFIRMED
        return content_type

    def render(self, state: DialogState, content_type: str) -> NumberedBody:
        """Write the full state, in the shape the content type names."""
        dialogs: Iterable[Dialog] = state.dialogs or ((_IDLE,) if self.idle else ())
        if _CALLER_CONFIRMED in content_type:
            dialogs = sorted(map(_confirmed, dialogs), key=lambda each: -each.rank)
        if _SINGLE in content_type:
            dialogs = tuple(dialogs)[:1]
        halves = dialoginfo.halves(state.presentity, dialogs, self.parameters)
        return NumberedBody(dialoginfo.CONTENT_TYPE, *halves)

    def passed(self, state: DialogState, mark: str) -> NumberedBody | None:
        """Write all calls for a server behind, or that there is none."""
        dialogs = marked_dialogs(state.dialogs or (_IDLE,), mark)
        if not dialogs:
            return None
        return self.render(DialogState(state.presentity, dialogs), self.produces[0])

    def others(self, document: DialogInfo, mark: str) -> DialogInfo | None:
        """Leave out the calls that were passed to where it comes from."""
        return other_dialogs(document, mark)


def _is_one_of(user_agent: str, patterns: Iterable[str]) -> bool:
    name = user_agent.lower()
    return any(fnmatchcase(name, pattern.lower()) for pattern in patterns)


def _directed(dialog: Dialog) -> Dialog:
    """
    Say who calls where a PBX does not: what rings is called, what tries calls.

    Snom shows a call that is not up as none without it.
    """
    if dialog.direction or dialog.state in (CONFIRMED, TERMINATED):
        return dialog
    direction = INITIATOR if dialog.state == TRYING else RECIPIENT
    return attrs.evolve(dialog, direction=direction)


def _confirmed(dialog: Dialog) -> Dialog:
    """Show the caller's side of a call that rings as one that is up."""
    if dialog.state == EARLY and dialog.direction == INITIATOR:
        return attrs.evolve(dialog, state=CONFIRMED)
    return dialog


def _ids(document: DialogInfo) -> set[str]:
    return {each.id for each in document.dialogs}


def _told_apart(found: Iterable[tuple[str, Dialog]]) -> list[Dialog]:
    """
    Give other ids where one is there twice: PBXs call all branches of a call alike.

    The publication with the least key keeps it, so that no id goes from one call to
    another when something is published anew.
    """
    used: set[str] = set()
    apart = []
    for key, dialog in sorted(found, key=lambda each: (each[0], each[1].id)):
        mark = crc32(repr((key, dialog.names)).encode())
        id = dialog.id
        while id in used:
            id = f"{dialog.id}-{mark:08x}"
            mark += 1
        used.add(id)
        apart.append(dialog if id == dialog.id else attrs.evolve(dialog, id=id))
    return apart
