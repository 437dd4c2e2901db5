"""
Where users can be reached: registered contacts (RFC 3261 §10).

A registration is one record with all its bindings, so that a REGISTER is made lasting
all or none (§10.3 step 7).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs
import cattrs

from presproxy.errors import LimitReached, MalformedField, PresproxyError
from presproxy.events.expiry import Expiries
from presproxy.interfaces import Bound
from presproxy.model.record import Change, Delete, Put, Record
from presproxy.sip.uri import AddressOfRecord, SipURI, parse_uri

REGISTRATION = "registration"

_converter = cattrs.Converter(forbid_extra_keys=True)

#: Records remembered that stand at another version than was thought.  Each is forgotten
#: with the next change of it, which follows at once unless it fails.
_LEARNED = 1000


class OutOfOrder(PresproxyError):
    """A REGISTER older than one seen before (RFC 3261 §10.3 step 7)."""


@attrs.frozen
class Binding:
    """
    One contact of a user.

    ``uri`` is as the user agent wrote it and ``q`` from 0 to 1; ``call_id`` and ``cseq``
    are those of the REGISTER that last touched it, ``flow`` names the road it came by and
    ``path`` the proxies on it (RFC 3327).  ``expires_at`` is a moment on the wall clock.
    ``instance`` is the URN of the user agent, if it told one; with a ``reg_id`` that is
    not 0 the binding is one of its flows (RFC 5626 §6).  ``label`` is the same for as
    long as an instance is registered under one Call-ID.
    """

    uri: str
    expires_at: float
    call_id: str
    cseq: int
    q: float = 1.0
    parameters: str = ""
    flow: str = ""
    path: tuple[str, ...] = ()
    user_agent: str = ""
    instance: str = ""
    reg_id: int = 0
    label: str = ""


@attrs.define(eq=False)
class Registration:
    """All bindings of one address of record, the preferred first."""

    aor: AddressOfRecord
    bindings: tuple[Binding, ...]
    version: int
    #: When the first of the bindings ends.
    expires_at: float = 0.0
    bucket: int = 0


@attrs.define(eq=False)
class StagedRegistration:
    """A registration on its way."""

    locations: Locations
    aor: AddressOfRecord
    bindings: tuple[Binding, ...]
    staged_on: int

    @property
    def changes(self) -> Sequence[Change]:
        """See `Staged`."""
        aor, version = self.aor, self.staged_on
        if not self.bindings:
            return (Delete(REGISTRATION, aor, aor, version),) if version else ()
        last = max(binding.expires_at for binding in self.bindings)
        payload = json.dumps(_converter.unstructure(self.bindings)).encode()
        return (Put(REGISTRATION, aor, aor, version, last, payload),)

    def live(self) -> None:
        """See `Staged`."""
        self.locations.live(self)

    def take_back(self) -> None:
        """See `Staged`; nothing was reserved."""


@attrs.define(eq=False)
class Locations:
    """
    The registrations of all users.

    At most ``most`` bindings of one user are kept, and ``most_in_all`` users.
    """

    most: int = 20
    most_in_all: int = 1_000_000
    #: Told of each user whose bindings are others now.
    changed: Callable[[AddressOfRecord], None] = lambda aor: None
    _registrations: dict[AddressOfRecord, Registration] = attrs.field(factory=dict)
    _learned: dict[AddressOfRecord, int] = attrs.field(factory=dict)
    _expiries: Expiries[Registration] = attrs.field(factory=Expiries)

    def __len__(self) -> int:
        return len(self._registrations)

    @property
    def expiring(self) -> int:
        """How many are kept by the second in which they end: all, unless some leak."""
        return len(self._expiries)

    def __iter__(self) -> Iterator[Registration]:
        return iter(tuple(self._registrations.values()))

    def bindings(self, aor: AddressOfRecord, now: float) -> tuple[Binding, ...]:
        """Give the bindings of a user that are alive, the preferred first."""
        registration = self._registrations.get(aor)
        if registration is None:
            return ()
        return tuple(each for each in registration.bindings if each.expires_at > now)

    def bound(self, aor: AddressOfRecord, now: float) -> tuple[Bound, ...]:
        """Give the bindings of a user that are alive as watchers are told of them."""
        alive = self.bindings(aor, now)
        return tuple([Bound(each.uri, each.q, each.call_id) for each in alive])

    def stage(
        self, aor: AddressOfRecord, asked: Sequence[Binding], now: float
    ) -> StagedRegistration:
        """
        Stage new, refreshed and removed bindings (RFC 3261 §10.3 step 7).

        A binding asked for that has ended already is removed.  Raises `OutOfOrder` and
        then changes none.
        """
        kept = {_key(each): each for each in self.bindings(aor, now)}
        for binding in asked:
            for key in [key for key, each in kept.items() if _replaces(binding, each)]:
                _check_order(kept.pop(key), binding)
            if binding.expires_at > now:
                kept[_key(binding)] = binding
        return self._staged(aor, kept.values())

    def stage_removal(
        self, aor: AddressOfRecord, call_id: str, cseq: int, now: float
    ) -> StagedRegistration:
        """Stage the end of all bindings, as ``Contact: *`` asks (RFC 3261 §10.3 step 6)."""
        for binding in self.bindings(aor, now):
            _check_order(binding, attrs.evolve(binding, call_id=call_id, cseq=cseq))
        return self._staged(aor, ())

    def version(self, aor: AddressOfRecord) -> int:
        """Give the version of a user's record, 0 if there is none as far as is known."""
        learned = self._learned.get(aor)
        if learned is not None:
            return learned
        registration = self._registrations.get(aor)
        return 0 if registration is None else registration.version

    def learn(self, aor: AddressOfRecord, version: int) -> None:
        """
        The record stands at another version than was thought.

        So it does when all bindings have expired and the record is still there.
        """
        self._learned[aor] = version
        if len(self._learned) > _LEARNED:
            del self._learned[next(iter(self._learned))]

    def live(self, staged: StagedRegistration) -> None:
        """Make what was committed seen."""
        self._learned.pop(staged.aor, None)
        old = self._registrations.pop(staged.aor, None)
        if old is not None:
            self._expiries.drop(old)
        if staged.bindings:
            self._keep(staged.aor, staged.bindings, staged.staged_on + 1)
        self.changed(staged.aor)

    def restore(self, record: Record, now: float) -> bool:
        """
        Take a registration back into memory; False if all of it has expired.

        Raises ValueError for a payload that is none.
        """
        alive = tuple(each for each in _read(record) if each.expires_at > now)
        if alive:
            self._keep(AddressOfRecord(record.key), alive, record.version)
        return bool(alive)

    def expire(self, now: float) -> bool:
        """End bindings whose time is over, of some users; say whether there are more."""
        ended = self._expiries.due(now)
        for registration in ended:
            registration.bindings = tuple(
                each for each in registration.bindings if each.expires_at > now
            )
            if registration.bindings:
                self._schedule(registration)
            else:
                self._registrations.pop(registration.aor, None)
            self.changed(registration.aor)
        return self._expiries.is_due(now)

    def _staged(
        self, aor: AddressOfRecord, bindings: Iterable[Binding]
    ) -> StagedRegistration:
        ordered = tuple(sorted(bindings, key=lambda each: -each.q))
        if len(ordered) > self.most:
            raise LimitReached("contacts of one user", self.most)
        is_new = ordered and aor not in self._registrations
        if is_new and len(self._registrations) >= self.most_in_all:
            raise LimitReached("registered users", self.most_in_all)
        return StagedRegistration(self, aor, ordered, self.version(aor))

    def _keep(
        self, aor: AddressOfRecord, bindings: tuple[Binding, ...], version: int
    ) -> None:
        registration = Registration(aor, bindings, version)
        self._registrations[aor] = registration
        self._schedule(registration)

    def _schedule(self, registration: Registration) -> None:
        registration.expires_at = min(each.expires_at for each in registration.bindings)
        self._expiries.keep(registration)


