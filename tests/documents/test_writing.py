from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from presproxy.documents.writing import attributes, element, flag, text


def test_an_element_is_written_with_its_attributes_in_order():
    written = element("a", ["b", "<c/>"], ("z", 1), ("y", '"<&>'))

    assert written == '<a z="1" y="&quot;&lt;&amp;&gt;">b<c/></a>'


def test_an_empty_element_closes_itself():
    assert element("a", ()) == "<a/>"


def test_a_flag_is_a_word():
    assert attributes(("a", flag(True)), ("b", flag(False))) == ' a="true" b="false"'


def may_be_in_xml(character: str) -> bool:
    """Say what XML 1.0 §2.2 says of a character."""
    return (
        character in "\t\n\r"
        or " " <= character <= "\ud7ff"
        or "\ue000" <= character <= "\ufffd"
        or character >= "\U00010000"
    )


@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_whatever_text_there_is_can_be_read_but_for_what_cannot_be_in_xml(value):
    written = element("a", [text(value)], ("b", value))

    root = etree.fromstring(written.encode())

    said = "".join(each if may_be_in_xml(each) else "\ufffd" for each in value)
    assert (root.text or "", root.get("b")) == (said, said)
