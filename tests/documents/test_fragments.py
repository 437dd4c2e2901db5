from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from lxml import etree

from presproxy.documents.fragments import (
    DATA_MODEL,
    PIDF,
    RPID,
    Fragments,
    escaped,
    escaped_attribute,
    with_id,
)
from presproxy.documents.xml import parse, parse_tree
from presproxy.errors import MalformedDocument

ROOT = f'<presence xmlns="{PIDF}" xmlns:dm="{DATA_MODEL}" xmlns:rpid="{RPID}">'


def written(document: str) -> bytes:
    """Write what stands within the root of a document, joined."""
    tree = parse_tree(document.encode())
    fragments = Fragments(tree, 65536)
    return b"".join(fragments.write(child) for child in tree.root)


def joined(fragments: bytes) -> bytes:
    return ROOT.encode() + fragments + b"</presence>"


@pytest.mark.parametrize(
    ("source", "fragment"),
    [
        ("<note>hi</note>", "<note>hi</note>"),
        ("<note> hi </note>", "<note> hi </note>"),
        ("<note>\n</note>", "<note>\n</note>"),
        ("<note></note>", "<note/>"),
        ('<note xml:lang="de">&lt;&amp;&gt;"</note>',) * 2,
        ("<note>&#13;\n</note>", "<note>&#13;\n</note>"),
        ("<note a='&quot;&#10;'/>", '<note a="&quot;&#10;"/>'),
        ("<x>\n <y>open</y>\n</x>", "<x><y>open</y></x>"),
        ("<x>so <y>much</y> <y>text</y></x>",) * 2,
        (
            f'<d:person xmlns:d="{DATA_MODEL}"><note xmlns="{DATA_MODEL}">a</note></d:person>',
            "<dm:person><dm:note>a</dm:note></dm:person>",
        ),
        (f'<busy xmlns="{RPID}"></busy>', "<rpid:busy/>"),
        ('<e:x xmlns:e="urn:e"><e:y/></e:x>',) * 2,
        ('<x xmlns="urn:e"><y/></x>', '<ns1:x xmlns:ns1="urn:e"><ns1:y/></ns1:x>'),
        (
            '<dm:x xmlns:dm="urn:e"/>',
            '<ns1:x xmlns:ns1="urn:e"/>',
        ),
        (
            '<p:x xmlns:p="urn:1"><p:y xmlns:p="urn:2"><q:z xmlns:q="urn:1"/></p:y></p:x>',
            '<p:x xmlns:p="urn:1"><ns1:y xmlns:ns1="urn:2"><p:z/></ns1:y></p:x>',
        ),
        (
            f'<x xmlns=""><y/><note xmlns="{PIDF}"/></x>',
            f'<x xmlns=""><y/><ns1:note xmlns:ns1="{PIDF}"/></x>',
        ),
        (
            f'<x xmlns:p="{PIDF}" p:mustUnderstand="1"><y/></x>',
            f'<x xmlns:p="{PIDF}" p:mustUnderstand="1"><y/></x>',
        ),
        (
            '<x xmlns:a="urn:1" xmlns:b="urn:2" a:i="1" b:i="2" i="3"/>',
            '<x xmlns:a="urn:1" a:i="1" xmlns:b="urn:2" b:i="2" i="3"/>',
        ),
        (
            '<x xmlns:a="urn:&amp;"><a:y/></x>',
            '<x><a:y xmlns:a="urn:&amp;"/></x>',
        ),
        ("<x><![CDATA[<y/>]]></x>", "<x>&lt;y/&gt;</x>"),
        ("<x>a<!-- b -->c<?d?></x>", "<x>ac</x>"),
        (
            "<x xml:id='a' id='b' xml:space='preserve'/>",
            '<x id="b" xml:space="preserve"/>',
        ),
    ],
)
def test_an_element_is_written_in_the_one_form(source, fragment):
    assert written(f"{ROOT}{source}</presence>").decode() == fragment


def test_a_declaration_of_the_root_is_repeated_where_it_is_needed():
    document = ROOT.replace(">", ' xmlns:e="urn:e">') + "<e:x/><e:y/></presence>"

    assert written(document) == b'<e:x xmlns:e="urn:e"/><e:y xmlns:e="urn:e"/>'


@pytest.mark.parametrize("prefix", ["rpid", "dm", "ns1"])
def test_a_prefix_that_is_taken_is_given_up(prefix):
    source = (
        f'{ROOT}<p:x xmlns:p="urn:1" xmlns:{prefix}="urn:2">'
        f"<{prefix}:y/></p:x></presence>"
    )

    root = parse(joined(written(source)))

    assert [each.tag for each in root.iter()][1:] == ["{urn:1}x", "{urn:2}y"]


