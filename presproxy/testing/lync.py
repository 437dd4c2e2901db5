"""
A Lync client at a desk: what it sends, as it writes it.

Its connection keeps what comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

import attrs

from presproxy.testing.desk import Desk
from presproxy.testing.flows import RecordingStream
from presproxy.testing.wire import Message, Value

INSTANCE = "085e0bd8-031c-5a0d-8d9a-f149aae6954a"
PUBLISH = "application/msrtc-category-publish+xml"
STATE = "http://schemas.microsoft.com/2006/09/sip/state"


@attrs.define(eq=False)
class LyncClient:
    """A Lync client at a desk: an epid, and the connection it came by."""

    desk: Desk
    user: str = "alice"
    epid: str = "b34afb6ebb23"
    instance: str = INSTANCE
    flow: RecordingStream = attrs.field(
        factory=lambda: RecordingStream(("192.0.2.1", 40000))
    )
    numbers: count[int] = attrs.field(factory=lambda: count(1))

    @property
    def uri(self) -> str:
        """Its user's address."""
        return f"sip:{self.user}@example.test"

    @property
    def contact(self) -> str:
        """What it registers, in brackets."""
        host, port = self.flow.peer
        return f"<sip:{host}:{port};transport=tcp;ms-opaque=d3470f2e1d>"

    def ask(
        self,
        method: str,
        fields: Mapping[str, Value] | None = None,
        body: str = "",
        uri: str | None = None,
    ) -> Message | None:
        """Send a request, to its user if to nobody else, and give its answer."""
        data = self.desk.write(
            method,
            {
                "Via": f"SIP/2.0/tcp 192.0.2.1;branch=z9hG4bK{next(self.numbers)}",
                "From": f"<{self.uri}>;tag=1;epid={self.epid}",
                "To": f"<{uri or self.uri}>",
                **(fields or {}),
            },
            body,
            uri=uri or self.uri,
            user=self.user,
        )
        self.desk.send(data, self.flow)
        return self.answer(Message.read(data))

    def answer(self, request: Message) -> Message | None:
        """Give the last answer to a request, if there is one."""
        for _, data in reversed(self.flow.sent):
            each = Message.read(data)
            if each.is_response and each.call_id == request.call_id:
                return each
        return None

    def register(self, fields: Mapping[str, Value] | None = None) -> Message | None:
        """Sign in, refresh, or whatever else the fields say."""
        number = next(self.numbers)
        return self.ask(
            "REGISTER",
            {
                "To": f"<{self.uri}>",
                "CSeq": f"{number} REGISTER",
                **signing_in(self.contact, self.instance),
                **(fields or {}),
            },
            uri="sip:example.test",
        )

    def publish(self, *publications: str, uri: str | None = None) -> Message | None:
        """Publish, for its own user if for nobody else."""
        body = publish(uri or self.uri, *publications)
        return self.ask("SERVICE", {"Content-Type": PUBLISH}, body)


def signing_in(contact: str, instance: str = INSTANCE) -> dict[str, Value]:
    """Give what a REGISTER has that signs in."""
    return {
        "Contact": f'{contact};methods="INVITE, MESSAGE";proxy=replace;'
        f'+sip.instance="<urn:uuid:{instance}>"',
        "Supported": "gruu-10, adhoclist, msrtc-event-categories, "
        "com.microsoft.msrtc.presence",
        "Event": "registration",
        "ms-keep-alive": "UAC;hop-hop=yes",
    }


def publish(uri: str, *publications: str) -> str:
    """Write the body of a SERVICE that publishes."""
    return (
        '<publish xmlns="http://schemas.microsoft.com/2006/09/sip/rich-presence">'
        f'<publications uri="{uri}">{"".join(publications)}'
        "</publications></publish>"
    )


def state(
    availability: int = 3500,
    version: int = 0,
    expire_type: str = "endpoint",
    instance: int = 988436328,
    container: int = 2,
    kind: str = "machineState",
) -> str:
    """Write the publication of a state."""
    return (
        f'<publication categoryName="state" instance="{instance}" '
        f'container="{container}" version="{version}" expireType="{expire_type}">'
        f'<state xmlns="{STATE}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" manual="false" '
        f'xsi:type="{kind}"><availability>{availability}</availability></state>'
        "</publication>"
    )


def note(text: str = "", version: int = 0, container: int = 200) -> str:
    """Write the publication of a note, or its end."""
    if not text:
        return (
            f'<publication categoryName="note" instance="0" container="{container}" '
            f'version="{version}" expireType="static" expires="0"/>'
        )
    return (
        f'<publication categoryName="note" instance="0" container="{container}" '
        f'version="{version}" expireType="static">'
        '<note xmlns="http://schemas.microsoft.com/2006/09/sip/note">'
        f'<body type="personal" uri="">{text}</body></note></publication>'
    )
