from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.documents.lync.soap import (
    ENVELOPE,
    METHODS,
    AddGroup,
    DeleteContact,
    DeleteGroup,
    DirectoryRow,
    DirectorySearch,
    GetPresence,
    ModifyGroup,
    SetAce,
    SetContact,
    SetPresence,
    read_soap,
    write_directory_rows,
    write_group_added,
    write_soap_fault,
)
from presproxy.documents.lync.soapwriting import write_soap


def envelope(body: str) -> bytes:
    return (
        f'<s:Envelope xmlns:s="{ENVELOPE}" xmlns:m="{METHODS}"><s:Body>{body}</s:Body>'
        "</s:Envelope>"
    ).encode()


# --- Calls


@pytest.mark.parametrize(
    ("body", "call"),
    [
        (
            "<m:setContact><m:displayName>Bob B</m:displayName><m:groups>2 3</m:groups>"
            "<m:subscribed>true</m:subscribed><m:URI>sip:bob@example.test</m:URI>"
            "<m:externalURI/><m:deltaNum>7</m:deltaNum></m:setContact>",
            SetContact("sip:bob@example.test", "Bob B", (2, 3), True, "", 7),
        ),
        (
            "<m:setContact><m:URI> sip:b@c </m:URI><m:subscribed>0</m:subscribed>"
            "</m:setContact>",
            SetContact("sip:b@c", "", (), False),
        ),
        (
            "<m:deleteContact><m:URI>sip:b@c</m:URI><m:deltaNum>8</m:deltaNum>"
            "</m:deleteContact>",
            DeleteContact("sip:b@c", 8),
        ),
        (
            "<m:addGroup><m:name>~</m:name><m:externalURI/></m:addGroup>",
            AddGroup("~"),
        ),
        (
            "<m:modifyGroup><m:groupID>2</m:groupID><m:name>A &amp; B</m:name>"
            "<m:externalURI>u</m:externalURI><m:deltaNum>1</m:deltaNum></m:modifyGroup>",
            ModifyGroup(2, "A & B", "u", 1),
        ),
        (
            "<m:deleteGroup><m:groupID>2</m:groupID></m:deleteGroup>",
            DeleteGroup(2),
        ),
        (
            '<m:directorySearch><m:filter m:href="#searchArray"/>'
            "<m:maxResults>5</m:maxResults></m:directorySearch>"
            '<m:Array m:id="searchArray"><m:row m:attrib="givenName" m:value="Bo"/>'
            '<m:row m:attrib="mail" m:value=""/></m:Array>',
            DirectorySearch((("givenName", "Bo"), ("mail", "")), 5),
        ),
        (
            '<m:setPresence><m:presentity m:uri="sip:alice@example.test">'
            '<m:availability m:aggregate="300"/><m:activity m:aggregate="600"/>'
            '<deviceName xmlns="u:d" name="HOST"/><userInfo xmlns="u:d">'
            "<note>away soon</note></userInfo></m:presentity></m:setPresence>",
            SetPresence("sip:alice@example.test", 300, 600, "away soon", "HOST"),
        ),
        (
            '<m:setPresence><m:presentity uri="sip:a@b"><m:availability aggregate="0"/>'
            '<m:activity aggregate="0" note="n"/></m:presentity></m:setPresence>',
            SetPresence("sip:a@b", 0, 0, "n"),
        ),
        (
            '<m:getPresence><m:presentity m:uri="sip:a@b"/></m:getPresence>',
            GetPresence("sip:a@b"),
        ),
        (
            "<m:getPresence><m:presentity>sip:a@b</m:presentity></m:getPresence>",
            GetPresence("sip:a@b"),
        ),
        (
            "<m:setACE><m:type>USER</m:type><m:mask>sip:b@c</m:mask><m:rights>BD</m:rights>"
            "<m:deltaNum>3</m:deltaNum></m:setACE>",
            SetAce("USER", "sip:b@c", "BD", 3),
        ),
        ("<m:setACE><m:type>all</m:type></m:setACE>", SetAce("ALL", "", "AA")),
    ],
)
def test_a_call_is_read(body, call):
    assert read_soap(envelope(body)) == call


