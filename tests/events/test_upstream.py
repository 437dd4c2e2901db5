from __future__ import annotations

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from presproxy.documents.dialoginfo import CONTENT_TYPE, Dialog, DialogInfo, write
from presproxy.documents.pidf import CONTENT_TYPE as PIDF
from presproxy.events.aim import Aim, Scope
from presproxy.events.patience import AT_ONCE
from presproxy.events.resource import Resources
from presproxy.events.upstream import Upstream
from presproxy.extend.guard import Guard
from presproxy.metrics import Counter, Metrics
from presproxy.packages.dialog import DialogPackage
from presproxy.packages.presence import PresencePackage
from presproxy.service.background import run
from presproxy.sip.eventfields import SubscriptionState
from presproxy.sip.message import parse_message
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.wire import pidf
from presproxy.useragent import NoAnswer, Notification, Refused, SubscriptionEnded
from presproxy.useragent.alarms import Alarms

ALICE = AddressOfRecord("sip:alice@example.test")
DIALOG = "dialog"


@attrs.define(eq=False)
class Subscribed:
    """One SUBSCRIBE that the server behind was sent."""

    clock: Clock
    presentity: str
    package: str
    expires: int
    accepts: tuple[str, ...]
    told: object
    lost: object
    granted: Deferred = attrs.field(factory=Deferred)
    is_alive: bool = True
    confirmed_until: float = 0.0
    is_left: bool = False
    refreshes: int = 0

    def grant(self):
        self.confirmed_until = self.clock.seconds() + self.expires
        self.granted.callback(self)
        return self

    def refuse(self, error):
        self.granted.errback(error)

    def end(self, error):
        self.is_alive = False
        self.lost(error)

    async def unsubscribe(self):
        self.is_left = True

    async def refresh(self):
        self.refreshes += 1

    def tell(self, body=None, content_type=CONTENT_TYPE, state="active"):
        data = ringing() if body is None else body
        self.told(
            Notification(
                self.presentity,
                SubscriptionState(state),
                content_type if data else None,
                data,
                MESSAGE,
            )
        )


MESSAGE = parse_message(
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>\r\n"
    b"To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 SUBSCRIBE\r\nContent-Length: 0\r\n\r\n"
)


@attrs.define(eq=False)
class Server:
    """The server behind, which is asked and does what a test says."""

    clock: Clock
    asked: list[Subscribed] = attrs.field(factory=list)

    async def subscribe(self, presentity, expires, package, accepts, told, lost):
        one = Subscribed(
            self.clock, presentity, package, expires, tuple(accepts), told, lost
        )
        self.asked.append(one)
        return await one.granted

    @property
    def last(self) -> Subscribed:
        return self.asked[-1]


@attrs.define(eq=False)
class House:
    """An upstream, and what it changes."""

    aim: Aim
    clock: Clock = attrs.field(factory=Clock)
    changes: list[tuple[str, str]] = attrs.field(factory=list)
    server: Server = attrs.field(init=False)
    resources: Resources = attrs.field(init=False)
    upstream: Upstream = attrs.field(init=False)

    def __attrs_post_init__(self):
        self.server = Server(self.clock)
        metrics = Metrics()
        packages = {each.name: each for each in (DialogPackage(), PresencePackage())}
        self.resources = Resources(
            {
                name: Guard("package", name, each, metrics, self.clock, 1.0)
                for name, each in packages.items()
            }
        )
        self.upstream = Upstream(
            self.aim,
            self.server,
            self.resources,
            lambda aor, package, at: self.changes.append((aor, package)),
            run,
            Alarms(self.clock),
            self.clock.seconds,
            self.clock.seconds,
            lambda: 0.5,
            Counter(),
            Counter(),
        )
        self.upstream.start()

    def watch(self, user="alice", package=DIALOG):
        aor = AddressOfRecord(f"sip:{user}@example.test")
        self.upstream.watched(aor, package, True)

    def leave(self, user="alice", package=DIALOG):
        aor = AddressOfRecord(f"sip:{user}@example.test")
        self.upstream.watched(aor, package, False)

    def shown(self, aor=ALICE, package=DIALOG):
        """Give the states of the calls there are, None if nothing is known."""
        resource = self.resources.find(aor, package)
        if resource is None or resource.fetched is None:
            return None
        return [each.state for each in resource.fetched.document.dialogs]

    def sleep(self, seconds):
        self.clock.pump([1.0] * int(seconds))
        self.upstream.sweep()


