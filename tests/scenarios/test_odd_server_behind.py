"""A server behind that does what PBXs are known to do, and RFC 6665 does not say."""

from __future__ import annotations

import pytest

from presproxy.documents.dialoginfo import CONTENT_TYPE
from presproxy.testing.peer import Peer
from presproxy.testing.wire import Message, compose, fresh

#: Seconds; what was lost is asked for again within two.
LIMIT = 15.0


class Pbx:
    """The server behind, played by a test over UDP."""

    def __init__(self):
        self.peer = Peer(("127.0.0.1", 9), "pbx@contoso.com")
        self.peer.answer = lambda request: None
        self.seen: set[str] = set()

    def asked(self) -> Message:
        """Wait for a SUBSCRIBE that was not seen before."""
        request = self.peer.expect(
            lambda each: each.method == "SUBSCRIBE" and each.branch not in self.seen,
            LIMIT,
        )
        self.seen.add(request.branch)
        return request

    def answer(self, request: Message, first_line: str, **fields: str) -> None:
        self._reach(request)
        standard = {
            name: request.need(name.lower()) for name in ("Via", "From", "Call-ID")
        }
        more = {"To": f"{request.need('to')};tag=pbx", "CSeq": request.need("cseq")}
        names = {name.replace("_", "-"): value for name, value in fields.items()}
        self.peer.send(compose(first_line, {**standard, **more, **names}))

    def notify(
        self, request: Message, cseq: int, state: str, body: str = ""
    ) -> Message:
        """Send a NOTIFY in the dialog that a SUBSCRIBE made, and give its answer."""
        self._reach(request)
        branch = f"z9hG4bK{fresh()}"
        self.peer.send(
            compose(
                f"NOTIFY {request.need('contact').strip('<>')} SIP/2.0",
                {
                    "Via": f"SIP/2.0/UDP 127.0.0.1:{self.peer.port};branch={branch}",
                    "From": f"{request.need('to')};tag=pbx",
                    "To": request.need("from"),
                    "Call-ID": request.call_id,
                    "CSeq": f"{cseq} NOTIFY",
                    "Contact": f"<sip:127.0.0.1:{self.peer.port}>",
                    "Event": "dialog",
                    "Subscription-State": state,
                    "Content-Type": CONTENT_TYPE if body else None,
                },
                body,
            )
        )
        return self.peer.answered(branch)

    def _reach(self, request: Message) -> None:
        host, _, port = request.need("via").split()[1].partition(";")[0].rpartition(":")
        self.peer.server = (host, int(port))


@pytest.fixture
def pbx():
    playing = Pbx()
    yield playing
    playing.peer.close()


EMPTY = (
    '<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0           " '
    'state="full" entity="sip:102@example.test"/>'
)
TALKING = EMPTY.replace(
    "/>", '><dialog id="102"><state>confirmed</state></dialog></dialog-info>'
)


def test_a_lamp_is_lit_whatever_the_server_behind_does(pbx, servers, peers, tmp_path):
    path = tmp_path / "odd.toml"
    path.write_text(
        f'[aggregate]\nserver = "127.0.0.1:{pbx.peer.port}"\npackages = ["dialog"]\n'
    )
    server = servers("--config", str(path))
    watcher = peers(server, "w@contoso.com")
    assert "idle" in watcher.fetch("sip:102@contoso.com", "dialog").text
    watching = watcher.subscribe("sip:102@contoso.com", event="dialog")
    watching.notified("idle")

    # An interval too brief, and no word of which would not be.
    brief = pbx.asked()
    pbx.answer(brief, "SIP/2.0 423 Interval Too Brief")
    longer = pbx.asked()
    pbx.answer(
        longer,
        "SIP/2.0 202 Accepted",
        Expires="600",
        Contact=f"<sip:127.0.0.1:{pbx.peer.port}>",
    )

    # A number from a clock, a padded version, and nobody on the phone.
    talking = pbx.notify(longer, 187654321, "active;expires=600", TALKING)
    watching.notified("<state>confirmed</state>")
    empty = pbx.notify(longer, 187654399, "active;expires=600", EMPTY)
    idle = watching.notified()

    # An end for want of a refresh, called another.
    ended = pbx.notify(longer, 187654400, "terminated;reason=noresource")
    again = pbx.asked()

    assert [brief.get("expires"), longer.get("expires")] == ["300", "600"]
    assert [talking.status, empty.status, ended.status] == [200, 200, 200]
    assert '<dialog id="idle"><state>terminated</state></dialog>' in idle.text
    assert ";tag=" not in again.need("to")
    assert again.get("expires") == "600"
    assert again.call_id != longer.call_id
