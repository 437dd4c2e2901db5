"""NTLM's keys and signatures, by the values of one exchange and by another's reckoning."""

from __future__ import annotations

import pytest
from spnego._ntlm_raw.md4 import md4 as md4_of_pyspnego

from presproxy.auth import ntlmkeys

NT_HASH = bytes.fromhex("878d8014606cda29677a44efa1353fc7")
EXPORTED = bytes.fromhex("3001204d7242df38bf9bd1139d5ba517")


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        (b"a", "bde52cb31de33e46245e05fbdbd6fb24"),
        (b"abc", "a448017aaf21d8525fc10ae87aa6729d"),
        (b"message digest", "d9130a8164549fe818874806e1c7014b"),
        (b"abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9"),
        (b"1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4_is_that_of_rfc_1320(text, digest):
    assert ntlmkeys.md4(text).hex() == digest


@pytest.mark.parametrize("length", [54, 55, 56, 63, 64, 65, 119, 120, 500])
def test_md4_is_right_at_the_edges_of_blocks(length):
    assert ntlmkeys.md4(b"x" * length) == md4_of_pyspnego(b"x" * length)


@pytest.mark.parametrize(
    ("key", "text", "encrypted"),
    [
        (b"Key", b"Plaintext", "bbf316e8d940af0ad3"),
        (b"Wiki", b"pedia", "1021bf0420"),
        (b"Secret", b"Attack at dawn", "45a01f645fc35b383552544b9bf5"),
    ],
)
def test_rc4_encrypts_and_decrypts(key, text, encrypted):
    assert ntlmkeys.rc4(key, text).hex() == encrypted
    assert ntlmkeys.rc4(key, bytes.fromhex(encrypted)) == text


def test_a_password_is_hashed():
    assert ntlmkeys.nt_hash("secret") == NT_HASH


@pytest.mark.parametrize("user", ["alice@example.test", "ALICE@example.TEST"])
def test_the_response_key_has_the_user_in_upper_case(user):
    key = ntlmkeys.response_key(NT_HASH, user, "")

    assert key.hex() == "e92d7721a3836f6d2c0128c5a6bb5e5c"


def test_the_response_key_has_the_domain_as_it_is_written():
    keys = {ntlmkeys.response_key(NT_HASH, "alice", each) for each in ("CORP", "corp")}

    assert len(keys) == 2


def test_a_letter_without_one_capital_stays():
    keys = {ntlmkeys.response_key(NT_HASH, each, "") for each in ("groß", "GROSS")}

    assert len(keys) == 2


def test_the_directions_have_keys_of_their_own():
    signer = ntlmkeys.SessionSigner.of(EXPORTED)

    assert signer.client.key.hex() == "2986c38fe3c1cb28aa12afbc746caac4"
    assert signer.server.key.hex() == "4aea51fda7e38a60077669932fdbad6f"


CLIENT_TEXT = (
    b"<NTLM><3cb7a946><1><SIP Communications Service><presproxy.example.test>"
    b"<7AC8gDC78a3E3Di6DF2mBD45t65D7bFDD2x3929x><3><REGISTER>"
    b"<sip:alice@example.test><596010956><sip:alice@example.test><><><><>"
)
SERVER_TEXT = (
    b"<NTLM><55887A4C><1><SIP Communications Service><presproxy.example.test>"
    b"<7AC8gDC78a3E3Di6DF2mBD45t65D7bFDD2x3929x><3><REGISTER>"
    b"<sip:alice@example.test><596010956><sip:alice@example.test>"
    b"<33E1F9784F04751C><><><7200><200>"
)


def test_the_server_signs():
    signature = ntlmkeys.SessionSigner.of(EXPORTED).sign(SERVER_TEXT)

    assert signature.hex().upper() == "010000005CB7AD141C4E1D5864000000"


def test_the_signature_of_the_client_is_known():
    signer = ntlmkeys.SessionSigner.of(EXPORTED)
    signature = bytes.fromhex("010000008A63EEBCC80DC69164000000")

    assert signer.is_signed(CLIENT_TEXT, signature)
    assert not signer.is_signed(CLIENT_TEXT + b" ", signature)
    assert not signer.is_signed(CLIENT_TEXT, signature[:-1])
    assert not signer.is_signed(CLIENT_TEXT, b"")
    assert not signer.is_signed(SERVER_TEXT, signer.sign(SERVER_TEXT))
