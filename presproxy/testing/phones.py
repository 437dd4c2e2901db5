"""User agents of a server without sockets: each registers by a flow of its own."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingFlow
from presproxy.testing.wire import Message, Value, compose, fresh, respond


@attrs.define(eq=False)
class Phone:
    """A user agent of ``user``'s at the other end of ``flow``."""

    desk: Desk
    user: str
    flow: RecordingFlow

    @property
    def aor(self) -> str:
        """The address of record."""
        return f"sip:{self.user}@example.test"

    @property
    def contact(self) -> str:
        """The URI it registers, and is called at within dialogs."""
        host, port = self.flow.peer
        transport = ";transport=tcp" if self.flow.reliable else ""
        return f"sip:{self.user}@{host}:{port}{transport}"

    def register(
        self, more: str = "", fields: Mapping[str, Value] | None = None
    ) -> None:
        """Register the contact, with ``more`` parameters."""
        self.send(
            "REGISTER",
            "sip:example.test",
            {
                "To": f"<{self.aor}>",
                "Contact": f"<{self.contact}>{more}",
                **(fields or {}),
            },
        )
        (answer,) = self.read()
        assert answer.status == 200

    def write(
        self,
        method: str,
        uri: str,
        fields: Mapping[str, Value] | None = None,
        body: str = "",
    ) -> bytes:
        """Write a request outside any dialog."""
        host, port = self.flow.peer
        via = f"SIP/2.0/{self.flow.transport} {host}:{port};branch=z9hG4bK{fresh()}"
        standard: dict[str, Value] = {
            "Via": via,
            "Max-Forwards": "70",
            "From": f"<{self.aor}>;tag={fresh()}",
            "To": f"<{uri}>",
            "Call-ID": fresh(),
            "CSeq": f"1 {method}",
            "Contact": f"<{self.contact}>",
        }
        return compose(f"{method} {uri} SIP/2.0", {**standard, **(fields or {})}, body)

    def send(
        self,
        method: str,
        uri: str,
        fields: Mapping[str, Value] | None = None,
        body: str = "",
    ) -> Message:
        """Send a request, and give it."""
        data = self.write(method, uri, fields, body)
        self.desk.send(data, self.flow)
        return Message.read(data)

    def send_data(self, data: bytes) -> None:
        """Send a whole message."""
        self.desk.send(data, self.flow)

    def respond(
        self,
        request: Message,
        status: str = "200 OK",
        fields: Mapping[str, Value] | None = None,
        tag: str = "theirs",
    ) -> None:
        """Answer a request that was read."""
        to = request.need("to")
        if ";tag=" not in to and not status.startswith("100"):
            to = f"{to};tag={tag}"
        copied = [(name, value) for name, value in request.fields if name != "to"]
        again = attrs.evolve(request, fields=[*copied, ("to", to)])
        routes = request.all("record-route")
        more: dict[str, Value] = {"Contact": f"<{self.contact}>", **(fields or {})}
        data = respond(again, status, more)
        head, blank, body = data.partition(b"\r\n\r\n")
        for each in routes:
            head += f"\r\nRecord-Route: {each}".encode()
        self.send_data(head + blank + body)

    def read(self) -> list[Message]:
        """Take all that came and was not read yet."""
        came = [
            (number, Message.read(data))
            for number, (peer, data) in enumerate(self.flow.sent)
            if peer == self.flow.peer
        ]
        for number, _ in reversed(came):
            del self.flow.sent[number]
        return [message for _, message in came]
