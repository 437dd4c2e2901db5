"""Who subscribed to a user, as he is told and as he answers ([MS-PRES] 2.2.2.7)."""

from __future__ import annotations

import attrs

from presproxy.documents.lync.containers import MemberType


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
