"""The root of presproxy's errors, and those which more than one room raises or answers."""

from __future__ import annotations

from collections.abc import Sequence

import attrs


class PresproxyError(Exception):
    """
    What presproxy raises on purpose.

    Its text is one line that an operator understands without the source.
    """


@attrs.frozen(eq=False)
class MalformedField(PresproxyError):
    """A field or a part of one which the grammar does not allow (RFC 3261 §25)."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


@attrs.frozen(eq=False)
class MalformedDocument(PresproxyError):
    """A body which is not well-formed, not valid, or over a limit."""

    why: str

    def __str__(self) -> str:
        return self.why


@attrs.frozen(eq=False)
class ConfigurationMistakes(PresproxyError):
    """All that is wrong with a configuration, one line each."""

    mistakes: Sequence[str]

    def __str__(self) -> str:
        return "\n".join(self.mistakes)


@attrs.frozen(eq=False)
class FlowClosed(PresproxyError):
    """The flow is gone; nothing can be sent on it any more."""

    flow: str

    def __str__(self) -> str:
        return f"{self.flow} is closed"


@attrs.frozen(eq=False)
class IntervalTooBrief(PresproxyError):
    """Less than the shortest interval granted, which is ``minimum`` seconds."""

    minimum: int

    def __str__(self) -> str:
        return f"an interval below {self.minimum} seconds is not granted"


@attrs.frozen(eq=False)
class EntityTagMismatch(PresproxyError):
    """No publication has this entity-tag (RFC 3903 §6 step 3)."""

    entity_tag: str

    def __str__(self) -> str:
        return f"no publication has the entity-tag {self.entity_tag!r}"


@attrs.frozen(eq=False)
class LimitReached(PresproxyError):
    """A bound of ours: ``what`` may be at most ``limit``."""

    what: str
    limit: int

    def __str__(self) -> str:
        return f"at most {self.limit} {self.what}"


class SubscriptionEnded(PresproxyError):
    """A subscription that has ended, or ended while it was to be kept."""


class AccessDenied(PresproxyError):
    """The sender is known and may not do this."""


class SignInRefused(AccessDenied):
    """Somebody is not let in, and not asked again; he is told why."""


@attrs.frozen(eq=False)
class CredentialsRejected(PresproxyError):
    """Credentials which prove nobody; ``stale`` if only their nonce was old (RFC 7616 §3.3)."""

    why: str
    stale: bool = False

    def __str__(self) -> str:
        return self.why


@attrs.frozen(eq=False)
class AuthenticationContinues(PresproxyError):
    """
    One more leg is needed; ``challenge`` is the field value to send.

    It is sent as `IAuthenticator.challenge` has it.
    """

    challenge: str

    def __str__(self) -> str:
        return "authentication takes another leg"


@attrs.frozen(eq=False)
class StorageUnavailable(PresproxyError):
    """The storage could not do it now; nothing was written."""

    why: str

    def __str__(self) -> str:
        return self.why


@attrs.frozen(eq=False)
class Conflict(PresproxyError):
    """Records had another version than the change was staged on; nothing was written."""

    records: Sequence[tuple[str, str]]

    def __str__(self) -> str:
        names = ", ".join(f"{kind} {key}" for kind, key in self.records)
        return f"changed meanwhile: {names}"


class NodeLost(PresproxyError):
    """This node's lease ran out; its dialogs are others' now."""


def forget_traceback(error: BaseException) -> None:
    """
    Let go of what an error knows of where it was raised, once it has been dealt with.

    One that went through several waiting coroutines has some twenty frames in a circle
    with it, which would be in memory until the garbage collector comes: for what goes
    wrong each second because peers are as they are.
    """
    error.__traceback__ = None
