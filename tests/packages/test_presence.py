from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from presproxy.errors import MalformedDocument
from presproxy.interfaces import Bounds, IEventPackage, Material
from presproxy.model.publication import EntityTag, Publication
from presproxy.packages.presence import PresencePackage
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.contracts.package import EventPackageContract

ALICE = AddressOfRecord("sip:alice@example.test")
PIDF = "application/pidf+xml"

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<presence xmlns="urn:ietf:params:xml:ns:pidf"'
    ' xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
    ' xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"'
    ' entity="sip:alice@example.test">'
)
NOBODY = (
    '<tuple id="nobody"><status><basic>closed</basic></status>'
    "<contact>sip:alice@example.test</contact></tuple>"
)
PACKAGE = PresencePackage()
DATA_MODEL = "urn:ietf:params:xml:ns:pidf:data-model"
BASICS = [
    f"<status><basic>{basic}</basic></status>"
    for basic in ("open", "open", "closed", "?")
]


def published(
    body: bytes | str, package: PresencePackage, key: str = "k"
) -> Publication:
    data = body.encode() if isinstance(body, str) else body
    return Publication(
        key=key,
        presentity=ALICE,
        package="presence",
        entity_tag=EntityTag("e1"),
        content_type=PIDF,
        body=data,
        document=package.parse(PIDF, data),
        expires_at=3600.0,
        modified_at=0.0,
    )


def presence(content: str, entity: str = "sip:alice@example.test") -> str:
    return (
        f'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="{entity}"'
        ' xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
        f' xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid">{content}</presence>'
    )


def composed(*bodies: bytes | str, package: PresencePackage = PACKAGE) -> str:
    """Compose bodies, the latest first, and give what stands within the root."""
    return shown(
        [published(body, package, f"k{n}") for n, body in enumerate(bodies)], package
    )


def shown(
    publications: Sequence[Publication], package: PresencePackage = PACKAGE
) -> str:
    state = package.compose(Material(ALICE, publications))
    data = package.render(state, PIDF).data.decode()
    assert data.startswith(HEAD)
    return data.removeprefix(HEAD).removesuffix("</presence>\n")


def service(id: str, basic: str = "open", rest: str = "") -> str:
    """A tuple as it is published, and as it is shown."""
    return (
        f'<tuple id="{id}"><status><basic>{basic}</basic></status>'
        f"<contact>sip:alice@example.test</contact>{rest}</tuple>"
    )


#: As user agents write them, each with what is its own.
BARESIP = presence(
    '<dm:person id="p4159"><rpid:activities></rpid:activities></dm:person>'
    '<tuple id="t4109"><status><basic>unknown</basic></status>'
    "<contact>sip:alice@example.test</contact></tuple>",
)
PJSIP = b"""<?xml version="1.0" encoding="UTF-8" ?>
<presence entity="sip:alice@example.test" xmlns="urn:ietf:params:xml:ns:pidf"
 xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
 xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid">
 <tuple id="pj5e1f">
  <status><basic>open</basic></status>
  <timestamp>2026-01-01T00:00:00.000Z</timestamp>
  <note>Away</note>
 </tuple>
 <dm:person id="pj77aa"><rpid:activities><rpid:away/></rpid:activities>
  <dm:note>Away</dm:note></dm:person>
</presence>"""
LINPHONE = b"""<?xml version="1.0" encoding="UTF-8" standalone="no" ?>
<p1:presence xmlns:p1="urn:ietf:params:xml:ns:pidf" entity="sip:alice@example.test"
  xmlns:pidfonline="http://www.linphone.org/xsds/pidfonline.xsd">
  <p1:tuple id="qmht-9">
    <p1:status><p1:basic>open</p1:basic><pidfonline:online/></p1:status>
    <p1:contact priority="0.8">sip:alice@192.0.2.7:5060;transport=tcp</p1:contact>
    <p1:timestamp>2026-01-01T00:00:00Z</p1:timestamp>
  </p1:tuple>
</p1:presence>"""
ZOIPER = """<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:alice@example.test;transport=UDP">
 <tuple id="z"><status><basic>open</basic></status><note>Online</note></tuple></presence>"""
