"""A PBX behind or beside the server, played by a test over UDP, message by message."""

from __future__ import annotations

from collections.abc import Mapping

from presproxy.testing.peer import Peer
from presproxy.testing.wire import Message, Value, compose, fresh, respond

#: Seconds; what was lost is asked for again within two.
LIMIT = 15.0


class Pbx:
    """
    A PBX that answers nothing but OPTIONS by itself: its test says what it says.

    Requests are taken by ``asked``, each once however often it came.
    """

    def __init__(self, user: str = "pbx@contoso.com", host: str = "127.0.0.1") -> None:
        self.peer = Peer(("127.0.0.1", 9), user, host=host)
        self.peer.answer = _alive
        self.seen: set[str] = set()

    def close(self) -> None:
        """Close its socket."""
        self.peer.close()

    @property
    def address(self) -> str:
        """Where it is, as host:port."""
        return f"{self.peer.host}:{self.peer.port}"

    def asked(self, method: str = "SUBSCRIBE", limit: float = LIMIT) -> Message:
        """Wait for a request of a method that was not seen before; raises `Silence`."""
        request = self.peer.expect(
            lambda each: (
                not each.is_response
                and each.method == method
                and each.branch not in self.seen
            ),
            limit,
        )
        self.seen.add(request.branch)
        return request

    def answer(self, request: Message, first_line: str, **fields: str) -> None:
        """Answer a request; the name of a field is written with underscores."""
        self.reach(request)
        to = request.need("to")
        standard: dict[str, Value] = {
            "Via": request.all("via"),
            "From": request.need("from"),
            "Call-ID": request.call_id,
            "To": to if ";tag=" in to else f"{to};tag=pbx",
            "CSeq": request.need("cseq"),
        }
        more = {name.replace("_", "-"): value for name, value in fields.items()}
        self.peer.send(compose(first_line, {**standard, **more}))

    def accept(self, request: Message, **fields: str) -> None:
        """Answer a SUBSCRIBE 200, for as long as it asks."""
        standard = {
            "Expires": request.need("expires"),
            "Contact": f"<sip:{self.address}>",
        }
        self.answer(request, "SIP/2.0 200 OK", **{**standard, **fields})

    def notify(
        self,
        request: Message,
        cseq: int,
        state: str,
        body: bytes | str = b"",
        fields: Mapping[str, Value] | None = None,
    ) -> Message:
        """
        Send a NOTIFY in the dialog that a SUBSCRIBE made, and give its answer.

        Its Content-Type is the first one that was asked for, unless ``fields`` say otherwise.
        """
        self.reach(request)
        branch = f"z9hG4bK{fresh()}"
        standard: dict[str, Value] = {
            "Via": f"SIP/2.0/UDP {self.address};branch={branch}",
            "Max-Forwards": "70",
            "From": f"{request.need('to')};tag=pbx",
            "To": request.need("from"),
            "Call-ID": request.call_id,
            "CSeq": f"{cseq} NOTIFY",
            "Contact": f"<sip:{self.address}>",
            "Event": request.need("event"),
            "Subscription-State": state,
            "Content-Type": request.need("accept").split(",")[0] if body else None,
        }
        contact = request.need("contact").strip("<>")
        self.peer.send(
            compose(f"NOTIFY {contact} SIP/2.0", {**standard, **(fields or {})}, body)
        )
        return self.peer.answered(branch)

    def reach(self, request: Message) -> None:
        """Send to where a request came from from now on."""
        via = request.all("via")[0]
        host, _, port = via.split()[1].partition(";")[0].rpartition(":")
        self.peer.server = (host, int(port))


def _alive(request: Message) -> bytes | None:
    return respond(request) if request.method == "OPTIONS" else None
