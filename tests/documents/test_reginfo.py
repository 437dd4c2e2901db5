from __future__ import annotations

import pytest

from presproxy.documents.reginfo import (
    RegInfo,
    RegisteredContact,
    halves,
    name_of,
    read,
)
from presproxy.errors import MalformedDocument

ALICE = "sip:alice@example.test"
CONTACT = RegisteredContact(
    "c1", "sip:alice@192.0.2.4;gr=<&>", "active", "registered", "0.5", "call", "7"
)


def test_what_is_written_reads_back_the_same():
    before, after = halves(ALICE, "r1", "active", [CONTACT])

    assert read(b"%b%d%b" % (before, 3, after)) == (
        RegInfo(ALICE, "r1", "active", (CONTACT,), 3),
    )


def test_an_id_is_a_name_and_the_same_each_time():
    assert name_of(ALICE) == "rsip.3Aalice.40example.2Etest"
    assert name_of("sip:a@h") != name_of("sip:a.40h")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"<reginfo/>", "the root is"),
        (
            b'<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0"><registration '
            b'aor="a" id="b" state="active"><contact id="c" state="active" '
            b'event="registered"/></registration></reginfo>',
            "contact 1: no uri",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(data, why):
    with pytest.raises(MalformedDocument, match=why):
        read(data)
