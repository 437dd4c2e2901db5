"""What a notification shows, for people and for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs
from rich.text import Text

from presproxy.cli.output import state_text
from presproxy.cli.words import short
from presproxy.errors import MalformedDocument
from presproxy.useragent import Notification, Presence, presence_in


@attrs.frozen
class Sighting:
    """
    One presentity as it was seen at one moment.

    ``presence`` is None where the notification said nothing that can be read.
    """

    at: datetime
    aor: str
    subscription: str
    reason: str | None
    presence: Presence | None

    @classmethod
    def of(cls, notification: Notification) -> Sighting:
        """Read a notification that came now."""
        return cls(
            datetime.now().astimezone(),
            notification.presentity,
            notification.subscription.state,
            notification.subscription.reason,
            _presence(notification),
        )

    @property
    def as_json(self) -> dict[str, Any]:
        """What programs are given."""
        presence = self.presence
        return {
            "at": self.at.isoformat(timespec="milliseconds"),
            "aor": self.aor,
            "subscription": self.subscription,
            "reason": self.reason,
            "state": presence.state if presence else None,
            "note": presence.note if presence else None,
        }

    @property
    def as_text(self) -> Text:
        """What people are shown."""
        parts = [
            Text(f"{self.at:%H:%M:%S}", style="dim"),
            Text(short(self.aor), style="bold"),
            self._state,
        ]
        if self.presence is not None and self.presence.note:
            parts.append(Text(self.presence.note))
        return Text("  ").join(parts)

    @property
    def _state(self) -> Text:
        if self.subscription == "pending":
            return Text("not allowed yet", style="dim")
        if self.presence is None:
            return Text("says nothing", style="dim")
        return state_text(self.presence.state)


def _presence(notification: Notification) -> Presence | None:
    try:
        return presence_in(notification.body)
    except MalformedDocument:
        return None