def test_namespaces_that_are_repeated_too_often_are_refused():
    name = "urn:" + "x" * 500
    document = f'<presence xmlns="{PIDF}" xmlns:e="{name}">{"<e:x/>" * 150}</presence>'

    with pytest.raises(MalformedDocument, match="a namespace declared"):
        written(document)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "urn:oma:xml:prs:pidf:oma-pres",
            "http://www.linphone.org/xsds/x.xsd",
            "a/b:c",
        ),
        *("a", "?a", "#a", "http://u@h:80/p?q#f", "x:", "//h/p", "a%20b"),
    ],
)
def test_a_namespace_named_by_a_uri_is_kept(name):
    fragment = written(f'{ROOT}<x xmlns:e="{name}"/></presence>')

    assert fragment == b"<x/>"


def test_an_id_is_exchanged():
    assert with_id(b'<t id="id" id2="id"/>', b"id", b"x") == b'<t id="x" id2="id"/>'


@pytest.mark.parametrize(
    "name",
    ["a b", "&lt;", "1:b", "a_b:c", "a%2", "a#b#c", "http://h:p/", "\u00e9", "[", "\\"],
)
def test_a_namespace_that_watchers_could_not_read_is_refused(name):
    with pytest.raises(MalformedDocument, match="is no URI to name a namespace"):
        written(f'{ROOT}<x xmlns:e="{name}"><e:y/></x></presence>')


# --- Any tree

NAMESPACES = [PIDF, DATA_MODEL, RPID, "urn:a", "urn:b", "urn:c?&amp;&apos;"]
PREFIXES = ["dm", "rpid", "p", "q", "ns1", "ns2", "Xmlish", "é"]
NAMES = st.sampled_from(["note", "basic", "activities", "x", "id", "Größe"])
CHARACTERS = st.characters(
    exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"
)
TEXT = st.one_of(
    st.sampled_from(["", "", " ", "\n ", "\u00a0", "]]>", "<&>\"'", "\t\r\n", "]]"]),
    st.text(CHARACTERS, max_size=5),
)


def spelt(text: str) -> str:
    """Write text in a way of its own."""
    return "".join(f"&#{ord(c)};" if c in "<&>\"'\r\n\t" else c for c in text)


DECLARATIONS = st.dictionaries(
    st.sampled_from(["", *(f":{prefix}" for prefix in PREFIXES)]),
    st.sampled_from(NAMESPACES),
    max_size=3,
).map(lambda declared: "".join(f' xmlns{p}="{n}"' for p, n in declared.items()))
QUALIFIED = st.builds(
    lambda prefix, name: prefix + name,
    st.sampled_from(["", "", *(f"{prefix}:" for prefix in PREFIXES), "xml:"]),
    NAMES,
).filter(lambda name: name != "xml:id")
ATTRIBUTES = st.dictionaries(QUALIFIED, TEXT, max_size=3).map(
    lambda values: "".join(f" {name}='{spelt(v)}'" for name, v in values.items())
)


@st.composite
def elements(draw: st.DrawFn, depth: int = 2) -> str:
    name = draw(QUALIFIED)
    content = draw(TEXT.map(spelt))
    for _ in range(draw(st.integers(0, 3)) if depth else 0):
        content += draw(elements(depth=depth - 1)) + draw(TEXT.map(spelt))
    undeclared = draw(st.sampled_from(["", "", ' xmlns=""']))
    declared = draw(DECLARATIONS)
    if "xmlns=" not in declared:
        declared += undeclared
    return f"<{name}{declared}{draw(ATTRIBUTES)}>{content}</{name}>"


#: Every prefix is declared; which namespace it means is any.
SOURCES = st.builds(
    lambda namespaces, children: (
        "<root"
        + "".join(
            f' xmlns:{p}="{n}"' for p, n in zip(PREFIXES, namespaces, strict=True)
        )
        + f">{''.join(children)}</root>"
    ),
    st.lists(
        st.sampled_from(NAMESPACES), min_size=len(PREFIXES), max_size=len(PREFIXES)
    ),
    st.lists(elements(), min_size=1, max_size=3),
)


def infoset(element: Element | etree._Element) -> object:
    """Give what an element says, as values that compare."""
    texts = [element.text or "", *[child.tail or "" for child in element]]
    if len(element) and not any(text.strip(" \t\r\n") for text in texts):
        texts = [""] * len(texts)
    return (
        element.tag,
        dict(element.attrib),
        texts,
        [infoset(child) for child in element],
    )


@given(SOURCES)
def test_whatever_is_joined_says_what_each_document_said(source):
    try:
        said = [infoset(child) for child in parse(source.encode())]
    except MalformedDocument:
        # Two attributes of one name.
        reject()

    document = joined(written(source) * 2)

    assert [infoset(child) for child in parse(document)] == said * 2
    assert [infoset(child) for child in etree.fromstring(document)] == said * 2


@given(TEXT, TEXT)
def test_text_is_read_as_it_was_written(text, value):
    document = f'<a b="{escaped_attribute(value)}">{escaped(text)}</a>'

    root = parse(document.encode())

    assert (root.text or "", root.get("b")) == (text, value)
