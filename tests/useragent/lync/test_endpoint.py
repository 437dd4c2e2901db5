"""A Lync endpoint against a peer that a test plays."""

from __future__ import annotations

import attrs
import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from presproxy.documents.lync.batch import read_batch
from presproxy.documents.lync.categories import (
    Category,
    CategoryName,
    ExpireType,
    Stale,
    read_publish,
    write_categories,
    write_fault,
)
from presproxy.documents.lync.containers import (
    Container,
    ContainerChange,
    Member,
    MemberType,
    read_container_members,
)
from presproxy.documents.lync.notes import write_note
from presproxy.documents.lync.roaming import read_roaming_list, write_roaming
from presproxy.documents.lync.state import StateInput, StateKind, write_state
from presproxy.documents.rlmi import RlmiInstance, RlmiResource, write_rlmi
from presproxy.sip.message import Request
from presproxy.sip.multipart import Part, related_type, write_related
from presproxy.sip.uri import AddressOfRecord
from presproxy.useragent import (
    BadAnswer,
    NoAnswer,
    Presence,
    Refused,
    SubscriptionEnded,
)
from presproxy.useragent.lync import Contact, LyncEndpoint
from presproxy.useragent.lync.seen import seen_in

begin = Deferred.fromCoroutine

ALICE = "sip:alice@example.test"
BOB = AddressOfRecord("sip:bob@example.test")
CAROL = AddressOfRecord("sip:carol@example.test")
EPID = "b34afb6ebb23"

ROAMING = "application/vnd-microsoft-roaming-self+xml"
CATEGORIES = "application/msrtc-event-categories+xml"

SIGNED_IN = (
    ("Expires", "7200"),
    ("Supported", "adhoclist"),
    ("Supported", "msrtc-event-categories"),
    ("ms-keep-alive", "UAS; tcp=no; hop-hop=yes; end-end=no; timeout=300"),
)


def choice(version: int, container: int = 2) -> Category:
    body = write_state(StateInput(StateKind.USER, 3500))
    name = CategoryName("state", 0x20000000, container)
    return Category(name, version, ExpireType.STATIC, body, 1.0)


@attrs.define(eq=False)
class Played:
    """A peer that answers as a server does, and the endpoint that asks it."""

    peer: object
    endpoint: LyncEndpoint
    roaming: Request | None = None
    lost: list = attrs.field(factory=list)

    def accept(self, request, content_type="", body=b"", expires="3600", cseq=1):
        """Answer a SUBSCRIBE, with what rides in it."""
        state = f"active;expires={expires}" if expires != "0" else "terminated"
        self.peer.answer(
            request,
            200,
            ("Expires", expires),
            ("Event", str(request.event)),
            self.peer.contact,
            ("Subscription-State", state),
            ("ms-piggyback-cseq", str(cseq)),
            *((("Content-Type", content_type),) if content_type else ()),
            body=body,
        )

    async def sign_in(self, **roaming):
        signing_in = begin(self.endpoint.sign_in())
        self.peer.answer(await self.peer.asked("REGISTER"), 200, *SIGNED_IN)
        self.roaming = await self.peer.asked("SUBSCRIBE")
        self.accept(self.roaming, ROAMING, write_roaming(ALICE, **roaming))
        await signing_in

    def benotify(self, subscribe, content_type, body, cseq=2, state="active"):
        lines = [
            f"BENOTIFY {subscribe.contacts[0].uri} SIP/2.0",
            "Via: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK1",
            "Max-Forwards: 70",
            f"From: <{ALICE}>;tag=server",
            f"To: {subscribe.from_}",
            f"Call-ID: {subscribe.call_id}",
            f"CSeq: {cseq} BENOTIFY",
            f"Event: {subscribe.event}",
            f"subscription-state: {state}",
            f"Content-Type: {content_type}",
            f"Content-Length: {len(body)}",
        ]
        self.peer.send("\r\n".join([*lines, "", ""]).encode() + body)


@pytest_twisted.async_yield_fixture
async def played(tcp_peer, alice_of):
    alice = await alice_of(tcp_peer)
    lost: list = []
    played = Played(tcp_peer, LyncEndpoint(alice, lost.append, epid=EPID), lost=lost)
    yield played


def shown(uri: str, availability: int, note: str = "") -> bytes:
    state = write_state(StateInput(StateKind.AGGREGATE, availability))
    name = CategoryName("state", 1, 200)
    categories = [Category(name, 1, ExpireType.USER, state, 1.0)]
    if note:
        name = CategoryName("note", 0, 200)
        categories.append(Category(name, 1, ExpireType.STATIC, write_note(note), 1.0))
    return write_categories(uri, categories, () if note else ("note",))


