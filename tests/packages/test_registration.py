from __future__ import annotations

import pytest

from presproxy.documents.reginfo import CONTENT_TYPE, read
from presproxy.interfaces import IEventPackage
from presproxy.packages.registration import RegistrationPackage
from presproxy.testing.contracts.package import EventPackageContract
from presproxy.testing.desk import Desk

URI = "sip:alice@example.test"


class TestRegistrationPackage(EventPackageContract):
    def make(self) -> IEventPackage:
        return RegistrationPackage()


@pytest.fixture
def desk():
    return Desk(packages=(RegistrationPackage(),))


def register(desk: Desk, contact: str, **fields: str):
    more = {"Contact": contact, "To": f"<{URI}>", **fields}
    return desk.ask("REGISTER", more, uri="sip:example.test", user="alice")


def watch(desk: Desk):
    return desk.subscribe({"Event": "reg", "Accept": CONTENT_TYPE}, uri=URI)


def told(desk: Desk) -> list[tuple[int, str, list[str]]]:
    """Give version, state and contacts of the NOTIFYs since asked last."""
    found = []
    for notify in desk.notified():
        (one,) = read(notify.body)
        contacts = [each.uri for each in one.contacts]
        found.append((one.version, one.state, contacts))
    return found


def test_a_user_learns_where_he_is_registered(desk):
    watch(desk)
    assert told(desk) == [(0, "terminated", [])]

    register(desk, "<sip:alice@192.0.2.1>;q=0.5;expires=100")
    assert told(desk) == [(1, "active", ["sip:alice@192.0.2.1"])]
    register(desk, "<sip:alice@192.0.2.2>;expires=1000")
    assert told(desk) == [(2, "active", ["sip:alice@192.0.2.2", "sip:alice@192.0.2.1"])]

    desk.sleep(102)
    assert told(desk) == [(3, "active", ["sip:alice@192.0.2.2"])]
    register(desk, "*", Expires="0")
    assert told(desk) == [(4, "terminated", [])]


def test_a_contact_has_the_same_id_each_time(desk):
    watch(desk)
    desk.notified()
    ids = []
    for number in (1, 2):
        register(desk, f"<sip:alice@192.0.2.{7 + number}>")
        register(desk, "<sip:alice@192.0.2.1>")
        (one,) = read(desk.notified()[-1].body)
        ids.append({each.id for each in one.contacts if each.uri.endswith("2.1")})

    assert ids[0] == ids[1]
    assert len(ids[0]) == 1


def test_nobody_else_learns_it_unless_that_is_wished(desk):
    shared = Desk(packages=(RegistrationPackage(shared=True),))

    assert desk.subscribe({"Event": "reg"}).status == 403
    assert shared.subscribe({"Event": "reg"}).status == 200


def test_nobody_publishes_it(desk):
    assert desk.publish("<x/>", {"Event": "reg"}).status == 489
