from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from presproxy.documents import pidf
from presproxy.documents.fragments import DATA_MODEL, PIDF, RPID
from presproxy.documents.pieces import ADDRESS, Piece, Place
from presproxy.documents.xml import Limits
from presproxy.errors import MalformedDocument

ALICE = b"sip:alice@example.test"


def presence(content: str) -> bytes:
    return (
        f'<presence xmlns="{PIDF}" xmlns:dm="{DATA_MODEL}" xmlns:rpid="{RPID}"'
        f' xmlns:e="urn:e" entity="pres:alice@example.test">{content}</presence>'
    ).encode()


def read(content: str, contacts: pidf.Contacts = "published") -> pidf.PresenceDocument:
    return pidf.read(presence(content), contacts=contacts)


def service(content: str, contacts: pidf.Contacts = "published") -> str:
    """Read a tuple, and give what is written within."""
    (only,) = read(f'<tuple id="t">{content}</tuple>', contacts).pieces
    written = only.data.replace(ADDRESS, ALICE).decode()
    assert written.startswith('<tuple id="t">')
    return written.removeprefix('<tuple id="t">').removesuffix("</tuple>")


def why(data: bytes) -> str:
    with pytest.raises(MalformedDocument) as caught:
        pidf.read(data)
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not well-formed: no element found: line 1, column 0"),
        (b"<presence/>", f"the root is presence, not presence of {PIDF}"),
        (
            f'<tuple xmlns="{PIDF}"/>'.encode(),
            f"the root is {{{PIDF}}}tuple, not presence of {PIDF}",
        ),
        (f'<presence xmlns="{PIDF}"/>'.encode(), "presence has no entity"),
        (f'<presence xmlns="{PIDF}" entity=" "/>'.encode(), "presence has no entity"),
        (presence("<tuple/>"), "a tuple has no id"),
        (presence('<tuple id="a"/><tuple id=""/>'), "a tuple has no id"),
    ],
    ids=[
        "empty",
        "no namespace",
        "another root",
        "no entity",
        "an empty entity",
        "no id",
        "an empty id",
    ],
)
def test_what_is_missing_is_said(data, reason):
    assert why(data) == reason


def test_a_root_with_a_long_name_is_told_in_short():
    assert len(why(b"<" + b"a" * 5000 + b"/>")) < 200


def test_the_limits_are_those_given():
    with pytest.raises(MalformedDocument, match="over 100 octets"):
        pidf.read(presence(""), Limits(octets=100))


def test_each_element_has_its_place():
    content = (
        '<dm:device id="d"><dm:deviceID>urn:x</dm:deviceID></dm:device>'
        '<tuple id="s"><status><basic>closed</basic></status></tuple><note>n</note>'
        '<e:x/><dm:person id="p"/><tuple id="t"/><e:y/>'
        '<tuple id="u"><status><basic>open</basic></status></tuple>'
    )

    assert [(piece.place, piece.data.decode()) for piece in read(content).pieces] == [
        (
            Place.OPEN,
            '<tuple id="u"><status><basic>open</basic></status></tuple>',
        ),
        (Place.UNKNOWN, '<tuple id="t"><status/></tuple>'),
        (
            Place.CLOSED,
            '<tuple id="s"><status><basic>closed</basic></status></tuple>',
        ),
        (Place.NOTE, "<note>n</note>"),
        (Place.PERSON, '<dm:person id="p"/>'),
        (
            Place.DEVICE,
            '<dm:device id="d"><dm:deviceID>urn:x</dm:deviceID></dm:device>',
        ),
        (Place.OTHER, '<e:x xmlns:e="urn:e"/>'),
        (Place.OTHER, '<e:y xmlns:e="urn:e"/>'),
    ]


@pytest.mark.parametrize(
    ("content", "is_plain"),
    [
        ("", True),
        ('<tuple id="a"/><tuple id="b"/><dm:person id="c"/><note>n</note>', True),
        ('<tuple id="a"/><tuple id="a"/>', False),
        ('<tuple id="a"/><dm:device id="a"/>', False),
        ('<dm:person id="a"/><dm:person id="b"/>', False),
        ("<note>n</note><note>m</note>", True),
        ("<note>n</note><note>n</note>", False),
        ("<e:x/><e:x/>", False),
    ],
)
def test_a_document_is_plain_if_nothing_is_in_it_twice(content, is_plain):
    assert read(content).is_plain is is_plain


# --- Status


@pytest.mark.parametrize(
    ("status", "basic", "written"),
    [
        ("<status><basic>open</basic></status>", "open", ...),
        ("<status><basic>closed</basic></status>", "closed", ...),
        (
            "<status>\n<basic> Open\n</basic>\n</status>",
            "open",
            "<status><basic>open</basic></status>",
        ),
        (
            "<status><basic>CLOSED</basic></status>",
            "closed",
            "<status><basic>closed</basic></status>",
        ),
        (
            "<status><basic>?</basic></status>",
            None,
            "<status><basic>open</basic></status>",
        ),
        (
            "<status><basic>unknown</basic></status>",
            None,
            "<status><basic>closed</basic></status>",
        ),
        (
            "<status><basic/></status>",
            None,
            "<status><basic>closed</basic></status>",
        ),
        (
            "<status><basic><e:x/>open</basic></status>",
            None,
            "<status><basic>closed</basic></status>",
        ),
        ("<status></status>", None, "<status/>"),
        ("", None, "<status/>"),
        (
            '<status><e:x/><basic a="b">open</basic><basic>closed</basic></status>',
            "open",
            '<status><basic>open</basic><e:x xmlns:e="urn:e"/></status>',
        ),
        (
            '<status e:a="1"><e:x/></status>',
            None,
            '<status xmlns:e="urn:e" e:a="1"><e:x xmlns:e="urn:e"/></status>',
        ),
    ],
)
def test_any_text_in_basic_is_read(status, basic, written):
    (only,) = read(f'<tuple id="t">{status}</tuple>').pieces

    assert only.place is {"open": Place.OPEN, "closed": Place.CLOSED}.get(
        basic, Place.UNKNOWN
    )
    assert service(status) == (status if written is ... else written)


