from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presproxy.auth.users import (
    User,
    digests_of,
    parse_users,
    read_users,
    user_address,
    write_users,
)
from presproxy.errors import ConfigurationMistakes, MalformedField
from presproxy.sip.authfields import Algorithm, ha1
from presproxy.sip.uri import AddressOfRecord

ALICE = AddressOfRecord("sip:alice@example.test")
MD5 = "0123456789abcdef0123456789abcdef"


# --- Lines


def test_a_user_has_a_digest_of_each_algorithm_and_of_both_forms_of_his_name():
    user = User(ALICE, digests_of(ALICE, "wonderland"))

    assert {
        name: user.digest(name)
        for algorithm in Algorithm
        for name in (algorithm.value, f"{algorithm.value}@")
    } == {
        f"{algorithm.value}{mark}": ha1(
            algorithm, username, "example.test", "wonderland"
        )
        for algorithm in Algorithm
        for mark, username in (("", "alice"), ("@", "alice@example.test"))
    }


def test_a_digest_is_of_user_domain_and_password():
    user = User(ALICE, digests_of(AddressOfRecord("sip:bob@biloxi.com"), "zanzibar"))

    # As md5sum says of bob:biloxi.com:zanzibar.
    assert user.digest("MD5") == "12af60467a33e8518da5c68bbff12b11"


def test_a_user_has_the_hash_that_ntlm_wants():
    user = User(ALICE, digests_of(ALICE, "secret"))

    assert user.digest("NT") == "878d8014606cda29677a44efa1353fc7"


def test_a_line_does_not_hold_the_password():
    assert "wonderland" not in digests_of(ALICE, "wonderland")


def test_a_user_in_a_log_does_not_show_his_digests():
    assert MD5 not in repr(User(ALICE, f"MD5={MD5}"))


def test_comments_and_empty_lines_are_passed_over():
    text = f"# Users\n\n   \nalice@example.test:MD5={MD5}\n  # more\n"

    assert [user.aor for user in parse_users(text)] == [ALICE]


def test_a_digest_which_is_not_there_is_none():
    (user,) = parse_users(f"alice@example.test:MD5={MD5}")

    assert user.digest("SHA-256") is None


def test_digests_of_other_kinds_are_kept_as_they_are():
    (user,) = parse_users(f"alice@example.test:LM={MD5.upper()},MD5={MD5}")

    assert (user.digest("LM"), user.digest("MD5")) == (MD5, MD5)


def test_every_mistake_is_told_with_its_line():
    text = (
        f"alice@example.test:MD5={MD5}\n"
        "bob@example.test\n"
        "carol@example.test:secret\n"
        "dave@example.test:MD5=123\n"
        "erin@example.test:NT=123\n"
        f"example.test:MD5={MD5}\n"
        f"alice@Example.test:MD5={MD5}\n"
        f"eve@example.test:SHA-256={MD5}\n"
    )

    with pytest.raises(ConfigurationMistakes) as caught:
        parse_users(text, "/etc/users")

    assert [mistake.partition(" ")[0] for mistake in caught.value.mistakes] == [
        f"/etc/users:{number}:" for number in (2, 3, 4, 5, 6, 7, 8)
    ]


def test_a_mistake_never_repeats_what_may_be_a_secret():
    with pytest.raises(ConfigurationMistakes) as caught:
        parse_users("carol@example.test:hunter2")

    assert "hunter2" not in str(caught.value)


@given(st.text())
def test_no_text_fails_in_another_way(text):
    try:
        users = parse_users(text)
    except ConfigurationMistakes:
        return
    assert all(isinstance(user, User) for user in users)


# --- Names


@pytest.mark.parametrize(
    ("name", "aor"),
    [
        ("alice@example.test", "sip:alice@example.test"),
        ("sip:alice@example.test", "sip:alice@example.test"),
        ("Alice@Example.TEST", "sip:Alice@example.test"),
        ("+4930123@example.test", "sip:+4930123@example.test"),
        ("*97@example.test", "sip:*97@example.test"),
        ("a=b,c@example.test", "sip:a=b,c@example.test"),
        ("#31@example.test", "sip:%2331@example.test"),
        ("alice@[2001:db8:0::1]", "sip:alice@[2001:db8::1]"),
        ("alice@192.0.2.1", "sip:alice@192.0.2.1"),
    ],
)
def test_a_user_s_name_is_an_address(name, aor):
    assert user_address(name) == aor


