from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.errors import MalformedField
from presproxy.sip import grammar
from presproxy.sip.authfields import (
    Algorithm,
    Challenge,
    Credentials,
    digest_response,
    ha1,
    parse_challenge,
    parse_credentials,
)

tokens = st.from_regex(re.compile(grammar.TOKEN, re.ASCII), fullmatch=True)
line = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12)
algorithms = st.none() | st.sampled_from(Algorithm)


# --- Arithmetic


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        (Algorithm.MD5, "8ca523f5e9506fed4657c9700eebdbec"),
        (
            Algorithm.SHA_256,
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ],
)
def test_the_responses_of_rfc_7616_3_9_1(algorithm, response):
    secret = ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")

    assert response == digest_response(
        algorithm,
        secret,
        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "GET",
        "/dir/index.html",
        qop="auth",
        nc="00000001",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )


def test_the_response_of_rfc_7616_3_9_2():
    # With the values of erratum 4897: those printed are of an early draft of SHA-512/256.
    algorithm = Algorithm.SHA_512_256
    secret = ha1(algorithm, "Jäsøn Doe", "api@example.org", "Secret, or not?")

    assert digest_response(
        algorithm,
        secret,
        "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        "GET",
        "/doe.json",
        qop="auth",
        nc="00000001",
        cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
    ) == ("3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5")


def test_the_response_of_rfc_2617_3_5():
    secret = ha1(Algorithm.MD5, "Mufasa", "testrealm@host.com", "Circle Of Life")

    assert (
        digest_response(
            Algorithm.MD5,
            secret,
            "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            "GET",
            "/dir/index.html",
            qop="auth",
            nc="00000001",
            cnonce="0a4f113b",
        )
        == "6629fae49393a05397450978507c4ef1"
    )


def test_without_qop_nothing_is_counted():
    # The example of RFC 2069 §2.4, as its erratum 749 corrects it.
    secret = ha1(Algorithm.MD5, "Mufasa", "testrealm@host.com", "CircleOfLife")

    assert (
        digest_response(
            Algorithm.MD5,
            secret,
            "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            "GET",
            "/dir/index.html",
        )
        == "1949323746fe6a43ef61f9606e7febea"
    )


def test_auth_int_depends_on_the_body():
    def response(body):
        return digest_response(
            Algorithm.MD5,
            "x",
            "n",
            "PUBLISH",
            "sip:a",
            qop="auth-int",
            nc="1",
            cnonce="c",
            body=body,
        )

    assert response(b"one") != response(b"two")


# --- Credentials


def test_credentials_are_read():
    credentials = parse_credentials(
        'Digest username="a\\"b", realm="example.test", nonce="n,=", uri="sip:h;x=1", '
        'response="0f", algorithm=SHA-256, cnonce="c", opaque="", qop=auth, nc=0000000A'
    )

    assert credentials == Credentials(
        username='a"b',
        realm="example.test",
        nonce="n,=",
        uri="sip:h;x=1",
        response="0f",
        algorithm=Algorithm.SHA_256,
        qop="auth",
        nc=10,
        nc_text="0000000A",
        cnonce="c",
        opaque="",
    )


@pytest.mark.parametrize(
    ("text", "algorithm", "nc"),
    [
        # Desk phones: no space behind commas, small letters, no qop.
        (
            'Digest username="1",realm="r",nonce="N",uri="sip:h",response="R",algorithm=md5',
            Algorithm.MD5,
            None,
        ),
        # Quotes where none belong, and none where they do.
        (
            'DIGEST username=1, realm=r, nonce=N, uri=sip:h, response=R, algorithm="MD5", nc="0000000b", qop="auth"',
            Algorithm.MD5,
            11,
        ),
        (
            '\tdigest  username = "1" ,, realm="r",nonce="N",uri="sip:h",response="R",',
            None,
            None,
        ),
    ],
)
def test_quotes_and_spaces_are_not_insisted_on(text, algorithm, nc):
    credentials = parse_credentials(text)

    assert (credentials.username, credentials.realm, credentials.uri) == (
        "1",
        "r",
        "sip:h",
    )
    assert (credentials.algorithm, credentials.nc) == (algorithm, nc)


