"""Presence of those whose endpoints publish Lync's categories."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from lxml import etree

from presproxy.documents.lync.aggregation import aggregate
from presproxy.documents.lync.categories import (
    Category,
    CategoryName,
    ExpireType,
    read_categories,
)
from presproxy.documents.lync.notes import read_note, write_note
from presproxy.documents.lync.older import OlderPresence, read_older_presence
from presproxy.documents.lync.state import (
    Activity,
    StateInput,
    StateKind,
    read_state,
    write_state,
)
from presproxy.interfaces import IAggregating, Material
from presproxy.model.decision import FULL, NEUTRAL, View, container_view
from presproxy.model.publication import EntityTag, Publication
from presproxy.packages.presence import PresencePackage
from presproxy.sip.uri import AddressOfRecord

BOB = AddressOfRecord("sip:bob@example.test")
PIDF = "application/pidf+xml"
CATEGORIES = "application/msrtc-event-categories+xml"
OLDER = "text/xml+msrtc.pidf"
PACKAGE = PresencePackage()

T = 1_795_329_000.0

HEAD, END = "<presence", "</presence>\n"


def category(
    name: str, body: bytes, container: int, instance: int = 0, at: float = T
) -> Category:
    return Category(
        CategoryName(name, instance, container), 1, ExpireType.STATIC, body, at
    )


def state(
    kind: StateKind,
    availability: int,
    container: int = 2,
    at: float = T,
    activity: Activity | None = None,
    **more: object,
) -> Category:
    said = StateInput(kind, availability, activity, **more)
    return category("state", write_state(said), container, len(kind), at)


def user(availability: int, container: int = 2, at: float = T) -> Category:
    return state(StateKind.USER, availability, container, at)


def machine(
    availability: int = 3500, container: int = 2, at: float = T, **more: object
) -> Category:
    return state(StateKind.MACHINE, availability, container, at, **more)


def note(text: str, container: int = 200, instance: int = 0, at: float = T) -> Category:
    return category("note", write_note(text), container, instance, at)


def published(content: str, at: float = T) -> Publication:
    body = (
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bob@example.test"'
        ' xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
        f' xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid">{content}</presence>'
    ).encode()
    return Publication(
        key="k",
        presentity=BOB,
        package="presence",
        entity_tag=EntityTag("e"),
        content_type=PIDF,
        body=body,
        document=PACKAGE.parse(PIDF, body),
        expires_at=T + 3600,
        modified_at=at,
    )


def service(id: str = "s", basic: str = "open", rest: str = "") -> str:
    """A tuple as it is published, and as it is shown."""
    return (
        f'<tuple id="{id}"><status><basic>{basic}</basic></status>'
        f"<contact>sip:bob@example.test</contact>{rest}</tuple>"
    )


def doing(kind: str) -> str:
    return f'<dm:person id="p"><rpid:activities><rpid:{kind}/></rpid:activities></dm:person>'


def rendered(
    categories: Sequence[Category],
    publications: Sequence[Publication] = (),
    view: View = FULL,
    content_type: str = CATEGORIES,
) -> bytes:
    composed = PACKAGE.compose(Material(BOB, publications, categories=categories))
    body = PACKAGE.render(PACKAGE.narrow(composed, view), content_type)
    assert body.content_type == content_type.partition(";")[0]
    return body.data


def shown(
    categories: Sequence[Category],
    publications: Sequence[Publication] = (),
    view: View = FULL,
) -> str:
    """Give what stands in the presence document."""
    data = rendered(categories, publications, view, PIDF).decode()
    etree.fromstring(data.encode())
    return data.partition(HEAD)[2].partition(">")[2].removesuffix(END)


def seen(
    categories: Sequence[Category],
    publications: Sequence[Publication] = (),
    view: View = FULL,
) -> tuple[int, str, list[str]]:
    """Give the availability, the activity and the notes that are seen."""
    document = read_categories(rendered(categories, publications, view))
    assert document.uri == BOB
    states = [each for each in document.categories if each.name.category == "state"]
    assert len(states) == 1
    said = read_state(states[0].body)
    assert said.kind is StateKind.AGGREGATE
    notes = [each for each in document.categories if each.name.category == "note"]
    assert bool(notes) != ("note" in document.cleared)
    return said.availability, said.token, [read_note(each.body) for each in notes]


def test_it_has_its_states_made_of_many():
    assert IAggregating.providedBy(PACKAGE)


# --- Categories of categories


def test_the_state_shown_is_made_of_all_in_container_2():
    assert seen([user(6500), machine()]) == (6500, "", [])


def test_states_in_other_containers_do_not_count():
    assert seen([user(9500, 200), user(6500, 3), machine()]) == (3500, "", [])


def test_a_state_that_cannot_be_read_counts_for_nothing():
    broken = category("state", b"<state/>", 2, 77)

    assert seen([broken, machine(6500)]) == (6500, "", [])


def test_without_any_machine_somebody_is_offline():
    assert seen([user(6500)]) == (18500, "", [])


CALL = Activity("on-the-phone")


def on_the_phone(container: int) -> Category:
    return state(StateKind.USER, 6500, container, activity=CALL)


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (0, (18500, "", [])),
        (1, (18500, "", [])),
        (2, (18500, "", [])),
        (3, (18500, "", [])),
        (100, (6500, "", [])),
        (200, (6500, "on-the-phone", ["for 200"])),
        (300, (9500, "", ["for 300"])),
        (400, (6500, "on-the-phone", [])),
        (500, (6500, "on-the-phone", [])),
        (32000, (18500, "", [])),
    ],
)
def test_each_container_sees_its_own(container, expected):
    categories = [
        on_the_phone(2),
        machine(),
        user(9500, 3),
        machine(container=3),
        note("for 200"),
        note("for 300", 300),
        note("for nobody", 32000),
        note("for all others", 0),
    ]

    assert seen(categories, view=container_view(container)) == expected


def test_a_workgroup_for_which_nothing_is_said_sees_what_all_do():
    assert seen([user(6500), machine()], view=container_view(300)) == (6500, "", [])


def test_in_the_default_container_there_is_who_somebody_is():
    card = category("contactCard", b'<contactCard xmlns="urn:c"/>', 0)

    data = rendered([machine(), card], view=container_view(0))

    assert [each.name.category for each in read_categories(data).categories] == [
        "state",
        "contactCard",
    ]


@pytest.mark.parametrize("container", [0, 1, 2, 3, 32000])
@pytest.mark.parametrize("content_type", PACKAGE.produces)
def test_who_is_blocked_cannot_tell_that_from_nobody_at_home(container, content_type):
    categories = [user(6500), machine(), note("x", container), note("y")]
    nobody = PACKAGE.render(PACKAGE.neutral(BOB), content_type).data

    for view in (container_view(container), NEUTRAL, View("x-unheard-of")):
        assert rendered(categories, (), view, content_type) == nobody


@pytest.mark.parametrize(
    "categories",
    [[user(6500)], [machine(18500)], [user(18500), machine()]],
    ids=["signed off", "off", "hidden"],
)
@pytest.mark.parametrize("content_type", PACKAGE.produces)
def test_who_signed_off_looks_like_who_was_never_there(categories, content_type):
    nobody = PACKAGE.render(PACKAGE.neutral(BOB), content_type).data

    assert rendered(categories, content_type=content_type) == nobody


def test_nobody_at_home_is_offline_and_has_nothing_left():
    data = PACKAGE.render(PACKAGE.neutral(BOB), CATEGORIES).data

    assert read_categories(data).cleared == ("calendarData", "contactCard", "note")
    assert seen([], view=NEUTRAL) == (18500, "", [])


def test_nobody_can_tell_by_a_document_which_container_he_is_in():
    documents = {
        rendered([user(6500), machine(), note("n", n)], view=container_view(n))
        for n in (200, 300, 400)
    }

    assert len(documents) == 1
    assert b'container="200"' in documents.pop()


def test_other_categories_are_handed_out_as_they_came():
    body = b'<anything xmlns="urn:x">1 &lt; 2</anything>'

    assert body in rendered([machine(), category("x-mine", body, 200)])


# --- Some categories only


@pytest.mark.parametrize(
    ("wanted", "there", "cleared"),
    [
        ("", ["state", "contactCard", "x-mine"], ("calendarData", "note")),
        (";categories=note,state", ["state"], ("note",)),
        (";categories=x-mine", ["state", "x-mine"], ("note",)),
        (
            ";categories=calendarData,contactCard,note,state",
            ["state", "contactCard"],
            ("calendarData", "note"),
        ),
    ],
)
def test_only_the_wanted_ones_are_told_but_always_state_and_note(
    wanted, there, cleared
):
    categories = [
        machine(),
        category("contactCard", b"<contactCard/>", 200),
        category("x-mine", b"<x/>", 200),
    ]

    document = read_categories(rendered(categories, content_type=CATEGORIES + wanted))

    assert [each.name.category for each in document.categories] == there
    assert document.cleared == cleared


# --- Documents of categories


def test_a_state_is_shown_as_a_tuple_and_a_person():
    assert shown([on_the_phone(2), machine(), note("back at 3")]) == (
        service("aggregate", rest="<note>back at 3</note>")
        + '<dm:person id="person"><rpid:activities><rpid:busy/><rpid:on-the-phone/>'
        "</rpid:activities><dm:note>back at 3</dm:note></dm:person>"
    )


def test_who_is_available_and_says_nothing_has_no_person():
    assert shown([machine()]) == service("aggregate")


def test_of_several_notes_the_latest_is_shown():
    notes = [note("old", at=T - 1), note("new", instance=1), note("older", 200, 2, 1.0)]

    assert "<note>new</note>" in shown([machine(), *notes])


def test_what_a_meeting_is_about_is_shown_where_there_is_no_note():
    meeting = state(
        StateKind.CALENDAR,
        6500,
        activity=Activity("in-a-meeting", (), 6500, 8999),
        meeting_subject="Budget",
    )

    assert "<note>Budget</note>" in shown([machine(), meeting])
    assert "Budget" not in shown([machine(), meeting], view=container_view(100))


def test_a_container_is_shown_as_a_document_too():
    categories = [user(6500), machine(), note("for 300", 300)]

    assert "for 300" in shown(categories, view=container_view(300))
    assert "for 300" not in shown(categories, view=container_view(200))
    assert shown(categories, view=container_view(100)) == service("aggregate") + (
        '<dm:person id="person"><rpid:activities><rpid:busy/></rpid:activities>'
        "</dm:person>"
    )


def test_the_contact_is_as_wanted():
    package = PresencePackage(contact="none")

    data = package.render(
        package.compose(Material(BOB, categories=[machine()])), PIDF
    ).data

    assert b"<contact>" not in data


# --- Categories of documents


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (service(), (3500, "", [])),
        (service(basic="closed"), (18500, "", [])),
        (service() + doing("busy"), (6500, "", [])),
        (service() + doing("on-the-phone"), (6500, "on-the-phone", [])),
        (service(rest="<note>n</note>"), (3500, "", ["n"])),
    ],
)
def test_who_publishes_documents_is_seen_in_categories(content, expected):
    assert seen([], [published(content)]) == expected
    assert seen([], [published(content)], container_view(300)) == expected


@pytest.mark.parametrize("container", [0, 32000])
def test_documents_are_not_seen_in_these_containers(container):
    publications = [published(service(rest="<note>n</note>"))]

    assert seen([], publications, container_view(container)) == (18500, "", [])
    assert shown([], publications, container_view(container)) == service(
        "nobody", "closed"
    )


def test_from_outside_there_is_only_how_available_somebody_is():
    publications = [published(service(rest="<note>n</note>") + doing("meeting"))]

    assert seen([], publications, container_view(100)) == (6500, "", [])
    assert shown([], publications, container_view(100)) == service("aggregate") + (
        '<dm:person id="person"><rpid:activities><rpid:busy/></rpid:activities>'
        "</dm:person>"
    )


def test_documents_are_seen_as_they_are_in_the_other_containers():
    content = service(rest="<note>n</note>") + doing("meeting")

    for container in (200, 300, 400, 500):
        assert shown([], [published(content)], container_view(container)) == content


# --- Both


@pytest.mark.parametrize(
    ("categories", "content", "expected"),
    [
        # A document is one more machine.
        ([user(6500)], service(), (6500, "", [])),
        ([machine(15500)], service(), (3500, "", [])),
        ([machine()], service(basic="closed"), (3500, "", [])),
        ([machine(18500)], service(basic="closed"), (18500, "", [])),
        # Its activity is one more choice, and the latest counts.
        ([user(9500, at=T - 1), machine()], service() + doing("away"), (15500, "", [])),
        ([user(9500, at=T + 1), machine()], service() + doing("away"), (9500, "", [])),
        # Who hides on one is hidden on all.
        ([user(18500), machine()], service(), (18500, "", [])),
        # Both notes are there.
        (
            [machine(), note("mine")],
            service(rest="<note>n</note>"),
            (3500, "", ["mine", "n"]),
        ),
    ],
)
def test_a_document_counts_as_one_more_endpoint(categories, content, expected):
    assert seen(categories, [published(content)]) == expected


def test_a_document_follows_the_aggregate_where_both_publish():
    rest = '<e:x xmlns:e="urn:e"/>'
    mood = doing("busy").replace("</dm:person>", "<rpid:mood/></dm:person>")
    publications = [published(service() + mood + rest)]

    assert shown([user(12500, at=T + 1), machine()], publications) == (
        service("aggregate")
        + service()
        + '<dm:person id="person"><rpid:activities><rpid:other>be-right-back'
        "</rpid:other><rpid:away/></rpid:activities><rpid:mood/></dm:person>" + rest
    )


def test_who_hides_shows_nothing_of_his_documents():
    publications = [published(service() + doing("busy"))]

    assert shown([user(18500), machine()], publications) == service("nobody", "closed")


def test_no_id_is_there_twice():
    publications = [published(service("aggregate") + service("person"))]

    root = etree.fromstring(
        f"<x>{shown([user(6500), machine()], publications)}</x>".replace(
            "dm:", ""
        ).replace("rpid:", "")
    )

    ids = [each.get("id") for each in root]
    assert len(ids) == 4
    assert len(set(ids)) == 4


def test_there_are_as_many_tuples_as_wanted():
    publications = [published("".join(service(f"{n}") for n in range(9)))]

    assert shown([machine()], publications).count("<tuple ") == 8


# --- News


def composed(*categories: Category, publications: Sequence[Publication] = ()) -> object:
    return PACKAGE.compose(Material(BOB, publications, categories=categories))


def test_saying_the_same_again_is_no_news():
    before = composed(user(6500), machine(), note("n"))

    assert composed(user(6500, at=T + 9), machine(at=T + 9), note("n")) == before
    assert composed(note("n"), machine(), user(6500)) == before
    assert hash(composed(note("n"), machine(), user(6500))) == hash(before)


def test_what_only_the_owner_sees_is_no_news():
    before = composed(machine())
    device = category("device", b"<device/>", 2)

    assert composed(machine(), device, category("x", b"<x/>", 1)) == before


@pytest.mark.parametrize("more", [user(6500), user(6500, 3), note("n"), note("n", 300)])
def test_what_somebody_sees_is_news(more):
    before = composed(machine(), machine(container=3))

    assert composed(machine(), machine(container=3), more) != before


def test_the_versions_of_a_state_rise():
    versions = [
        read_categories(rendered([machine(at=at)])).categories[0].version
        for at in (T, T + 1)
    ]

    assert 0 < versions[0] < versions[1] < 2**31


# --- What the owner is shown


def test_the_owner_is_shown_an_aggregate_for_each_container():
    material = Material(
        BOB,
        [published(service())],
        categories=[on_the_phone(2), user(9500, 3), machine(container=3)],
    )

    aggregates = PACKAGE.aggregates(material)

    shown = {each.name: read_state(each.body) for each in aggregates}
    assert {
        (name.container, state.availability, state.token)
        for name, state in shown.items()
    } == {
        (2, 6500, "on-the-phone"),
        (3, 9500, ""),
        (100, 6500, ""),
        (200, 6500, "on-the-phone"),
        (300, 9500, ""),
        (400, 6500, "on-the-phone"),
    }
    assert {name[:2] for name in shown} == {("state", 1)}
    assert {each.expire_type for each in aggregates} == {ExpireType.USER}


def test_the_owner_is_shown_no_aggregate_while_no_machine_says_anything():
    materials = [Material(BOB), Material(BOB, categories=[user(6500), note("n")])]

    assert [PACKAGE.aggregates(each) for each in materials] == [(), ()]


# --- Clients of 2005


@pytest.mark.parametrize(
    ("categories", "availability", "activity"),
    [
        ([], 0, 0),
        ([machine()], 300, 400),
        ([machine(5000)], 300, 200),
        ([user(6500), machine()], 300, 600),
        ([user(6500), machine(5000)], 300, 600),
        ([on_the_phone(2), machine()], 300, 500),
        ([user(9500), machine()], 300, 600),
        ([user(12500), machine()], 300, 300),
        ([user(15500), machine()], 300, 100),
    ],
)
def test_older_clients_are_told_two_numbers(categories, availability, activity):
    data = rendered(categories, content_type=OLDER)

    assert read_older_presence(data) == OlderPresence(BOB, availability, activity)


def test_older_clients_are_told_the_note():
    data = rendered([machine(), note("a < b")], content_type=OLDER)

    assert read_older_presence(data).note == "a < b"


# --- Another aggregator


def test_another_aggregator_can_be_had():
    def contrary(inputs: Sequence[StateInput]) -> StateInput:
        return StateInput(StateKind.AGGREGATE, 9500 if inputs else 18500)

    package = PACKAGE.aggregated_by(contrary)
    material = Material(BOB, categories=[machine()])

    data = package.render(package.compose(material), CATEGORIES).data

    assert b"<availability>9500</availability>" in data
    assert PACKAGE.aggregate is aggregate


# --- Passed to a server behind


def test_a_lync_user_is_passed_as_a_document():
    state = PACKAGE.compose(Material(BOB, categories=[machine(), note("at my desk")]))

    body = PACKAGE.passed(state, "ppmark")

    assert body.content_type == PIDF
    assert b'<tuple id="ppmark-aggregate"' in body.data
    assert b"<basic>open</basic>" in body.data
    assert b"at my desk" in body.data


@pytest.mark.parametrize(
    "left",
    [[note("gone fishing")], [user(18500)], [machine(18500)]],
    ids=["a note", "a choice to appear offline", "a machine that is off"],
)
def test_whom_his_lync_endpoints_have_left_is_not_passed(left):
    state = PACKAGE.compose(Material(BOB, categories=left))

    assert PACKAGE.passed(state, "ppmark") is None
