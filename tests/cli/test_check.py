from __future__ import annotations

import json

from click.testing import CliRunner

from presproxy.cli.commands import cli


def check(*arguments):
    return CliRunner().invoke(cli, ["check", *arguments])


def test_a_good_configuration_is_shown(tmp_path):
    path = tmp_path / "presproxy.toml"
    path.write_text('domains = ["example.test"]\nstorage = "memory"\n')

    result = check(
        "-c", str(path), "--min-expires", "90", "-l", "udp:0:interface=[::1]"
    )
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines()]

    assert result.exit_code == 0
    assert ["listen", "udp:[::1]:0"] in lines
    assert ["domain", "example.test"] in lines
    assert ["auth", "none"] in lines
    assert ["storage", "memory"] in lines
    assert ["min-expires", "90"] in lines


def test_a_configuration_is_given_to_programs_as_json():
    result = check("--json", "-d", "example.test", "--acl", "open", "--acl", "contacts")

    settings = json.loads(result.stdout)
    assert settings["domain"] == ["example.test"]
    assert settings["acl"] == ["open", "contacts"]


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    path = tmp_path / "presproxy.toml"
    path.write_text('min_expires = "soon"\ncolour = "blue"\n')

    result = check("-c", str(path), "-l", "udp:x", "--acl", "nobody")

    assert result.exit_code == 1
    assert result.stdout == ""
    for word in ("min_expires", "colour", "--listen", "nobody"):
        assert word in result.stderr


def test_a_file_which_is_not_there_is_said():
    result = check("-c", "/nowhere/presproxy.toml")

    assert result.exit_code == 1
    assert "/nowhere/presproxy.toml" in result.stderr
