"""
How a server behind is asked, whatever for: how much at once, and how often again.
"""

from __future__ import annotations

#: Requests under way at the same time.  Chosen: a server that has just started is not to
#: be overrun by those who waited for it.
AT_ONCE = 20

#: Seconds between tries that may succeed at any time, doubled from one to this.
LONGEST_PAUSE = 60.0
#: Seconds after which what was refused is tried again: somebody may have configured it.
REFUSED = 300.0
#: The most seconds that a Retry-After makes us wait, and the longest interval asked for
#: where a 423 does not say what it wants: Asterisk's does not.
LONGEST_OBEYED = 3600


def pause_after(tries: int) -> float:
    """Give the seconds until what has failed so often in a row is tried again."""
    return min(2.0 ** min(tries - 1, 10), LONGEST_PAUSE)
