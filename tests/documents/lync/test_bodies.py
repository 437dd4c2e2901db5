from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from lxml import etree

from presproxy.documents.lync.bodies import Bodies
from presproxy.documents.xml import parse, parse_tree
from presproxy.errors import MalformedDocument

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def written(document: str, most: int = 10000) -> str:
    """Write the one element within the root of a document."""
    tree = parse_tree(document.encode())
    return Bodies(tree, most).write(tree.root[0]).decode()


@pytest.mark.parametrize(
    ("source", "body"),
    [
        ('<r><s xmlns="u:s"><a>1</a></s></r>', '<s xmlns="u:s"><a>1</a></s>'),
        ('<r xmlns="u:s"><s/></r>', '<s xmlns="u:s"/>'),
        ('<r xmlns:p="u:s"><p:s><p:a/></p:s></r>', '<s xmlns="u:s"><a/></s>'),
        ("<r><s/></r>", '<s xmlns=""/>'),
        (
            '<r><s xmlns="u:s"><a xmlns=""/><b xmlns="u:b"/></s></r>',
            '<s xmlns="u:s"><a xmlns=""/><b xmlns="u:b"/></s>',
        ),
        ('<r><s xmlns="u:s">\n <a/>\n</s></r>', '<s xmlns="u:s">\n <a/>\n</s>'),
        (
            '<r xmlns:p="u:p"><s xmlns="u:s" p:a="1" a="2"/></r>',
            '<s xmlns="u:s" xmlns:p="u:p" p:a="1" a="2"/>',
        ),
        (
            '<r><p:s xmlns:p="u:s" p:a="1"/></r>',
            '<s xmlns="u:s" xmlns:p="u:s" p:a="1"/>',
        ),
        (
            '<r><s xmlns="u:s" xml:lang="de" xml:id="i"/></r>',
            '<s xmlns="u:s" xml:lang="de"/>',
        ),
        (
            '<r><s xmlns="u:s"><![CDATA[<&>]]><!-- c --></s></r>',
            '<s xmlns="u:s">&lt;&amp;&gt;</s>',
        ),
        (
            '<r><s xmlns="u:s" a="&quot;&#10;"/></r>',
            '<s xmlns="u:s" a="&quot;&#10;"/>',
        ),
        (
            '<r xmlns:p="u:1"><s xmlns="u:s" p:a=""><t xmlns:p="u:2" p:a=""/></s></r>',
            '<s xmlns="u:s" xmlns:p="u:1" p:a=""><t xmlns:ns1="u:2" ns1:a=""/></s>',
        ),
    ],
    ids=[
        "as it came",
        "declared above",
        "with a prefix",
        "without namespace",
        "others within",
        "white space",
        "attributes with a prefix",
        "the element's namespace for an attribute",
        "xml:lang and xml:id",
        "text of other kinds",
        "an attribute escaped",
        "a prefix that is taken",
    ],
)
def test_an_element_says_the_same_wherever_it_stands(source, body):
    assert written(source) == body


@pytest.mark.parametrize(
    ("source", "body"),
    [
        (
            f'<r><s xmlns="u:s" {XSI} xsi:type="userState"/></r>',
            f'<s xmlns="u:s" {XSI} xsi:type="userState"/>',
        ),
        (
            f'<r><p:s xmlns:p="u:s" {XSI} xsi:type="p:userState"/></r>',
            f'<s xmlns="u:s" {XSI} xsi:type="userState"/>',
        ),
        (
            f'<r xmlns:q="u:q"><s xmlns="u:s" {XSI} xsi:type="q:t"/></r>',
            f'<s xmlns="u:s" {XSI} xmlns:q="u:q" xsi:type="q:t"/>',
        ),
        (
            f'<r><s xmlns="u:s" {XSI} xsi:type="q:t"/></r>',
            f'<s xmlns="u:s" {XSI} xsi:type="q:t"/>',
        ),
    ],
    ids=["of the default", "of its own prefix", "of another", "of none"],
)
def test_a_type_keeps_its_namespace(source, body):
    assert written(source) == body


