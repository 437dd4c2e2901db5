from __future__ import annotations

import attrs
import pytest

from presproxy.documents.dialoginfo import (
    Dialog,
    DialogInfo,
    Party,
    halves,
    read,
    write,
)
from presproxy.errors import MalformedDocument

ALICE = "sip:alice@example.test"

RINGING = b"""<?xml version="1.0" encoding="UTF-8"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="4" state="full" \
entity="sip:alice@example.test">
  <dialog id="d7" call-id="c7@example.test" local-tag="lt7" remote-tag="rt7" \
direction="recipient">
    <state event="remote-bye" code="180">early</state>
    <duration>7</duration>
    <local>
      <identity display="Alice &amp; Al">sip:alice@example.test</identity>
      <target uri="sip:alice@192.0.2.4"><param pname="+sip.rendering" pval="no"/></target>
    </local>
    <remote>
      <identity>sip:carol@example.test</identity>
      <target uri="sip:**102@example.test"/>
      <session-description type="application/sdp">v=0</session-description>
    </remote>
  </dialog>
</dialog-info>
"""

DIALOG = Dialog(
    id="d7",
    state="early",
    call_id="c7@example.test",
    local_tag="lt7",
    remote_tag="rt7",
    direction="recipient",
    event="remote-bye",
    code="180",
    local=Party(
        "sip:alice@example.test",
        "Alice & Al",
        "sip:alice@192.0.2.4",
        (("+sip.rendering", "no"),),
    ),
    remote=Party("sip:carol@example.test", target="sip:**102@example.test"),
)


def document(dialogs: str = "", attributes: str = f'version="0" entity="{ALICE}"'):
    return (
        f'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" {attributes}>{dialogs}'
        "</dialog-info>"
    ).encode()


def test_a_document_is_read_whole():
    assert read(RINGING) == DialogInfo(ALICE, (DIALOG,), 4, is_full=True)


def test_what_is_written_reads_back_the_same():
    whole = DialogInfo(ALICE, (DIALOG, Dialog("e<&>", "terminated")), 7)

    assert read(write(whole)) == whole


def test_nothing_is_written_that_is_not_known():
    _, after = halves(ALICE, [Dialog("idle", "terminated")])

    assert after.decode() == (
        f'" state="full" entity="{ALICE}">'
        '<dialog id="idle"><state>terminated</state></dialog></dialog-info>\n'
    )


def test_a_parameter_is_read_by_either_name_and_written_by_the_one_asked_for():
    both = document(
        '<dialog id="d"><state>confirmed</state><local><target uri="sip:a@example.test">'
        '<param pname="x" pvalue="1"/><param pname="y" pval="2"/></target></local></dialog>'
    )

    dialogs = read(both).dialogs

    assert dialogs[0].local.parameters == (("x", "1"), ("y", "2"))
    assert b'<param pname="x" pvalue="1"/>' in halves(ALICE, dialogs, "pvalue")[1]


def test_numbers_padded_with_blanks_are_read():
    assert read(document(attributes=f'version="3     " entity="{ALICE}"')).version == 3


def test_the_first_identity_by_sip_is_taken():
    two = document(
        '<dialog id="d"><state>early</state><remote>'
        "<identity>tel:+49;ext=1</identity><identity>sip:b@example.test</identity>"
        "</remote></dialog>"
    )

    assert read(two).dialogs[0].remote.identity == "sip:b@example.test"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"<dialog-info/>", "the root is 'dialog-info', not dialog-info of urn:"),
        (document(attributes='version="0"'), "dialog-info: no entity"),
        (document('<dialog id="a"/>'), "dialog 1: no state"),
        (document("<dialog><state>early</state></dialog>"), "dialog 1: no id"),
        (
            document('<dialog id="a"><state>ringing</state></dialog>'),
            "dialog 1, state: 'ringing' is no state of a dialog",
        ),
        (
            document('<dialog id="a" direction="in"><state>early</state></dialog>'),
            "dialog 1: direction is 'in'",
        ),
        (
            document('<dialog id="a"><state>early</state></dialog>' * 2),
            "two dialogs have the same id",
        ),
        (
            document(attributes=f'version="0" state="some" entity="{ALICE}"'),
            "state is 'some', neither full nor partial",
        ),
        (document("<dialog/>" * 101), "no state"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(data, why):
    with pytest.raises(MalformedDocument, match=why):
        read(data)


# --- One document after another

ONE = attrs.evolve(DIALOG, id="one", call_id="1")
TWO = attrs.evolve(DIALOG, id="two", call_id="2")


def info(*dialogs: Dialog, is_full: bool = True) -> DialogInfo:
    return DialogInfo(ALICE, dialogs, 0, is_full)


def ended(dialog: Dialog) -> Dialog:
    return attrs.evolve(dialog, state="terminated")


def test_a_partial_document_changes_only_what_it_names():
    now = info(ended(ONE), is_full=False).after(info(ONE, TWO))

    assert set(now.dialogs) == {ended(ONE), TWO}
    assert now.is_full


def test_a_full_document_takes_the_place_of_all():
    assert info(TWO).after(info(ONE)).dialogs == (TWO,)


def test_a_call_that_has_ended_does_not_ring_again():
    assert info(ONE).after(info(ended(ONE))).dialogs == (ended(ONE),)


def test_an_id_that_names_no_call_may_ring_again():
    """Asterisk gives each lamp one id for good, and says nothing of calls."""
    lamp = Dialog("102", "early")

    assert info(lamp).after(info(ended(lamp))).dialogs == (lamp,)


def test_calls_that_have_ended_are_not_kept_without_end():
    state = info()
    for number in range(300):
        call = attrs.evolve(DIALOG, id=f"d{number}", call_id=f"c{number}")
        state = info(ended(call), is_full=False).after(state)
    state = info(ONE, is_full=False).after(state)

    assert len(state.dialogs) == 100
    assert ONE in state.dialogs