def ringing(state: str = "early", id: str = "d") -> bytes:
    dialog = Dialog(id, state, "c", "l", "r")
    return write(DialogInfo(ALICE, (dialog,)))


@pytest.fixture
def house():
    return House(Aim([Scope({DIALOG})]))


def test_many_watchers_are_one_subscription_behind(house):
    house.watch()
    house.server.last.grant()
    house.server.last.tell()
    house.leave()
    house.watch()

    assert [(each.presentity, each.package) for each in house.server.asked] == [
        (ALICE, DIALOG)
    ]
    assert (house.server.last.expires, house.server.last.accepts) == (
        300,
        (CONTENT_TYPE,),
    )
    assert house.shown() == ["early"]
    assert house.changes == [(ALICE, DIALOG)]
    assert len(house.upstream) == 1


def test_it_ends_some_time_after_the_last_has_left(house):
    house.watch()
    one = house.server.last.grant()
    one.tell()
    house.leave()
    house.sleep(29)
    assert (one.is_left, house.shown()) == (False, ["early"])

    house.sleep(2)

    assert (one.is_left, house.shown()) == (True, None)
    assert len(house.resources) == 0


def test_who_comes_back_in_time_keeps_it(house):
    house.watch()
    one = house.server.last.grant()
    house.leave()
    house.sleep(29)
    house.watch()
    house.sleep(60)

    assert not one.is_left


def test_one_that_nobody_wants_any_more_when_it_is_granted_is_ended(house):
    house.watch()
    house.leave()
    house.sleep(31)

    one = house.server.last.grant()

    assert one.is_left
    assert len(house.upstream) == 0


@pytest.mark.parametrize(
    ("aim", "user", "package"),
    [
        (Aim([Scope({"presence"})]), "alice", "dialog"),
        (Aim([Scope({DIALOG}, {"pbx.test"})]), "alice", "dialog"),
    ],
    ids=["package", "domain"],
)
def test_what_is_not_aimed_at_is_not_asked_for(aim, user, package):
    house = House(aim)

    house.watch(user, package)

    assert house.server.asked == []


def test_a_domain_has_another_name_behind():
    house = House(Aim([Scope({DIALOG})], domain="192.0.2.7"))

    house.watch("anna%20b")

    assert house.server.last.presentity == "sip:anna%20b@192.0.2.7"


def test_not_all_are_asked_for_at_once(house):
    for number in range(AT_ONCE + 5):
        house.watch(f"u{number}")
    assert len(house.server.asked) == AT_ONCE

    house.server.asked[0].grant()
    house.server.asked[1].refuse(NoAnswer("SUBSCRIBE", "behind", "silence"))

    assert len(house.server.asked) == AT_ONCE + 2


def test_there_are_not_more_than_wanted():
    house = House(Aim([Scope({DIALOG})], most=1))

    house.watch("alice")
    house.watch("bob")

    assert len(house.server.asked) == 1
    assert house.upstream.failures.value == 1


# --- Failures


def refused(status, retry_after=None):
    return Refused("SUBSCRIBE", status, "No", retry_after)


SILENCE = NoAnswer("SUBSCRIBE", "behind", "silence")


@pytest.mark.parametrize(
    ("errors", "pauses"),
    [
        ([SILENCE] * 3, [(0, 1), (2, 3), (4, 5)]),
        ([refused(503)] * 3, [(0, 1), (2, 3), (4, 5)]),
        ([refused(503, 40)], [(40, 49)]),
        ([refused(404)], [(300, 331)]),
        ([refused(403)], [(300, 331)]),
        ([refused(489)], [(300, 331)]),
    ],
    ids=["silence", "busy", "as wished", "nobody", "forbidden", "never"],
)
def test_what_fails_is_asked_again_after_a_while(house, errors, pauses):
    house.watch()
    for number, (error, (least, most)) in enumerate(
        zip(errors, pauses, strict=True), 1
    ):
        house.server.last.refuse(error)
        house.sleep(least)
        if least:
            assert len(house.server.asked) == number
        house.sleep(most - least)
        assert len(house.server.asked) == number + 1