def test_a_name_may_be_extended():
    credentials = parse_credentials(
        "Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, realm=r, nonce=n, uri=u, response=x"
    )

    assert credentials.username == "Jäsøn Doe"


@pytest.mark.parametrize(
    "text", ["Basic QWxhZGRpbg==", "NTLM qop=auth", "", '"Digest"', "Digest/x"]
)
def test_another_scheme_is_none(text):
    assert parse_credentials(text) is None
    assert parse_challenge(text) is None


WHOLE = 'Digest username="u", realm="r", nonce="n", uri="sip:h", response="x"'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Digest", "username is missing"),
        (WHOLE.replace("nonce", "nonsense"), "nonce is missing"),
        (WHOLE.replace(' response="x"', ""), "response is missing"),
        (WHOLE + ", nonce=m", "nonce is there twice"),
        (WHOLE + ", algorithm=MD5-sess", "algorithm 'MD5-sess' is not known"),
        (WHOLE + ", nc=xyz", "no count"),
        (WHOLE + ", nc=000000001", "no count"),
        (WHOLE + ', opaque="x', "cannot be read"),
        (WHOLE + " opaque=x", "cannot be read"),
        (WHOLE + ", =x", "cannot be read"),
        (WHOLE.replace("username", "username*"), "no user name"),
        (WHOLE + ", username*=utf-8''x", "no user name"),
    ],
)
def test_credentials_that_cannot_be_read_are_refused(text, why):
    with pytest.raises(MalformedField, match=re.escape(why)):
        parse_credentials(text)


@given(
    st.builds(
        Credentials,
        *[line] * 5,
        algorithm=algorithms,
        qop=st.none() | tokens,
        cnonce=st.none() | line,
        opaque=st.none() | line,
        userhash=st.booleans(),
    )
)
def test_credentials_read_back_the_same(credentials):
    assert parse_credentials(str(credentials)) == credentials


@given(st.from_regex("[0-9a-f]{1,8}", fullmatch=True))
def test_a_count_is_kept_as_it_is_written(text):
    credentials = Credentials("u", "r", "n", "x", "y", nc=int(text, 16), nc_text=text)

    assert parse_credentials(str(credentials)) == credentials


# --- Challenges


@pytest.mark.parametrize(
    ("text", "challenge"),
    [
        ('Digest realm="a b", nonce="x"', Challenge("a b", "x")),
        (
            'digest realm=r,nonce=n,algorithm="sha-512-256",qop="auth, auth-int",stale=TRUE,'
            'opaque="o",domain="sip:h",userhash=true,charset=UTF-8',
            Challenge(
                "r",
                "n",
                Algorithm.SHA_512_256,
                ("auth", "auth-int"),
                True,
                "o",
                "sip:h",
                True,
            ),
        ),
    ],
)
def test_a_challenge_is_read(text, challenge):
    assert parse_challenge(text) == challenge


def test_a_challenge_of_an_unknown_algorithm_is_passed_over():
    assert parse_challenge('Digest realm="r", nonce="n", algorithm=AKAv1-MD5') is None


@pytest.mark.parametrize(
    "text", ["Digest realm=r", "Digest nonce=n", 'Digest realm="r']
)
def test_a_challenge_that_cannot_be_read_is_refused(text):
    with pytest.raises(MalformedField, match=r"^WWW-Authenticate: "):
        parse_challenge(text)


@given(
    st.builds(
        Challenge,
        line,
        line,
        algorithms,
        st.lists(st.sampled_from(["auth", "auth-int", "x"])).map(tuple),
        st.booleans(),
        st.none() | line,
        st.none() | line,
        st.booleans(),
    )
)
def test_a_challenge_reads_back_the_same(challenge):
    assert parse_challenge(str(challenge)) == challenge


def test_a_challenge_is_written_for_old_phones():
    challenge = Challenge("example.test", "n", Algorithm.MD5, ("auth",), stale=True)

    assert str(challenge) == (
        'Digest realm="example.test", nonce="n", stale=true, algorithm=MD5, qop="auth"'
    )
