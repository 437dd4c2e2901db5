from __future__ import annotations

from presproxy.model.decision import FULL, NEUTRAL, Decision, Handling, View, view_named


def test_handlings_are_named_as_the_rules_language_does():
    assert [each.value for each in Handling] == [
        "block",
        "confirm",
        "polite-block",
        "allow",
    ]


def test_whoever_is_allowed_sees_everything_unless_said_otherwise():
    assert Decision(Handling.ALLOW, "a rule").view == FULL


def test_a_view_is_found_by_its_name():
    assert view_named("full") is FULL
    assert view_named("neutral") is NEUTRAL
    assert view_named("work") == View("work")
