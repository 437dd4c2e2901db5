from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from presproxy.auth.users import digests_of, read_users
from presproxy.cli.commands import cli

ALICE = "alice@example.test"


@pytest.fixture
def passwd(tmp_path):
    """Run ``passwd`` on a file of this test."""

    def run(*arguments: str, input: str = "") -> Result:
        path = str(tmp_path / "users")
        return CliRunner().invoke(cli, ["passwd", path, *arguments], input=input)

    run.users = lambda: {
        user.aor: user.digests for user in read_users(tmp_path / "users")
    }
    return run


def known(name, password):
    aor = f"sip:{name}"
    return {aor: digests_of(aor, password)}


@pytest.mark.parametrize("name", [ALICE, f"sip:{ALICE}"])
def test_a_password_is_read_from_stdin(passwd, name):
    result = passwd(name, "--stdin", input="s3cret\n")

    assert result.exit_code == 0
    assert passwd.users() == known(ALICE, "s3cret")


def test_a_password_is_asked_for_twice(passwd):
    result = passwd(ALICE, input="s3cret\ns3cret\n")

    assert result.exit_code == 0
    assert passwd.users() == known(ALICE, "s3cret")
    assert "s3cret" not in result.output


def test_a_password_which_was_mistyped_is_asked_for_again(passwd):
    result = passwd(ALICE, input="s3cret\nsecret\nother\nother\n")

    assert result.exit_code == 0
    assert passwd.users() == known(ALICE, "other")


def test_a_user_who_is_there_gets_another_password(passwd):
    passwd(ALICE, "--stdin", input="old\n")

    passwd(ALICE, "--stdin", input="new\n")

    assert passwd.users() == known(ALICE, "new")


def test_many_are_written_at_once(passwd):
    lines = f"{ALICE}:one\n\nbob@example.test:two:with:colons\n"

    result = passwd("--batch", input=lines)

    assert result.output == "2 users written\n"
    assert passwd.users() == {
        **known(ALICE, "one"),
        **known("bob@example.test", "two:with:colons"),
    }


def test_of_a_batch_with_a_mistake_nothing_is_written(passwd, tmp_path):
    result = passwd("--batch", input=f"{ALICE}:one\nbob\n:x\n")

    assert result.exit_code == 1
    assert result.stderr == (
        "presproxy: line 2 is not USER@DOMAIN:PASSWORD; "
        "line 3 is not USER@DOMAIN:PASSWORD\n"
    )
    assert not (tmp_path / "users").exists()


def test_an_empty_password_is_none(passwd):
    result = passwd(ALICE, "--stdin", input="\n")

    assert result.exit_code == 1
    assert result.stderr.startswith("presproxy: ")


@pytest.mark.parametrize(
    "arguments",
    [[], [ALICE, "--batch"], ["--batch", "--stdin"], ["--stdin"], ["alice", "--stdin"]],
    ids=" ".join,
)
def test_wrong_usage_is_2(passwd, arguments):
    assert passwd(*arguments).exit_code == 2


def test_a_file_which_cannot_be_written_fails_in_one_line():
    arguments = ["passwd", "/nowhere/users", ALICE, "--stdin"]

    result = CliRunner().invoke(cli, arguments, input="x\n")

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
