from __future__ import annotations

import os

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from presproxy.auth.directory import Directory
from presproxy.auth.users import digests_of, write_users
from presproxy.errors import ConfigurationMistakes
from presproxy.sip.authfields import Algorithm, ha1
from presproxy.sip.uri import AddressOfRecord

ALICE = AddressOfRecord("sip:alice@example.test")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "users"
    write_users(path, {"alice@example.test": "wonderland"})
    return path


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def directory(path, clock):
    directory = Directory(path, clock.seconds)
    directory.open()
    return directory


@pytest.fixture
def logged():
    with capturedLogs() as events:
        yield events


def problems(events):
    return [each["log_format"] for each in events if each["log_level"] > LogLevel.info]


def is_there(directory, username):
    return directory.find(username, "example.test", Algorithm.MD5) is not None


@pytest.mark.parametrize("algorithm", list(Algorithm), ids=lambda each: each.value)
@pytest.mark.parametrize("username", ["alice", "alice@example.test"])
def test_a_user_is_found_by_either_form_of_his_name(directory, username, algorithm):
    user, digest = directory.find(username, "example.test", algorithm)

    assert user.aor == ALICE
    assert digest == ha1(algorithm, username, "example.test", "wonderland")


@pytest.mark.parametrize(
    ("username", "realm"),
    [
        ("bob", "example.test"),
        ("alice", "other.test"),
        ("alice@other.test", "example.test"),
        ("alice@example.test", "other.test"),
        ("ALICE", "example.test"),
        ("@example.test", "example.test"),
        ("", ""),
    ],
)
def test_nobody_else_is_found(directory, username, realm):
    assert directory.find(username, realm, Algorithm.MD5) is None


def test_an_escaped_name_is_found_as_it_is_said(path, clock):
    write_users(path, {"#31@example.test": "secret"})
    directory = Directory(path, clock.seconds)
    directory.open()

    assert is_there(directory, "#31")


def test_a_user_without_a_digest_of_the_algorithm_is_not_found(path, clock):
    path.write_text("alice@example.test:MD5=" + "0" * 32 + "\n")
    directory = Directory(path, clock.seconds)
    directory.open()

    assert directory.find("alice", "example.test", Algorithm.SHA_256) is None


def test_it_does_not_open_without_a_file(tmp_path, clock):
    with pytest.raises(FileNotFoundError):
        Directory(tmp_path / "none", clock.seconds).open()


def test_it_does_not_open_with_a_mistake(path, clock):
    path.write_text("alice\n")

    with pytest.raises(ConfigurationMistakes, match=r"users:1: "):
        Directory(path, clock.seconds).open()


def test_a_change_is_seen_within_a_second(directory, path, clock):
    write_users(path, {"bob@example.test": "builder"})

    clock.advance(0.9)
    before = is_there(directory, "bob")
    clock.advance(0.1)

    assert (before, is_there(directory, "bob")) == (False, True)


def test_a_password_which_was_changed_is_the_only_one(directory, path, clock):
    write_users(path, {"alice@example.test": "oz"})
    clock.advance(1)

    _, digest = directory.find("alice", "example.test", Algorithm.MD5)

    assert digest == ha1(Algorithm.MD5, "alice", "example.test", "oz")


def test_the_file_is_looked_at_once_a_second(directory, path, clock):
    clock.advance(1)
    is_there(directory, "alice")
    write_users(path, {"bob@example.test": "builder"})

    assert not is_there(directory, "bob")


def test_users_stay_while_the_file_has_a_mistake(directory, path, clock, logged):
    path.write_text("alice@example.test:secret\n")
    for _ in range(3):
        clock.advance(1)
        assert is_there(directory, "alice")

    assert problems(logged) == ["the users stay as they were: {why}"]


def test_users_stay_while_the_file_is_gone(directory, path, clock, logged):
    path.unlink()
    for _ in range(3):
        clock.advance(1)
        assert is_there(directory, "alice")

    assert problems(logged) == ["the users stay as they were: {path} is gone"]


def test_a_file_which_comes_back_is_read(directory, path, clock):
    path.unlink()
    clock.advance(1)
    is_there(directory, "alice")
    write_users(path, {"bob@example.test": "builder"})
    clock.advance(1)

    assert (is_there(directory, "alice"), is_there(directory, "bob")) == (False, True)


def test_others_who_can_read_it_are_warned_of(path, clock, logged):
    os.chmod(path, 0o644)

    Directory(path, clock.seconds).open()

    assert len(problems(logged)) == 1


def test_the_log_never_shows_a_digest(directory, path, clock, logged):
    md5 = digests_of(ALICE, "oz").split(",")[0]
    path.write_text(f"alice@example.test:{md5}\nbob\n")
    clock.advance(1)
    is_there(directory, "alice")

    assert logged
    assert md5 not in repr(logged)