ASTERISK = """<?xml version="1.0" encoding="UTF-8"?>
<presence entity="sip:102@192.0.2.5" xmlns="urn:ietf:params:xml:ns:pidf"
 xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
 xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid">
 <note>On the phone</note>
 <tuple id="102"><status><basic>open</basic></status>
  <contact priority="1">sip:bob@192.0.2.9</contact></tuple>
 <dm:person><rpid:activities><rpid:on-the-phone/></rpid:activities></dm:person>
</presence>"""
FREESWITCH = b"""<?xml version='1.0' encoding='ISO-8859-1'?>
<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:alice@example.test'
 xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model'>
 <tuple id='t6a5ed77e'><status><basic>open</basic></status></tuple>
 <dm:person id='p06360c4a'><dm:note>Gespr\xe4ch 123</dm:note></dm:person></presence>"""


class TestPresencePackage(EventPackageContract):
    bodies = tuple(
        (PIDF, body.encode() if isinstance(body, str) else body)
        for body in (BARESIP, PJSIP, LINPHONE, ZOIPER, ASTERISK, FREESWITCH)
    )

    def make(self) -> IEventPackage:
        return PresencePackage()


class TestPresencePackageWithOtherOptions(TestPresencePackage):
    def make(self) -> IEventPackage:
        return PresencePackage(
            contact="published", persons="all", busy=True, tuples=1, largest=10_000
        )


# --- One publication


def test_nobody_at_home_is_a_closed_tuple():
    assert composed() == NOBODY


def test_the_type_has_no_parameters():
    body = PACKAGE.render(PACKAGE.neutral(ALICE), PIDF)

    assert body.content_type == "application/pidf+xml"


def test_string_matchers_can_read_what_was_published_with_other_prefixes():
    body = """
<p:presence xmlns:p="urn:ietf:params:xml:ns:pidf" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid"
  xmlns:d="urn:ietf:params:xml:ns:pidf:data-model" entity="pres:alice@example.test">
 <p:tuple id="a"><p:status><p:basic> open </p:basic></p:status></p:tuple>
 <d:person id="b"><r:activities><r:away></r:away></r:activities></d:person>
</p:presence>"""

    assert composed(body) == service("a") + (
        '<dm:person id="b"><rpid:activities><rpid:away/></rpid:activities></dm:person>'
    )


def test_a_basic_that_is_neither_open_nor_closed_is_shown_as_closed():
    assert composed(BARESIP) == (
        '<tuple id="t4109"><status><basic>closed</basic></status>'
        "<contact>sip:alice@example.test</contact></tuple>"
        '<dm:person id="p4159"><rpid:activities/></dm:person>'
    )


def test_what_another_namespace_says_is_kept():
    assert composed(LINPHONE) == (
        '<tuple id="qmht-9"><status><basic>open</basic><pidfonline:online'
        ' xmlns:pidfonline="http://www.linphone.org/xsds/pidfonline.xsd"/></status>'
        '<contact priority="0.8">sip:alice@example.test</contact>'
        "<timestamp>2026-01-01T00:00:00Z</timestamp></tuple>"
    )


def test_the_entity_is_the_presentity_whatever_was_published():
    assert composed(ZOIPER) == service("z", rest="<note>Online</note>")


def test_a_person_without_id_and_a_strangers_contact_are_mended():
    assert composed(ASTERISK) == (
        '<tuple id="102"><status><basic>open</basic></status>'
        '<contact priority="1">sip:alice@example.test</contact></tuple>'
        "<note>On the phone</note>"
        '<dm:person id="person"><rpid:activities><rpid:on-the-phone/></rpid:activities>'
        "</dm:person>"
    )


def test_an_umlaut_in_latin_1_reaches_the_watcher_in_utf_8():
    assert "<dm:note>Gespräch 123</dm:note>" in composed(FREESWITCH)


def test_a_person_alone_is_shown_with_nobody_at_home():
    body = presence('<dm:person id="p"><dm:note>n</dm:note></dm:person>')

    assert composed(body) == NOBODY + (
        '<dm:person id="p"><dm:note>n</dm:note></dm:person>'
    )


def test_a_presentity_with_special_characters_is_written_with_care():
    presentity = AddressOfRecord("sip:a&b'c@example.test")
    data = PACKAGE.render(PACKAGE.neutral(presentity), PIDF).data

    root = etree.fromstring(data)

    assert root.get("entity") == presentity
    assert root.findtext(".//{*}contact") == presentity


def test_a_document_over_the_limit_is_refused():
    package = PresencePackage(largest=1000)

    with pytest.raises(MalformedDocument, match="over 1000 octets"):
        package.parse(PIDF, presence("<note>" + "x" * 1000 + "</note>").encode())