def listed(*resources: RlmiResource, **parts: bytes) -> tuple[str, bytes]:
    """Write a list of resources, and what is shown of them."""
    meta = write_rlmi(ALICE, 1, False, resources)
    written = [Part("application/rlmi+xml", meta, "resourceList")]
    written += [Part(CATEGORIES, data, cid) for cid, data in parts.items()]
    return (
        related_type("edge", "resourceList", "application/rlmi+xml"),
        write_related(written, "edge"),
    )


def resource(uri: str, state: str = "active", **more: str) -> RlmiResource:
    return RlmiResource(uri, (RlmiInstance("0", state, **more),))


# --- Signing in


@pytest_twisted.ensureDeferred
async def test_it_signs_in_as_an_endpoint_and_not_for_a_time(played):
    signing_in = begin(played.endpoint.sign_in())
    request = await played.peer.asked("REGISTER")
    played.peer.answer(request, 403)
    with pytest.raises(Refused):
        await signing_in

    (contact,) = request.contacts
    assert (
        contact.parameter("+sip.instance") == f"<urn:uuid:{played.endpoint.instance}>"
    )
    assert request.from_.parameter("epid") == EPID
    assert request.to.parameter("epid") is None
    assert str(request.event) == "registration"
    assert request.expires is None
    assert "msrtc-event-categories" in request.supported
    assert "gruu-10" in request.supported


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (SIGNED_IN[1:], "it names no Expires"),
        (SIGNED_IN[:2], "it does not support msrtc-event-categories"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_server_of_another_dialect_is_told_apart(played, fields, why):
    signing_in = begin(played.endpoint.sign_in())
    played.peer.answer(await played.peer.asked("REGISTER"), 200, *fields)

    with pytest.raises(BadAnswer, match=why):
        await signing_in


@pytest_twisted.ensureDeferred
async def test_it_asks_what_its_user_has_published(played):
    await played.sign_in(categories=[choice(4)], containers=[Container(32000, 3)])

    request = played.roaming
    assert str(request.event) == "vnd-microsoft-roaming-self"
    assert request.uri == ALICE
    assert read_roaming_list(request.body) == {
        "categories",
        "containers",
        "subscribers",
    }
    assert request.supported == [
        "eventlist",
        "ms-benotify",
        "ms-piggyback-first-notify",
    ]
    assert request.get("expires") is None
    assert played.endpoint.roamed.versions == {choice(4).name: 4}
    assert played.endpoint.roamed.containers == {32000: 3}


@pytest_twisted.ensureDeferred
async def test_the_registration_is_held(played, clock):
    await played.sign_in()

    clock.advance(7200 * 0.9)
    request = await played.peer.asked("SUBSCRIBE")
    played.accept(request)
    again = await played.peer.asked("REGISTER")

    assert again.cseq.number == 2
    assert again.from_.parameter("epid") == EPID


@pytest_twisted.ensureDeferred
async def test_a_quiet_connection_shows_signs_of_life(played, clock, until):
    await played.sign_in()
    framer = played.peer.connection.framer
    assert framer.keepalives == 0

    clock.advance(300)

    await until(lambda: framer.keepalives == 1)


@pytest_twisted.ensureDeferred
async def test_it_signs_off(played):
    await played.sign_in()
    signing_off = begin(played.endpoint.sign_off())

    leaving = await played.peer.asked("SUBSCRIBE")
    played.accept(leaving, expires="0")
    request = await played.peer.asked("REGISTER")
    played.peer.answer(request, 200, ("Expires", "0"))
    await signing_off

    assert leaving.expires == 0
    assert leaving.body == b""
    assert request.expires == 0
    assert played.lost == []


@pytest_twisted.ensureDeferred
async def test_a_connection_that_breaks_ends_all(played, until):
    await played.sign_in()

    await played.peer.hang_up()
    await until(lambda: played.lost)

    (error,) = played.lost
    assert isinstance(error, NoAnswer)
    assert "the connection broke" in str(error)


# --- Publishing


async def asked_to_publish(played):
    request = await played.peer.asked("SERVICE")
    assert request.content_type.type == "application/msrtc-category-publish+xml"
    publish = read_publish(request.body)
    assert publish.uri == ALICE
    return request, publish.asked


def all_of(asked, version=1):
    return [
        Category(each.name, version, each.expire_type, each.body, 1.0)
        for each in asked
        if each.body
    ]


@pytest_twisted.ensureDeferred
async def test_it_publishes_on_the_versions_it_knows(played):
    await played.sign_in(categories=[choice(4), choice(9, 3)])
    saying = begin(played.endpoint.say(Presence("busy", "call me")))

    request, asked = await asked_to_publish(played)
    played.peer.answer(
        request,
        200,
        ("Content-Type", ROAMING),
        body=write_roaming(ALICE, categories=all_of(asked, 5)),
    )
    await saying

    machine = played.endpoint.machine
    assert {(each.name, each.version) for each in asked} == {
        (CategoryName("state", machine, 2), 0),
        (CategoryName("state", machine, 3), 0),
        (CategoryName("state", 0x20000000, 2), 4),
        (CategoryName("state", 0x20000000, 3), 9),
        (CategoryName("note", 0, 200), 0),
        (CategoryName("note", 0, 300), 0),
        (CategoryName("note", 0, 400), 0),
    }
    assert set(played.endpoint.roamed.versions.values()) == {5}


@pytest_twisted.ensureDeferred
async def test_a_conflict_is_mended_and_asked_again(played):
    await played.sign_in()
    saying = begin(played.endpoint.say(Presence("dnd")))

    request, asked = await asked_to_publish(played)
    fault = write_fault([Stale(2, 0, 6)])
    kind = ("Content-Type", "application/msrtc-fault+xml")
    played.peer.answer(request, 409, kind, body=fault)
    request, again = await asked_to_publish(played)
    played.peer.answer(request, 200)
    await saying

    assert [each.version for each in asked] == [0, 0, 0, 0]
    assert [each.version for each in again] == [0, 6, 0, 0]


@pytest_twisted.ensureDeferred
async def test_conflicts_without_end_are_given_up(played):
    await played.sign_in()
    saying = begin(played.endpoint.say(Presence("dnd")))

    for version in range(3):
        request, _ = await asked_to_publish(played)
        played.peer.answer(request, 409, body=write_fault([Stale(1, version, 6)]))

    with pytest.raises(Refused, match="409"):
        await saying


@pytest_twisted.ensureDeferred
async def test_what_another_endpoint_published_is_known(played, until):
    await played.sign_in(categories=[choice(4)])

    played.benotify(
        played.roaming, ROAMING, write_roaming(ALICE, categories=[choice(8)])
    )
    await until(lambda: played.endpoint.roamed.versions[choice(4).name] == 8)
    played.benotify(
        played.roaming,
        ROAMING,
        write_roaming(ALICE, categories=[], cleared=["state"]),
        3,
    )
    await until(lambda: not played.endpoint.roamed.versions)

    # Nobody answers a BENOTIFY.
    assert [each for each in played.peer.sent if each.startswith("SIP/2.0")] == []


@pytest_twisted.ensureDeferred
async def test_only_what_is_there_is_taken_back(played):
    await played.sign_in(categories=[choice(4)])
    taking = begin(played.endpoint.take_back())

    request, asked = await asked_to_publish(played)
    played.peer.answer(request, 200)
    await taking

    assert [(each.name, each.version, each.is_removal) for each in asked] == [
        (choice(4).name, 4, True)
    ]


@pytest_twisted.ensureDeferred
async def test_where_nothing_is_there_nothing_is_asked(played):
    await played.sign_in()

    await played.endpoint.take_back()

    assert [each for each in played.peer.sent if each.startswith("SERVICE")] == []


@pytest.mark.parametrize("is_blocked", [True, False])
@pytest_twisted.ensureDeferred
async def test_somebody_is_blocked_and_no_more(played, is_blocked):
    await played.sign_in(containers=[Container(32000, 3)])
    blocking = begin(played.endpoint.block(BOB, is_blocked))

    request = await played.peer.asked("SERVICE")
    played.peer.answer(request, 200)
    await blocking

    bob = (Member(MemberType.USER, "bob@example.test"),)
    added, removed = (bob, ()) if is_blocked else ((), bob)
    assert read_container_members(request.body) == (
        ContainerChange(32000, 3, added, removed),
    )


# --- Watching


async def watching(played, *contacts, told=None, lost=None):
    """Begin to watch, and give the SUBSCRIBE and what comes of it."""
    await played.sign_in()
    asked = begin(played.endpoint.watch(contacts, told, lost or played.lost.append))
    return await played.peer.asked("SUBSCRIBE"), asked


@pytest_twisted.ensureDeferred
async def test_all_contacts_are_watched_by_one_subscription(played):
    request, asked = await watching(played, BOB, CAROL)
    played.accept(request, *listed(resource(BOB, cid="b"), b=shown(BOB, 6500, "hm")))
    subscription = await asked

    assert request.uri == ALICE
    assert request.get("require") == "adhoclist, categoryList"
    (action,) = read_batch(request.body, 10).actions
    assert [each.uri for each in action.resources] == [BOB, CAROL]
    assert {"state", "note"} <= set(action.categories)
    seen = seen_in(await subscription.next())
    assert seen == (Contact(BOB, "active", None, Presence("busy", "hm")),)


@pytest_twisted.ensureDeferred
async def test_who_cannot_be_watched_is_told(played):
    request, asked = await watching(played, BOB, CAROL)
    body = listed(
        resource(BOB, "pending"),
        resource(CAROL, "terminated", reason="rejected"),
    )
    played.accept(request, *body)
    subscription = await asked

    assert seen_in(await subscription.next()) == (
        Contact(BOB, "pending"),
        Contact(CAROL, "terminated", "rejected"),
    )


@pytest_twisted.ensureDeferred
async def test_changes_come_one_by_one_or_together(played):
    request, asked = await watching(played, BOB, CAROL)
    played.accept(request)
    subscription = await asked
    await subscription.next()

    played.benotify(request, CATEGORIES, shown(BOB, 12500))
    played.benotify(
        request,
        *listed(
            resource(BOB, cid="b"),
            resource(CAROL, cid="c"),
            b=shown(BOB, 3500),
            c=shown(CAROL, 18500),
        ),
        cseq=3,
    )

    assert seen_in(await subscription.next()) == (
        Contact(BOB, "active", None, Presence("brb")),
    )
    assert seen_in(await subscription.next()) == (
        Contact(BOB, "active", None, Presence("available")),
        Contact(CAROL, "active", None, Presence("offline")),
    )


@pytest_twisted.ensureDeferred
async def test_what_comes_too_late_is_passed_over(played, until):
    told = []
    request, asked = await watching(
        played, BOB, told=lambda each: told.append(seen_in(each))
    )
    played.accept(request)
    await asked

    played.benotify(request, CATEGORIES, shown(BOB, 12500), cseq=5)
    played.benotify(request, CATEGORIES, shown(BOB, 3500), cseq=4)
    played.benotify(request, CATEGORIES, shown(BOB, 6500), cseq=6)
    await until(lambda: len(told) >= 3)

    seen = [each.presence.state for contacts in told for each in contacts]
    assert seen == ["brb", "busy"]


@pytest_twisted.ensureDeferred
async def test_a_refresh_has_no_body(played, clock):
    request, asked = await watching(played, BOB)
    played.accept(request, expires="600")
    await asked

    clock.advance(540)
    again = await played.peer.asked("SUBSCRIBE")

    assert again.call_id == request.call_id
    assert again.to.tag == "server"
    assert again.body == b""
    assert again.get("require") is None


@pytest_twisted.ensureDeferred
async def test_more_are_watched_in_the_same_dialog(played):
    request, asked = await watching(played, BOB)
    played.accept(request)
    subscription = await asked
    adding = begin(subscription.add(played.endpoint.batch([CAROL])))

    again = await played.peer.asked("SUBSCRIBE")
    played.accept(again, cseq=2)
    await adding

    assert again.call_id == request.call_id
    assert again.to.tag == "server"
    (action,) = read_batch(again.body, 10).actions
    assert [each.uri for each in action.resources] == [CAROL]


@pytest_twisted.ensureDeferred
async def test_it_stops_watching(played):
    request, asked = await watching(played, BOB)
    played.accept(request)
    subscription = await asked
    leaving = begin(subscription.unsubscribe())

    last = await played.peer.asked("SUBSCRIBE")
    played.accept(last, expires="0")
    await leaving

    assert last.expires == 0
    assert not subscription.is_alive
    assert played.lost == []


@pytest_twisted.ensureDeferred
async def test_a_subscription_that_ends_is_told(played, until):
    request, asked = await watching(played, BOB)
    played.accept(request)
    await asked

    played.benotify(request, CATEGORIES, b"", state="terminated;reason=deactivated")
    await until(lambda: played.lost)

    (error,) = played.lost
    assert isinstance(error, SubscriptionEnded)
    assert error.reason == "deactivated"


@pytest_twisted.ensureDeferred
async def test_it_looks_once(played):
    await played.sign_in()
    looking = begin(played.endpoint.look([BOB]))

    request = await played.peer.asked("SUBSCRIBE")
    played.accept(
        request,
        *listed(resource(BOB, cid="b"), b=shown(BOB, 15500)),
        expires="0",
    )

    assert seen_in(await looking) == (Contact(BOB, "active", None, Presence("away")),)
    assert request.expires == 0
    assert read_batch(request.body, 10).actions
