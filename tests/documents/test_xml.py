from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.xml import STANDARD_LIMITS, Limits, parse, parse_tree
from presproxy.errors import MalformedDocument

EXTERNAL = (
    b'<!DOCTYPE presence PUBLIC "-//IETF//DTD RFCxxxx XPIDF 1.0//EN" "xpidf.dtd">'
)


def why(data: bytes, limits: Limits = STANDARD_LIMITS) -> str:
    with pytest.raises(MalformedDocument) as caught:
        parse(data, limits)
    return str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"text",
        b"<a b=c/>",
        b"<a b='1' b='2'/>",
        b"<a>&nbsp;</a>",
        b"<a>\0</a>",
        b"<a>&#0;</a>",
        b"<a>\xff</a>",
        b"<a>\xed\xa0\x80</a>",
        b"<a>&#xd800;</a>",
        b"<p:a/>",
        b"<a p:b='1'/>",
        b"<a xmlns:p=''><p:b/></a>",
        b"<a><!-- -- --></a>",
        b"<a>]]></a>",
        b'<?xml version="1.0"?><?xml version="1.0"?><a/>',
    ],
)
def test_what_is_not_well_formed_is_refused(data):
    assert why(data).startswith("not well-formed: ")


def test_an_element_is_known_by_its_namespace():
    root = parse(b'<p:a xmlns:p="urn:x" b="1"><p:c>text</p:c></p:a>')

    assert (root.tag, root.get("b")) == ("{urn:x}a", "1")
    assert [(child.tag, child.text) for child in root] == [("{urn:x}c", "text")]


def test_comments_and_instructions_leave_text_whole():
    root = parse(b"<a>o<!-- no -->p<?no no?>e<![CDATA[n]]></a>")

    assert (root.text, len(root)) == ("open", 0)


def test_the_first_prefix_of_a_namespace_is_kept():
    tree = parse_tree(b'<a xmlns="urn:x"><p:b xmlns:p="urn:x" xmlns:q="urn:x"/></a>')

    assert (tree.prefix("urn:x"), tree.prefix("urn:y")) == ("p", "")


# --- Encodings


@pytest.mark.parametrize(
    "data",
    [
        "<a>Grüße €</a>".encode(),
        b"\xef\xbb\xbf" + "<a>Grüße €</a>".encode(),
        b"<?xml version='1.0' encoding='utf-8'?>" + "<a>Grüße €</a>".encode(),
        b'<?xml version="1.0" encoding="UTF-8" standalone="no"?>'
        + "<a>Grüße €</a>".encode(),
        '<?xml version="1.0" encoding="iso-8859-15"?><a>Grüße €</a>'.encode(
            "iso-8859-15"
        ),
        '<?xml version="1.0" encoding="windows-1252"?><a>Grüße €</a>'.encode("cp1252"),
        '<?xml version="1.0" encoding="UTF-16"?><a>Grüße €</a>'.encode("utf-16"),
        "<a>Grüße €</a>".encode("utf-16-le"),
        "<a>Grüße €</a>".encode("utf-16-be"),
        # A name that the octets themselves contradict.
        '<?xml version="1.0" encoding="utf-16"?><a>Grüße €</a>'.encode(),
    ],
    ids=[
        "UTF-8 by default",
        "byte order mark",
        "declared",
        "declared, standalone",
        "ISO-8859-15",
        "Windows-1252",
        "UTF-16",
        "little end first",
        "big end first",
        "no UTF-16",
    ],
)
def test_the_declared_encoding_is_obeyed(data):
    assert parse(data).text == "Grüße €"


def test_an_umlaut_in_latin_1_is_read():
    data = b"<?xml version='1.0' encoding='ISO-8859-1' ?><a>M\xfcller</a>"

    assert parse(data).text == "Müller"


@pytest.mark.parametrize(
    "name",
    ["utf-7", "utf-32", "idna", "rot13", "zlib", "ibm037", "x", "unicode_escape"],
)
def test_an_encoding_that_could_hide_markup_is_refused(name):
    data = f'<?xml version="1.0" encoding="{name}"?><a/>'.encode()

    assert why(data) == f"the encoding {name} is not known here"


@pytest.mark.parametrize("name", ["iso-8859-12", "iso-8859-99", "latin0"])
def test_an_encoding_that_there_is_not_is_refused(name):
    assert name in why(f'<?xml version="1.0" encoding="{name}"?><a/>'.encode())


def test_what_is_not_in_the_declared_encoding_is_refused():
    data = b'<?xml version="1.0" encoding="windows-1252"?><a>\x81</a>'

    assert why(data) == "not in the encoding windows-1252"


# --- Document types


@pytest.mark.parametrize(
    "data",
    [
        EXTERNAL + b"<a/>",
        b'<?xml version="1.0"?>\n<!-- <!DOCTYPE --><?p <!DOCTYPE ?>\n'
        + EXTERNAL
        + b"<a/>",
        b"\xef\xbb\xbf" + EXTERNAL + b"<a/>",
        b'<!DOCTYPE a SYSTEM "http://192.0.2.1/a.dtd"><a/>',
        b"<!DOCTYPE a SYSTEM 'a>b.dtd' ><a/>",
        b'<!DOCTYPE a PUBLIC "p"><a/>',
        b"<!DOCTYPE a><a/>",
    ],
)
def test_an_external_document_type_is_passed_over(data):
    assert parse(data).tag == "a"


