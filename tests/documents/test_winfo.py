from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.winfo import (
    NAMESPACE,
    Watcher,
    WatcherInformation,
    WatcherList,
    read,
)
from presproxy.errors import MalformedDocument

BOB = Watcher("w1", "sip:bob@example.test", "active", "approved")


def document(content: str = "", start: str = 'version="0" state="full"') -> bytes:
    return f'<watcherinfo xmlns="{NAMESPACE}" {start}>{content}</watcherinfo>'.encode()


def a_list(content: str) -> bytes:
    return document(
        '<watcher-list resource="sip:alice@example.test" package="presence">'
        f"{content}</watcher-list>"
    )


def test_a_document_is_written_in_full():
    watcher = Watcher(
        "w2", "sip:eve@example.test", "pending", "subscribe", 'Eve "E" <&>', 600, 5
    )
    information = WatcherInformation(
        3, True, [WatcherList("sip:alice@example.test", "presence", [BOB, watcher])]
    )

    assert information.write().decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<watcherinfo xmlns="{NAMESPACE}" version="3" state="full">'
        '<watcher-list resource="sip:alice@example.test" package="presence">'
        '<watcher id="w1" status="active" event="approved">sip:bob@example.test</watcher>'
        '<watcher id="w2" status="pending" event="subscribe"'
        ' display-name="Eve &quot;E&quot; &lt;&amp;&gt;" expiration="600"'
        ' duration-subscribed="5">sip:eve@example.test</watcher>'
        "</watcher-list></watcherinfo>\n"
    )


@pytest.mark.parametrize("version", ["4", " 4 ", "4           "])
def test_a_padded_version_is_read(version):
    assert read(document(start=f'version="{version}" state="full"')).version == 4


def test_what_is_not_known_is_passed_over():
    body = document('<x xmlns="urn:x"/><!-- -->\n', 'version="1" state="partial" x="y"')

    assert read(body) == WatcherInformation(1, False)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<watcherinfo/>", "the root is watcherinfo, not watcherinfo of urn:"),
        (document(start='state="full"'), "watcherinfo has no version, or no state"),
        (document(start='version="0"'), "watcherinfo has no version, or no state"),
        (
            document(start='version="x" state="full"'),
            "version is 'x', which is no number",
        ),
        (
            document(start='version="-1" state="full"'),
            "version is '-1', which is no number",
        ),
        (document("<watcher-list package='p'/>"), "watcher-list has no resource"),
        (document("<watcher-list resource='r'/>"), "watcher-list has no package"),
        (a_list("<watcher id='i' event='e'/>"), "watcher has no status"),
        (a_list("<watcher id='i' event='e' status='x'/>"), "a watcher's status is 'x'"),
        (a_list("<watcher event='e' status='active'/>"), "watcher has no id"),
        (a_list("<watcher id='i' status='active'/>"), "watcher has no event"),
    ],
)
def test_what_is_missing_is_said(data, reason):
    with pytest.raises(MalformedDocument) as caught:
        read(data)

    assert str(caught.value).startswith(reason)


TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=8
).filter(lambda text: "\ufffe" not in text and "\uffff" not in text)
NUMBERS = st.none() | st.integers(1, 2**63)
WATCHERS = st.builds(
    Watcher,
    TEXT,
    TEXT,
    st.sampled_from(["pending", "active", "waiting", "terminated"]),
    TEXT,
    TEXT | st.just(""),
    NUMBERS,
    NUMBERS,
)
LISTS = st.builds(WatcherList, TEXT, TEXT, st.lists(WATCHERS, max_size=3).map(tuple))


@given(
    st.builds(
        WatcherInformation,
        st.integers(0, 2**32),
        st.booleans(),
        st.lists(LISTS, max_size=2).map(tuple),
    )
)
def test_what_was_written_is_read_the_same(information):
    assert read(information.write()) == information