@pytest.mark.parametrize(
    "name",
    [
        "",
        "alice",
        "@example.test",
        "alice@",
        "alice@example.test:5070",
        "alice:secret@example.test",
        "alice@bob@example.test",
        "alice@example.test;transport=tcp",
        "alice@example.test?subject=x",
        "al ice@example.test",
        "alice@example.test\nmallory@example.test",
        "alice@exa mple.test",
        "alice%zz@example.test",
        "sips:alice@example.test",
        "tel:+4930123",
    ],
)
def test_what_is_no_user_s_name_is_refused(name, tmp_path):
    with pytest.raises(MalformedField):
        write_users(tmp_path / "users", {name: "wonderland"})

    assert not (tmp_path / "users").exists()


@pytest.mark.parametrize("password", ["", "\ud800"], ids=["empty", "no text"])
def test_what_cannot_be_a_password_is_refused(password, tmp_path):
    with pytest.raises(MalformedField):
        write_users(tmp_path / "users", {"alice@example.test": password})


# --- The file


@pytest.fixture
def path(tmp_path):
    return tmp_path / "users"


def names_in(path):
    return [user.aor for user in read_users(path)]


NAMES = st.from_regex(r"[A-Za-z0-9+*=,.#\-]{1,12}@[a-z]{1,8}\.test", fullmatch=True)


@given(st.dictionaries(NAMES, st.text("aé:,= #@", min_size=1), max_size=5))
def test_what_is_written_reads_back(tmp_path_factory, passwords):
    path = tmp_path_factory.mktemp("users") / "users"
    write_users(path, passwords)

    assert {user.aor: user.digests for user in read_users(path)} == {
        user_address(name): digests_of(user_address(name), password)
        for name, password in passwords.items()
    }


def test_a_new_file_is_for_its_owner_only(path):
    write_users(path, {"alice@example.test": "wonderland"})

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_mode_of_a_file_is_kept(path):
    write_users(path, {"alice@example.test": "wonderland"})
    path.chmod(0o640)

    write_users(path, {"bob@example.test": "builder"})

    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_users_are_added_and_replaced_in_their_places(path):
    path.write_text(
        f"# ours\nalice@example.test:MD5={MD5}\n\nbob@example.test:MD5={MD5}\n# end"
    )

    write_users(path, {"alice@example.test": "wonderland", "carol@example.test": "x"})

    lines = path.read_text().split("\n")
    assert [line.partition(":")[0] for line in lines] == [
        "# ours",
        "alice@example.test",
        "",
        "bob@example.test",
        "# end",
        "carol@example.test",
        "",
    ]
    assert lines[1].endswith(digests_of(ALICE, "wonderland"))
    assert lines[3] == f"bob@example.test:MD5={MD5}"


def test_a_file_that_cannot_be_read_is_left_as_it_is(path):
    path.write_text("what is this\n")

    with pytest.raises(ConfigurationMistakes):
        write_users(path, {"alice@example.test": "wonderland"})

    assert path.read_text() == "what is this\n"
    assert os.listdir(path.parent) == ["users"]


def test_a_file_that_is_no_text_says_so(path):
    path.write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigurationMistakes, match="UTF-8"):
        read_users(path)


def test_a_link_stays_a_link(path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(path)

    write_users(link, {"alice@example.test": "wonderland"})

    assert link.is_symlink()
    assert names_in(path) == [ALICE]


def test_many_at_once_lose_nobody(path):
    names = [f"user{number}@example.test" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: write_users(path, {name: "secret"}), names))

    assert sorted(names_in(path)) == sorted(f"sip:{name}" for name in names)
    assert os.listdir(path.parent) == ["users"]


def test_nothing_is_left_over_where_the_folder_refuses(path):
    path.mkdir()

    with pytest.raises(IsADirectoryError):
        write_users(path, {"alice@example.test": "wonderland"})

    assert os.listdir(path.parent) == ["users"]
