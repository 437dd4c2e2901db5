"""The reference names all there is, and nothing that is not."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import attrs
import click
import pytest

from presproxy.auth.digest import DigestAuthenticator
from presproxy.cli.commands import cli
from presproxy.config.read import KEYS
from presproxy.extend.find import find_plugins
from presproxy.extend.maker import KINDS
from presproxy.http.openapi import description
from presproxy.tap import Options
from presproxy.testing.instance import Instance

DOCS = Path(__file__).parents[2] / "docs"
OPTIONS = (DOCS / "reference" / "options.rst").read_text()
COMMANDS = (DOCS / "reference" / "commands.rst").read_text()
HTTP = (DOCS / "reference" / "http.rst").read_text()
METRICS = (DOCS / "reference" / "metrics.rst").read_text()


# --- Options


def test_every_option_of_twistd_is_there():
    options = Options()
    known = {f"--{long.rstrip('=')}" for long in options.longOpt}
    known |= {f"-{short}" for short in options.shortOpt.replace(":", "")}

    directives = re.findall(r"^\.\. option::((?: .*\n)+)", OPTIONS, re.MULTILINE)
    named = set(re.findall(r"(?<!\w)--?[a-z][a-z-]*", " ".join(directives)))

    assert named == known


def test_every_key_of_the_file_is_there():
    named = set(re.findall(r"``\[{0,2}([a-z_]+)\]{0,2}``", OPTIONS))

    assert set(KEYS) <= named


def test_the_defaults_are_those_there_are():
    found = dict(re.findall(r"In the file:\s+``(\w+)``\.\s+By default (\d+)", OPTIONS))

    assert found == {"min_expires": "60"}


def test_every_plugin_that_comes_along_is_there():
    catalogue = find_plugins()
    built_in = {
        f"{found.maker.kind}:{found.maker.name}"
        for found in catalogue.found
        if found.maker.target.startswith("presproxy.")
    }

    assert set(re.findall(r"^\.\. plugin:: (\S+)$", OPTIONS, re.MULTILINE)) == built_in
    assert {each.partition(":")[0] for each in built_in} == set(KINDS)


# --- Commands


def test_every_command_is_there():
    headings = re.findall(r"^([a-z-]+)\n-+\n", COMMANDS, re.MULTILINE)
    directives = re.findall(r"^\.\. command:: (\S+)$", COMMANDS, re.MULTILINE)

    assert directives == headings
    assert sorted(headings) == sorted(cli.commands)


@pytest.fixture
def from_code(needed, monkeypatch):
    """The part of the pages that is taken from the code; it needs Sphinx."""
    needed("sphinx")
    monkeypatch.syspath_prepend(str(DOCS))
    yield
    for name in [each for each in sys.modules if each.startswith("fromcode")]:
        del sys.modules[name]


@pytest.mark.usefixtures("from_code")
@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_option_of_a_command_is_written(name):
    from fromcode.commands import command

    written = command(name)

    for parameter in cli.commands[name].params:
        if isinstance(parameter, click.Option):
            assert set(parameter.opts) <= set(re.findall(r"--?[a-z-]+", written))
            assert parameter.help is None or parameter.help in written
        else:
            assert parameter.make_metavar(click.Context(cli.commands[name])) in written


@pytest.mark.usefixtures("from_code")
def test_every_option_of_a_plugin_is_written():
    from fromcode.options import plugin

    written = plugin("auth:digest")

    for field in attrs.fields(DigestAuthenticator):
        assert (f"``{field.name}``" in written) == bool(field.metadata)


@pytest.mark.usefixtures("from_code")
def test_an_interface_is_written_with_types_and_in_order():
    from fromcode.sources import interface

    written = interface("presproxy.interfaces.IStorage")

    assert "py:interface:: presproxy.interfaces.IStorage(IPluggable)" in written
    assert "py:attribute:: durable\n      :type: bool" in written
    assert "commit(changes: Sequence[Change]) -> Awaitable[None]" in written
    assert written.index(":: durable") < written.index("commit(")


# --- HTTP


def test_every_resource_is_there():
    headings = re.findall(r"^(GET|POST|PUT|DELETE) (/\S+)$", HTTP, re.MULTILINE)

    assert set(headings) == {
        (method.upper(), path)
        for path, item in description("")["paths"].items()
        for method in item
        if method != "parameters"
    }


def test_every_parameter_and_field_is_there():
    whole = description("")
    fields = set(properties(whole))
    parameters = {
        parameter["name"]
        for item in whole["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict)
        for parameter in operation.get("parameters", ())
    }
    named = set(re.findall(r"``(\w+)``", HTTP))

    assert fields | parameters <= named


def test_every_status_is_there():
    statuses = {
        status
        for item in description("")["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict)
        for status in operation["responses"]
    }

    assert statuses - {"200", "default"} <= set(re.findall(r"\b[2-5]\d\d\b", HTTP))


def properties(value):
    """Give the names of all fields in a schema."""
    if isinstance(value, list):
        for each in value:
            yield from properties(each)
    elif isinstance(value, dict):
        yield from value.get("properties", ())
        for each in value.values():
            yield from properties(each)


# --- Metrics


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with all that counts something of its own."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "users").touch(0o600)
    instance = Instance(
        folder, options=["--auth", "digest:users=users", "--auth", "ntlm:users=users"]
    )
    instance.start()
    yield instance
    assert instance.stop() == 0


def test_every_metric_is_there_with_its_help(server):
    status, body = server.ask("GET", "/metrics")
    lines = body.decode().splitlines()
    helps = dict(line[7:].split(" ", 1) for line in lines if line.startswith("# HELP"))
    kinds = dict(line[7:].split(" ", 1) for line in lines if line.startswith("# TYPE"))
    # Made when the first response is sent.
    helps["presproxy_answers_total"] = "Final responses sent."
    kinds["presproxy_answers_total"] = "counter"

    entries = re.findall(
        r"^``(presproxy_\w+)`` \((\w+)(?:; ([\w, ]+))?\)\n((?:   .*\n)+)",
        METRICS,
        re.MULTILINE,
    )
    named = {name: (kind, " ".join(text.split())) for name, kind, _, text in entries}

    assert status == 200
    assert {name: kind for name, (kind, _) in named.items()} == kinds
    assert [n for n, (_, text) in named.items() if not text.startswith(helps[n])] == []


def test_every_label_is_there(server):
    found: dict[str, set[str]] = {}
    for written in server.metrics():
        name, _, labels = written.partition("{")
        keys = set(re.findall(r'(\w+)="', labels)) - {"le"}
        found.setdefault(re.sub("_(bucket|sum|count)$", "", name), set()).update(keys)
    found["presproxy_answers_total"] = {"status"}

    named = {
        name: set(labels.split(", ")) if labels else set()
        for name, labels in re.findall(
            r"^``(presproxy_\w+)`` \(\w+(?:; ([\w, ]+))?\)$", METRICS, re.MULTILINE
        )
    }

    assert named == found


@pytest.mark.parametrize(
    "page", sorted((DOCS / "guides").glob("*.rst")), ids=lambda p: p.stem
)
def test_a_guide_names_no_metric_that_is_not_there(page):
    named = set(re.findall(r"presproxy_\w+", page.read_text()))

    assert {each for each in named if f"``{each}`` (" not in METRICS} <= {
        "presproxy_example"
    }


# --- Standards


def test_every_document_that_the_code_cites_is_there():
    pages = ("standards.rst", "lync.rst")
    told = "".join((DOCS / "reference" / page).read_text() for page in pages)
    named = set(re.findall(r"\b\d{4}\b", told))
    cited = {
        number
        for path in (DOCS.parent / "presproxy").rglob("*.py")
        for number in re.findall(r"RFC (\d{4})", path.read_text())
    }

    # Limits of names in DNS are no business of whoever reads that page.
    assert cited - named <= {"1035"}