# --- Several publications


def test_the_open_tuple_comes_first_and_then_the_latest():
    bodies = [
        presence(service(id, basic))
        for id, basic in [
            ("1", "closed"),
            ("2", "?"),
            ("3", "open"),
            ("4", "open"),
            ("5", "closed"),
        ]
    ]

    root = etree.fromstring(f"<x>{composed(*bodies)}</x>")

    assert [each.get("id") for each in root] == ["3", "4", "2", "1", "5"]


def test_there_are_at_most_eight_tuples():
    bodies = [presence(service(f"{n}", "closed")) for n in range(9)]

    written = composed(*bodies, presence(service("open")))

    assert written == service("open") + "".join(
        service(f"{n}", "closed") for n in range(7)
    )


def test_there_are_as_many_tuples_as_wanted():
    package = PresencePackage(tuples=1)

    assert composed(
        presence(service("1") + service("2")), presence(service("3")), package=package
    ) == service("1")


def test_all_that_is_no_tuple_or_person_is_shown_once():
    rest = '<note>n</note><e:x xmlns:e="urn:e"/>'

    assert composed(presence(service("1") + rest), presence(rest + service("2"))) == (
        service("1") + service("2") + rest
    )


def test_devices_are_all_shown():
    device = '<dm:device id="{}"><dm:deviceID>urn:x:{}</dm:deviceID></dm:device>'

    assert composed(
        presence(service("1") + device.format("d", 1)),
        presence(device.format("e", 2)),
    ) == (service("1") + device.format("d", 1) + device.format("e", 2))


@pytest.mark.parametrize(
    ("persons", "shown_persons"),
    [
        (
            "merged",
            '<dm:person id="new"><rpid:activities><rpid:busy/><rpid:away/>'
            "</rpid:activities></dm:person>",
        ),
        (
            "latest",
            '<dm:person id="new"><rpid:activities><rpid:away/></rpid:activities>'
            "</dm:person>",
        ),
        (
            "all",
            '<dm:person id="new"><rpid:activities><rpid:away/></rpid:activities>'
            '</dm:person><dm:person id="old"><rpid:activities><rpid:busy/>'
            "</rpid:activities></dm:person>",
        ),
    ],
)
def test_persons_become_what_is_wanted(persons, shown_persons):
    bodies = [
        presence(
            f'{service(id)}<dm:person id="{id}"><rpid:activities><rpid:{kind}/>'
            "</rpid:activities></dm:person>"
        )
        for id, kind in [("new", "away"), ("old", "busy")]
    ]
    # The tuples and the persons use the same ids.
    bodies = [body.replace('<tuple id="', '<tuple id="t') for body in bodies]

    assert composed(*bodies, package=PresencePackage(persons=persons)) == (
        service("tnew") + service("told") + shown_persons
    )


def test_busy_is_said_beside_on_the_phone_if_wanted():
    package = PresencePackage(busy=True)

    assert "<rpid:busy/><rpid:on-the-phone/>" in composed(ASTERISK, package=package)


@pytest.mark.parametrize(
    ("contact", "written"),
    [
        ("address", "<contact>sip:alice@example.test</contact>"),
        ("published", ""),
        ("none", ""),
    ],
)
def test_nobody_at_home_has_the_contact_that_others_have(contact, written):
    package = PresencePackage(contact=contact)

    assert composed(package=package) == (
        '<tuple id="nobody"><status><basic>closed</basic></status>'
        + written
        + "</tuple>"
    )


# --- Ids


def ids(*publications: Publication) -> list[str]:
    root = etree.fromstring(
        f'<x xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model">{shown(publications)}</x>'
    )
    return [each.get("id") for each in root if each.get("id")]


def test_ids_that_are_used_twice_are_told_apart():
    body = presence(service("t"))
    one, two = published(body, PACKAGE, "k1"), published(body, PACKAGE, "k2")

    first, second = ids(one, two)

    assert first == "t"
    assert second.startswith("t-")


def test_an_id_stays_with_its_publication_when_another_becomes_the_latest():
    body = presence(service("t"))
    one, two = published(body, PACKAGE, "k1"), published(body, PACKAGE, "k2")

    assert ids(two, one) == ids(one, two)[::-1]


