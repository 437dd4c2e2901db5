"""
Containers: who sees which of a user's publications ([MS-PRES] 2.2.2.5, 3.3).

A user who never changed any has those everybody begins with.  They are there for his
clients, and decide nothing: only what somebody did himself is his will.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import attrs
import cattrs

from presproxy.documents.lync.categories import Stale
from presproxy.documents.lync.containers import (
    BLOCKED,
    COLLEAGUES,
    EXTERNAL,
    PERSONAL,
    WORKGROUP,
    Container,
    ContainerChange,
    Member,
    MemberType,
)
from presproxy.errors import LimitReached, MalformedDocument, PresproxyError
from presproxy.model.record import NEVER, Change, Put, Record
from presproxy.sip.uri import AddressOfRecord, domain_of

#: The kind of these records; key and owner is the user, and it has all his containers.
CONTAINERS = "containers"

_FORM = "containers/1"

#: The containers that have members, where two hold the same kind the first one wins.
PRECEDENCE = (BLOCKED, PERSONAL, WORKGROUP, COLLEAGUES, EXTERNAL)

#: What everybody begins with.
BEGINNING: Mapping[int, Container] = {
    each.id: each
    for each in (
        Container(EXTERNAL, 0, frozenset({Member(MemberType.FEDERATED)})),
        Container(COLLEAGUES, 0, frozenset({Member(MemberType.SAME_ENTERPRISE)})),
        Container(BLOCKED, 0, frozenset({Member(MemberType.PUBLIC_CLOUD)})),
    )
}

#: Those for whom a member of a kind must be named.
_NAMED = (MemberType.USER, MemberType.DOMAIN)

_converter = cattrs.Converter(forbid_extra_keys=True)


@attrs.frozen(eq=False)
class StaleContainers(PresproxyError):
    """Changes were made on other versions than the current ones; nothing is done."""

    stale: Sequence[Stale]

    def __str__(self) -> str:
        each = self.stale[0]
        return (
            f"change {each.index} was made on version {each.version}, and "
            f"{each.current} is current"
        )


@attrs.frozen
class UserContainers:
    """All containers of a user by number; ``version`` is that of the record."""

    containers: Mapping[int, Container] = attrs.field(factory=lambda: BEGINNING)
    version: int = 0

    def version_of(self, number: int) -> int:
        """Give the version of a container, 0 for one that nobody ever changed."""
        container = self.containers.get(number)
        return 0 if container is None else container.version


_BEGINNING = UserContainers()


@attrs.define(eq=False)
class StagedContainers:
    """A change of a user's containers on its way."""

    table: Containers
    user: AddressOfRecord
    after: UserContainers

    @property
    def changes(self) -> Sequence[Change]:
        """See `Staged`."""
        if self.after is self.table.all_of(self.user):
            return ()
        return (_write(self.user, self.after),)

    def live(self) -> None:
        """See `Staged`."""
        self.table.live(self)

    def take_back(self) -> None:
        """See `Staged`; nothing was reserved."""


