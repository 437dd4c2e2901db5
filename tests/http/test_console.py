"""The console's files, as a browser is given them."""

from __future__ import annotations

import gzip
import re

import pytest

from presproxy.http.console.site import POLICY, read_static
from presproxy.testing.waiting import waiting_test

STATIC = read_static()


@pytest.mark.parametrize("path", ["/", "/people", "/trace?q=user:bob"])
@waiting_test
async def test_every_view_is_the_same_page(door, path):
    answer = await door.ask("GET", path)

    assert answer.code == 200
    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert answer.header("content-security-policy") == POLICY
    assert answer.header("cache-control") == "no-cache"
    assert b"HASH" not in answer.body


def test_all_that_the_page_names_is_there():
    page = STATIC.files["index.html"].data.decode()

    named = re.findall(r'(?:href|src)="([^"#]+)"', page)
    assert named
    for each in named:
        assert each.startswith(f"/static/{STATIC.hash}/")
        assert each.removeprefix(f"/static/{STATIC.hash}/") in STATIC.files


@pytest.mark.parametrize(
    "path", [each for each in STATIC.files if each.endswith(".js")]
)
def test_what_a_module_imports_is_there(path):
    source = STATIC.files[path].data.decode()
    folder = path.rpartition("/")[0]

    for name in re.findall(r"from '([^']+)'", source):
        parts = folder.split("/")
        for step in name.split("/"):
            parts = (
                parts[:-1] if step == ".." else parts if step == "." else [*parts, step]
            )
        assert "/".join(parts) in STATIC.files


@pytest.mark.parametrize(
    "path", [each for each in STATIC.files if each != "index.html"]
)
@waiting_test
async def test_a_file_may_be_kept_for_ever(door, path):
    answer = await door.ask("GET", f"/static/{STATIC.hash}/{path}")

    assert answer.code == 200
    assert answer.body == STATIC.files[path].data
    assert "immutable" in answer.header("cache-control")


@waiting_test
async def test_a_file_of_another_version_is_not_given(door):
    answer = await door.ask("GET", "/static/0123456789abcdef/js/main.js")

    assert answer.code == 404


def test_no_script_and_no_style_stands_in_the_page():
    page = STATIC.files["index.html"].data.decode()

    assert not re.search(r"<script[^>]*>[^<]|<style|style=|\son[a-z]+=", page)


@pytest.mark.parametrize(
    "path", [each for each in STATIC.files if each.endswith(".js")]
)
def test_what_is_shown_is_never_markup(path):
    source = STATIC.files[path].data.decode()

    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(", source)


def test_the_first_view_is_light():
    octets = sum(len(each.compressed) for each in STATIC.files.values())

    assert octets < 150_000
    for each in STATIC.files.values():
        assert gzip.decompress(each.compressed) == each.data
