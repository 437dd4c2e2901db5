"""
The whole server without a socket: messages go in by a flow that keeps what comes out.

Time stands still unless it is told to go by, and a request that need not wait is answered
before `Desk.ask` returns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from presproxy.config import Configuration, Limits, Plan
from presproxy.extend.build import Named
from presproxy.metrics import Counter
from presproxy.model.record import Put
from presproxy.model.subscription import Subscription
from presproxy.notify.sip import SipNotifier
from presproxy.packages.presence import PresencePackage
from presproxy.packages.winfo import WinfoPackage
from presproxy.service import PresenceServer, build
from presproxy.testing.flows import RecordingFlow
from presproxy.testing.peer import is_notify
from presproxy.testing.recorders import RecordingStorage
from presproxy.testing.scripted import ScriptedACL
from presproxy.testing.wire import Message, Value, compose, respond

EPOCH = 1_700_000_000.0

#: What must stay at nothing, whatever is sent.
_DEFECTS = ("defects", "commit_defects", "transaction_defects", "plugin_failures")


@attrs.define(eq=False)
class Desk:
    """
    A server built from a plan, and a user agent's view of it.

    Every NOTIFY is answered 200 when `notified` gives it, and no BENOTIFY is.
    """

    acl: Any = attrs.field(factory=ScriptedACL)  # One, or several.
    auth: Sequence[Any] = ()
    storage: RecordingStorage = attrs.field(factory=RecordingStorage)
    domains: tuple[str, ...] = ("example.test", "192.0.2.100", "[2001:db8::1]")
    limits: Limits = attrs.field(factory=Limits)
    packages: Sequence[Any] = attrs.field(
        factory=lambda: (PresencePackage(), WinfoPackage())
    )
    #: The networks that PBXs are in.
    pbx: Sequence[Any] = ()
    more: Mapping[str, Any] = attrs.field(factory=dict)  # Of the configuration.
    flow: RecordingFlow = attrs.field(factory=RecordingFlow)
    clock: Clock = attrs.field(factory=Clock, init=False)
    server: PresenceServer = attrs.field(init=False)
    numbers: count[int] = attrs.field(factory=lambda: count(1), init=False)
    seen: int = attrs.field(default=0, init=False)
    branches: set[str] = attrs.field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        configuration = Configuration(
            domains=self.domains,
            limits=self.limits,
            pbx=tuple(self.pbx),
            **self.more,
        )
        plan = Plan(
            configuration=configuration,
            auth=[Named(f"auth{n}", each) for n, each in enumerate(self.auth)],
            acl=[Named(f"acl{n}", each) for n, each in enumerate(self.acls)],
            storage=Named("recording", self.storage),
            notifiers=[Named("sip", SipNotifier())],
            packages={package.name: package for package in self.packages},
        )
        self.server = build(
            plan,
            self.clock,
            now=lambda: EPOCH + self.clock.seconds(),
            ticks=self.clock.seconds,
        )
        self.storage.now = EPOCH
        plugins: Sequence[Named[Any]] = (*plan.acl, *plan.auth, *plan.notifiers)
        for named in plugins:
            Deferred.fromCoroutine(named.plugin.start(self.server.house))

    @property
    def acls(self) -> Sequence[Any]:
        """All contact ACLs, in their order."""
        return self.acl if isinstance(self.acl, list) else [self.acl]

    # -- Asking ----------------------------------------------------------------------

    def write(
        self,
        method: str,
        fields: Mapping[str, Value] | None = None,
        body: str = "",
        *,
        uri: str = "sip:bob@example.test",
        user: str = "alice",
    ) -> bytes:
        """Write a request of a user's, with numbers of its own."""
        number = next(self.numbers)
        standard: dict[str, Value] = {
            "Via": f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{number}",
            "Max-Forwards": "70",
            "From": f"<sip:{user}@example.test>;tag=f{number}",
            "To": f"<{uri}>",
            "Call-ID": f"c{number}",
            "CSeq": f"1 {method}",
            "Contact": f"<sip:{user}@192.0.2.1>",
        }
        return compose(f"{method} {uri} SIP/2.0", {**standard, **(fields or {})}, body)

    def send(self, data: bytes, flow: RecordingFlow | None = None) -> None:
        """Let a message come, by the desk's flow if no other is named."""
        self.server.core.receive(data, flow or self.flow)

    def ask(
        self,
        method: str,
        fields: Mapping[str, Value] | None = None,
        body: str = "",
        *,
        uri: str = "sip:bob@example.test",
        user: str = "alice",
        flow: RecordingFlow | None = None,
    ) -> Message | None:
        """Send a request, and give its answer if there is one."""
        data = self.write(method, fields, body, uri=uri, user=user)
        self.send(data, flow)
        return self.answer(Message.read(data))

    def answer(self, request: Message) -> Message | None:
        """Give the last answer to a request."""
        for _, data in reversed(self.flow.sent):
            each = Message.read(data)
            same = (each.branch, each.get("cseq")) == (
                request.branch,
                request.get("cseq"),
            )
            if each.is_response and same:
                return each
        return None

    @property
    def messages(self) -> list[Message]:
        """All that was sent, in order."""
        return [Message.read(data) for _, data in self.flow.sent]

    # -- Watching and publishing -----------------------------------------------------

    def subscribe(
        self,
        fields: Mapping[str, Value] | None = None,
        *,
        uri: str = "sip:bob@example.test",
        user: str = "alice",
    ) -> Watching:
        """Subscribe to presence."""
        data = self.write(
            "SUBSCRIBE", {"Event": "presence", **(fields or {})}, uri=uri, user=user
        )
        self.send(data)
        return Watching(self, Message.read(data))

    def publish(
        self,
        body: str,
        fields: Mapping[str, Value] | None = None,
        *,
        user: str = "bob",
    ) -> Message:
        """Publish presence."""
        answer = self.ask(
            "PUBLISH",
            {
                "Event": "presence",
                "Content-Type": "application/pidf+xml" if body else None,
                **(fields or {}),
            },
            body,
            uri=f"sip:{user}@example.test",
            user=user,
        )
        assert answer is not None
        return answer

    def notified(self) -> list[Message]:
        """
        Let the reactor turn; give the NOTIFYs since this was asked last, answered.

        One that was sent again is given once.
        """
        self.clock.advance(0)
        fresh: list[Message] = []
        while self.seen < len(self.flow.sent):
            each = self.messages[self.seen]
            self.seen += 1
            is_new = each.branch not in self.branches
            if is_new and is_notify(each):
                self.branches.add(each.branch)
                fresh.append(each)
                if each.method == "NOTIFY":
                    self.send(respond(each))
                self.clock.advance(0)
        return fresh

    def states(self) -> list[tuple[str, str]]:
        """Give (Subscription-State, note or basic) of the NOTIFYs since asked last."""
        return [(state(each), shown(each)) for each in self.notified()]

    # -- Looking ---------------------------------------------------------------------

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        """All that are alive."""
        return self.server.agent.subscriptions()

    def kept(self, kind: str) -> list[str]:
        """Give the keys of the records of a kind which are in the storage now."""
        kept: dict[str, bool] = {}
        for change in self.storage.changes:
            if change.kind == kind:
                kept[change.key] = isinstance(change, Put)
        return [key for key, is_there in kept.items() if is_there]

    def counted(self, name: str) -> int:
        """Give the sum of a counter over all labels."""
        return sum(
            each.source.value
            for each in self.server.metrics
            if each.name == name and isinstance(each.source, Counter)
        )

    @property
    def defects(self) -> int:
        """How often something went wrong that must not."""
        return sum(map(self.counted, _DEFECTS))

    def sleep(self, seconds: float) -> None:
        """Let time go by as the server's timers do."""
        for _ in range(round(seconds * 20)):
            self.clock.advance(0.05)
            self.server._turn()
            if round(self.clock.seconds() * 20) % 20 == 0:
                self.server._sweep()


