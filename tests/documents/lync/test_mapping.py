from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents import pidf
from presproxy.documents.fragments import Fragment
from presproxy.documents.lync.aggregation import aggregate
from presproxy.documents.lync.mapping import (
    IDLE,
    ROWS,
    Row,
    Said,
    read_said,
    row_of,
    write_person,
    write_tuple,
)
from presproxy.documents.lync.state import (
    VALUES,
    Activity,
    Availability,
    Custom,
    StateInput,
    StateKind,
)

CONTACT = b"<contact>sip:bob@example.test</contact>"


def state(availability: int, token: str = "", **more: object) -> StateInput:
    activity = Activity(token) if token else None
    return StateInput(StateKind.AGGREGATE, availability, activity, **more)


def shown(state: StateInput, note: str = "") -> str:
    """Write a state as a document, and give what stands in it."""
    pieces = [write_tuple(state, note, b"t", b"")]
    person = write_person(state, note, b"p")
    pieces += [person] if person is not None else []
    return b"".join([each.data for each in pieces]).decode()


def read(content: str) -> Said:
    document = (
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bob@example.test"'
        ' xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
        f' xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid">{content}</presence>'
    )
    return read_said(pidf.read(document.encode()).pieces)


def person(content: str) -> str:
    return f'<dm:person id="p">{content}</dm:person>'


OPEN = '<tuple id="t"><status><basic>open</basic></status></tuple>'
CLOSED = OPEN.replace("open", "closed")


def doing(*kinds: str) -> str:
    """A document of somebody who does this."""
    inner = "".join(
        f"<rpid:other>{kind.removeprefix('other:')}</rpid:other>"
        if kind.startswith("other:")
        else f"<rpid:{kind}/>"
        for kind in kinds
    )
    return OPEN + person(f"<rpid:activities>{inner}</rpid:activities>")


# --- From Lync


@pytest.mark.parametrize(
    ("availability", "token", "basic", "activities", "idle"),
    [
        (3500, "", "open", [], False),
        (5000, "", "open", [], True),
        (6500, "", "open", ["busy"], False),
        (6500, "on-the-phone", "open", ["busy", "on-the-phone"], False),
        (6500, "in-a-conference", "open", ["busy", "on-the-phone"], False),
        (6500, "in-a-meeting", "open", ["busy", "meeting"], False),
        (7500, "", "open", ["busy"], True),
        (7500, "in-a-meeting", "open", ["busy", "meeting"], True),
        (9500, "", "open", ["busy", "other:do-not-disturb"], False),
        (
            9500,
            "urgent-interruptions-only",
            "open",
            ["busy", "other:do-not-disturb"],
            False,
        ),
        (9500, "in-presentation", "open", ["busy", "presentation"], False),
        (12500, "", "open", ["other:be-right-back", "away"], False),
        (12500, "be-right-back", "open", ["other:be-right-back", "away"], False),
        (15500, "", "open", ["away"], False),
        (15500, "off-work", "open", ["other:off-work", "away"], False),
        (15500, "out-of-office", "open", ["away", "vacation"], False),
        (18500, "", "closed", [], False),
        # Numbers between, and tokens that do not go with the number.
        (7499, "", "open", ["busy"], False),
        (9000, "on-the-phone", "open", ["busy", "other:do-not-disturb"], False),
        (6500, "x-unheard-of", "open", ["busy"], False),
    ],
)
def test_a_state_is_shown_as_a_document(availability, token, basic, activities, idle):
    expected = f'<tuple id="t"><status><basic>{basic}</basic></status></tuple>'
    inner = ""
    if activities:
        kinds = doing(*activities).partition("<rpid:activities>")[2]
        inner += "<rpid:activities>" + kinds.removesuffix("</dm:person>")
    if idle:
        inner += "<rpid:user-input>idle</rpid:user-input>"
    if inner:
        expected += person(inner)

    assert shown(state(availability, token)) == expected


def test_when_somebody_was_last_at_it_is_told():
    assert '<rpid:user-input last-input="2026-11-22T06:31:00Z">idle<' in shown(
        state(5000, last_active=1795329060.0)
    )


def test_words_of_ones_own_are_another_activity():
    words = Activity("in-a-meeting", (Custom("a < b"), Custom("second")))
    said = StateInput(StateKind.AGGREGATE, 6500, words)

    assert (
        "<rpid:busy/><rpid:meeting/><rpid:other>a &lt; b</rpid:other></rpid:activities>"
    ) in shown(said)


def test_a_note_is_of_the_tuple_and_of_the_person():
    assert shown(state(3500), "a & b") == (
        '<tuple id="t"><status><basic>open</basic></status><note>a &amp; b</note></tuple>'
        '<dm:person id="p"><dm:note>a &amp; b</dm:note></dm:person>'
    )


def test_a_tuple_has_the_contact_that_is_wanted():
    assert CONTACT in write_tuple(state(3500), "", b"t", CONTACT).data


def test_what_else_is_said_of_a_person_stays():
    idle, mood = "<rpid:user-input>active</rpid:user-input>", "<rpid:mood/>"
    others = [
        Fragment(f"{{urn:ietf:params:xml:ns:pidf:rpid}}{name}", data.encode())
        for name, data in (("user-input", idle), ("mood", mood))
    ]

    written = write_person(state(3500), "", b"p", others)

    assert written is not None
    assert written.data.decode() == person(mood)


# --- To Lync