def test_the_pause_grows_no_longer_than_a_minute(house):
    house.watch()
    for _ in range(12):
        house.server.last.refuse(SILENCE)
        house.sleep(72)

    assert len(house.server.asked) == 13


def test_who_finds_an_interval_too_brief_is_asked_for_a_longer_one(house):
    house.watch()
    for _ in range(5):
        house.server.last.refuse(refused(423))
        house.clock.advance(1)

    assert [each.expires for each in house.server.asked] == [300, 600, 1200, 2400, 3600]
    house.sleep(250)
    assert len(house.server.asked) == 5


@pytest.mark.parametrize("reason", ["deactivated", "timeout", "noresource", None])
def test_one_that_ends_behind_is_made_anew_at_once(house, reason):
    house.watch()
    one = house.server.last.grant()
    one.tell()

    one.end(SubscriptionEnded(ALICE, reason))
    assert house.shown() == ["early"]
    house.sleep(1)
    house.server.last.grant().tell(ringing("confirmed"))

    assert len(house.server.asked) == 2
    assert house.shown() == ["confirmed"]


def test_a_server_that_forgot_it_is_asked_anew_at_once(house):
    house.watch()
    house.server.last.grant().end(refused(481))

    house.sleep(1)

    assert len(house.server.asked) == 2


def test_a_server_that_ends_each_at_once_is_not_asked_all_the_time(house):
    house.watch()
    for _ in range(20):
        one = house.server.last
        if not one.granted.called:
            one.grant()
            one.tell()
            one.end(SubscriptionEnded(ALICE, "deactivated"))
        house.sleep(10)

    assert len(house.server.asked) <= 12
    house.sleep(80)
    house.server.last.grant().end(SubscriptionEnded(ALICE, "rejected"))
    before = len(house.server.asked)
    house.sleep(299)
    assert len(house.server.asked) == before


def test_one_that_ended_before_it_was_granted_is_made_anew_once(house):
    house.watch()
    one = house.server.last
    one.end(SubscriptionEnded(ALICE, "deactivated"))
    one.grant()

    house.sleep(1)

    assert len(house.server.asked) == 2
    assert len(house.upstream) == 0


def test_what_is_not_confirmed_for_too_long_is_shown_no_more(house):
    house.watch()
    one = house.server.last.grant()
    one.tell()
    house.sleep(300 + 299)
    assert house.shown() == ["early"]

    house.sleep(10)
    assert house.shown() is None
    assert house.changes == [(ALICE, DIALOG)] * 2

    one.confirmed_until = house.clock.seconds() + 300
    one.tell()
    assert house.shown() == ["early"]


def test_what_was_lost_is_stale_some_time_later(house):
    house.watch()
    one = house.server.last.grant()
    one.tell()
    one.end(refused(403))
    house.sleep(299)
    assert house.shown() == ["early"]

    house.sleep(10)

    assert house.shown() is None


def test_it_may_be_wished_that_nothing_is_ever_stale():
    house = House(Aim([Scope({DIALOG})], stale=0))
    house.watch()
    house.server.last.grant().tell()

    house.sleep(3000)

    assert house.shown() == ["early"]


# --- What is said behind


def test_a_notification_without_body_says_to_wait(house):
    house.watch()
    house.server.last.grant().tell(b"")

    assert house.shown() is None
    assert house.changes == []


def test_a_last_notification_says_nothing_of_the_state(house):
    house.watch()
    one = house.server.last.grant()
    one.tell()
    one.tell(ringing("terminated"), state="terminated")

    assert house.shown() == ["early"]