@attrs.define(eq=False)
class Watching:
    """A SUBSCRIBE that was sent, and what follows in its dialog."""

    desk: Desk
    sent: Message
    cseq: int = 1

    @property
    def answer(self) -> Message | None:
        """Its answer, if there is one."""
        return self.desk.answer(self.sent)

    @property
    def status(self) -> int | None:
        """The status of its answer, if there is one."""
        return None if self.answer is None else self.answer.status

    def write(self, fields: Mapping[str, Value] | None = None) -> bytes:
        """Write a SUBSCRIBE within the dialog."""
        assert self.answer is not None
        self.cseq += 1
        return self.desk.write(
            "SUBSCRIBE",
            {
                "From": self.sent.need("from"),
                "To": self.answer.need("to"),
                "Call-ID": self.sent.call_id,
                "CSeq": f"{self.cseq} SUBSCRIBE",
                "Event": self.sent.get("event"),
                **(fields or {}),
            },
        )

    def again(self, fields: Mapping[str, Value] | None = None) -> Message | None:
        """Send a SUBSCRIBE within the dialog."""
        data = self.write(fields)
        self.desk.send(data)
        return self.desk.answer(Message.read(data))


def state(notify: Message) -> str:
    """Give Subscription-State without the seconds left."""
    return notify.need("subscription-state").split(";expires")[0]


def shown(notify: Message) -> str:
    """Give the note of a presence document, or else its basic status."""
    text = notify.text
    for tag in ("note", "basic"):
        if f"<{tag}>" in text:
            return text.partition(f"<{tag}>")[2].partition("<")[0]
    return text
