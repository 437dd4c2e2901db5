"""Which rule decides."""

from __future__ import annotations

import pytest

from presproxy.server.front.routes import (
    Action,
    Asked,
    Registrar,
    Routes,
    Rule,
    usual_rules,
)

SERVE, FORWARD, REFUSE = Action.SERVE, Action.FORWARD, Action.REFUSE


def asked(
    method="INVITE", domain="example.test", package="", source="192.0.2.1", near=False
):
    return Asked(method, domain, package, source, near)


@pytest.mark.parametrize(
    ("rule", "request_", "fits"),
    [
        ({}, asked(), True),
        ({"domain": ("Example.test",)}, asked(), True),
        ({"domain": ("elsewhere.test",)}, asked(), False),
        ({"domain": ("example.test",)}, asked(domain=""), False),
        ({"method": ("MESSAGE", "INVITE")}, asked(), True),
        ({"method": ("MESSAGE",)}, asked(), False),
        ({"package": ("dialog",)}, asked("SUBSCRIBE", package="dialog"), True),
        ({"package": ("dialog",)}, asked("SUBSCRIBE", package="presence"), False),
        ({"package": ("dialog",)}, asked(), False),
        ({"source": ("192.0.2.0/24",)}, asked(), True),
        ({"source": ("192.0.2.1",)}, asked(), True),
        ({"source": ("198.51.100.0/24", "192.0.2.1/32")}, asked(), True),
        ({"source": ("198.51.100.0/24",)}, asked(), False),
        ({"source": ("2001:db8::/32",)}, asked(source="2001:db8::1"), True),
        ({"source": ("fe80::/10",)}, asked(source="fe80::1%eth0"), True),
        ({"source": ("2001:db8::/32",)}, asked(), False),
        ({"source": ("upstream",)}, asked(near=True), True),
        ({"source": ("upstream",)}, asked(), False),
        ({"source": ("upstream", "192.0.2.1")}, asked(), True),
        ({"method": ("INVITE",), "source": ("upstream",)}, asked(), False),
    ],
)
def test_a_rule_fits_what_fits_all_it_names(rule, request_, fits):
    assert Rule(SERVE, **rule).fits(request_) is fits


def test_a_rule_that_aggregates_is_for_event_state_only():
    rule = Rule(Action.AGGREGATE)

    assert rule.fits(asked("SUBSCRIBE", package="dialog"))
    assert not rule.fits(asked("INVITE"))
    assert not rule.fits(asked("MESSAGE"))


def test_the_first_that_fits_decides():
    routes = Routes([Rule(REFUSE, method=("BYE",)), Rule(FORWARD), Rule(SERVE)])

    decided = [routes.decide(asked(each)).action for each in ("BYE", "INVITE")]

    assert decided == [REFUSE, FORWARD]


def test_what_no_rule_is_for_is_served():
    assert Routes([]).decide(asked()).action is SERVE


USUAL = usual_rules(["example.test"], ["presence"], Registrar.UPSTREAM)


@pytest.mark.parametrize(
    ("request_", "action"),
    [
        (asked("INVITE"), FORWARD),
        (asked("INVITE", near=True), SERVE),
        (asked("INVITE", domain="elsewhere.test"), FORWARD),
        (asked("INVITE", domain=""), FORWARD),
        (asked("PUBLISH", package="presence"), SERVE),
        (asked("SUBSCRIBE", package="presence"), SERVE),
        (asked("SUBSCRIBE", package="conference"), FORWARD),
        (asked("SUBSCRIBE", domain="elsewhere.test", package="presence"), FORWARD),
        (asked("SERVICE"), SERVE),
        (asked("REGISTER"), FORWARD),
        (asked("OPTIONS"), FORWARD),
        (asked("NOTIFY", package="presence", near=True), SERVE),
    ],
)
def test_event_state_is_kept_here_and_the_rest_is_the_servers(request_, action):
    assert Routes(USUAL).decide(request_).action is action


@pytest.mark.parametrize(
    ("registrar", "domain", "action"),
    [
        (Registrar.LOCAL, "example.test", SERVE),
        (Registrar.LOCAL, "elsewhere.test", FORWARD),
        (Registrar.UPSTREAM, "example.test", FORWARD),
        (Registrar.BOTH, "example.test", FORWARD),
    ],
)
def test_the_registrar_is_where_it_is_said_to_be(registrar, domain, action):
    rules = usual_rules(["example.test"], ["presence"], registrar)

    assert Routes(rules).decide(asked("REGISTER", domain)).action is action
