"""Whatever is published and ended, in any order: memory and records say the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.lync.categories import Asked, CategoryName, ExpireType
from presproxy.events.category_staging import WrongVersion
from presproxy.model.record import Put, Record
from presproxy.testing.agency import ALICE, Agency, WordPackage, watcher

USERS = (ALICE, watcher("bob"))
ENDPOINTS = ("e1", "e2")
NAMES = [CategoryName("state", number, 2) for number in range(3)]

_asked = st.builds(
    lambda name, version, kind, expires: Asked(name, version, kind, expires, b"<a/>"),
    st.sampled_from(NAMES),
    st.integers(0, 3),
    st.sampled_from(list(ExpireType)),
    st.sampled_from([0, 5, 50]),
)
_acts = st.one_of(
    st.tuples(
        st.just("stage"),
        st.sampled_from(USERS),
        st.lists(_asked, min_size=1, max_size=3, unique_by=lambda each: each.name),
        st.sampled_from(ENDPOINTS),
        st.booleans(),
    ),
    st.tuples(st.sampled_from(["live", "take_back"]), st.integers(0, 3)),
    st.tuples(
        st.just("end"),
        st.sampled_from(USERS),
        st.sampled_from(ENDPOINTS),
        st.booleans(),
    ),
    st.tuples(st.just("sleep"), st.integers(1, 60)),
)


class Life:
    """A table, what is under way, and the records as a storage would have them."""

    def __init__(self):
        self.agency = Agency(package=WordPackage("presence"))
        self.table = self.agency.categories
        self.under_way = []
        self.records = {}

    def do(self, act, *details):
        getattr(self, f"do_{act}")(*details)
        forgotten, self.agency.forgotten[:] = self.agency.forgotten[:], []
        self.commit(forgotten)

    def do_stage(self, user, asked, endpoint, whatever_version):
        agency = self.agency
        try:
            staged = self.table.stage(
                user,
                asked,
                endpoint,
                agency.now(),
                agency.ticks(),
                whatever_version=whatever_version,
            )
        except WrongVersion:
            pass
        else:
            self.under_way.append(staged)

    def do_live(self, which):
        if self.under_way:
            staged = self.under_way.pop(which % len(self.under_way))
            self.commit(staged.changes)
            staged.live()

    def do_take_back(self, which):
        if self.under_way:
            self.under_way.pop(which % len(self.under_way)).take_back()

    def do_end(self, user, endpoint, is_last):
        self.table.end_endpoint(user, endpoint, self.agency.ticks(), is_last=is_last)

    def do_sleep(self, seconds):
        self.agency.clock.advance(seconds)
        self.table.expire(self.agency.now(), self.agency.ticks())

    def commit(self, changes):
        for change in changes:
            former = self.records.get(change.key)
            assert change.staged_on == (0 if former is None else former.version)
            if isinstance(change, Put):
                self.records[change.key] = Record(
                    change.kind,
                    change.key,
                    change.owner,
                    change.staged_on + 1,
                    change.expires_at,
                    change.payload,
                )
            else:
                del self.records[change.key]

    def settle(self):
        while self.under_way:
            self.do("live", 0)
        # Two moments of one second are told apart by the second alone.
        self.do("sleep", 2)


@given(st.lists(_acts, max_size=25))
def test_what_is_in_memory_is_what_a_start_brings_back(acts):
    life = Life()

    for act in acts:
        life.do(*act)
    life.settle()

    again = Agency(package=WordPackage("presence")).categories
    for record in life.records.values():
        again.restore(record, life.agency.now())
    for user in USERS:
        there = life.table.of(user)
        assert {*again.of(user)} == {*there}
        shown = life.agency.resources.find(user, "presence")
        assert there == (() if shown is None else tuple(shown.categories))
    assert len(life.table) == sum(len(life.table.of(user)) for user in USERS)
    assert life.table.expiring == again.expiring
    assert life.table._growth == 0
    assert {*life.table} == {user for user in USERS if life.table.of(user)}
