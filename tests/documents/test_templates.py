from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents import pidf
from presproxy.documents.templates import Templates
from presproxy.documents.xml import STANDARD_LIMITS
from presproxy.errors import MalformedDocument

HEAD = (
    '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:alice@example.test"'
    ' xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
    ' xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" xmlns:e="urn:e">'
)


@attrs.define(eq=False)
class RecordingReader:
    """A reader of presence documents which keeps what it was asked to read."""

    contacts: pidf.Contacts = "published"
    asked: list[bytes] = attrs.field(factory=list)

    def read(self, data: bytes) -> pidf.PresenceDocument:
        self.asked.append(data)
        return pidf.read_plain(data, STANDARD_LIMITS, self.contacts)


def presence(content: str, head: str = HEAD) -> bytes:
    return f"{head}{content}</presence>".encode()


def is_read_once(one: bytes, other: bytes) -> bool:
    """Read one document twice, and say whether another was a matter of filling then."""
    reader = RecordingReader()
    documents = Templates(reader.read)

    documents.read(one)
    documents.read(one)
    before = len(reader.asked)
    assert documents.read(other) == RecordingReader().read(other)

    return len(reader.asked) == before


WHOLE = (
    '<tuple id="{0}"><status><basic>open</basic></status>'
    "<contact>sip:{1}@example.test</contact><note>{1}</note>"
    "<timestamp>{2}</timestamp></tuple>\n"
    '<dm:person id="{1}"><rpid:activities><rpid:note>{2}</rpid:note><rpid:busy/>'
    '</rpid:activities><rpid:class>{2}</rpid:class><e:x id="{1}">{1}</e:x></dm:person>'
)


def test_documents_with_other_words_are_read_once():
    one = WHOLE.format("a", "b", "2026-01-01T00:00:00Z")
    other = WHOLE.format("sip:1", "100 %b Grüße, \"'", "])} -- {0} \\1").replace(
        'id="100 %b Grüße, "', 'id="100 %b Grüße, '
    )

    assert is_read_once(presence(one), presence(other))


def test_a_template_is_made_of_what_comes_again():
    reader = RecordingReader()
    documents = Templates(reader.read)
    one, another = (presence(f"<note>{word}</note>") for word in ("a", "b"))

    documents.read(one)
    assert reader.asked == [one]

    documents.read(another)
    assert len(reader.asked) == 2
    assert another not in reader.asked


def test_whom_a_document_is_about_does_not_matter():
    assert is_read_once(presence(""), presence("", HEAD.replace("alice", "bob")))


def test_single_quotes_elsewhere_do_not_matter():
    one, other = (
        b"<?xml version='1.0'?>" + presence(f"<e:x id=\"{id}\" b=''/>")
        for id in ("a", "b")
    )

    assert is_read_once(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<basic>open</basic>", "<basic>closed</basic>"),
        ("<basic>what</basic>", "<basic>Open</basic>"),
        ("<basic>what</basic>", "<basic>?</basic>"),
        ("<basic>what</basic>", "<basic> open </basic>"),
        ("<basic>op&#101;n</basic>", "<basic>xy&#101;n</basic>"),
        ("<contact>sip:a@b</contact>", "<contact>tel:1</contact>"),
        ("<contact>mailto:a</contact>", "<contact>SIP:a</contact>"),
        ("<note>a</note>", "<note> a</note>"),
        ("<note>a</note>", "<note>a </note>"),
        ("<note>a</note>", "<note/>"),
        ("<note>a</note>", "<note></note>"),
        ("<note>a</note>", "<note>\n</note>"),
        ("<note>a</note>", "<note>a&amp;b</note>"),
        ("<note>a>b</note>", "<note>a]]&gt;b</note>"),
        ("<note><!--a--></note>", "<note><!--b--></note>"),
        ("<note>\uf8ff0\uf8ff</note>", "<note>\uf8ff1\uf8ff</note>"),
        ("<note>&#xf8ff;0&#xf8ff;</note>x", "<note>&#xf8ff;0&#xf8ff;</note>y"),
        ("<e:x id='a' b='c'/>", "<e:x id='c' b='a'/>"),
        ("<e:x b=' id=\"a\"'/>", "<e:x b=' id=\"b\"'/>"),
        ('<e:x e:id="a"/>', '<e:x e:id="b"/>'),
    ],
)
def test_what_is_no_word_is_read_again(one, other):
    assert not is_read_once(presence(one), presence(other))


