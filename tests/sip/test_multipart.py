from __future__ import annotations

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.errors import MalformedDocument, MalformedField
from presproxy.sip.multipart import Part, read_multipart, related_type, write_related

LIST = Part("application/rlmi+xml", b"<list/>", "resourceList")
BOB = Part(
    "application/msrtc-event-categories+xml", b"<categories/>", "bob@example.test"
)
TYPE = related_type("50UBfW7LSC", "resourceList", LIST.content_type)


def why(data: bytes, content_type: str = "multipart/related;boundary=b") -> str:
    with pytest.raises(MalformedDocument) as caught:
        read_multipart(data, content_type)
    return str(caught.value)


def test_a_body_is_written_in_full():
    assert write_related([LIST, BOB], "50UBfW7LSC") == (
        b"--50UBfW7LSC\r\n"
        b"Content-Transfer-Encoding: binary\r\n"
        b"Content-ID: resourceList\r\n"
        b"Content-Type: application/rlmi+xml\r\n"
        b"\r\n"
        b"<list/>\r\n"
        b"\r\n"
        b"--50UBfW7LSC\r\n"
        b"Content-Transfer-Encoding: binary\r\n"
        b"Content-ID: bob@example.test\r\n"
        b"Content-Type: application/msrtc-event-categories+xml\r\n"
        b"\r\n"
        b"<categories/>\r\n"
        b"\r\n"
        b"--50UBfW7LSC--\r\n"
    )


def test_its_type_names_the_root():
    assert TYPE == (
        'multipart/related;type="application/rlmi+xml";start=resourceList;'
        "boundary=50UBfW7LSC"
    )


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\0"])
def test_no_part_writes_lines_of_its_own(value):
    with pytest.raises(MalformedField):
        write_related([Part("text/plain", b"", value)], "b")


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (b"--b\r\n\r\nx\r\n--b--", [Part("text/plain", b"x")]),
        (b"--b \t\r\n\r\nx\r\n--b--\r\nepilogue", [Part("text/plain", b"x")]),
        (b"preamble\r\n--b\r\n\r\nx\r\n--b--", [Part("text/plain", b"x")]),
        (
            b"--b\r\ncontent-type:a/b\r\nContent-Id: <c>\r\n\r\nx\r\n\r\n--b--",
            [Part("a/b", b"x\r\n", "c")],
        ),
        (
            b"--b\r\n\r\n--a\n--b\r\r\n--b\r\n\r\n\r\n--b--",
            [Part("text/plain", b"--a\n--b\r"), Part("text/plain", b"")],
        ),
        (b"--b--", []),
    ],
    ids=[
        "no header",
        "white space and an epilogue",
        "a preamble",
        "a header",
        "what is no boundary, and an empty part",
        "no part",
    ],
)
def test_a_body_is_cut_where_its_boundaries_are(data, parts):
    assert read_multipart(data, "multipart/mixed;boundary=b") == parts


def test_a_quoted_boundary_is_read():
    body = b"--b c\r\n\r\nx\r\n--b c--"

    assert read_multipart(body, 'Multipart/Related; boundary="b c"')[0].data == b"x"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "after part 0: no boundary ends the body"),
        (b"--b\r\n\r\nx", "after part 1: no boundary ends the body"),
        (b"--bc\r\n\r\nx\r\n--b--", "part 1: its boundary does not end a line"),
        (b"--b\r\nContent-Type: a/b\r\n--b--", "part 1: no empty line ends its header"),
        (
            b"--b\r\nX: " + b"x" * 2050 + b"\r\n\r\n\r\n--b--",
            "part 1: no empty line ends its header",
        ),
        (b"--b\r\nno field\r\n\r\n\r\n--b--", "part 1: 'no field' is no field"),
        (b"--b\r\nX: \xff\r\n\r\n\r\n--b--", "part 1: its header is not in UTF-8"),
        (
            b"--b\r\n\r\nx\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n\r\n--b--",
            "part 2: 'base64' is not decoded here",
        ),
    ],
)
def test_what_is_wrong_with_a_body_is_said(data, reason):
    assert why(data) == reason


@pytest.mark.parametrize(
    ("content_type", "reason"),
    [
        ("nonsense", "Content-Type: "),
        ("text/plain;boundary=b", "text/plain is not multipart"),
        ("multipart/related", "the boundary has 0 letters, not 1 to 70"),
        ('multipart/related;boundary=""', "the boundary has 0 letters, not 1 to 70"),
        (
            f"multipart/related;boundary={'b' * 71}",
            "the boundary has 71 letters, not 1 to 70",
        ),
    ],
)
def test_what_is_wrong_with_a_type_is_said(content_type, reason):
    assert why(b"--b--", content_type).startswith(reason)


def test_parts_are_bounded():
    body = b"--b\r\n\r\nx\r\n" * 3 + b"--b--"

    assert len(read_multipart(body, "multipart/mixed;boundary=b", most=3)) == 3
    with pytest.raises(MalformedDocument, match="over 2 parts"):
        read_multipart(body, "multipart/mixed;boundary=b", most=2)


def test_another_reader_reads_the_same():
    written = b"Content-Type: %b\r\n\r\n%b" % (
        TYPE.encode(),
        write_related([LIST, BOB], "50UBfW7LSC"),
    )

    message = email.message_from_bytes(written, policy=email.policy.SMTP)

    assert [
        (part.get_content_type(), part["Content-ID"], part.get_payload(decode=True))
        for part in message.iter_parts()
    ] == [
        (part.content_type, part.content_id, part.data + b"\r\n")
        for part in (LIST, BOB)
    ]


PARTS = st.builds(
    Part,
    st.sampled_from(["text/plain", "application/rlmi+xml"]),
    st.binary(max_size=30)
    | st.sampled_from([b"\r\n", b"\r\n\r\n", b"--", b"\r\n--bound"]),
    st.sampled_from(["", "a@b", "c"]),
)


@given(st.lists(PARTS, max_size=4))
def test_parts_are_read_as_they_were_written_and_end_with_an_empty_line(parts):
    body = write_related(parts, "boundary")

    assert read_multipart(body, related_type("boundary", "a", "text/plain")) == [
        Part(part.content_type, part.data + b"\r\n", part.content_id) for part in parts
    ]


BYTES = st.one_of(
    st.binary(max_size=100),
    st.lists(
        st.sampled_from(
            [b"--b", b"--", b"\r\n", b"\r", b"\n", b"x", b"Content-ID: <", b":", b" "]
        ),
        max_size=30,
    ).map(b"".join),
)


@given(BYTES, st.sampled_from(["multipart/mixed;boundary=b"]) | st.text(max_size=40))
def test_nothing_else_happens_than_parts_or_a_refusal(data, content_type):
    reason = ""
    try:
        read_multipart(data, content_type)
    except MalformedDocument as refusal:
        reason = str(refusal)

    assert "\n" not in reason
