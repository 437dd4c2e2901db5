"""
Stage, commit, live: how everything that is kept changes.

Staged: reserved, unseen.  Committed: lasting.  Live: seen and told.  What could not be
committed is taken back, and nobody has seen anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from presproxy.model.record import Change


class Staged(Protocol):
    """One change on its way."""

    @property
    def changes(self) -> Sequence[Change]:
        """What is to be committed, all or none."""

    def live(self) -> None:
        """Make it seen.  Called once, after the commit."""

    def take_back(self) -> None:
        """Undo the reservation.  Called once, instead of ``live``."""