def test_what_is_too_long_once_written_is_refused():
    source = f'<r><s xmlns="u:s">{">" * 10}</s></r>'
    body = f'<s xmlns="u:s">{"&gt;" * 10}</s>'
    assert written(source, most=len(body)) == body

    with pytest.raises(MalformedDocument, match="over 58 letters once written anew"):
        written(source, most=len(body) - 1)


def test_all_bodies_of_a_document_count_together():
    tree = parse_tree(b"<r><a/><b/></r>")
    bodies = Bodies(tree, 20)
    bodies.write(tree.root[0])

    with pytest.raises(MalformedDocument, match="once written anew"):
        bodies.write(tree.root[1])


def test_prefixes_are_bounded():
    def source(count: int) -> str:
        declared = "".join(f' xmlns:p{n}="u:{n}"' for n in range(count))
        needed = "".join(f' p{n}:a=""' for n in range(count))
        return f"<r{declared}><s{needed}/></r>"

    assert written(source(32)).count("xmlns:") == 32
    with pytest.raises(MalformedDocument, match="over 32 prefixes needed at once"):
        written(source(33))


def test_a_namespace_that_watchers_could_not_read_is_refused():
    with pytest.raises(MalformedDocument, match="is no URI to name a namespace"):
        written('<r><s xmlns="a b"/></r>')


# --- Any tree

NAMESPACES = ["", "u:a", "u:b", "u:c?&amp;"]
NAMES = st.sampled_from(["state", "x", "type", "Größe"])
TEXT = st.one_of(
    st.sampled_from(["", " ", "\n", "]]>", "<&>\"'", "\t\r\n"]),
    st.text(
        st.characters(
            exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"
        ),
        max_size=5,
    ),
)
PREFIXES = ["p", "q", "ns1"]


def spelt(text: str) -> str:
    return "".join(f"&#{ord(c)};" if c in "<&>\"'\r\n\t" else c for c in text)


DECLARED = st.fixed_dictionaries(
    {"": st.sampled_from(NAMESPACES)},
    optional={prefix: st.sampled_from(NAMESPACES[1:]) for prefix in PREFIXES},
).map(
    lambda declared: "".join(
        f' xmlns{":" if prefix else ""}{prefix}="{name}"'
        for prefix, name in declared.items()
    )
)
QUALIFIED = st.builds(
    lambda prefix, name: prefix + name,
    st.sampled_from(["", *(f"{prefix}:" for prefix in PREFIXES)]),
    NAMES,
)


@st.composite
def elements(draw: st.DrawFn, depth: int = 2) -> str:
    name = draw(QUALIFIED)
    content = draw(TEXT.map(spelt))
    for _ in range(draw(st.integers(0, 3)) if depth else 0):
        content += draw(elements(depth=depth - 1)) + draw(TEXT.map(spelt))
    attributes = "".join(
        f" {each}='{spelt(value)}'"
        for each, value in draw(st.dictionaries(QUALIFIED, TEXT, max_size=3)).items()
    )
    return f"<{name}{draw(DECLARED)}{attributes}>{content}</{name}>"


def infoset(element: Element | etree._Element) -> object:
    return (
        element.tag,
        dict(element.attrib),
        element.text or "",
        [(infoset(child), child.tail or "") for child in element],
    )


@given(elements())
def test_every_reader_reads_what_was_said(source):
    document = f'<root xmlns:p="u:a" xmlns:q="u:b" xmlns:ns1="u:c">{source}</root>'
    try:
        tree = parse_tree(document.encode())
    except MalformedDocument:
        # Two attributes of one name.
        reject()

    body = Bodies(tree, 100000).write(tree.root[0])

    assert infoset(parse(body)) == infoset(tree.root[0])
    assert infoset(etree.fromstring(body)) == infoset(tree.root[0])
