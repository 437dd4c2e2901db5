from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.lync.categories import (
    NAMESPACE,
    RICH_PRESENCE,
    Asked,
    Categories,
    Category,
    CategoryName,
    ExpireType,
    Publish,
    Stale,
    read_categories,
    read_fault,
    read_publish,
    write_categories,
    write_fault,
    write_publish,
)
from presproxy.documents.xml import Limits
from presproxy.errors import MalformedDocument

BOB = "sip:bob@example.test"
STATE = (
    b'<state xmlns="http://schemas.microsoft.com/2006/09/sip/state"'
    b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" manual="false"'
    b' xsi:type="machineState"><availability>3500</availability><endpointLocation/>'
    b"</state>"
)


def publish(content: str, start: str = f'uri="{BOB}"') -> bytes:
    return (
        f'<publish xmlns="{RICH_PRESENCE}"><publications {start}>{content}'
        "</publications></publish>"
    ).encode()


def categories(content: str, start: str = f'uri="{BOB}"') -> bytes:
    return f'<categories xmlns="{NAMESPACE}" {start}>{content}</categories>'.encode()


def one(attributes: str, content: str = "<x/>") -> Asked:
    body = publish(f"<publication {attributes}>{content}</publication>")
    (asked,) = read_publish(body).asked
    return asked


NAMED = 'categoryName="c" instance="1" container="2"'

# --- Publishing


def test_what_sipe_publishes_is_read():
    body = publish(
        '<publication categoryName="state" instance="988436328" container="2"'
        f' version="1" expireType="endpoint">{STATE.decode()}</publication>'
        '<publication categoryName="note" instance="0" container="200" version="2"'
        ' expireType="static" expires="0"/>'
    )

    assert read_publish(body) == Publish(
        BOB,
        (
            Asked(
                CategoryName("state", 988436328, 2), 1, ExpireType.ENDPOINT, None, STATE
            ),
            Asked(CategoryName("note", 0, 200), 2, ExpireType.STATIC, 0, b""),
        ),
    )


def test_what_is_not_said_is_the_least():
    assert one(NAMED) == Asked(
        CategoryName("c", 1, 2),
        0,
        ExpireType.ENDPOINT,
        None,
        f'<x xmlns="{RICH_PRESENCE}"/>'.encode(),
    )


def test_a_publication_may_be_for_some_time():
    asked = one(f'{NAMED} expireType="time" expires="60"')

    assert (asked.expire_type, asked.expires) == (ExpireType.TIME, 60)


def test_what_is_to_be_deleted_needs_nothing_within():
    assert one(f'{NAMED} expires="0"', "").is_removal


def test_elements_and_attributes_of_others_are_passed_over():
    body = publish(
        '<other/><o:publication xmlns:o="u:o"/>'
        f'<publication {NAMED} x="y" version="">text<x/>text</publication>'
    )

    assert len(read_publish(body).asked) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not well-formed"),
        (b"<publish/>", f"the root is 'publish', not publish of {RICH_PRESENCE}"),
        (
            f'<publish xmlns="{RICH_PRESENCE}"/>'.encode(),
            "publish: no publications",
        ),
        (
            f'<publish xmlns="{RICH_PRESENCE}"><publications uri="a"/>'
            '<publications uri="b"/></publish>'.encode(),
            "publish: more than one publications",
        ),
        (publish("", ""), "publications: no uri"),
        (publish("", 'uri=" "'), "publications: no uri"),
        (publish("<publication/>"), "publication 1: no categoryName"),
        (
            publish(f"<publication {NAMED}/>"),
            "publication 1: no element within, and it is not to be deleted",
        ),
        (
            publish(
                f"<publication {NAMED}><x/></publication>"
                '<publication categoryName="c"><x/></publication>'
            ),
            "publication 2: no instance",
        ),
        (
            publish('<publication categoryName="c" instance="1"><x/></publication>'),
            "publication 1: no container",
        ),
        (
            publish(f'<publication {NAMED} version="x"><x/></publication>'),
            "publication 1: version is 'x', which is no number",
        ),
        (
            publish(f'<publication {NAMED} version="-1"><x/></publication>'),
            "publication 1: version is '-1', which is no number",
        ),
        (
            publish(f'<publication {NAMED} version="4294967296"><x/></publication>'),
            "publication 1: version is over 4294967295",
        ),
        (
            publish(f'<publication {NAMED} version="{"9" * 99}"><x/></publication>'),
            "publication 1: version is '9999",
        ),
        (
            publish(f'<publication {NAMED} version="\u0663"><x/></publication>'),
            "publication 1: version is '\u0663', which is no number",
        ),
        (
            publish(f'<publication {NAMED} expireType="never"><x/></publication>'),
            "publication 1: expireType is 'never', which is none",
        ),
        (
            publish(f'<publication {NAMED} expireType="time"><x/></publication>'),
            "publication 1: no expires, which expireType time needs",
        ),
        (
            publish(f'<publication {NAMED} expires="soon"><x/></publication>'),
            "publication 1: expires is 'soon', which is no number",
        ),
        (
            publish(f"<publication {NAMED}><x/><y/></publication>"),
            "publication 1: more than one element within",
        ),
        (
            publish(f'<publication {NAMED} expires="5"/>'),
            "publication 1: no element within, and it is not to be deleted",
        ),
        (
            publish(f'<publication categoryName="{"c" * 1025}"/>'),
            "publication 1: categoryName has over 1024 letters",
        ),
        (
            publish(f'<publication {NAMED} expires="0"/>' * 201),
            "publications: over 200 elements publication",
        ),
        (
            publish(f'<publication {NAMED}><x xmlns="a b"/></publication>'),
            "'a b' is no URI to name a namespace",
        ),
    ],
)
def test_what_is_wrong_with_a_request_is_said(why, data, reason):
    assert why(read_publish, data).startswith(reason)


