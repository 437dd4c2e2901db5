"""
Subscribers: who added a user to his contacts, and whether the user knows of it.

Each is told of once ([MS-PRES] 2.2.2.7): as long as he is not acknowledged, the user's
clients ask the user about him.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence

import attrs
import cattrs

from presproxy.documents.lync.subscribers import Subscriber
from presproxy.model.record import NEVER, Change, Put, Record
from presproxy.sip.uri import AddressOfRecord

#: The kind of these records; the key is the user and the subscriber, the owner the user.
SUBSCRIBER = "subscriber"

_FORM = "subscriber/1"

_converter = cattrs.Converter(forbid_extra_keys=True)


@attrs.define(eq=False)
class StagedSubscribers:
    """
    Subscribers of one user on their way; ``changes`` is empty if nothing is new.

    ``newcomer`` is one of them who is counted already as one who subscribed.
    """

    table: Subscribers
    user: AddressOfRecord
    subscribers: Sequence[Subscriber] = ()
    newcomer: AddressOfRecord | None = None

    @property
    def changes(self) -> Sequence[Change]:
        """See `Staged`."""
        version = self.table.version
        return [
            _write(self.user, each, version(self.user, AddressOfRecord(each.user)))
            for each in self.subscribers
        ]

    def live(self) -> None:
        """See `Staged`."""
        self.table.live(self)

    def take_back(self) -> None:
        """See `Staged`."""
        self.table.take_back(self)


@attrs.define(eq=False)
class _Kept:
    subscriber: Subscriber
    version: int


@attrs.define(eq=False)
class Subscribers:
    """
    The subscribers of all users, ``most`` of each, of at most so many ``users``.

    One subscriber is one of ``most_of_one`` users: whether those are there at all nobody
    knows here, and each of them is kept for ever.  ``changed`` is told of each user of
    whose subscribers there is news.
    """

    changed: Callable[[AddressOfRecord], None]
    most: int = 1000
    users: int = 1_000_000
    most_of_one: int = 1000
    _users: dict[AddressOfRecord, dict[AddressOfRecord, _Kept]] = attrs.field(
        factory=dict, init=False
    )
    #: Of how many users each is a subscriber, those on their way included.
    _times: Counter[AddressOfRecord] = attrs.field(factory=Counter, init=False)

    def of(self, user: AddressOfRecord) -> tuple[Subscriber, ...]:
        """Give the subscribers of a user, in the order they came."""
        return tuple(each.subscriber for each in self._users.get(user, {}).values())

    def version(self, user: AddressOfRecord, subscriber: AddressOfRecord) -> int:
        """Give the version of a record, 0 if there is none."""
        kept = self._users.get(user, {}).get(subscriber)
        return 0 if kept is None else kept.version

    def stage(self, user: AddressOfRecord, subscriber: Subscriber) -> StagedSubscribers:
        """
        Stage one who has just subscribed.

        Who is known is no news, and of a user who has very many nobody hears any more:
        that is no reason to keep anybody from watching him.
        """
        kept = self._users.get(user, {})
        name = AddressOfRecord(subscriber.user)
        is_full = (
            len(kept) >= self.most
            or len(self._users) >= self.users
            or self._times[name] >= self.most_of_one
        )
        if name in kept or is_full:
            return StagedSubscribers(self, user)
        self._times[name] += 1
        return StagedSubscribers(self, user, (subscriber,), name)

    def stage_acknowledged(
        self, user: AddressOfRecord, answers: Sequence[tuple[AddressOfRecord, bool]]
    ) -> StagedSubscribers:
        """Stage what a user answers about his subscribers; others he cannot answer about."""
        kept = self._users.get(user, {})
        news = [
            attrs.evolve(kept[name].subscriber, is_acknowledged=is_acknowledged)
            for name, is_acknowledged in dict(answers).items()
            if name in kept
            and kept[name].subscriber.is_acknowledged is not is_acknowledged
        ]
        return StagedSubscribers(self, user, news)

    def live(self, staged: StagedSubscribers) -> None:
        """Make what was committed seen."""
        if not staged.subscribers:
            return
        kept = self._users.setdefault(staged.user, {})
        for each in staged.subscribers:
            name = AddressOfRecord(each.user)
            kept[name] = _Kept(each, self.version(staged.user, name) + 1)
        self.changed(staged.user)

    def take_back(self, staged: StagedSubscribers) -> None:
        """Leave all as it was."""
        if staged.newcomer is not None:
            self._times[staged.newcomer] -= 1
            if not self._times[staged.newcomer]:
                del self._times[staged.newcomer]

    def restore(self, record: Record) -> bool:
        """
        Take a subscriber back into memory.

        Raises ValueError for what was not written here.
        """
        user, _, name = record.key.partition(" ")
        subscriber = _read(record)
        if user != record.owner or name != subscriber.user:
            raise ValueError(f"{record.kind} {record.key}: not one user and subscriber")
        kept = self._users.setdefault(AddressOfRecord(user), {})
        if name not in kept:
            self._times[AddressOfRecord(name)] += 1
        kept[AddressOfRecord(name)] = _Kept(subscriber, record.version)
        return True


def _write(user: AddressOfRecord, subscriber: Subscriber, staged_on: int) -> Change:
    payload = f"{_FORM}\n{json.dumps(_converter.unstructure(subscriber))}".encode()
    key = f"{user} {subscriber.user}"
    return Put(SUBSCRIBER, key, user, staged_on, NEVER, payload)


def _read(record: Record) -> Subscriber:
    form, _, rest = record.payload.decode("utf-8", "replace").partition("\n")
    if form != _FORM:
        raise ValueError(f"{record.kind} {record.key}: not written as {_FORM}")
    try:
        return _converter.structure(json.loads(rest), Subscriber)
    except (
        AttributeError,  # Of what is JSON and no object.
        cattrs.BaseValidationError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise ValueError(f"{record.kind} {record.key}: not readable") from error
