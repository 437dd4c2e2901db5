"""What a storage keeps, and how it is changed."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

# Values made for every request are not frozen: that takes three times as long.  Nobody
# changes them for all that.


@attrs.define(unsafe_hash=True)
class Record:
    """
    One thing kept.  ``owner`` is the presentity it belongs to.

    ``version`` counts 1, 2, 3 … per record.  ``expires_at`` is a moment on the wall
    clock, 0 for a record that was deleted, `NEVER` for one that stays.
    """

    kind: str
    key: str
    owner: str
    version: int
    expires_at: float
    payload: bytes
    node: str = ""


#: Far enough to be never, and still a number that every engine keeps exactly.
NEVER = 2.0**52


@attrs.define(unsafe_hash=True)
class Put:
    """
    Write a record; its version becomes ``staged_on`` + 1.

    ``staged_on`` is the version it was made on, 0 if there was none.  ``told`` says
    whether other nodes are to hear of it.
    """

    kind: str
    key: str
    owner: str
    staged_on: int
    expires_at: float
    payload: bytes
    node: str = ""
    told: bool = True


@attrs.define(unsafe_hash=True)
class Delete:
    """Remove a record, which was at version ``staged_on``."""

    kind: str
    key: str
    owner: str
    staged_on: int


Change = Put | Delete


@attrs.frozen
class Snapshot:
    """Records as they stood at one position of the feed."""

    position: int
    records: Sequence[Record]


@attrs.frozen
class Batch:
    """What one commit changed, in order; deleted records have ``expires_at`` 0."""

    position: int
    node: str
    records: Sequence[Record]