def test_as_many_publications_as_one_may_ask_for():
    body = publish(
        "".join(
            f'<publication categoryName="state" instance="{number}" container="2"'
            f' version="0" expireType="static">{STATE.decode()}</publication>'
            for number in range(200)
        )
    )

    assert len(read_publish(body).asked) == 200


def test_the_limits_are_those_given():
    with pytest.raises(MalformedDocument, match="over 100 octets"):
        read_publish(publish(""), Limits(octets=100))


# --- Showing


def test_a_document_is_written_in_full():
    found = [
        Category(
            CategoryName("state", 1, 200), 9, ExpireType.USER, STATE, 1795329060.7
        ),
        Category(
            CategoryName('"<&>"', 0, 400), 1, ExpireType.TIME, b"", 0.0, expires_at=59.6
        ),
    ]

    assert write_categories(BOB, found, ["note"]).decode() == (
        f'<categories xmlns="{NAMESPACE}" uri="{BOB}">'
        '<category name="state" instance="1" publishTime="2026-11-22T06:31:00Z"'
        f' container="200" version="9" expireType="user">{STATE.decode()}</category>'
        '<category name="&quot;&lt;&amp;&gt;&quot;" instance="0"'
        ' publishTime="1970-01-01T00:00:00Z" container="400" version="1"'
        ' expireType="time" expires="60"/>'
        '<category name="note"/></categories>'
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-22T06:31:00Z", 1795329060.0),
        ("2026-11-22T06:31:00.25Z", 1795329060.25),
        ("2026-11-22T06:31:00", 1795329060.0),
        ("2026-11-22T07:31:00+01:00", 1795329060.0),
        ("", 0.0),
    ],
)
def test_a_moment_is_read(text, seconds):
    body = categories(f'<category name="c" version="1" publishTime="{text}"/>')

    (category,) = read_categories(body).categories
    assert category.published_at == seconds


def test_what_was_cleared_is_told_from_what_is_empty():
    body = categories('<category name="note"/><category name="x" version="1"/>')

    document = read_categories(body)

    assert document.cleared == ("note",)
    assert [each.name.category for each in document.categories] == ["x"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<categories/>", "the root is 'categories', not categories of http://"),
        (categories("", ""), "categories: no uri"),
        (categories("<category/>"), "category 1: no name"),
        (
            categories('<category name="c" version="1" publishTime="now"/>'),
            "category 1: publishTime is 'now', which is no moment",
        ),
        (
            categories('<category name="c"><a/><b/></category>'),
            "category 1: more than one element within",
        ),
        (
            categories('<category name="n"/>' * 2001),
            "categories: over 2000 elements category",
        ),
    ],
)
def test_what_is_wrong_with_a_document_is_said(why, data, reason):
    assert why(read_categories, data).startswith(reason)


# --- Faults


def test_a_fault_is_written_in_full():
    assert write_fault([Stale(1, 1, 6), Stale(3, 0, 2)]).decode() == (
        f'<Fault xmlns="{RICH_PRESENCE}">'
        "<Faultcode>Client.BadCall.WrongDelta</Faultcode><details>"
        '<operation index="1" version="1" curVersion="6"/>'
        '<operation index="3" version="0" curVersion="2"/></details></Fault>'
    )


def test_a_fault_of_another_kind_names_no_part():
    fault = write_fault(code="Client.BadCall.Malformed")

    assert b"<Faultcode>Client.BadCall.Malformed</Faultcode>" in fault
    assert read_fault(fault) == ()


@given(st.lists(st.builds(Stale, *[st.integers(0, 2**32 - 1)] * 3), max_size=5))
def test_a_fault_is_read_as_it_was_written(stale):
    assert read_fault(write_fault(stale)) == tuple(stale)


# --- There and back

WORDS = st.text(
    st.characters(
        exclude_categories=("Cs", "Cc", "Z"), exclude_characters="\ufffe\uffff"
    ),
    min_size=1,
    max_size=8,
)
NUMBERS = st.integers(0, 2**32 - 1)
NAMES = st.builds(CategoryName, WORDS, NUMBERS, NUMBERS)
BODIES = st.sampled_from([STATE, b'<note xmlns="u:n"><body>a &lt; b</body></note>'])
#: The years that are written with four digits.
SECONDS = st.integers(-(10**9), 10**11).map(float)


@st.composite
def categories_of_any_kind(draw: st.DrawFn) -> Category:
    published_at = draw(SECONDS)
    expire_type = draw(st.sampled_from(ExpireType))
    expires_at = float("inf")
    if expire_type is ExpireType.TIME:
        expires_at = published_at + draw(NUMBERS)
    return Category(
        draw(NAMES),
        draw(NUMBERS),
        expire_type,
        draw(BODIES | st.just(b"")),
        published_at,
        expires_at,
    )


DOCUMENTS = st.builds(
    Categories,
    WORDS,
    st.lists(categories_of_any_kind(), max_size=4).map(tuple),
    st.lists(WORDS, max_size=2).map(tuple),
)


@given(DOCUMENTS)
def test_what_was_written_is_read_the_same(document):
    written = write_categories(document.uri, document.categories, document.cleared)

    assert read_categories(written) == document


PUBLICATIONS = st.builds(
    Asked, NAMES, NUMBERS, st.sampled_from(ExpireType), NUMBERS, BODIES
) | st.builds(
    Asked, NAMES, NUMBERS, st.sampled_from(ExpireType), st.just(0), st.just(b"")
)


@given(st.builds(Publish, WORDS, st.lists(PUBLICATIONS, max_size=4).map(tuple)))
def test_a_request_is_read_as_it_was_written(request_):
    assert read_publish(write_publish(request_)) == request_