# --- Tuples


def test_a_tuple_is_put_into_the_schemas_order():
    content = (
        "<timestamp>2026-01-01T00:00:00Z</timestamp><note>n</note>"
        "<contact>sip:a@b</contact><rpid:class>c</rpid:class><e:x/>"
        '<note xml:lang="de">m</note><status><basic>open</basic></status>'
    )

    assert service(content) == (
        "<status><basic>open</basic></status>"
        '<rpid:class>c</rpid:class><e:x xmlns:e="urn:e"/>'
        '<contact>sip:a@b</contact><note>n</note><note xml:lang="de">m</note>'
        "<timestamp>2026-01-01T00:00:00Z</timestamp>"
    )


def test_of_what_there_may_be_one_the_first_counts():
    content = (
        "<status><basic>closed</basic></status><contact>sip:a@b</contact>"
        "<timestamp>1</timestamp>"
    )

    assert service(content + content.replace("closed", "open")) == content


def test_the_attributes_of_a_tuple_are_kept():
    (only,) = read('<tuple e:a="&quot;" id=" t&amp; "/>').pieces

    assert only.id == b"t&amp;"
    assert only.data == (
        b'<tuple id="t&amp;" xmlns:e="urn:e" e:a="&quot;"><status/></tuple>'
    )


@pytest.mark.parametrize(
    ("contact", "contacts", "written"),
    [
        ("", "published", ""),
        ("<contact/>", "published", ""),
        ("<contact> sip:a@b </contact>", "published", "<contact>sip:a@b</contact>"),
        ('<contact priority="0.8">sip:a@b</contact>', "published", ...),
        ("<contact>mailto:a@b?x&amp;y</contact>", "published", ...),
        ("", "address", "<contact>sip:alice@example.test</contact>"),
        ("<contact/>", "address", "<contact>sip:alice@example.test</contact>"),
        (
            '<contact priority="0.8">SIP:a@192.0.2.1:5060;ob</contact>',
            "address",
            '<contact priority="0.8">sip:alice@example.test</contact>',
        ),
        (
            "<contact>pres:a@b</contact>",
            "address",
            "<contact>sip:alice@example.test</contact>",
        ),
        ("<contact>mailto:a@b</contact>", "address", ...),
        ("<contact>tel:+4930</contact>", "address", ...),
        ("<contact>sips:a@b</contact>", "none", ""),
        ("<contact>xmpp:a@b</contact>", "none", ...),
        ("", "none", ""),
    ],
)
def test_a_sip_contact_becomes_what_is_wanted(contact, contacts, written):
    assert service(contact, contacts) == "<status/>" + (
        contact if written is ... else written
    )


def test_a_tuple_is_given_another_id():
    (only,) = read('<tuple id="t"><note>id="t"</note></tuple>', "address").pieces

    named = only.named(b"u")

    assert (named.id, named.place) == (b"u", Place.UNKNOWN)
    assert named.data == only.data.replace(b'd="t">', b'd="u">', 1)


# --- Writing


def test_a_document_is_written_with_the_three_declarations():
    pieces = [
        Piece(Place.UNKNOWN, b'<tuple id="t"><contact>%b</contact></tuple>' % ADDRESS),
        Piece(Place.NOTE, b"<note/>"),
    ]

    assert pidf.write(ALICE, pieces).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<presence xmlns="{PIDF}" xmlns:dm="{DATA_MODEL}" xmlns:rpid="{RPID}"'
        ' entity="sip:alice@example.test">'
        '<tuple id="t"><contact>sip:alice@example.test</contact></tuple><note/>'
        "</presence>\n"
    )


ELEMENTS = [
    *("tuple", "status", "basic", "contact", "note", "timestamp"),
    *("dm:person", "dm:device", "dm:deviceID", "dm:note", "dm:timestamp"),
    *("rpid:activities", "rpid:away", "rpid:on-the-phone", "rpid:note", "rpid:mood"),
    *("e:x", "e:activities", "presence"),
]


@st.composite
def elements(draw: st.DrawFn, depth: int = 4) -> str:
    name = draw(st.sampled_from(ELEMENTS))
    content = draw(
        st.sampled_from(["", "", "open", " closed ", "&lt;", "sip:a@b", "\n"])
    )
    for _ in range(draw(st.integers(0, 3)) if depth else 0):
        content += draw(elements(depth=depth - 1))
    id = draw(st.sampled_from(["", ' id="1"', ' e:id="1"', ' id="2" e:a="&quot;"']))
    if name == "tuple" and " id=" not in id:
        id += ' id="0"'
    return f"<{name}{id}>{content}</{name}>"


@given(
    st.lists(elements(), max_size=4).map("".join),
    st.sampled_from(["address", "published", "none"]),
)
def test_what_was_written_is_read_the_same(content, contacts):
    document = read(content, contacts)

    data = pidf.write(ALICE, document.pieces)

    assert pidf.read(data, contacts=contacts) == document
    assert etree.fromstring(data).tag == f"{{{PIDF}}}presence"
