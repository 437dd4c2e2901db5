"""Somebody who writes a contact list by HTTP, one entry after the other."""

from __future__ import annotations

import random
import threading
from http.client import HTTPException
from urllib.parse import quote

import attrs

from presproxy.model.decision import Handling
from presproxy.testing.instance import Instance
from presproxy.testing.wire import fresh

_HANDLINGS = (*(each.value for each in Handling), "")


@attrs.define(eq=False)
class ListWriter:
    """
    Writes one list in a thread of his own, so that a kill comes in the middle.

    ``said`` are the handlings by watcher; an empty one takes an entry out.
    """

    server: Instance
    chance: random.Random
    owner: str = attrs.field(factory=lambda: f"sip:{fresh('o')}@contoso.com")
    said: dict[str, str] = attrs.field(factory=dict)
    answers: int = 0
    #: Whether 503 is an answer, after which nothing has changed.
    may_be_refused: bool = False
    wrong: list[str] = attrs.field(factory=list)
    _pending: tuple[str, str] | None = None
    _thread: threading.Thread | None = None

    def begin(self) -> None:
        """Write until the server is gone."""
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Wait until the death of the server was noticed."""
        if self._thread is not None:
            self._thread.join()

    def check(self) -> None:
        """Compare with the list that is there after a kill."""
        shown = self.server.show(f"contacts/{quote(self.owner, '')}")["contacts"]
        found = {each["aor"]: each["handling"] for each in shown}
        if self._pending is not None and found != self.said:
            self._note(*self._pending)
        self._pending = None
        if found != self.said:
            self.wrong.append(f"the list of {self.owner} is {found}, not {self.said}")

    def _write(self) -> None:
        while not self.wrong:
            watcher = f"sip:w{self.chance.randrange(8)}@fabrikam.com"
            handling = self.chance.choice(_HANDLINGS)
            self._pending = (watcher, handling)
            try:
                status = self._change(watcher, handling)
            except (OSError, HTTPException):
                return
            if status == 503 and self.may_be_refused:
                self._pending = None
                return
            if status not in (200, 204):
                self.wrong.append(f"{watcher}, {handling} was answered {status}")
                return
            self._note(watcher, handling)
            self._pending = None
            self.answers += 1

    def _change(self, watcher: str, handling: str) -> int:
        path = f"/api/v1/contacts/{quote(self.owner, '')}/{quote(watcher, '')}"
        if handling:
            return self.server.ask("PUT", path, {"handling": handling})[0]
        return self.server.ask("DELETE", path)[0]

    def _note(self, watcher: str, handling: str) -> None:
        if handling:
            self.said[watcher] = handling
        else:
            self.said.pop(watcher, None)