@attrs.define(eq=False)
class Containers:
    """
    The containers of all users.

    One holds ``most`` members at most, those of one user the ``octets`` of so many names,
    and so many users have any: ``users``.
    ``domains`` are ours.  ``decide_again`` and ``changed`` are told of each user whose
    containers are others now: who sees him, and what he sees of them himself.
    """

    domains: Collection[str]
    decide_again: Callable[[AddressOfRecord], None]
    changed: Callable[[AddressOfRecord], None]
    most: int = 1000
    octets: int = 262_144
    users: int = 1_000_000
    _users: dict[AddressOfRecord, UserContainers] = attrs.field(
        factory=dict, init=False
    )

    def __len__(self) -> int:
        return len(self._users)

    def all_of(self, user: AddressOfRecord) -> UserContainers:
        """Give what a user has, in the form it is kept in."""
        return self._users.get(user, _BEGINNING)

    def of(self, user: AddressOfRecord) -> tuple[Container, ...]:
        """Give the containers of a user in the order of their numbers."""
        containers = self.all_of(user).containers
        return tuple(containers[number] for number in sorted(containers))

    def has_any(self, user: AddressOfRecord) -> bool:
        """Whether a user ever changed his containers."""
        return user in self._users

    def seat(
        self, user: AddressOfRecord, watcher: AddressOfRecord
    ) -> tuple[Container, Member] | None:
        """
        Say which container of a user's a watcher is in, and as whom.

        The most specific member says so, then the order of `PRECEDENCE`.  None is the
        container of all others.
        """
        containers = self.all_of(user).containers
        for member in self._kinds(watcher):
            for number in PRECEDENCE:
                container = containers.get(number)
                if container is not None and member in container.members:
                    return container, member
        return None

    def stage(
        self, user: AddressOfRecord, asked: Sequence[ContainerChange]
    ) -> StagedContainers:
        """
        Stage changes, all or none.

        Raises `StaleContainers`, `LimitReached`, and `MalformedDocument` for containers
        that have no members and members who are nobody.
        """
        before = self.all_of(user)
        containers = dict(before.containers)
        stale: list[Stale] = []
        for index, change in enumerate(asked, 1):
            current = before.version_of(change.id)
            if change.version != current:
                stale.append(Stale(index, change.version, current))
                continue
            members = containers.get(change.id, Container(change.id)).members
            members = self._changed(members, change)
            containers[change.id] = Container(change.id, current + 1, members)
        if stale:
            raise StaleContainers(stale)
        if not asked:
            return StagedContainers(self, user, before)
        self._check_room(user, containers.values())
        return StagedContainers(
            self, user, UserContainers(containers, before.version + 1)
        )

    def live(self, staged: StagedContainers) -> None:
        """Make what was committed seen."""
        self._put(staged.user, staged.after)

    def restore(self, record: Record) -> None:
        """
        Take a user's containers back into memory, telling nobody.

        Raises ValueError for what was not written here.
        """
        self._users[AddressOfRecord(record.key)] = _read(record)

    def take(self, record: Record) -> None:
        """Hold what a record says, as somebody else wrote it, and tell of it."""
        self._put(AddressOfRecord(record.key), _read(record))

    def _put(self, user: AddressOfRecord, containers: UserContainers) -> None:
        """Hold what is newer than what is held."""
        if containers.version > self.all_of(user).version:
            self._users[user] = containers
            self.decide_again(user)
            self.changed(user)

    def _check_room(
        self, user: AddressOfRecord, containers: Iterable[Container]
    ) -> None:
        if user not in self._users and len(self._users) >= self.users:
            raise LimitReached("users who have containers", self.users)
        names = (each.value for one in containers for each in one.members)
        if sum(map(len, names)) > self.octets:
            raise LimitReached("octets in the containers of one user", self.octets)

    def _changed(
        self, members: frozenset[Member], change: ContainerChange
    ) -> frozenset[Member]:
        if change.id not in PRECEDENCE:
            known = ", ".join(map(str, sorted(PRECEDENCE)))
            raise MalformedDocument(f"container {change.id}: only {known} have members")
        for member in change.added:
            _check_member(change.id, member)
        members = members.difference(change.removed).union(change.added)
        if len(members) > self.most:
            raise LimitReached(f"members in container {change.id}", self.most)
        return members

    def _kinds(self, watcher: AddressOfRecord) -> Sequence[Member]:
        """Give the members a watcher would be by, the most specific first."""
        domain = domain_of(watcher)
        is_ours = domain in self.domains
        return (
            Member(MemberType.USER, watcher.removeprefix("sip:").lower()),
            Member(MemberType.DOMAIN, domain),
            Member(MemberType.SAME_ENTERPRISE if is_ours else MemberType.FEDERATED),
            _EVERYONE,
        )


_EVERYONE = Member(MemberType.EVERYONE)


def _check_member(container: int, member: Member) -> None:
    """Raise `MalformedDocument` for a member who is named and need not be, or the reverse."""
    if bool(member.value) is not (member.type in _NAMED):
        what = "a value" if member.type in _NAMED else "no value"
        raise MalformedDocument(
            f"container {container}: a member of type {member.type} has {what}"
        )


# --- Records


def _write(user: AddressOfRecord, containers: UserContainers) -> Change:
    fields = [
        [each.id, each.version, sorted((m.type.value, m.value) for m in each.members)]
        for each in containers.containers.values()
    ]
    payload = f"{_FORM}\n{json.dumps(fields)}".encode()
    return Put(CONTAINERS, user, user, containers.version - 1, NEVER, payload)


_Written = list[tuple[int, int, list[tuple[MemberType, str]]]]


def _read(record: Record) -> UserContainers:
    form, _, rest = record.payload.decode("utf-8", "replace").partition("\n")
    if form != _FORM:
        raise ValueError(f"{record.kind} {record.key}: not written as {_FORM}")
    try:
        fields = _converter.structure(json.loads(rest), _Written)
    except (cattrs.BaseValidationError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"{record.kind} {record.key}: not readable") from error
    containers = {
        number: Container(number, version, frozenset(Member(*each) for each in members))
        for number, version, members in fields
    }
    return UserContainers(containers, record.version)