@pytest.mark.parametrize(
    ("content", "availability", "token"),
    [
        ("", 18500, ""),
        (CLOSED, 18500, ""),
        (CLOSED + person("<rpid:activities><rpid:busy/></rpid:activities>"), 18500, ""),
        ('<tuple id="t"><status/></tuple>', 18500, ""),
        (CLOSED + OPEN.replace('"t"', '"u"'), 3500, ""),
        (OPEN, 3500, ""),
        (doing(), 3500, ""),
        (doing("working", "looking-for-work"), 3500, ""),
        *[
            (doing(kind), VALUES[row.availability], row.token)
            for row in ROWS
            for kind in row.read
        ],
        (doing("busy", "on-the-phone"), 6500, "on-the-phone"),
        (doing("away", "meeting"), 6500, "in-a-meeting"),
        (doing("on-the-phone", "presentation"), 9500, "in-presentation"),
        (doing("away", "busy"), 6500, ""),
        (doing("other:Do  not disturb"), 9500, ""),
        (doing("away", "other:Be-Right-Back"), 12500, ""),
    ],
)
def test_a_document_is_read_as_a_state(content, availability, token):
    said = read(content)

    assert VALUES[said.row.availability] == availability
    assert said.row.token == token
    state = aggregate(said.states(9.0))
    assert (state.availability, state.token) == (availability, token)
    assert state.published_at in (9.0, 0.0)


@pytest.mark.parametrize(
    ("element", "idle", "last"),
    [
        ("<rpid:user-input>idle</rpid:user-input>", True, None),
        (
            '<rpid:user-input last-input="2026-11-22T06:31:00Z"> idle'
            "</rpid:user-input>",
            True,
            1795329060.0,
        ),
        (
            '<rpid:user-input last-input="x">idle</rpid:user-input>',
            True,
            None,
        ),
        ("<rpid:user-input>active</rpid:user-input>", False, None),
        ("<rpid:user-input/>", False, None),
    ],
)
def test_user_input_says_whether_somebody_is_there(element, idle, last):
    said = read(OPEN + person(element))

    assert (said.is_idle, said.last_input) == (idle, last)
    assert aggregate(said.states(0.0)).availability == (5000 if idle else 3500)


def test_who_is_busy_and_idle_is_busy_idle():
    content = doing("busy").replace(
        "</dm:person>", "<rpid:user-input>idle</rpid:user-input></dm:person>"
    )

    assert aggregate(read(content).states(0.0)).availability == 7500


def test_who_says_no_activity_makes_no_choice():
    assert read(OPEN).states(3.0) == (StateInput(StateKind.MACHINE, 3500),)
    assert read(doing("away")).states(3.0) == (
        StateInput(StateKind.MACHINE, 15500),
        StateInput(StateKind.USER, 15500, is_manual=True),
    )


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (OPEN, ""),
        (OPEN.replace("</tuple>", "<note> </note><note>one</note></tuple>"), "one"),
        (OPEN + person("<dm:note>two</dm:note>"), "two"),
        (OPEN + "<note>three</note>", "three"),
        (OPEN.replace("</tuple>", "<note>1</note></tuple>") + "<note>3</note>", "1"),
        (CLOSED.replace("</tuple>", "<note>offline</note></tuple>"), ""),
        (OPEN + '<x xmlns="urn:x"><note xmlns="">no</note></x>', ""),
    ],
)
def test_the_first_note_counts_of_who_is_there(content, note):
    assert read(content).note == note


# --- Both ways


def ways() -> list[StateInput]:
    """All states that a document can tell from each other, and some that it can not."""
    return [
        state(VALUES[at], row.token)
        for row in ROWS
        for at in (row.availability, IDLE.get(row.availability))
        if at is not None
    ]


@pytest.mark.parametrize("said", ways(), ids=lambda s: f"{s.availability}{s.token}")
def test_a_state_that_goes_there_and_back_is_as_available(said):
    back = aggregate(read(shown(said)).states(0.0))

    assert back.availability == said.availability
    # Two tokens have no kind of their own.
    row = row_of(said)
    assert back.token == (said.token if row.read or not said.token else back.token)


@pytest.mark.parametrize("row", [row for row in ROWS if row.read])
def test_a_row_that_is_read_is_written_as_what_it_is_read_from(row: Row):
    assert set(row.read) & set(row.activities)


def test_words_and_a_note_go_there_and_back():
    words = StateInput(
        StateKind.AGGREGATE, 15500, Activity(custom=(Custom("gone fishing"),))
    )

    said = read(shown(words, "until Monday"))

    assert said.note == "until Monday"
    assert aggregate(said.states(0.0)).activity == words.activity


def test_every_range_has_a_row():
    without_idle = set(Availability) - set(IDLE.values())

    assert {row.availability for row in ROWS if not row.token} == without_idle


def test_every_kind_is_read_once():
    kinds = [kind for row in ROWS for kind in row.read]

    assert len(kinds) == len(set(kinds))


KINDS = st.sampled_from([kind for row in ROWS for kind in row.read] + ["other:x<y"])


@given(st.lists(KINDS, max_size=4), st.booleans())
def test_any_document_is_as_available_after_going_there_and_back(kinds, is_idle):
    content = doing(*(kind.replace("<", "&lt;") for kind in kinds))
    if is_idle:
        content = content.replace(
            "</dm:person>", "<rpid:user-input>idle</rpid:user-input></dm:person>"
        )

    state = aggregate(read(content).states(0.0))

    again = aggregate(read(shown(state)).states(0.0))
    assert again.availability == state.availability
    assert again.token == state.token