def test_a_document_of_changes_is_taken_for_that(house):
    house.watch()
    one = house.server.last.grant()
    one.tell()
    part = ringing("confirmed", "e").replace(b'state="full"', b'state="partial"')
    one.tell(part.replace(b'call-id="c"', b'call-id="c2"'))

    assert sorted(house.shown()) == ["confirmed", "early"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"<nonsense", CONTENT_TYPE), (ringing(), "text/plain"), (ringing(), None)],
)
def test_what_cannot_be_read_changes_nothing(house, body, content_type):
    house.watch()
    one = house.server.last.grant()
    one.tell()
    one.tell(body, content_type)

    assert house.shown() == ["early"]
    assert house.upstream.unreadable.value == 1


def test_an_empty_document_is_an_idle_lamp(house):
    house.watch()
    padded = (
        b'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" '
        b'version="0           " state="full" entity="sip:102@example.test"/>'
    )
    house.server.last.grant().tell(padded)

    assert house.shown() == []


def test_umlauts_of_old_encodings_are_read():
    house = House(Aim([Scope({"presence"})]))
    house.watch(package="presence")
    document = (
        '<?xml version="1.0" encoding="ISO-8859-1"?><presence '
        'xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:alice@example.test"><tuple '
        'id="t"><status><basic>open</basic></status><note>Müller</note></tuple>'
        "</presence>"
    )
    house.server.last.grant().tell(document.encode("latin-1"), PIDF)

    state = house.resources.find(ALICE, "presence")._composed()
    body = PresencePackage().render(state, PIDF)
    assert "<note>Müller</note>".encode() in body.data


# -- What is about to come


def test_what_is_known_is_waited_for():
    house = House(Aim([Scope({DIALOG})], wait=0.5))
    house.watch()
    assert house.upstream.awaits(ALICE, DIALOG)

    house.server.last.grant().tell()

    assert not house.upstream.awaits(ALICE, DIALOG)
    assert len(house.changes) == 2


@pytest.mark.parametrize(
    "end",
    [
        lambda house: house.sleep(1),
        lambda house: house.server.last.refuse(Refused("SUBSCRIBE", 404, "no")),
    ],
    ids=["half a second", "a refusal"],
)
def test_it_is_not_waited_for_long(end):
    house = House(Aim([Scope({DIALOG})], wait=0.5))
    house.watch()
    house.changes.clear()

    end(house)

    assert not house.upstream.awaits(ALICE, DIALOG)
    assert house.changes == [(ALICE, DIALOG)]


def test_without_a_wait_nothing_is_waited_for(house):
    house.watch()

    assert not house.upstream.awaits(ALICE, DIALOG)


# -- What was missed


def partial_document(version: int) -> bytes:
    text = ringing("confirmed", "other").decode()
    return text.replace(
        'version="0" state="full"', f'version="{version}" state="partial"'
    ).encode()


@pytest.mark.parametrize(
    ("version", "refreshes"),
    [(1, 0), (0, 0), (2, 1), (7, 1)],
    ids=["the next", "the same", "one is missing", "some are missing"],
)
def test_a_gap_in_the_versions_has_all_asked_for(house, version, refreshes):
    house.watch()
    one = house.server.last.grant()
    one.tell()

    one.tell(partial_document(version))

    assert one.refreshes == refreshes
    assert house.shown() == ["early", "confirmed"]


def test_changes_of_what_is_not_known_have_all_asked_for(house):
    house.watch()
    one = house.server.last.grant()

    one.tell(partial_document(3))

    assert one.refreshes == 1


def test_a_server_that_never_counts_is_not_asked_each_time(house):
    house.watch()
    one = house.server.last.grant()
    one.tell()

    for version in range(2, 60, 2):
        one.tell(partial_document(version))
        house.sleep(1)

    assert one.refreshes == 1


def test_what_is_said_again_is_no_later_than_before():
    house = House(Aim([Scope({"presence"})]))
    house.watch(package="presence")
    one = house.server.last.grant()
    for _ in range(2):
        one.tell(pidf(ALICE, "here").encode(), PIDF)
        house.sleep(10)

    assert house.resources.find(ALICE, "presence").fetched.modified_at == 0.0
    assert house.changes == [(ALICE, "presence")]
