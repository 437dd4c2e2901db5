"""Watchers: what they subscribed to goes on in the same dialog, and what ended is over."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import attrs

from presproxy.testing.ledger.agent import Agent, Pending, pumped
from presproxy.testing.peer import Peer
from presproxy.testing.wire import Message, Value, fresh, respond


@attrs.define(eq=False)
class Dialog:
    """
    A subscription as its watcher knows it.

    ``seen`` is the highest CSeq of a NOTIFY, ``last`` that NOTIFY.
    """

    call_id: str
    presentity: str
    from_: str
    to: str = ""
    cseq: int = 1
    seen: int = 0
    last: bytes = b""
    is_alive: bool = False
    #: Ended before the last kill: nothing may come any more.
    is_over: bool = False


@attrs.define(eq=False)
class Watcher(Agent):
    """
    Subscribes, refreshes and unsubscribes; by TCP he can be called, too.

    ``choose`` names somebody to watch.  ``told`` is what came since the last kill.
    """

    choose: Callable[[], str] = str
    told: list[Message] = attrs.field(factory=list)
    _dialogs: dict[str, Dialog] = attrs.field(factory=dict)
    _current: Dialog | None = None
    _door: socket.socket | None = None
    _called: list[Peer] = attrs.field(factory=list)

    # -- Sockets ---------------------------------------------------------------------

    def connect(self) -> None:
        """Find the server, and let it find us."""
        super().connect()
        if self.transport == "tcp" and self._door is None:
            self._door = socket.create_server(("127.0.0.1", 0))

    def close(self) -> None:
        """Close the sockets, but for the one where others call."""
        super().close()
        for each in self._called:
            each.close()
        self._called.clear()

    def sockets(self) -> list[socket.socket]:
        """See `Agent`."""
        called = [each.socket for each in self._called if not each.is_closed]
        doors = [] if self._door is None else [self._door]
        return [*super().sockets(), *called, *doors]

    def pump(self, ready: socket.socket) -> None:
        """See `Agent`."""
        if ready is self._door:
            self._let_in(ready)
            return
        for peer in self._called:
            if ready is peer.socket:
                for message in pumped(peer):
                    self.notified(message)
                return
        super().pump(ready)

    def _let_in(self, door: socket.socket) -> None:
        stream, _ = door.accept()
        peer = Peer(self.server.tcp, self.aor[4:], "tcp", stream)
        peer.answer = self.answer
        self._called.append(peer)

    # -- Asking ----------------------------------------------------------------------

    def next(self) -> None:
        """Subscribe, and then refresh or end."""
        dialog = self._current
        if dialog is None or not dialog.is_alive:
            self._subscribe()
        elif self.chance.randrange(4):
            self._again(dialog, "refresh", 600)
        else:
            self._again(dialog, "end", 0)

    def answered(self, response: Message, pending: Pending) -> None:
        """Note how the dialog stands."""
        dialog = self._dialogs[pending.new]
        dialog.to = response.need("to")
        dialog.is_alive = pending.what != "end"

    def answer(self, request: Message) -> bytes | None:
        """Answer 481 to what is over, or was never known to have begun."""
        dialog = self._dialogs.get(request.call_id)
        if dialog is None or dialog.is_over:
            return respond(request, "481 Gone")
        return respond(request)

    def notified(self, notify: Message) -> None:
        """Look whether a NOTIFY is in order."""
        self.told.append(notify)
        dialog = self._dialogs.get(notify.call_id)
        if dialog is None or (notify.cseq, notify.data) == (dialog.seen, dialog.last):
            # Of a SUBSCRIBE whose answer never came; or a retransmission.
            return
        if dialog.is_over:
            self.wrong.append(f"it was over before: {notify.data!r}")
        elif notify.cseq <= dialog.seen:
            self.wrong.append(f"after CSeq {dialog.seen} came {notify.data!r}")
        elif dialog.to and notify.get("from") != dialog.to:
            self.wrong.append(f"not the dialog of {dialog.to}: {notify.data!r}")
        dialog.seen, dialog.last = notify.cseq, notify.data

    # -- After a kill ----------------------------------------------------------------

    def check(self) -> None:
        """Make sure of what was pending, before anybody is told anything."""
        pending = self.forget_pending()
        for dialog in tuple(self._dialogs.values()):
            dialog.is_over = not dialog.is_alive
        if pending is not None:
            dialog = self._dialogs[pending.new]
            if pending.what == "end":
                self._end_for_sure(dialog)
            elif pending.what == "begin":
                # Nobody knows its tag: what comes of it is answered 481.
                del self._dialogs[pending.new]
        self.told.clear()

    def living(self) -> Iterator[Dialog]:
        """Go through the dialogs which must go on."""
        return (each for each in self._dialogs.values() if each.is_alive)

    def was_told(self, dialog: Dialog, text: str) -> bool:
        """Whether something was told in a dialog since the last kill."""
        return any(
            each.call_id == dialog.call_id and text in each.text for each in self.told
        )

    def _end_for_sure(self, dialog: Dialog) -> None:
        dialog.cseq += 1
        fields = self._fields(dialog, 0)
        dialog.is_over = False
        response = self.peer.ask("SUBSCRIBE", dialog.presentity, fields)
        if response.status not in (200, 481):
            self.wrong.append(f"the end of a dialog was answered {response.data!r}")
        for message in self.peer.rest(0.05):
            self.notified(message)
        dialog.is_alive, dialog.is_over = False, True

    # -- Below -----------------------------------------------------------------------

    def _subscribe(self) -> None:
        dialog = Dialog(fresh("call"), self.choose(), f"<{self.aor}>;tag={fresh('w')}")
        self._current = self._dialogs[dialog.call_id] = dialog
        self._ask(dialog, "begin", 600)

    def _again(self, dialog: Dialog, what: str, expires: int) -> None:
        dialog.cseq += 1
        self._ask(dialog, what, expires)

    def _ask(self, dialog: Dialog, what: str, expires: int) -> None:
        fields = self._fields(dialog, expires)
        uri = dialog.presentity
        self.ask("SUBSCRIBE", uri, fields, what=what, new=dialog.call_id)

    def _fields(self, dialog: Dialog, expires: int) -> dict[str, Value]:
        contact = self.peer.contact
        if self._door is not None:
            port = self._door.getsockname()[1]
            contact = f"sip:watcher@127.0.0.1:{port};transport=tcp"
        return {
            "From": dialog.from_,
            "To": dialog.to or f"<{dialog.presentity}>",
            "Call-ID": dialog.call_id,
            "CSeq": f"{dialog.cseq} SUBSCRIBE",
            "Contact": f"<{contact}>",
            "Event": "presence",
            "Expires": str(expires),
        }