@pytest.mark.parametrize(
    "content",
    ["<note>a]]>b</note>", "<note>a\ufffeb</note>", "<note>a\0b</note>", "<note>\1"],
)
def test_what_is_no_character_is_refused_after_words_were_accepted(content):
    documents = Templates(RecordingReader().read)
    for words in ("a>b", "a>b", "ab", "ab"):
        documents.read(presence(f"<note>{words}</note>"))

    with pytest.raises(MalformedDocument):
        documents.read(presence(content))


def test_what_is_not_in_utf_8_is_refused_after_words_were_accepted():
    documents = Templates(RecordingReader().read)
    for word in ("a", "b"):
        documents.read(presence(f"<note>{word}</note>"))

    with pytest.raises(MalformedDocument):
        documents.read(presence("<note>a</note>").replace(b">a<", b">\xff<"))


def test_a_refusal_is_about_the_document_itself():
    documents = Templates(RecordingReader().read)

    for name in ("a", "b", "a", "b"):
        with pytest.raises(MalformedDocument, match=f"the root is {name},"):
            documents.read(f"<{name}>text</{name}>".encode())


def test_long_documents_are_not_remembered():
    content = "<note>{}</note>" * 500

    assert not is_read_once(
        presence(content.replace("{}", "a")), presence(content.replace("{}", "b"))
    )


# --- Any document

PARTS = [
    *(
        "open",
        "Closed",
        "?",
        "op",
        "en",
        "sip:",
        "SIP:",
        "tel:",
        "a",
        "b c",
        "ü",
        "%b",
        "1",
    ),
    *(" ", "\n", "\u00a0", "\x7f", ">", '"', "'", "]]", "--", ";", "&amp;", "&#101;"),
    *(
        "\ufffe",
        "\uf8ff",
        "&#xf8ff;",
        "\uf8ff0\uf8ff",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
    ),
    *(
        "<e:x/>",
        "<?p ?>",
        '<e:x id="',
        "<e:x b='",
        '"/>',
        "'/>",
        ' id="',
        "\x00",
        "\x01",
    ),
]
TEXT = st.lists(st.sampled_from(PARTS), max_size=3).map("".join)
FRAMES = st.lists(
    st.sampled_from(
        [
            '<tuple id="t"><status><basic>{}</basic></status></tuple>',
            "<tuple id='t'><contact>{}</contact></tuple>",
            '<tuple id="{}"/>',
            '<tuple xmlns:f=\' id="{}"\' id="t"/>',
            "<note>{}</note>",
            "<note>{}<e:x>{}</e:x>{}</note>",
            '<dm:person id="{}"><rpid:activities><rpid:note>{}</rpid:note>'
            "</rpid:activities><rpid:class>{}</rpid:class></dm:person>",
            '<dm:device id="d"><dm:deviceID>{}</dm:deviceID></dm:device>',
            '<e:x b="{}">{}</e:x>',
            "<!-- {} -->",
        ]
    ),
    max_size=3,
).map("".join)


@given(
    FRAMES,
    st.lists(st.lists(TEXT, min_size=12, max_size=12), min_size=2, max_size=4),
    st.sampled_from(["address", "published", "none"]),
)
def test_nothing_is_read_in_another_way(frame, fillings, contacts):
    reader = RecordingReader(contacts)
    documents = Templates(reader.read)

    for words in [fillings[0], *fillings]:
        data = presence(frame.format(*words))
        assert outcome(documents.read, data) == outcome(reader.read, data)


def outcome(read, data: bytes) -> object:
    try:
        return read(data)
    except MalformedDocument as refusal:
        return str(refusal)
