"""
RPID: what a person is doing (RFC 4480).

Only the activities are looked into; all other elements are kept as they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

import attrs

from presproxy.documents.fragments import RPID, Fragment, Fragments, written

ACTIVITIES = f"{{{RPID}}}activities"
_NOTE = f"{{{RPID}}}note"
_ON_THE_PHONE = f"{{{RPID}}}on-the-phone"
_BUSY = Fragment(f"{{{RPID}}}busy", b"<rpid:busy/>")

#: Kinds that say "do not disturb", in the order in which they are written.  Some readers
#: look at the first activity only, and pjsip knows none but busy and away.
BUSY_KINDS = (
    "busy",
    "on-the-phone",
    "presentation",
    "meeting",
    "appointment",
    "performance",
    "worship",
    "steering",
)
#: Kinds that say "not here", written after all others.
AWAY_KINDS = (
    "away",
    "sleeping",
    "vacation",
    "holiday",
    "travel",
    "in-transit",
    "permanent-absence",
    "unknown",
)

_MIDDLE = len(BUSY_KINDS)
_WEIGHTS = {
    **{f"{{{RPID}}}{kind}": weight for weight, kind in enumerate(BUSY_KINDS)},
    **{f"{{{RPID}}}{kind}": _MIDDLE + 1 + n for n, kind in enumerate(AWAY_KINDS)},
}


@attrs.frozen
class Activities:
    """
    The activities of a person, the weightiest first; there may be none.

    ``attributes`` (from, until) and ``notes`` are of all of them.
    """

    attributes: bytes = b""
    notes: bytes = b""
    kinds: Sequence[Fragment] = ()

    def write(self) -> bytes:
        """Write the element."""
        kinds = b"".join([kind.data for kind in self.kinds])
        return written(b"rpid:activities", self.attributes, self.notes + kinds)

    def busy(self) -> list[Fragment]:
        """Give the kinds for which the person is not to be disturbed."""
        return [kind for kind in self.kinds if _weight(kind) < _MIDDLE]

    def saying_busy(self) -> Activities:
        """Say busy as well when on the phone."""
        tags = {kind.tag for kind in self.kinds}
        if _ON_THE_PHONE not in tags or _BUSY.tag in tags:
            return self
        return attrs.evolve(self, kinds=in_order((_BUSY, *self.kinds)))


def read_activities(element: Element, fragments: Fragments) -> Activities:
    """Read an ``activities`` element; the RFC wants one at least, some send none."""
    notes: list[bytes] = []
    kinds: list[Fragment] = []
    for child in element:
        if child.tag == _NOTE:
            notes.append(fragments.write(child))
        else:
            kinds.append(Fragment(child.tag, fragments.write(child)))
    return Activities(fragments.attributes(element), b"".join(notes), in_order(kinds))


def in_order(kinds: Iterable[Fragment]) -> tuple[Fragment, ...]:
    """Put the weightiest first; the order of equals stays."""
    return tuple(sorted(kinds, key=_weight))


def _weight(kind: Fragment) -> int:
    return _WEIGHTS.get(kind.tag, _MIDDLE)
