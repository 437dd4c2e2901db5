"""
The fields of events and publications: Event, Subscription-State, entity-tags
(RFC 6665 §8.2, RFC 3903 §11.3).
"""

from __future__ import annotations

import attrs

from presproxy.errors import MalformedField
from presproxy.sip import grammar
from presproxy.sip.fields import parse_seconds
from presproxy.sip.grammar import Parameters
from presproxy.sip.remembered import remembered


@attrs.frozen
class Event:
    """
    An event package, and which of several subscriptions to it (RFC 6665 §8.2.1).

    ``package`` is in lower case: ``Presence`` is seen in the field.  ``parameters`` are
    all there were, ``id`` included; two with the same package and ``id`` are equal,
    whatever else they carry.
    """

    package: str
    id: str | None = None
    parameters: Parameters = attrs.field(default=(), eq=False)

    def parameter(self, name: str) -> str | None:
        """Give a parameter's value: empty if it has none, None if it is not there."""
        return grammar.find_parameter(self.parameters, name)

    def __str__(self) -> str:
        return self.package if self.id is None else f"{self.package};id={self.id}"


@remembered(256)
def parse_event(text: str) -> Event:
    """Read an Event, or one value of Allow-Events."""
    package, parameters = _read_token("Event", text)
    return Event(
        package.lower(), grammar.find_parameter(parameters, "id") or None, parameters
    )


@attrs.frozen
class SubscriptionState:
    """
    What a subscription is now (RFC 6665 §8.2.3).

    ``state`` and ``reason`` are in lower case; the others are seconds.
    """

    state: str
    expires: int | None = None
    reason: str | None = None
    retry_after: int | None = None

    def __str__(self) -> str:
        written = [self.state]
        if self.expires is not None:
            written.append(f"expires={self.expires}")
        if self.reason is not None:
            written.append(f"reason={self.reason}")
        if self.retry_after is not None:
            written.append(f"retry-after={self.retry_after}")
        return ";".join(written)


def parse_subscription_state(text: str) -> SubscriptionState:
    """Read a Subscription-State."""
    state, parameters = _read_token("Subscription-State", text)
    reason = grammar.find_parameter(parameters, "reason")
    return SubscriptionState(
        state.lower(),
        _seconds(parameters, "expires"),
        reason.lower() if reason else None,
        _seconds(parameters, "retry-after"),
    )


def _read_token(name: str, text: str) -> tuple[str, Parameters]:
    token, semicolon, rest = text.partition(";")
    token = token.strip(" \t")
    if not grammar.is_token(token):
        raise MalformedField(name, f"cannot be read: {text[:60]!r}")
    return token, grammar.parse_parameters(name, semicolon + rest)


def _seconds(parameters: Parameters, name: str) -> int | None:
    value = grammar.find_parameter(parameters, name)
    return None if value is None else parse_seconds("Subscription-State", value)
