"""Who may see who watches: the presentity and nobody else."""

from __future__ import annotations

from presproxy.model.decision import NEUTRAL, Decision, Handling
from presproxy.model.identity import Identity
from presproxy.sip.uri import AddressOfRecord


def watchers_are_shown(
    watcher: Identity, presentity: AddressOfRecord, package: str
) -> Decision | None:
    """
    Decide about watcher information, whatever it is of; None for every other package.

    RFC 3857 §4.6 leaves room for more; what a user's contacts look at is not theirs to
    open.
    """
    if not package.endswith(".winfo"):
        return None
    if watcher.aor == presentity:
        return Decision(Handling.ALLOW, f"{named(presentity)} sees who watches")
    rule = f"only {named(presentity)} sees who watches"
    return Decision(Handling.BLOCK, rule, NEUTRAL)


def named(aor: AddressOfRecord) -> str:
    """Give an address as people write it."""
    return aor.removeprefix("sip:")
