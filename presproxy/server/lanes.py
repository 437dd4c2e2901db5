"""
What a message is about, told from its octets at a glance.

It is asked of messages that have to wait, so it must cost little.  A field spelt in an
unusual way makes it guess wrong, and that costs the message its place in the order of
work, and no more.
"""

from __future__ import annotations

import enum


class Lane(enum.IntEnum):
    """
    What waits together, in the order in which it is worked off.

    Within a dialog, or by an entity-tag with no new state, somebody keeps or ends what
    he has.  That goes before a change of state, and that before whoever comes anew: to
    lose what there is costs more work than it spares.  Whoever asks once asks again.
    """

    #: Responses to our NOTIFYs, and ACKs.  Each ends something, and none is refused.
    ANSWER = 0
    #: Refreshes and removals.
    KEEPING = 1
    #: A new state in the place of an old one.
    CHANGE = 2
    #: What begins something that lasts.
    NEW = 3
    #: Polls, and all that changes nothing.
    ASKING = 4


# To look these up in their enumeration takes ten times as long before Python 3.12.
_ANSWER, _KEEPING, _CHANGE, _NEW, _ASKING = Lane

_BEGINNING = (b"SUBSCRIBE ", b"PUBLISH ", b"REGISTER ")


def lane_of(data: bytes) -> Lane:
    """Say where a message waits."""
    if data.startswith((b"SIP/", b"ACK ")):
        return _ANSWER
    if _is_in_dialog(data):
        return _KEEPING
    if data.startswith(b"SERVICE "):
        # What Lync clients publish and change: where something is, is not seen at a glance.
        return _CHANGE
    if not data.startswith(_BEGINNING):
        return _ASKING
    if data.startswith(b"PUBLISH "):
        if b"\nSIP-If-Match:" not in data:
            return _NEW
        return _KEEPING if data.endswith(b"\r\n\r\n") else _CHANGE
    if b"\nExpires: 0\r" not in data:
        return _NEW
    return _KEEPING if data.startswith(b"REGISTER ") else _ASKING


def _is_in_dialog(data: bytes) -> bool:
    begin = data.find(b"\nTo:")
    if begin < 0:
        begin = data.find(b"\nt:")
    return begin >= 0 and data.find(b";tag=", begin, data.find(b"\r", begin)) >= 0
