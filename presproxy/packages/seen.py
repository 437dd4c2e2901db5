"""
What watchers see of somebody who is at home in both languages, PIDF and Lync's.

Presence documents are composed into one first, and that counts as one more endpoint
beside those of Lync: a machine, and a choice of its user if it tells of an activity.  So
whoever watches sees the same person, whichever language he reads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress

import attrs

from presproxy.documents.lync.aggregation import OFFLINE
from presproxy.documents.lync.categories import (
    Category,
    CategoryName,
    ExpireType,
    write_categories,
)
from presproxy.documents.lync.containers import (
    AGGREGATION,
    BLOCKED,
    COLLEAGUES,
    DEFAULT,
    EXTERNAL,
    PERSONAL,
    SELF,
    WORKGROUP,
    WORKGROUP_AGGREGATION,
)
from presproxy.documents.lync.mapping import Said, older_numbers, read_said
from presproxy.documents.lync.notes import read_note, write_note
from presproxy.documents.lync.older import OlderPresence, write_older_presence
from presproxy.documents.lync.state import (
    Availability,
    StateInput,
    StateKind,
    range_of,
    read_state,
    write_state,
)
from presproxy.documents.pieces import Piece
from presproxy.errors import MalformedDocument
from presproxy.sip.uri import AddressOfRecord

STATE, NOTE, CARD = "state", "note", "contactCard"

#: What is told of even where there is nothing, so that nobody keeps what was once there.
ALWAYS = ("calendarData", CARD, NOTE)

#: The owner's own; nobody's view is of these.
_OWN = (SELF, AGGREGATION, WORKGROUP_AGGREGATION)
#: Where aggregates are put, and the containers whose states they are made of.
_MADE_OF = {
    AGGREGATION: AGGREGATION,
    WORKGROUP_AGGREGATION: WORKGROUP_AGGREGATION,
    EXTERNAL: AGGREGATION,
    COLLEAGUES: AGGREGATION,
    WORKGROUP: WORKGROUP_AGGREGATION,
    PERSONAL: AGGREGATION,
}
#: The instance of an aggregate.
_AGGREGATE = 1

#: The seconds from which versions of what the server makes are counted, so that they fit
#: into 31 bits until 2088.
_VERSIONS_FROM = 1_600_000_000

Aggregate = Callable[[Sequence[StateInput]], StateInput]


@attrs.define(unsafe_hash=True)
class MixedState:
    """
    The presence of somebody whose endpoints publish categories, and maybe documents, too.

    ``pieces`` are of the documents, composed, and ``note`` is theirs, said at
    ``noted_at``; ``categories`` are all that watchers may be shown but states.  One state
    is for workgroups, one for all others.
    """

    presentity: AddressOfRecord
    pieces: Sequence[Piece]
    note: str
    categories: Sequence[Category]
    state: StateInput
    workgroup_state: StateInput
    noted_at: float = attrs.field(default=0.0, eq=False)

    def seen_in(self, container: int) -> Seen:
        """Give what watchers in a container see."""
        categories = [
            each for each in self.categories if each.name.container == container
        ]
        if container == DEFAULT:
            # Who somebody is, but not how.
            cards = [each for each in categories if each.name.category == CARD]
            return Seen(self.presentity, OFFLINE, tuple(cards))
        if container == EXTERNAL:
            return Seen(self.presentity, number_of(self.state), tuple(categories))
        if self.note:
            categories.append(_note_category(self.note, self.noted_at))
        state = self.workgroup_state if container == WORKGROUP else self.state
        return Seen(self.presentity, state, tuple(categories), self.pieces)


@attrs.define(unsafe_hash=True)
class Seen:
    """
    What is seen in one container: a state, other categories, pieces of documents.

    Of several notes the latest counts.
    """

    presentity: AddressOfRecord
    state: StateInput
    categories: Sequence[Category] = ()
    pieces: Sequence[Piece] = ()

    @property
    def note(self) -> str:
        """The text of the note, or what a meeting is about, or nothing."""
        notes = [each for each in self.categories if each.name.category == NOTE]
        notes.sort(key=lambda each: -each.published_at)
        texts = (read_note(each.body) for each in notes)
        text = next((text for text in texts if text), "")
        return text or self.state.meeting_subject


def has_watchers(container: int) -> bool:
    """Whether there is more than nobody at home to be seen in a container."""
    return container not in _OWN and container != BLOCKED


def mixed(
    presentity: AddressOfRecord,
    pieces: Sequence[Piece],
    published_at: float | None,
    categories: Sequence[Category],
    aggregate: Aggregate,
) -> MixedState:
    """
    Compose what documents and categories say.

    ``published_at`` is when the latest of the documents was published, None without any;
    the pieces are as they are composed.
    """
    said = None if published_at is None else read_said(pieces)
    for_all, for_workgroup = inputs_of(categories, said, published_at)
    state = workgroup_state = _dated(aggregate, for_all)
    if for_workgroup is not for_all:
        workgroup_state = _dated(aggregate, for_workgroup)
    shown = [
        each
        for each in categories
        if has_watchers(each.name.container) and each.name.category != STATE
    ]
    return MixedState(
        presentity,
        () if said is None else pieces,
        "" if said is None else said.note,
        tuple(sorted(shown, key=lambda each: each.name)),
        state,
        workgroup_state,
        published_at or 0.0,
    )


def seen_of(
    presentity: AddressOfRecord,
    pieces: Sequence[Piece],
    published_at: float,
    aggregate: Aggregate,
) -> Seen:
    """Give what there is of somebody of whom there are documents only."""
    said = read_said(pieces)
    state = _dated(aggregate, said.states(published_at))
    notes = (_note_category(said.note, published_at),) if said.note else ()
    return Seen(presentity, state, notes, pieces)


def is_offline(state: StateInput) -> bool:
    """Whether it says that nobody is there."""
    return range_of(state.availability) is Availability.OFFLINE


def number_of(state: StateInput) -> StateInput:
    """Give a state with nothing but its number and its age."""
    return StateInput(state.kind, state.availability, published_at=state.published_at)


# --- aggregates -----------------------------------------------------------------------


def inputs_of(
    categories: Iterable[Category], said: Said | None, published_at: float | None
) -> tuple[Sequence[StateInput], Sequence[StateInput]]:
    """
    Give the states that count for all who watch, and for workgroups.

    Where nothing is said for workgroups in particular, what counts for all does.  A state
    that cannot be read counts for nothing.
    """
    for_all: list[StateInput] = []
    for_workgroup: list[StateInput] = []
    inputs = {AGGREGATION: for_all, WORKGROUP_AGGREGATION: for_workgroup}
    for each in categories:
        if each.name.category == STATE and each.name.container in inputs:
            with suppress(MalformedDocument):
                state = read_state(each.body, published_at=each.published_at)
                inputs[each.name.container].append(state)
    own = () if said is None else said.states(published_at or 0.0)
    for_all += own
    if not for_workgroup:
        return for_all, for_all
    return for_all, [*for_workgroup, *own]


def aggregate_categories(
    inputs: tuple[Sequence[StateInput], Sequence[StateInput]], aggregate: Aggregate
) -> Sequence[Category]:
    """
    Give the aggregates as their owner is shown them, in all their containers.

    There are none while no machine says anything: a client that signs in would take
    itself for offline.
    """
    if not any(each.kind is StateKind.MACHINE for some in inputs for each in some):
        return ()
    state, workgroup_state = [_dated(aggregate, each) for each in inputs]
    categories = []
    for container, made_of in _MADE_OF.items():
        shown = workgroup_state if made_of == WORKGROUP_AGGREGATION else state
        shown = number_of(shown) if container == EXTERNAL else shown
        categories.append(_state_category(shown, container))
    return tuple(categories)


def _dated(aggregate: Aggregate, inputs: Sequence[StateInput]) -> StateInput:
    """Make one state, as old as the latest that it is made of."""
    latest = max([each.published_at for each in inputs], default=0.0)
    return attrs.evolve(aggregate(inputs), published_at=latest)


# --- as categories --------------------------------------------------------------------


def write_seen(seen: Seen, wanted: Collection[str] = ()) -> bytes:
    """
    Write the categories that somebody wants, all if he names none.

    The state is always there, and so is the note, empty if there is none.
    """
    shown = [
        each
        for each in seen.categories
        if not wanted or each.name.category in wanted or each.name.category == NOTE
    ]
    there = {each.name.category for each in shown}
    names = {*wanted, NOTE} if wanted else ALWAYS
    cleared = sorted({*names} - there - {STATE})
    # Who is blocked is told the same as who watches somebody that signed off, moment and
    # version included.
    state = OFFLINE if is_offline(seen.state) else seen.state
    categories = [_state_category(state, COLLEAGUES), *map(_shown, shown)]
    return write_categories(seen.presentity, categories, cleared)


def _shown(category: Category) -> Category:
    """
    Say that it stands where colleagues see it, whichever container it is in.

    Otherwise whoever is blocked could tell by that.
    """
    name = category.name
    if name.container == COLLEAGUES:
        return category
    return attrs.evolve(category, name=name._replace(container=COLLEAGUES))


def _state_category(state: StateInput, container: int) -> Category:
    return Category(
        CategoryName(STATE, _AGGREGATE, container),
        _version(state.published_at),
        ExpireType.USER,
        write_state(state),
        state.published_at,
    )


def _note_category(text: str, at: float) -> Category:
    """Make a category of the note of presence documents."""
    return Category(
        CategoryName(NOTE, _AGGREGATE, COLLEAGUES),
        _version(at),
        ExpireType.ENDPOINT,
        write_note(text),
        at,
    )


def _version(at: float) -> int:
    return max(1, int(at) - _VERSIONS_FROM)


# --- for clients of 2005 --------------------------------------------------------------


def write_older(seen: Seen) -> bytes:
    """Write what clients of 2005 read: two numbers and a note."""
    availability, activity = older_numbers(seen.state)
    return write_older_presence(
        OlderPresence(seen.presentity, availability, activity, seen.note)
    )
