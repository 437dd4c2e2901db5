from __future__ import annotations

import pytest

from presproxy.documents.reading import Node, read_root
from presproxy.documents.xml import Limits, parse
from presproxy.errors import MalformedDocument


def node(document: str) -> Node:
    return Node(parse(document.encode()), "root")


def test_an_attribute_is_given_without_the_space_around_it():
    root = node('<r a=" x&#10;" b=" "/>')

    assert (root.text("a"), root.text("b"), root.text("c", "d")) == ("x", "", "d")


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("007", 7), (" 5 ", 5), ("4294967295", 2**32 - 1)],
)
def test_a_number_is_read(text, number):
    assert node(f'<r a="{text}"/>').number("a") == number


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "0x1", "1_0", "\u00b2", "1 2"])
def test_what_is_no_number_is_none(text):
    with pytest.raises(MalformedDocument, match=r"^root: "):
        node(f'<r a="{text}"/>').number("a")


def test_a_number_that_is_not_there_may_have_a_default():
    assert node('<r b=""/>').number("a", 3) == node('<r a=""/>').number("a", 3) == 3


@pytest.mark.parametrize(
    ("text", "flag"),
    [("true", True), ("1", True), ("False", False), ("0", False), ("", True)],
)
def test_a_flag_is_read(text, flag):
    assert node(f'<r a="{text}"/>').flag("a", default=True) is flag


def test_elements_of_this_namespace_are_given_with_their_places():
    root = node('<r xmlns="u:r"><a/><b/><o:a xmlns:o="u:o"/><c/><a><d/></a></r>')

    found = list(root.each("a", "b", most=2))

    assert [each.where for each in found] == ["a 1", "b 1", "a 2"]
    assert next(found[2].each("d", most=1)).where == "a 2, d 1"


def test_too_many_elements_are_refused_before_the_rest_is_looked_at():
    counted = node("<r><a/><a/><a/></r>").each("a", most=2)

    assert next(counted).where == "a 1"
    with pytest.raises(MalformedDocument, match=r"^root: over 2 elements a$"):
        list(counted)


def test_one_child_is_one():
    root = node('<r xmlns="u:r"><a x="1">t<b>u</b></a><c/><c/></r>')

    assert root.child_text("a", "x") == "1"
    assert root.child_text("d", "x") == ""
    assert root.child("d") is None
    assert root.child("a").content == "tu"
    with pytest.raises(MalformedDocument, match=r"^root: more than one c$"):
        root.child("c")


def test_a_text_is_bounded():
    assert len(node(f'<r a="{"x" * 1024}"/>').text("a")) == 1024
    with pytest.raises(MalformedDocument, match=r"^root: a has over 1024 letters$"):
        node(f'<r a="{"x" * 1025}"/>').text("a")


def test_the_root_is_told_by_name_and_namespace():
    assert read_root(b'<r xmlns="u:r"/>', "r", "u:r", Limits()).where == "r"
    with pytest.raises(
        MalformedDocument, match=r"^the root is '\{u:x\}r', not r of u:r$"
    ):
        read_root(b'<r xmlns="u:x"/>', "r", "u:r", Limits())