def test_an_id_used_twice_in_one_document_is_told_apart():
    body = presence(service("t") * 3 + '<dm:person id="t"/><dm:device id="t"/>')

    found = ids(published(body, PACKAGE))

    assert found[0] == "t"
    assert len(set(found)) == len(found) == 5


def test_an_id_that_looks_like_a_mark_is_told_apart_too():
    body = presence(service("t"))
    plain = [published(body, PACKAGE, key) for key in ("k1", "k2")]
    made = ids(*plain)[1]

    found = ids(*plain, published(presence(service(made)), PACKAGE, "k0"))

    assert len(set(found)) == 3


def test_a_merged_person_keeps_the_latest_ones_id():
    bodies = [
        presence(
            service(f"{n}") + f'<dm:person id="p"><e{n} xmlns="urn:e"/></dm:person>'
        )
        for n in range(2)
    ]

    assert ids(*(published(b, PACKAGE, f"{b}") for b in bodies)) == ["0", "1", "p"]


# --- Any documents

DECLARED = st.sampled_from(
    ["", ' xmlns="urn:e"', ' xmlns:dm="urn:d"', ' xmlns:ns1="urn:n" ns1:id="1"']
)
INNER = st.builds(
    "<{0}{1}>{2}</{0}>".format,
    st.sampled_from(["x", "note", "dm:x", "rpid:activities", "rpid:busy", "dm:note"]),
    DECLARED,
    st.sampled_from(["", "&lt;", "<y/>", '<dm:y xmlns="urn:f"/>', "<rpid:busy/>"]),
)
OUTER = st.builds(
    '<{0} id="{1}"{2}>{3}</{0}>'.format,
    st.sampled_from(["tuple", "dm:person", "dm:device", "note", "x"]),
    st.sampled_from(["1", "2", "nobody", "&quot;&amp;"]),
    DECLARED,
    st.lists(INNER | st.sampled_from(BASICS), max_size=3).map("".join),
)
BODIES = st.lists(OUTER, max_size=4).map("".join).map(presence)


@given(st.lists(BODIES, max_size=5), st.permutations(range(5)))
def test_whatever_is_composed_can_be_read_by_all(bodies, keys):
    publications = [
        published(body, PACKAGE, f"k{key}")
        for body, key in zip(bodies, keys, strict=False)
    ]

    root = etree.fromstring(
        PACKAGE.render(PACKAGE.compose(Material(ALICE, publications)), PIDF).data
    )

    tuples = root.findall("{urn:ietf:params:xml:ns:pidf}tuple")
    assert list(root)[: len(tuples)] == tuples
    assert 1 <= len(tuples) <= 8
    assert [len(each.findall("{*}status")) for each in tuples] == [1] * len(tuples)
    basics = [each.findtext("{*}status/{*}basic", "") for each in tuples]
    assert basics == sorted(basics, key=["open", "", "closed"].index)
    people = [each for each in root if each.tag.startswith("{" + DATA_MODEL)]
    names = [each.get("id") for each in (*tuples, *people)]
    assert len(set(names)) == len(names)
    assert len(root.findall(f"{{{DATA_MODEL}}}person")) <= 1


# --- Who supersedes whom


@pytest.mark.parametrize(
    ("new", "old", "supersedes"),
    [
        (service("a"), service("a", "closed"), True),
        (service("a") + '<dm:person id="p"/>', service("a"), True),
        (service("a") + service("b"), service("b") + service("a"), True),
        (service("a"), service("b"), False),
        (service("a"), service("a") + service("b"), False),
        ('<dm:person id="p"/>', '<dm:person id="p"/>', True),
        ('<dm:person id="p"/>', '<dm:person id="q"/>', False),
        ("", "", True),
    ],
)
def test_the_same_tuples_supersede_those_before(new, old, supersedes):
    documents = [PACKAGE.parse(PIDF, presence(body).encode()) for body in (new, old)]

    assert PACKAGE.supersedes(*documents) is supersedes


# --- Options


@pytest.mark.parametrize(
    "options",
    [
        {"shortest": 7200},
        {"longest": 60},
        {"shortest": -1},
        {"pause": -0.5},
        {"tuples": 0},
        {"largest": 0},
    ],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match=r"must be >=|not in order"):
        PresencePackage(**options)


def test_the_intervals_are_those_of_the_options():
    package = PresencePackage(shortest=10, default=20, longest=30)

    assert package.bounds == Bounds(10, 20, 30)
