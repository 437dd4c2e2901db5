from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.rlmi import (
    NAMESPACE,
    Rlmi,
    RlmiInstance,
    RlmiResource,
    read_rlmi,
    write_rlmi,
)
from presproxy.errors import MalformedDocument

ALICE = "sip:alice@example.test"
WHOLE = f'uri="{ALICE}" version="1" fullState="false"'


def document(content: str, start: str = WHOLE) -> bytes:
    return f'<list xmlns="{NAMESPACE}" {start}>{content}</list>'.encode()


def test_a_document_is_written_in_full():
    resources = [
        RlmiResource(
            "sip:bob@example.test",
            [RlmiInstance("0", "active", cid="bob@example.test")],
        ),
        RlmiResource(
            'sip:"@example.test',
            [RlmiInstance("0", "terminated", reason="noresource")],
            "A & B",
        ),
        RlmiResource("sip:c@d", [RlmiInstance("0", "resubscribe", pool="pool.test")]),
        RlmiResource("sip:e@f"),
    ]

    assert write_rlmi(ALICE, 1, False, resources) == document(
        '<resource uri="sip:bob@example.test">'
        '<instance id="0" state="active" cid="bob@example.test"/></resource>'
        '<resource uri="sip:&quot;@example.test"><name>A &amp; B</name>'
        '<instance id="0" state="terminated" reason="noresource"/></resource>'
        '<resource uri="sip:c@d">'
        '<instance id="0" state="resubscribe" poolFqdn="pool.test"/></resource>'
        '<resource uri="sip:e@f"></resource>'
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<list/>", f"the root is 'list', not list of {NAMESPACE}"),
        (document("", 'version="1" fullState="true"'), "list: no uri"),
        (document("", 'uri="a" fullState="true"'), "list: no version"),
        (document("", 'uri="a" version="1"'), "list: no fullState"),
        (
            document("", 'uri="a" version="x" fullState="true"'),
            "list: version is 'x', which is no number",
        ),
        (
            document("", 'uri="a" version="1" fullState="x"'),
            "list: fullState is 'x', not true or false",
        ),
        (document("<resource/>"), "resource 1: no uri"),
        (
            document('<resource uri="a"><instance id="0"/></resource>'),
            "resource 1, instance 1: no state",
        ),
        (
            document('<resource uri="a"><instance state="active"/></resource>'),
            "resource 1, instance 1: no id",
        ),
        (
            document('<resource uri="a"><name/><name/></resource>'),
            "resource 1: more than one name",
        ),
        (
            document('<resource uri="a"/>' * 5001),
            "list: over 5000 elements resource",
        ),
    ],
)
def test_what_is_wrong_is_said(data, reason):
    with pytest.raises(MalformedDocument) as caught:
        read_rlmi(data)

    assert str(caught.value) == reason


TEXT = st.text("ab<&>\"'\u00e4", max_size=6)
WORDS = TEXT.filter(bool)
RESOURCES = st.builds(
    RlmiResource,
    WORDS,
    st.lists(st.builds(RlmiInstance, WORDS, WORDS, TEXT, TEXT, TEXT), max_size=2).map(
        tuple
    ),
    TEXT,
)


@given(WORDS, st.integers(0, 2**32 - 1), st.booleans(), st.lists(RESOURCES, max_size=3))
def test_what_was_written_is_read_the_same(uri, version, is_full, resources):
    written = write_rlmi(uri, version, is_full, resources)

    assert read_rlmi(written) == Rlmi(uri, version, is_full, tuple(resources))
