"""What ``watch`` tells of whom it watches, and when it asks anew."""

from __future__ import annotations

import attrs

from presproxy.cli.sighting import Sighting
from presproxy.errors import PresproxyError
from presproxy.sip.uri import AddressOfRecord
from presproxy.useragent import NoAnswer, Refused, SubscriptionEnded

#: Reasons after which to subscribe anew, and after how many seconds where the server
#: names none (RFC 6665 §4.1.3).  One second instead of none spares a server that starts.
_COME_BACK = {"deactivated": 1.0, "timeout": 1.0, "probation": 30.0, "giveup": 30.0}

#: Seconds between tries while the server is away.  Chosen.
_AWAY = 5.0


@attrs.frozen
class Over:
    """One presentity is watched no more."""

    aor: AddressOfRecord
    error: PresproxyError


News = Sighting | Over


def pause_after(error: PresproxyError, was_there: bool) -> float | None:
    """
    Say after how many seconds to subscribe anew; None for never.

    A server which ``was_there`` is waited for.  One that never was may be another than
    was meant, and somebody should know at once.
    """
    if isinstance(error, SubscriptionEnded):
        pause = _COME_BACK.get(error.reason or "timeout")
        if pause is None:
            return None
        return max(pause, error.retry_after or 0)
    if isinstance(error, Refused) and error.status == 481:
        return _COME_BACK["deactivated"]
    if was_there and isinstance(error, NoAnswer):
        return _AWAY
    if was_there and isinstance(error, Refused) and error.may_pass:
        return max(_AWAY, error.retry_after or 0)
    return None