def test_a_document_type_in_text_is_text():
    root = parse(b"<a><!-- <!DOCTYPE x [] --><![CDATA[<!DOCTYPE x []>]]></a>")

    assert root.text == "<!DOCTYPE x []>"


BILLION_LAUGHS = (
    b'<!DOCTYPE a [<!ENTITY l0 "lol">'
    + b"".join(
        b'<!ENTITY l%d "%b">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10)
    )
    + b"]><a>&l9;</a>"
)


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE a []><a/>",
        b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        b'<!DOCTYPE a SYSTEM "a.dtd" [<!ENTITY e "x">]><a>&e;</a>',
        b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
        b'<!DOCTYPE a [<!ENTITY % e SYSTEM "http://192.0.2.1/"> %e;]><a/>',
        b'<!DOCTYPE a [<!ATTLIST a b CDATA "default">]><a/>',
        b'<!-- --><!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'.encode("utf-16"),
        BILLION_LAUGHS,
        b'<!DOCTYPE a PUBLIC "p" "s" <a/>',
        b"<!DOCTYPE",
    ],
)
def test_an_internal_subset_is_refused(data):
    assert why(data) == "a document type may not be declared within the document"


@pytest.mark.parametrize(
    "data",
    [
        EXTERNAL + EXTERNAL + b"<a/>",
        b"<a/>" + EXTERNAL,
        b'<a><!DOCTYPE a [<!ENTITY e "x">]>&e;</a>',
        b'x<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        EXTERNAL + b"<a>&e;</a>",
    ],
)
def test_a_document_type_elsewhere_is_no_document(data):
    why(data)


# --- Limits


def nested(depth: int) -> bytes:
    return b"<a>" * depth + b"</a>" * depth


@pytest.mark.parametrize(
    ("just", "over", "reason"),
    [
        (b"<a>%b</a>" % (b"x" * 993), b"<a>%b</a>" % (b"x" * 994), "over 1000 octets"),
        (nested(5), nested(6), "over 5 elements deep"),
        (
            b"<a>" + b"<b/>" * 19 + b"</a>",
            b"<a>" + b"<b/>" * 20 + b"</a>",
            "over 20 elements",
        ),
        (
            b'<a b="" c="" d="==="/>',
            b'<a b="" c="" d="" e=""/>',
            "over 3 attributes of an element",
        ),
        (
            b'<a xmlns="u:1"><b xmlns="u:2"/></a>',
            b'<a xmlns="u:1"><b xmlns="u:2"/><b xmlns="u:3"/></a>',
            "over 2 declarations of namespaces",
        ),
        (
            b'<a xmlns="u:%b"/>' % (b"x" * 18),
            b'<a xmlns="u:%b"/>' % (b"x" * 19),
            "a namespace of over 20 letters",
        ),
    ],
    ids=["octets", "depth", "elements", "attributes", "namespaces", "a namespace"],
)
def test_a_limit_is_kept(just, over, reason):
    limits = Limits(
        octets=1000, depth=5, elements=20, attributes=3, namespaces=2, namespace=20
    )

    parse(just, limits)
    assert why(over, limits) == reason


@pytest.mark.parametrize(
    "data",
    [
        nested(9000),
        b"<a>" + b"<b/>" * 16000 + b"</a>",
        b"<a>" * 20000,
        b"<!-- " * 10000,
        b"<?a " * 10000 + b"<!DOCTYPE",
        b" " * 60000 + b"<!DOCTYPE",
        b"<a " + b" ".join(b'a%d=""' % n for n in range(7000)) + b"/>",
        b"<a " + b" ".join(b'xmlns:a%d="u:%d"' % (n, n) for n in range(2800)) + b"/>",
        b"<" + b"a" * 65000,
        b"<a>" + b"&#x10ffff;" * 6000 + b"</a",
    ],
    ids=[
        "deep",
        "wide",
        "never closed",
        "comments",
        "instructions",
        "blanks",
        "attributes",
        "namespaces",
        "a long name",
        "references",
    ],
)
def test_much_of_one_thing_is_refused(data):
    why(data)


@given(
    st.one_of(
        st.binary(max_size=300),
        st.text("<>&;!?/[]-='\" \nabx:#DOCTYPEmlns\u00e4", max_size=200).map(
            str.encode
        ),
        st.lists(
            st.sampled_from(
                [
                    b"<a>",
                    b"</a>",
                    b"<a/>",
                    b"<!--",
                    b"-->",
                    b"<?p",
                    b"?>",
                    b"<![CDATA[",
                    b"]]>",
                    b"<!DOCTYPE a",
                    b"[",
                    b"]>",
                    b'<!ENTITY e "x">',
                    b"&e;",
                    b' SYSTEM "s"',
                    b">",
                    b" ",
                    b'<?xml version="1.0" encoding="latin1"?>',
                ]
            ),
            max_size=12,
        ).map(b"".join),
    )
)
def test_nothing_else_happens_than_a_tree_or_a_refusal(data):
    why_not = ""
    try:
        parse(data)
    except MalformedDocument as refusal:
        why_not = str(refusal)

    assert "\n" not in why_not