def test_namespaces_do_not_matter():
    body = b"<Envelope><Body><x/><deleteGroup><groupID>2</groupID></deleteGroup></Body></Envelope>"

    assert read_soap(body) == DeleteGroup(2)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<x/>", "the root is 'x', not a SOAP envelope"),
        (b"<Envelope/>", "Envelope: no Body"),
        (envelope("<m:dance/>"), "Body: 0 calls instead of one; known are setContact,"),
        (
            envelope("<m:addGroup/><m:deleteGroup/>"),
            "Body: 2 calls instead of one",
        ),
        (envelope("<m:setContact/>"), "setContact: no URI"),
        (
            envelope(
                "<m:setContact><m:URI>a</m:URI><m:groups>x</m:groups></m:setContact>"
            ),
            "setContact: groups is 'x', which is no number",
        ),
        (
            envelope(
                "<m:setContact><m:URI>a</m:URI><m:subscribed>x</m:subscribed></m:setContact>"
            ),
            "setContact: subscribed is 'x', not true or false",
        ),
        (
            envelope(
                "<m:deleteContact><m:URI>a</m:URI><m:deltaNum>-1</m:deltaNum></m:deleteContact>"
            ),
            "deleteContact: deltaNum is '-1', which is no number",
        ),
        (
            envelope(f"<m:addGroup><m:name>{'n' * 1025}</m:name></m:addGroup>"),
            "addGroup: name has over 1024 letters",
        ),
        (envelope("<m:addGroup/>"), "addGroup: no name"),
        (envelope("<m:modifyGroup/>"), "modifyGroup: no groupID"),
        (envelope("<m:deleteGroup/>"), "deleteGroup: no groupID"),
        (envelope("<m:directorySearch/>"), "Body: no Array"),
        (
            envelope(f"<m:directorySearch/><m:Array>{'<m:row/>' * 51}</m:Array>"),
            "Array: over 50 rows",
        ),
        (envelope("<m:setPresence/>"), "setPresence: no presentity"),
        (
            envelope("<m:setPresence><m:presentity/></m:setPresence>"),
            "presentity: no uri",
        ),
        (
            envelope('<m:setPresence><m:presentity uri="a"/></m:setPresence>'),
            "presentity: no availability with aggregate",
        ),
        (envelope("<m:getPresence/>"), "getPresence: no presentity"),
        (
            envelope("<m:setACE><m:type>X</m:type></m:setACE>"),
            "setACE: type is 'X', not ALL, DOMAIN or USER",
        ),
        (envelope("<m:setACE><m:type>USER</m:type></m:setACE>"), "setACE: no mask"),
        (
            envelope(
                "<m:setACE><m:type>ALL</m:type><m:rights>AX</m:rights></m:setACE>"
            ),
            "setACE: rights are 'AX', not like AA or BD",
        ),
    ],
)
def test_what_is_wrong_is_said(why, data, reason):
    assert why(read_soap, data).startswith(reason)


TEXT = st.text("ab<&>\"' \u00e4", max_size=6).map(str.strip)
WORDS = TEXT.filter(bool)
NUMBERS = st.integers(0, 2**32 - 1)
DELTAS = st.none() | NUMBERS
CALLS = st.one_of(
    st.builds(
        SetContact,
        WORDS,
        TEXT,
        st.lists(NUMBERS, max_size=3, unique=True).map(tuple),
        st.booleans(),
        TEXT,
        DELTAS,
    ),
    st.builds(DeleteContact, WORDS, DELTAS),
    st.builds(AddGroup, WORDS, TEXT, DELTAS),
    st.builds(ModifyGroup, NUMBERS, WORDS, TEXT, DELTAS),
    st.builds(DeleteGroup, NUMBERS, DELTAS),
    st.builds(
        DirectorySearch, st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple), NUMBERS
    ),
    st.builds(SetPresence, WORDS, NUMBERS, NUMBERS, TEXT, TEXT),
    st.builds(GetPresence, WORDS),
    st.builds(
        SetAce,
        st.sampled_from(["USER", "DOMAIN"]),
        WORDS,
        st.sampled_from(["AA", "BD", "PA", "DD"]),
        DELTAS,
    ),
)


@given(CALLS)
def test_a_call_is_read_as_it_was_written(call):
    assert read_soap(write_soap(call)) == call


# --- Answers


def test_a_new_group_has_its_number_told():
    assert write_group_added(3) == envelope(
        "<m:addGroup><m:groupID>3</m:groupID></m:addGroup>"
    )


def test_who_was_found_is_told_with_schemes():
    row = DirectoryRow("bob@example.test", 'Bob "B"', email="b@c")

    assert write_directory_rows([row], more_available=True) == envelope(
        "<m:directorySearch><m:moreAvailable>true</m:moreAvailable></m:directorySearch>"
        '<m:Array><m:row uri="sip:bob@example.test" displayName="Bob &quot;B&quot;"'
        ' title="" office="" phone="" company="" city="" state="" country=""'
        ' email="b@c"/></m:Array>'
    )


def test_nobody_was_found():
    assert write_directory_rows([]) == envelope(
        "<m:directorySearch><m:moreAvailable>false</m:moreAvailable></m:directorySearch>"
    )


def test_a_refusal_says_why():
    assert write_soap_fault("Client", "no < such > group\x00") == envelope(
        "<s:Fault><faultcode>s:Client</faultcode>"
        "<faultstring>no &lt; such &gt; group\ufffd</faultstring></s:Fault>"
    )
