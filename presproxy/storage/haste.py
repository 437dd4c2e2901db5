"""
Making the interpreter change threads sooner, while a thread has work.

A thread that comes back from a system call waits for the interpreter until the one that
runs has had its whole switch interval: 5 ms, and a batch comes back several times.
"""

from __future__ import annotations

import sys

import attrs

#: Seconds.  Beside turns of the reactor of 20 ms a commit of one change took 5.4 ms at the
#: interpreter's own interval, 0.75 at half a millisecond and 0.3 at this; of a hundred
#: changes 8, 3 and 3.  No CPU time was seen to go for it.
SHORT = 0.0001


@attrs.define(eq=False)
class Haste:
    """
    The switch interval of the interpreter, lowered by one of those who need it.

    The interval is everybody's, so whoever finds it short enough leaves it alone, and
    only who lowered it puts back what he found.  Two that work at once need no common
    count: the worst is that one goes at the old pace until its next piece of work.
    """

    interval: float = SHORT
    _found: float | None = None

    def begin(self) -> None:
        """Lower the interval, unless that is done."""
        if self._found is None:
            found = sys.getswitchinterval()
            if found > self.interval:
                self._found = found
                sys.setswitchinterval(self.interval)

    def end(self) -> None:
        """Put back what was found."""
        if self._found is not None:
            sys.setswitchinterval(self._found)
            self._found = None