def _read(record: Record) -> tuple[Binding, ...]:
    """Read the bindings of a record; raises ValueError if any of them is none."""
    try:
        fields = json.loads(record.payload)
        bindings = _converter.structure(fields, tuple[Binding, ...])
        for binding in bindings:
            _contact_key(binding.uri)
            # Neither a moment without end nor one that is none has a second.
            int(binding.expires_at)
    except (
        cattrs.BaseValidationError,
        MalformedField,
        OverflowError,
        RecursionError,
        TypeError,
    ) as error:
        raise ValueError(f"registration {record.key}: not readable") from error
    return bindings


def _check_order(old: Binding | None, new: Binding) -> None:
    # RFC 3261 §10.3 wants a higher number.  The same one is the same REGISTER once more,
    # from a user agent that tries another transport since the first answer was lost.
    if old is not None and old.call_id == new.call_id and new.cseq < old.cseq:
        raise OutOfOrder("older than a REGISTER seen before")


def _key(binding: Binding) -> object:
    """Tell bindings of one user apart: flows by their reg-ids, others by their contacts."""
    if binding.reg_id:
        return (binding.instance, binding.reg_id)
    return _contact_key(binding.uri)


def _replaces(new: Binding, old: Binding) -> bool:
    """Whether a binding takes the place of another; several flows may have one contact."""
    if new.reg_id and old.reg_id:
        return _key(new) == _key(old)
    return _contact_key(new.uri) == _contact_key(old.uri)


def is_same_contact(one: str, other: str) -> bool:
    """Whether two URIs, which can be read, are the same contact of a user."""
    return one == other or _contact_key(one) == _contact_key(other)


def _contact_key(uri: str) -> object:
    """Make two spellings of one contact equal (RFC 3261 §19.1.4)."""
    parsed = parse_uri(uri)
    if not isinstance(parsed, SipURI):
        return parsed
    parameters = frozenset(
        (name.lower(), (value or "").lower()) for name, value in parsed.parameters
    )
    return (parsed.scheme, parsed.user, parsed.host, parsed.port, parameters)
