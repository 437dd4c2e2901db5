"""All resources, and whose they are."""

from __future__ import annotations

from presproxy.events.winfo import SUFFIX
from presproxy.testing.agency import WORDS, watcher


def test_presentities_are_those_who_have_any_the_longest_known_first(agency):
    resources = agency.resources
    names = [watcher(name) for name in ("carol", "alice", "bob")]
    for name in names:
        taken = resources.take(name, WORDS)
    other = resources.take(names[2], WORDS + SUFFIX)

    known = [tuple(resources.presentities)]
    for resource in (taken, other, resources.take(names[0], WORDS)):
        resources.drop_if_empty(resource)
        known.append(tuple(resources.presentities))

    assert known == [tuple(names), tuple(names), tuple(names[:2]), (names[1],)]


def test_what_is_dropped_twice_is_gone_once(agency):
    resources = agency.resources
    first = resources.take(watcher("alice"), WORDS)
    resources.drop_if_empty(first)
    resources.take(watcher("alice"), WORDS)

    resources.drop_if_empty(first)

    assert list(resources.presentities) == [watcher("alice")]
