"""What views mean to packages whose state is shown as a whole, or not at all."""

from __future__ import annotations

from presproxy.documents.lync.containers import BLOCKED, COLLEAGUES
from presproxy.model.decision import FULL, View, container_of


def shows_all(view: View) -> bool:
    """Say whether a view shows it: the full one, and the containers of colleagues up."""
    if view == FULL:
        return True
    container = container_of(view)
    return container is not None and COLLEAGUES <= container < BLOCKED
